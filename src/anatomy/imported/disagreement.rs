//! What the heuristic sees otherwise than the masks.

use crate::anatomy::{Anatomy, Vertebra};
use crate::problem::{Problem, ProblemCode, Severity};
use crate::units::rounded;

/// Bodies whose centres are farther apart than this are two, mm: half of a thoracic pitch.
const SAME_BODY_MM: f64 = 12.0;
/// Centres that agree within this, mm (the heuristic's error on real series is 2 mm in the median).
const AGREE_MM: f64 = 5.0;
/// A vertebra of which less than this is in view may be missing on either side.
const MATTERS_IN_VIEW: f64 = 0.5;

/// How the vertebrae of two providers differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disagreement {
    /// Vertebrae that both have.
    pub shared: usize,
    /// Vertebrae, half or more in view, that only the masks have (ids of the masks' anatomy).
    pub only_in_masks: Vec<String>,
    /// Vertebrae, half or more in view, that only the heuristic has (its centre, LPS mm).
    pub only_in_image: Vec<[f64; 3]>,
    /// Largest distance of the centres of a shared vertebra, mm.
    pub largest_distance_mm: f64,
    /// Shared vertebrae with two different levels, as "v3 (L2 in the masks, L3 in the image)".
    pub levels: Vec<String>,
    /// Whether the heuristic found any vertebra.
    pub seen_in_image: bool,
}

/// Compares what the heuristic found with the vertebrae of masks.
pub fn compare(heuristic: &Anatomy, masks: &[Vertebra]) -> Disagreement {
    let seen = &heuristic.vertebrae;
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for (n, mask) in masks.iter().enumerate() {
        for (m, other) in seen.iter().enumerate() {
            let mm = mask.centroid.distance(other.centroid);
            if mm <= SAME_BODY_MM {
                pairs.push((n, m, mm));
            }
        }
    }
    // The nearest first; each vertebra once.
    pairs.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1)));
    let mut of_mask = vec![None; masks.len()];
    let mut of_seen = vec![false; seen.len()];
    let mut found = Disagreement { seen_in_image: !seen.is_empty(), ..Disagreement::default() };
    for (n, m, mm) in pairs {
        if of_mask[n].is_none() && !of_seen[m] {
            of_mask[n] = Some(m);
            of_seen[m] = true;
            found.shared += 1;
            found.largest_distance_mm = found.largest_distance_mm.max(mm);
        }
    }
    let matters = |v: &Vertebra| v.fraction_in_view.get() >= MATTERS_IN_VIEW;
    for (mask, other) in masks.iter().zip(&of_mask) {
        match other {
            None if matters(mask) => found.only_in_masks.push(mask.id.to_string()),
            None => {}
            Some(m) => {
                if let (Some(a), Some(b)) = (mask.level, seen[*m].level)
                    && a != b
                {
                    found.levels.push(format!("{} ({a} in the masks, {b} in the image)", mask.id));
                }
            }
        }
    }
    for (other, taken) in seen.iter().zip(of_seen) {
        if !taken && matters(other) {
            found.only_in_image.push(other.centroid.rounded(0).into());
        }
    }
    found
}

impl Disagreement {
    /// The limitation that it makes; `None` where both agree.
    pub fn problem(&self) -> Option<Problem> {
        if !self.seen_in_image {
            return Some(Problem::new(
                ProblemCode::MasksDisagreeWithImage,
                Severity::Warning,
                "this program found no spine in the image itself, so nothing speaks for the masks but the masks",
            ));
        }
        let mut parts = Vec::new();
        if !self.only_in_masks.is_empty() {
            parts.push(format!("{} only in the masks", self.only_in_masks.join(", ")));
        }
        if !self.only_in_image.is_empty() {
            let places: Vec<String> =
                self.only_in_image.iter().map(|[x, y, z]| format!("({x}, {y}, {z})")).collect();
            parts.push(format!("a vertebra at {} mm only in the image", places.join(", ")));
        }
        if self.largest_distance_mm > AGREE_MM {
            parts.push(format!("centres up to {:.1} mm apart", self.largest_distance_mm));
        }
        if !self.levels.is_empty() {
            parts.push(format!("other levels for {}", self.levels.join(", ")));
        }
        if parts.is_empty() {
            return None;
        }
        Some(
            Problem::new(
                ProblemCode::MasksDisagreeWithImage,
                Severity::Warning,
                format!(
                    "the masks and what this program sees in the image differ: {}",
                    parts.join("; ")
                ),
            )
            .with_number("shared_vertebrae", self.shared as f64)
            .with_number("only_in_masks", self.only_in_masks.len() as f64)
            .with_number("only_in_image", self.only_in_image.len() as f64)
            .with_number("largest_distance_mm", rounded(self.largest_distance_mm, 1))
            .with_number("other_levels", self.levels.len() as f64),
        )
    }
}
