//! What one painting gives, and which function paints which kind.

use std::collections::BTreeMap;

use serde_json::Value;

use super::body::Body;
use super::canvas::{Canvas, Shares};
use super::draw::Draw;
use super::kind::InsertKind;
use super::{Contrast, Refusal, density, look_alike, marrow_signal, posterior_wall};
use crate::units::rounded;

/// A lesion as it was painted.
pub(super) struct Painted {
    pub(super) kind: InsertKind,
    /// Drawn strength in the unit of [`InsertKind::drawn_from`].
    pub(super) strength: f64,
    /// Where it lies.
    pub(super) shares: Shares,
    /// What else was drawn or measured.
    pub(super) details: BTreeMap<String, Value>,
}

impl Painted {
    pub(super) fn new(kind: InsertKind, strength: f64, shares: Shares) -> Self {
        Self { kind, strength, shares, details: BTreeMap::new() }
    }

    pub(super) fn with(mut self, name: &str, value: f64) -> Self {
        self.details.insert(name.to_owned(), rounded(value, 2).into());
        self
    }

    pub(super) fn with_flag(mut self, name: &str, value: bool) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Paints one lesion of a kind into a body.
pub(super) fn paint(
    kind: InsertKind,
    contrast: Contrast,
    canvas: &mut Canvas,
    body: &Body,
    draw: &mut Draw,
) -> Result<Painted, Refusal> {
    match kind {
        InsertKind::Sclerotic => density::put_sclerotic(canvas, body, draw),
        InsertKind::Lytic => density::put_lytic(canvas, body, draw),
        InsertKind::Mixed => density::put_mixed(canvas, body, draw),
        InsertKind::T1Replacement => marrow_signal::put_t1_replacement(canvas, body, draw),
        InsertKind::StirOedema => marrow_signal::put_oedema(canvas, body, draw),
        InsertKind::PosteriorWallBreach => posterior_wall::put_breach(canvas, body, draw),
        InsertKind::PosteriorWallLysis => posterior_wall::put_lysis(canvas, body, draw),
        InsertKind::BoneIsland => look_alike::put_bone_island(canvas, body, draw),
        InsertKind::Haemangioma => look_alike::put_haemangioma(canvas, body, draw),
        InsertKind::SchmorlNode => look_alike::put_schmorl_node(canvas, body, draw),
        InsertKind::EndplateSclerosis => look_alike::put_endplate_sclerosis(canvas, body, draw),
        InsertKind::Osteophyte => look_alike::put_osteophyte(canvas, body, draw),
        InsertKind::FocalFat => look_alike::put_focal_fat(canvas, body, draw),
        InsertKind::Modic => look_alike::put_modic(canvas, body, contrast, draw),
    }
}
