//! Truth out of a label map: centres of vertebrae, and lesions as connected components.

use std::collections::BTreeMap;

use super::truth::{TrueSizes, Truth, TruthError, TruthLesion, TruthVertebra};
use crate::geometry::{Grid, LpsPoint, VoxelIndex};
use crate::kernels::{BitMask, Connectivity, components};
use crate::terms::{FeatureId, Level};

/// Vertebrae: a label each, its centre the centre of mass. The level comes from the label's name
/// where that ends in one (`L1`, `vertebrae_T12`), and is unknown otherwise. Right for masks of
/// bodies; the centre of mass of a whole vertebra lies behind its body.
pub fn vertebrae_of_labels(labels: &[u16], grid: &Grid, names: &BTreeMap<u16, String>) -> Truth {
    let mut sums: BTreeMap<u16, (f64, [f64; 3])> = BTreeMap::new();
    for (offset, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        let (count, sum) = sums.entry(label).or_default();
        *count += 1.0;
        for (sum, x) in sum.iter_mut().zip(place_of(grid, offset)) {
            *sum += x;
        }
    }
    let vertebrae = sums.into_iter().map(|(label, (count, sum))| TruthVertebra {
        level: names.get(&label).and_then(|name| Level::of_label_name(name)),
        centroid_lps_mm: LpsPoint::from(sum.map(|x| x / count)),
        fraction_in_view: 1.0,
        measurements: TrueSizes::default(),
    });
    Truth { vertebrae: Some(vertebrae.collect()), ..Truth::default() }
}

/// Lesions: a connected component (corners touch, as PI-CAI) of a label each. The feature is the
/// label's name, else `feature`.
///
/// # Errors
/// When a label is not named like a feature and none was given.
pub fn lesions_of_labels(
    labels: &[u16],
    grid: &Grid,
    names: &BTreeMap<u16, String>,
    feature: Option<FeatureId>,
) -> Result<Truth, TruthError> {
    let mut present: Vec<u16> = labels.iter().copied().filter(|label| *label != 0).collect();
    present.sort_unstable();
    present.dedup();
    let [ni, nj, _] = grid.size();
    let mut lesions = Vec::new();
    for label in present {
        let named = names.get(&label).and_then(|name| name.parse().ok());
        let feature = named.or(feature).ok_or(TruthError::LabelWithoutFeature { label })?;
        let mask = BitMask::from_fn(grid.size(), |i, j, k| labels[(k * nj + j) * ni + i] == label);
        for component in components(&mask, Connectivity::Corners) {
            let count = component.voxels as f64;
            let mut sum = [0.0; 3];
            for offset in component.offsets(grid.size()) {
                for (sum, x) in sum.iter_mut().zip(place_of(grid, offset)) {
                    *sum += x;
                }
            }
            lesions.push(TruthLesion {
                feature,
                level: None,
                centroid_lps_mm: LpsPoint::from(sum.map(|x| x / count)),
                volume_mm3: count * grid.voxel_mm3(),
                contrast: None,
                contrast_unit: None,
                mean_added_hu: None,
                ignored: false,
                measurements: BTreeMap::new(),
            });
        }
    }
    Ok(Truth { lesions: Some(lesions), ..Truth::default() })
}

fn place_of(grid: &Grid, offset: usize) -> [f64; 3] {
    let [ni, nj, _] = grid.size();
    grid.voxel_to_lps(VoxelIndex { i: offset % ni, j: offset / ni % nj, k: offset / ni / nj })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::LpsVector;

    fn grid() -> Grid {
        Grid::new(
            [6, 1, 1],
            LpsPoint::new(10.0, 0.0, 0.0),
            LpsVector::new(2.0, 0.0, 0.0),
            LpsVector::new(0.0, 1.0, 0.0),
            LpsVector::new(0.0, 0.0, 3.0),
        )
        .unwrap()
    }

    #[test]
    fn centres_are_in_lps_and_levels_come_from_names() {
        let names = BTreeMap::from([(1, "vertebrae_L1".to_owned()), (2, "body".to_owned())]);
        let truth = vertebrae_of_labels(&[1, 1, 1, 0, 2, 0], &grid(), &names);
        let vertebrae = truth.vertebrae.unwrap();
        assert_eq!(vertebrae[0].centroid_lps_mm, LpsPoint::new(12.0, 0.0, 0.0));
        assert_eq!((vertebrae[0].level, vertebrae[1].level), (Some(Level::L1), None));
    }

    #[test]
    fn each_component_is_a_lesion_and_its_kind_must_be_told() {
        let labels = [1, 1, 0, 1, 0, 0];
        let kind = Some(FeatureId::ScleroticDensity);
        let lesions =
            lesions_of_labels(&labels, &grid(), &BTreeMap::new(), kind).unwrap().lesions.unwrap();
        assert_eq!(lesions.len(), 2);
        assert_eq!((lesions[0].volume_mm3, lesions[1].volume_mm3), (12.0, 6.0));
        let error = lesions_of_labels(&labels, &grid(), &BTreeMap::new(), None).unwrap_err();
        assert!(error.to_string().contains("label 1"), "{error}");
        let named = BTreeMap::from([(1, "lytic_density".to_owned())]);
        let lesions = lesions_of_labels(&labels, &grid(), &named, None).unwrap().lesions.unwrap();
        assert_eq!(lesions[0].feature, FeatureId::LyticDensity);
    }
}
