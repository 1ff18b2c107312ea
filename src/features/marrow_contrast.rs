//! Marrow of each body against the patient's own: reference, normal pattern, filter answers.
//!
//! # Method
//! The reference of a body is the median of its core, held within a band round the median of the
//! nearest bodies: people differ by 200 HU, adjacent bodies by 20, and a body that is dense as a
//! whole must not become its own reference. The normal pattern and the spread by place come from
//! the other bodies too.

use rayon::prelude::*;

use super::body_doubts::{Least, measurable_body};
use super::body_samples::{BodySamples, CoreMargins};
use super::matched_filter::{Filtered, SpreadByPlace};
use super::normal_pattern::{PatternBody, normal_pattern};
use super::robust_statistics::{median_and_spread, median_of};
use crate::anatomy::{Anatomy, Vertebra, VertebralBody};
use crate::terms::Reason;
use crate::volume::Image;

/// Bodies whose medians limit the reference.
const REFERENCE_BODIES: usize = 4;
/// Bodies whose pattern is expected.
const PATTERN_BODIES: usize = 6;
/// Least volume of core that can be judged, mm³.
const MIN_CORE_MM3: usize = 800;

/// The numbers that decide which bodies are compared, and with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    /// How far below the surfaces marrow begins.
    pub margins: CoreMargins,
    /// What a body must have to be compared.
    pub least: Least,
    /// Own median may differ from the neighbours' by this much, HU ...
    pub reference_band_hu: f64,
    /// ... or by this share of theirs, whichever is more.
    pub reference_band_share: f64,
}

/// One body with its marrow compared.
pub(super) struct ComparedBody<'a> {
    /// The vertebra.
    pub vertebra: &'a Vertebra,
    /// Its body.
    pub body: VertebralBody,
    /// Its samples.
    pub samples: BodySamples,
    /// Median of its core, HU.
    pub own_median: f64,
    /// 1.48 times the median absolute deviation of its core, HU.
    pub own_spread: f64,
    /// What it is compared with, HU.
    pub reference: f64,
    /// Median of the nearest bodies, where there are any, HU.
    pub neighbours_median: Option<f64>,
    /// How many bodies that is.
    pub neighbours: usize,
    /// Core samples of this body and those neighbours.
    pub reference_voxels: u64,
    /// Filter answers of what is left after reference and normal pattern.
    pub filtered: Filtered,
}

/// All bodies of a series, compared with each other.
pub(super) struct MarrowContrast<'a> {
    /// For each vertebra of the anatomy, in its order: the compared body, or why there is none.
    pub bodies: Vec<Result<ComparedBody<'a>, Reason>>,
    /// Spread of filter answers in healthy bone; `None` when no body could be compared.
    pub spread: Option<SpreadByPlace>,
}

struct Read<'a> {
    vertebra: &'a Vertebra,
    body: VertebralBody,
    samples: BodySamples,
    median: f64,
    spread: f64,
    core: u64,
}

