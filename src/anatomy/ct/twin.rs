//! Whether what looks like a spine has a mirror image on the other side of the patient: a hip has, a spine has not.
//!
//! # Method
//! In a short field a hip joint can pass for a spine: the gap between head and socket as canal, the head as body, and
//! the two as symmetric as a vertebra. A line that runs well to the side of the patient's middle is therefore
//! compared with what lies on the other side, mirrored at that middle.
//!
//! # Limits
//! The middle is that of the tissue in view: where the field cuts a patient on one side, or a patient lies turned, the two
//! do not match and nothing is refused.

use super::coarse::Coarse;
use crate::geometry::Frame;
use crate::kernels::correlation;

/// A line nearer to the patient's middle than this is not compared with its own other half, mm; hips lie 66 and more
/// beside it.
const ASIDE_MM: f64 = 45.0;
/// Mirror correlation from which there is a twin: hips 0.61 to 0.72, spines beside the middle of a cut field 0.15 at most
/// (perturbed copies, `docs/CT_ANATOMY.md`).
const LEAST_CORRELATION: f64 = 0.4;
/// What is compared about the line, mm: to either side, behind and ahead.
const BESIDE_MM: f64 = 30.0;
const BEHIND_MM: f64 = 25.0;
const AHEAD_MM: f64 = 45.0;
/// Bone is compared: soft tissue and what is denser than cortex count alike, HU.
const BONE_HU: (f32, f32) = (0.0, 500.0);
/// Tissue is denser than this, HU.
const TISSUE_HU: f32 = -300.0;
/// Less dense is not measured, HU.
const MEASURED_HU: f32 = -1500.0;
/// Fewer places tell nothing.
const LEAST_PLACES: usize = 200;

/// Whether the stretch along `frames` lies beside the patient's middle and has a mirror image beyond it.
pub fn has_twin(coarse: &Coarse, frames: &[Frame]) -> bool {
    let places: Vec<[usize; 3]> = frames
        .iter()
        .filter_map(|frame| coarse.grid.nearest(frame.origin))
        .map(|at| [at.i, at.j, at.k])
        .collect();
    let slices = places.iter().map(|place| place[2]);
    let (Some(first), Some(last)) = (slices.clone().min(), slices.max()) else { return false };
    let Some(middle) = middle_of_tissue(coarse, first..last + 1) else { return false };
    let own = places.iter().map(|place| place[0] as f64).sum::<f64>() / places.len() as f64;
    if (own - middle).abs() * coarse.spacing < ASIDE_MM {
        return false;
    }
    let size = coarse.hu.size();
    let voxels = |mm: f64| libm::round(mm / coarse.spacing) as isize;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for &[i, j, k] in places.iter().step_by(2) {
        for ahead in (voxels(-BEHIND_MM)..=voxels(AHEAD_MM)).step_by(2) {
            for aside in (voxels(-BESIDE_MM)..=voxels(BESIDE_MM)).step_by(2) {
                let hu = |i: Option<usize>| -> Option<f64> {
                    let (i, j) = (i?, j.checked_add_signed(-ahead)?);
                    let hu = (i < size[0] && j < size[1]).then(|| coarse.hu.at(i, j, k))?;
                    (hu > MEASURED_HU).then(|| f64::from(hu.clamp(BONE_HU.0, BONE_HU.1)))
                };
                let at = i.checked_add_signed(aside);
                let mirrored = at.map(|at| libm::round(2.0 * middle - at as f64));
                let mirrored = mirrored.filter(|&at| at >= 0.0).map(|at| at as usize);
                if let (Some(own), Some(other)) = (hu(at), hu(mirrored)) {
                    here.push(own);
                    there.push(other);
                }
            }
        }
    }
    here.len() >= LEAST_PLACES && correlation(&here, &there) > LEAST_CORRELATION
}

/// Column of the middle of all tissue in some slices of the coarse grid.
pub fn middle_of_tissue(coarse: &Coarse, slices: std::ops::Range<usize>) -> Option<f64> {
    let [ni, nj, _] = coarse.hu.size();
    let slab = coarse.hu.data().get(slices.start * ni * nj..slices.end * ni * nj)?;
    let (mut sum, mut count) = (0, 0);
    for row in slab.chunks_exact(ni) {
        for (i, _) in row.iter().enumerate().filter(|(_, hu)| **hu > TISSUE_HU) {
            sum += i;
            count += 1;
        }
    }
    (count > 0).then(|| sum as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::ct::coarse::made;
    use crate::geometry::{LpsPoint, LpsVector};

    /// A patient 300 mm wide with what `bone` says at x, y, z.
    fn patient(bone: impl Fn(f64, f64, f64) -> bool) -> Coarse {
        let hu = |x: f64, y: f64, z: f64| {
            if libm::hypot(x / 150.0, y / 70.0) > 1.0 {
                -1000
            } else if bone(x, y, z) {
                400
            } else {
                40
            }
        };
        made([170, 80, 30], hu).1
    }

    /// A line up the z axis at `x`.
    fn line(x: f64) -> Vec<Frame> {
        (0..58)
            .map(|z| Frame {
                origin: LpsPoint::new(x, 10.0, f64::from(z)),
                up: LpsVector::HEAD,
                anterior: LpsVector::ANTERIOR,
                left: LpsVector::LEFT,
            })
            .collect()
    }

    fn ball(x: f64, y: f64, z: f64) -> bool {
        libm::hypot(libm::hypot(x, y), z - 30.0) < 24.0
    }

    #[test]
    fn a_hip_has_a_twin() {
        let hips = patient(|x, y, z| ball(x.abs() - 85.0, y + 10.0, z));
        assert!(has_twin(&hips, &line(85.0)) && has_twin(&hips, &line(-85.0)));
    }

    #[test]
    fn a_spine_beside_the_middle_and_one_in_it_have_none() {
        let beside = patient(|x, y, z| ball(x - 85.0, y + 10.0, z));
        assert!(!has_twin(&beside, &line(85.0)));
        let within = patient(|x, y, z| ball(x, y + 10.0, z));
        assert!(!has_twin(&within, &line(0.0)));
    }
}
