//! Which series of a study are screened: one for each kind of image and volume.

#![allow(clippy::indexing_slicing, reason = "indices run over the list they were made from")]

use crate::geometry::Plane;
use crate::role::RoleAssessment;
use crate::series::Series;
use crate::terms::Role;

/// Spacings whose greatest is at most this many times the least count as isotropic, so that a
/// stack can be searched in the sagittal plane whatever plane it was acquired in. Thick stacks
/// are far from it (3 to 8), 3-D acquisitions near 1.
const ISOTROPIC_RATIO: f64 = 1.6;

/// Two stacks show the same volume when their boxes share more than this part of the smaller one.
const SAME_VOLUME_SHARE: f64 = 0.5;

/// Kinds of image that replace each other: the kernels of one CT, one MR contrast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ct,
    Mr(Role),
}

/// For each series, in the given order: screened, or why it is left out.
///
/// Of several series of one kind that show the same volume the one with the thinnest slices is
/// taken, of these the one with the softest kernel, of these the one with the smallest id.
pub(super) fn choose(series: &[(&Series, &RoleAssessment)]) -> Vec<Result<(), String>> {
    let kinds: Vec<Result<Kind, String>> =
        series.iter().map(|(series, role)| kind(series, role.role)).collect();
    let mut order: Vec<usize> = (0..series.len()).filter(|&n| kinds[n].is_ok()).collect();
    order.sort_by(|&a, &b| {
        let ((sa, ra), (sb, rb)) = (series[a], series[b]);
        slice_step_mm(sa)
            .total_cmp(&slice_step_mm(sb))
            .then_with(|| sharpness(ra.role).cmp(&sharpness(rb.role)))
            .then_with(|| sa.id.cmp(&sb.id))
    });
    let mut results: Vec<Result<(), String>> =
        kinds.iter().cloned().map(|k| k.map(|_| ())).collect();
    let mut taken: Vec<usize> = Vec::new();
    for n in order {
        let better = taken.iter().find(|&&m| {
            kinds[m] == kinds[n] && shared_part(series[m].0, series[n].0) > SAME_VOLUME_SHARE
        });
        match better {
            Some(&m) => {
                results[n] = Err(format!(
                    "series {} shows the same volume with thinner slices or a softer kernel",
                    series[m].0.id
                ));
            }
            None => taken.push(n),
        }
    }
    results
}

fn kind(series: &Series, role: Role) -> Result<Kind, String> {
    if let Some(problem) = &series.not_a_volume {
        return Err(problem.sentence.clone());
    }
    match role {
        Role::CtBone | Role::CtSoft | Role::CtLung => Ok(Kind::Ct),
        Role::MrDwi | Role::MrAdc => {
            Err(format!("no feature of this version reads the role {role}"))
        }
        role if role.is_mr() => {
            if series.grid.plane() == Plane::Sagittal || is_isotropic(series) {
                Ok(Kind::Mr(role))
            } else {
                Err("on MR only sagittal and isotropic stacks are searched in this version".into())
            }
        }
        Role::Other => Err("what kind of series this is could not be told".into()),
        role => Err(format!("a series of the role {role} holds nothing to screen")),
    }
}

fn slice_step_mm(series: &Series) -> f64 {
    series.grid.spacing()[2]
}

fn is_isotropic(series: &Series) -> bool {
    let spacing = series.grid.spacing();
    let least = spacing.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = spacing.iter().copied().fold(0.0, f64::max);
    greatest <= ISOTROPIC_RATIO * least
}

const fn sharpness(role: Role) -> u8 {
    match role {
        Role::CtBone => 1,
        Role::CtLung => 2,
        _ => 0,
    }
}

/// Part of the smaller of two boxes that lies in the other; 0 for different frames of reference.
fn shared_part(a: &Series, b: &Series) -> f64 {
    if a.frame_of_reference_uid != b.frame_of_reference_uid {
        return 0.0;
    }
    let ((a_low, a_high), (b_low, b_high)) = (a.grid.bounds(), b.grid.bounds());
    let coordinates = |low: [f64; 3], high: [f64; 3]| [0, 1, 2].map(|n| (low[n], high[n] + 1e-3));
    let a = coordinates(a_low.into(), a_high.into());
    let b = coordinates(b_low.into(), b_high.into());
    let volume = |sides: [(f64, f64); 3]| -> f64 {
        sides.iter().map(|(low, high)| (high - low).max(0.0)).product()
    };
    let shared = [0, 1, 2].map(|n| (a[n].0.max(b[n].0), a[n].1.min(b[n].1)));
    volume(shared) / volume(a).min(volume(b)).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Grid, LpsPoint, LpsVector};
    use crate::series::{SeriesId, SeriesTags};
    use crate::terms::ContrastMedium;
    use crate::units::Share;

    fn series(id: &str, step: f64, origin_z: f64) -> Series {
        let slices = libm::round(120.0 / step) as usize;
        Series {
            id: SeriesId(id.into()),
            series_instance_uid: String::new(),
            frame_of_reference_uid: "1.2.3".into(),
            tags: SeriesTags::default(),
            slices: Vec::new(),
            grid: Grid::new(
                [100, 100, slices],
                LpsPoint::new(0.0, 0.0, origin_z),
                LpsVector::new(1.0, 0.0, 0.0),
                LpsVector::new(0.0, 1.0, 0.0),
                LpsVector::new(0.0, 0.0, step),
            )
            .unwrap(),
            problems: Vec::new(),
            not_a_volume: None,
        }
    }

    fn role(role: Role) -> RoleAssessment {
        RoleAssessment {
            role,
            confidence: Share::new(0.9),
            contrast_medium: ContrastMedium::Unknown,
            evidence: Vec::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn the_thinnest_then_softest_series_of_a_volume_is_taken_in_any_order() {
        let (thick, bone, soft) =
            (series("a", 5.0, 0.0), series("b", 1.0, 0.0), series("c", 1.0, 0.0));
        let (s, b) = (role(Role::CtSoft), role(Role::CtBone));
        let chosen = choose(&[(&thick, &s), (&bone, &b), (&soft, &s)]);
        assert!(chosen[0].is_err() && chosen[1].is_err() && chosen[2].is_ok());
        let chosen = choose(&[(&soft, &s), (&thick, &s), (&bone, &b)]);
        assert!(chosen[0].is_ok() && chosen[1].is_err() && chosen[2].is_err());
    }

    #[test]
    fn chest_and_pelvis_of_one_study_are_both_taken() {
        let (chest, pelvis) = (series("a", 5.0, 500.0), series("b", 1.0, 0.0));
        let soft = role(Role::CtSoft);
        assert!(choose(&[(&chest, &soft), (&pelvis, &soft)]).iter().all(Result::is_ok));
    }

    #[test]
    fn what_is_left_out_says_why() {
        let axial = series("a", 5.0, 0.0);
        for unfit in [Role::MrT1, Role::MrAdc, Role::Localizer, Role::Other] {
            let reason = choose(&[(&axial, &role(unfit))]).remove(0).unwrap_err();
            assert!(reason.len() > 20, "{reason}");
        }
    }
}
