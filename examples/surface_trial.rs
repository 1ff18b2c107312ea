//! The cut-out surfaces of CT volumes, for `scripts/evaluate_surfaces.py` and `scripts/evaluate_phantoms.py`.
//!
//! `cargo run --example surface_trial -- OUT VOLUME ...`: each VOLUME is a folder with one CT series as
//! DICOM, or `<name>.json` (`size` `[ni, nj, nk]`, `origin`, `step_i`, `step_j`, `step_k` in LPS mm) beside
//! `<name>.raw` (int16 Hounsfield units, little endian, `[k][j][i]`; below -1500 is padding). Writes
//! `OUT/<name>.bodies.raw` (one byte per voxel, same order; n for the n-th vertebra) and
//! `OUT/<name>.surfaces.json` (frames, outlines, endplates and canal sections in LPS mm).
//! Development only.
#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a development tool: it may stop at the first surprise"
)]

mod raw_volume;

use std::path::PathBuf;

use osteoflag::anatomy::{Canal, MeasuredLength, Vertebra};
use osteoflag::geometry::{Frame, LpsPoint, LpsVector};
use raw_volume::{body_labels, load, load_dicom};
use serde_json::{Value, json};

fn point(p: LpsPoint) -> Value {
    json!([p.x(), p.y(), p.z()])
}

fn vector(v: LpsVector) -> Value {
    json!([v.x(), v.y(), v.z()])
}

fn frame(f: &Frame) -> Value {
    json!({"origin": point(f.origin), "up": vector(f.up), "anterior": vector(f.anterior), "left": vector(f.left)})
}

fn length(m: Option<MeasuredLength>) -> Value {
    m.map_or(Value::Null, |m| json!({"mm": m.length.mm(), "error_mm": m.error.mm()}))
}

fn vertebra(v: &Vertebra) -> Value {
    let body = v.body.as_ref().map(|body| {
        json!({
            "frame": frame(&body.frame),
            "confidence": body.confidence,
            "first_outline_s": body.surface.first_outline_s,
            "outlines": body.surface.outlines.iter().map(|o| o.to_vec()).collect::<Vec<_>>(),
            "upper": body.surface.upper.coefficients,
            "lower": body.surface.lower.coefficients,
            "measurements": body.measurements.map(|m| json!({
                "height_anterior": length(m.height_anterior),
                "height_middle": length(m.height_middle),
                "height_posterior": length(m.height_posterior),
                "depth": length(m.depth),
                "width": length(m.width),
                "wedge_degrees": m.wedge.map(|w| w.degrees()),
            })),
            "in_view_s": [body.surface.in_view_s.0, body.surface.in_view_s.1],
        })
    });
    let disc = |disc: &Option<osteoflag::anatomy::Disc>| {
        disc.map(|d| json!({"frame": frame(&d.frame), "half_height_mm": d.half_height.mm()}))
    };
    json!({
        "id": v.id,
        "level": v.level,
        "level_candidates": v.level_candidates,
        "centroid_lps_mm": point(v.centroid),
        "fraction_in_view": v.fraction_in_view,
        "confidence": v.confidence,
        "section_guess": v.section_guess,
        "body": body,
        "disc_below": disc(&v.disc_below),
        "disc_above": disc(&v.disc_above),
    })
}

fn canal(canal: &Canal) -> Vec<Value> {
    canal
        .sections
        .iter()
        .map(|s| {
            json!({
                "frame": frame(&s.frame),
                "anterior_mm": s.anterior.mm(),
                "posterior_mm": s.posterior.map(|m| m.mm()),
                "left_mm": s.left.map(|m| m.mm()),
                "right_mm": s.right.map(|m| m.mm()),
                "outline_mm": s.outline.map(|outline| outline.to_vec()),
                "confidence": s.confidence,
            })
        })
        .collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let out = PathBuf::from(arguments.next().unwrap());
    std::fs::create_dir_all(&out).unwrap();
    for argument in arguments {
        let path = PathBuf::from(argument);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let volume = if path.is_dir() { load_dicom(&path) } else { load(&path) };
        let anatomy = osteoflag::anatomy::ct::find(&volume);
        std::fs::write(out.join(format!("{name}.bodies.raw")), body_labels(&anatomy, &volume.grid))
            .unwrap();
        let described = json!({
            "name": name,
            "vertebrae": anatomy.vertebrae.iter().map(vertebra).collect::<Vec<_>>(),
            "canal": anatomy.canal.as_ref().map(canal),
            "problems": anatomy.problems.iter().map(|p| p.code).collect::<Vec<_>>(),
        });
        std::fs::write(out.join(format!("{name}.surfaces.json")), described.to_string()).unwrap();
        println!("{name}: {} vertebrae", anatomy.vertebrae.len());
    }
}