/// Compares the bodies of a series with each other.
pub(super) fn compare<'a>(
    image: &Image,
    anatomy: &'a Anatomy,
    comparison: &Comparison,
) -> MarrowContrast<'a> {
    let read: Vec<Result<Read<'a>, Reason>> = (0..anatomy.vertebrae.len())
        .into_par_iter()
        .map(|n| read_body(image, anatomy, n, comparison))
        .collect();
    let good: Vec<&Read<'a>> = read.iter().filter_map(|r| r.as_ref().ok()).collect();

    // For each good body the other ones, nearest first.
    let nearest: Vec<Vec<usize>> = good
        .iter()
        .enumerate()
        .map(|(n, own)| {
            let mut others: Vec<usize> = (0..good.len()).filter(|&m| m != n).collect();
            let distance = |m: usize| own.vertebra.centroid.distance(good[m].vertebra.centroid);
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(a.cmp(&b)));
            others
        })
        .collect();
    let references: Vec<(f64, Option<f64>)> = good
        .iter()
        .zip(&nearest)
        .map(|(own, others)| {
            let medians: Vec<f64> =
                others.iter().take(REFERENCE_BODIES).map(|&m| good[m].median).collect();
            let neighbours = median_of(&medians);
            (held_reference(own.median, neighbours, comparison), neighbours)
        })
        .collect();
    let pattern_bodies: Vec<PatternBody<'_>> = good
        .iter()
        .zip(&references)
        .map(|(own, &(reference, _))| PatternBody {
            surface: &own.body.surface,
            samples: &own.samples,
            reference,
        })
        .collect();
    let filtered: Vec<Filtered> = (0..good.len())
        .into_par_iter()
        .map(|n| {
            let others: Vec<PatternBody<'_>> =
                nearest[n].iter().take(PATTERN_BODIES).map(|&m| pattern_bodies[m]).collect();
            let pattern = normal_pattern(pattern_bodies[n], &others);
            let samples = &good[n].samples;
            let reference = references[n].0 as f32;
            let residual: Vec<f32> = (0..pattern.len())
                .map(|at| {
                    if samples.core[at] {
                        samples.values[at] - reference - pattern[at]
                    } else {
                        0.0
                    }
                })
                .collect();
            Filtered::of(samples, &residual)
        })
        .collect();
    let spread = {
        let all: Vec<(&BodySamples, &Filtered)> =
            good.iter().zip(&filtered).map(|(own, f)| (&own.samples, f)).collect();
        SpreadByPlace::estimate(&all)
    };

    let cores: Vec<u64> = good.iter().map(|own| own.core).collect();
    let mut done = filtered.into_iter().enumerate();
    let bodies = read
        .into_iter()
        .map(|read| {
            let own = read?;
            // One filtered body for each good one, in the same order.
            let Some((n, filtered)) = done.next() else { return Err(Reason::OutlineUncertain) };
            let used = &nearest[n][..nearest[n].len().min(REFERENCE_BODIES)];
            Ok(ComparedBody {
                vertebra: own.vertebra,
                body: own.body,
                own_median: own.median,
                own_spread: own.spread,
                reference: references[n].0,
                neighbours_median: references[n].1,
                neighbours: used.len(),
                reference_voxels: own.core + used.iter().map(|&m| cores[m]).sum::<u64>(),
                samples: own.samples,
                filtered,
            })
        })
        .collect();
    MarrowContrast { bodies, spread }
}

/// Own median, held within the band round the neighbours'.
fn held_reference(own: f64, neighbours: Option<f64>, comparison: &Comparison) -> f64 {
    let Some(neighbours) = neighbours else { return own };
    let band = comparison.reference_band_hu.max(comparison.reference_band_share * neighbours.abs());
    own.clamp(neighbours - band, neighbours + band)
}

fn read_body<'a>(
    image: &Image,
    anatomy: &'a Anatomy,
    n: usize,
    comparison: &Comparison,
) -> Result<Read<'a>, Reason> {
    let body = measurable_body(anatomy, n, &comparison.least)?;
    let vertebra = anatomy.vertebrae.get(n).ok_or(Reason::SpineNotFound)?;
    let samples =
        BodySamples::read(image, &body, comparison.margins).ok_or(Reason::OutlineUncertain)?;
    let mut core = samples.core_values();
    if core.len() < MIN_CORE_MM3 {
        return Err(if samples.core_without_field >= MIN_CORE_MM3 {
            Reason::PartlyOutsideFieldOfView
        } else {
            Reason::OutlineUncertain
        });
    }
    let count = core.len() as u64;
    let (median, spread) = median_and_spread(&mut core).ok_or(Reason::OutlineUncertain)?;
    Ok(Read { vertebra, body, samples, median, spread, core: count })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPARISON: Comparison = Comparison {
        margins: CoreMargins { side: 2.5, endplate: 2.0, field: 6.0 },
        least: Least { fraction_in_view: 0.6, vertebra_confidence: 0.0, outline_confidence: 0.0 },
        reference_band_hu: 25.0,
        reference_band_share: 0.2,
    };

    #[test]
    fn a_dense_body_does_not_become_its_own_reference() {
        assert_eq!(held_reference(400.0, Some(150.0), &COMPARISON), 180.0);
        assert_eq!(held_reference(160.0, Some(150.0), &COMPARISON), 160.0);
        assert_eq!(held_reference(20.0, Some(60.0), &COMPARISON), 35.0);
        assert_eq!(held_reference(400.0, None, &COMPARISON), 400.0);
    }
}
