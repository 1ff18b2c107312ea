use std::fs;
use std::path::Path;

use strum::IntoEnumIterator;

use super::*;
use crate::phantom::{Modality, Spec, generate};
use crate::series::Intake;
use crate::terms::FeatureId;
use crate::volume::{LoadLimits, load, read_label_map};

// The room `discover` is no neighbour of this one; a test needs its list of files.
#[cfg(test)]
use crate::discover::discover;

const LIMITS: LoadLimits = LoadLimits { max_bytes: 1 << 30 };

fn read(folder: &Path) -> Intake {
    let files = discover(folder).unwrap().files;
    crate::series::read(&files, &|_| {})
}

/// A phantom without lesions as files, and where its bodies are.
fn healthy(mr: bool, folder: &Path) -> (Spec, Vec<BodyPlace>, Vec<u8>) {
    healthy_on(if mr { Modality::MrT1 } else { Modality::Ct }, folder)
}

fn healthy_on(modality: Modality, folder: &Path) -> (Spec, Vec<BodyPlace>, Vec<u8>) {
    let base = if modality.is_ct() { Spec::ct_lumbar() } else { Spec::mr_t1_lumbar() };
    let spec = Spec { modality, lesions: Vec::new(), ..base };
    let phantom = generate(&spec).unwrap();
    crate::phantom::write(&phantom, folder).unwrap();
    let places = phantom.truth.vertebrae.iter().map(|vertebra| BodyPlace {
        level: Some(vertebra.level),
        centroid: vertebra.centroid_lps_mm,
        fraction_in_view: vertebra.fraction_in_view,
        surface: None,
    });
    (spec, places.collect(), phantom.body_labels)
}

fn options(seed: u64, contrast: Contrast, kinds: Vec<InsertKind>) -> InsertOptions {
    InsertOptions { seed, kinds, contrast, bodies_from: "the phantom's truth".to_owned() }
}

fn made(folder: &Path, places: &[BodyPlace], options: &InsertOptions) -> Inserted {
    try_made(folder, places, options).unwrap()
}

fn try_made(
    folder: &Path,
    places: &[BodyPlace],
    options: &InsertOptions,
) -> Result<Inserted, InsertError> {
    let intake = read(folder);
    let study = &intake.studies[0];
    let series = &study.series[0];
    let image = load(series, &LIMITS).unwrap().image;
    insert(study, series, &image, places, options)
}

#[test]
fn half_of_the_bodies_stay_untouched_and_lesions_lie_in_bone() {
    let folder = tempfile::tempdir().unwrap();
    let (_, places, bodies) = healthy(false, folder.path());
    let kinds = vec![InsertKind::Sclerotic, InsertKind::Lytic, InsertKind::Mixed];
    for seed in 1..4 {
        let inserted = made(folder.path(), &places, &options(seed, Contrast::Ct, kinds.clone()));
        let truth = &inserted.truth;
        let usable = truth.untouched.len() + truth.lesions.len();
        assert!(usable >= 4, "usable: {usable}");
        assert_eq!(truth.lesions.len() + truth.not_placed.len(), usable / 2);
        let (mut inside, mut all) = (0, 0);
        for (&label, &body) in inserted.labels.iter().zip(&bodies) {
            if label > 0 {
                all += 1;
                let of = truth.lesions[usize::from(label) - 1].vertebra_index;
                inside += usize::from(usize::from(body) == of + 1);
            }
        }
        assert!(all > 0 && inside * 100 >= all * 95, "{inside} of {all} voxels in their body");
    }
}

#[test]
fn one_seed_gives_the_same_bytes_for_any_number_of_threads_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let (_, places, _) = healthy(false, folder.path());
    let kinds = kinds_of(Contrast::Ct, false);
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| made(folder.path(), &places, &options(seed, Contrast::Ct, kinds.clone())))
    };
    let (one, three, other) = (run(1, 5), run(3, 5), run(1, 6));
    assert_eq!(one.truth, three.truth);
    assert!(one.values == three.values && one.labels == three.labels);
    assert_ne!(one.truth.lesions, other.truth.lesions);
}

#[test]
fn the_written_series_is_the_old_one_outside_the_lesions() {
    let (source, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (spec, places, _) = healthy(false, source.path());
    let before = read(source.path());
    let (study, series) = (&before.studies[0], &before.studies[0].series[0]);
    let image = load(series, &LIMITS).unwrap().image;
    let all: Vec<InsertKind> =
        InsertKind::iter().filter(|kind| kind.is_shown_by(Contrast::Ct)).collect();
    let inserted = insert(study, series, &image, &places, &options(2, Contrast::Ct, all)).unwrap();
    let written = write(study, series, &inserted, out.path()).unwrap();
    assert_eq!(written, (series.slices.len(), 0));

    let after = read(out.path());
    let new = &after.studies[0].series[0];
    assert_eq!(after.studies.len(), 1);
    assert_eq!(new.grid, series.grid);
    assert_eq!(after.studies[0].id.0, inserted.truth.study_id);
    assert_eq!(new.id.0, inserted.truth.series_id);
    assert_ne!(new.id, series.id);
    assert_eq!(new.tags.image_type.first().map(String::as_str), Some("DERIVED"));
    assert_eq!(new.tags.convolution_kernel, series.tags.convolution_kernel);
    assert!(!after.studies[0].patient_id.contains(&format!("PHANTOM-{}", spec.seed)));

    let loaded = load(new, &LIMITS).unwrap().image;
    let (mut changed, mut kept) = (0, 0);
    for offset in 0..series.grid.len() {
        if inserted.changed.get(offset) {
            changed += 1;
            let wanted = f64::from(inserted.values[offset]);
            assert!((loaded.value(offset) - wanted).abs() <= 0.5, "voxel {offset}");
        } else {
            kept += 1;
            assert_eq!(loaded.value(offset), image.value(offset), "voxel {offset}");
        }
    }
    assert!(changed > 100 && kept > 50 * changed, "{changed} changed, {kept} kept");

    let map = read_label_map(&out.path().join("lesions.nii.gz"), 1 << 30).unwrap();
    assert_eq!(
        map.on_grid(&new.grid, "").unwrap(),
        inserted.labels.iter().map(|&label| u16::from(label)).collect::<Vec<_>>()
    );
    let truth = fs::read_to_string(out.path().join("truth.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&truth).unwrap();
    assert_eq!(value["series_id"], new.id.0);
}

#[test]
fn a_t1_lesion_is_darker_than_it_was_by_about_its_ratio() {
    let folder = tempfile::tempdir().unwrap();
    let (_, places, _) = healthy(true, folder.path());
    let kinds = vec![InsertKind::T1Replacement];
    let inserted = made(folder.path(), &places, &options(3, Contrast::MrT1, kinds));
    let intake = read(folder.path());
    let image = load(&intake.studies[0].series[0], &LIMITS).unwrap().image;
    assert!(!inserted.truth.lesions.is_empty());
    for lesion in &inserted.truth.lesions {
        let (mut before, mut after) = (0.0, 0.0);
        for (offset, &label) in inserted.labels.iter().enumerate() {
            if usize::from(label) == lesion.label {
                before += image.value(offset);
                after += f64::from(inserted.values[offset]);
            }
        }
        let ratio = after / before;
        // The blurred margin and darker voxels lose less.
        assert!(ratio < 0.97 && ratio > lesion.contrast - 0.05, "{ratio} of {lesion:?}");
        assert_eq!(lesion.feature, FeatureId::T1MarrowSignalDrop);
    }
}

#[test]
fn bodies_of_another_frame_are_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let (_, places, _) = healthy(false, folder.path());
    let options = options(1, Contrast::Ct, vec![InsertKind::Sclerotic]);
    let moved = |x: f64, y: f64| -> Vec<BodyPlace> {
        let shifted = places.iter().map(|place| {
            let p = place.centroid;
            BodyPlace { centroid: LpsPoint::new(p.x() + x, p.y() + y, p.z()), ..place.clone() }
        });
        shifted.collect()
    };
    let far = try_made(folder.path(), &moved(0.0, 500.0), &options);
    assert!(matches!(far, Err(InsertError::OutsideVolume { .. })), "{far:?}");
    let in_muscle = try_made(folder.path(), &moved(60.0, 0.0), &options);
    assert!(matches!(in_muscle, Err(InsertError::NoBone { .. })), "{in_muscle:?}");
    let none = try_made(folder.path(), &[], &options);
    assert!(matches!(none, Err(InsertError::NoBodies)));
    let cut: Vec<BodyPlace> =
        places.iter().map(|place| BodyPlace { fraction_in_view: 0.5, ..place.clone() }).collect();
    let cut = try_made(folder.path(), &cut, &options);
    assert!(matches!(cut, Err(InsertError::NoneUsable { .. })));
}

#[test]
fn a_kind_that_the_contrast_does_not_show_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, places, _) = healthy(false, folder.path());
    let options = options(1, Contrast::Ct, vec![InsertKind::StirOedema]);
    let refused = try_made(folder.path(), &places, &options).unwrap_err();
    assert!(refused.to_string().contains("these can: sclerotic"), "{refused}");
}

/// Mean change of the voxels of each lesion, over the marrow's value.
fn mean_changes(image: &Image, inserted: &Inserted, marrow: f64) -> Vec<f64> {
    let count = inserted.truth.lesions.len() + inserted.truth.look_alikes.len();
    let mut sums = vec![(0.0, 0.0); count];
    for (offset, &label) in inserted.labels.iter().enumerate() {
        if label > 0 {
            let (sum, voxels) = &mut sums[usize::from(label) - 1];
            *sum += f64::from(inserted.values[offset]) - image.value(offset);
            *voxels += 1.0;
        }
    }
    sums.into_iter().map(|(sum, voxels)| sum / f64::max(voxels, 1.0) / marrow).collect()
}

#[test]
fn every_kind_is_painted_the_right_way_into_a_series_that_shows_it() {
    use InsertKind as Kind;
    // 1: brighter than before, -1: darker, 0: both (rims, bulges of bone or tissue).
    let sign = |kind: Kind, contrast: Contrast| match kind {
        Kind::Lytic | Kind::PosteriorWallLysis | Kind::T1Replacement => -1.0,
        Kind::Modic if contrast == Contrast::MrT1 => -1.0,
        Kind::Sclerotic
        | Kind::BoneIsland
        | Kind::EndplateSclerosis
        | Kind::Osteophyte
        | Kind::StirOedema
        | Kind::FocalFat
        | Kind::Modic => 1.0,
        Kind::Mixed | Kind::PosteriorWallBreach | Kind::Haemangioma | Kind::SchmorlNode => 0.0,
    };
    let mut painted = std::collections::BTreeSet::new();
    for (modality, contrast) in [
        (Modality::Ct, Contrast::Ct),
        (Modality::MrT1, Contrast::MrT1),
        (Modality::MrStir, Contrast::MrFluid),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (spec, places, _) = healthy_on(modality, folder.path());
        let intake = read(folder.path());
        let (study, series) = (&intake.studies[0], &intake.studies[0].series[0]);
        let image = load(series, &LIMITS).unwrap().image;
        for kind in InsertKind::iter().filter(|kind| kind.is_shown_by(contrast)) {
            for seed in 1..4 {
                let options = options(seed, contrast, vec![kind]);
                let inserted = insert(study, series, &image, &places, &options).unwrap();
                let truth = &inserted.truth;
                let (here, empty) = if kind.is_look_alike() {
                    (&truth.look_alikes, &truth.lesions)
                } else {
                    (&truth.lesions, &truth.look_alikes)
                };
                assert!(empty.is_empty(), "{kind}: a look-alike is no lesion");
                let changes = mean_changes(&image, &inserted, spec.marrow);
                for (one, change) in here.iter().zip(changes) {
                    let [low, high] = kind.drawn_from().0;
                    // Modic says how it was drawn on T1; on STIR it is turned round.
                    let turned = kind == Kind::Modic && contrast == Contrast::MrFluid;
                    assert!(turned || (low..=high).contains(&one.contrast), "{one:?}");
                    assert_eq!(one.kind, kind.to_string());
                    let right = change * sign(kind, contrast);
                    assert!(right >= 0.0, "{kind} on {contrast}: {change} of the marrow");
                    painted.insert(kind);
                }
            }
        }
    }
    let missing: Vec<String> =
        InsertKind::iter().filter(|k| !painted.contains(k)).map(|k| k.to_string()).collect();
    assert!(missing.is_empty(), "never placed: {missing:?}");
}

#[test]
fn strengths_are_uniform_over_their_range_and_not_louder() {
    for kind in InsertKind::iter() {
        let [low, high] = kind.drawn_from().0;
        let mut draw = draw::Draw::new(1, &kind.to_string());
        let drawn: Vec<f64> = (0..4000).map(|_| density::draw_strength(kind, &mut draw)).collect();
        assert!(drawn.iter().all(|value| (low..=high).contains(value)));
        for share in [0.25, 0.5, 0.75] {
            let limit = low + share * (high - low);
            let below = drawn.iter().filter(|&&value| value < limit).count() as f64 / 4000.0;
            assert!((below - share).abs() < 0.03, "{kind}: {below} below {limit}");
        }
    }
    assert_eq!(InsertKind::Sclerotic.drawn_from().0, [40.0, 500.0]);
    assert_eq!(InsertKind::Lytic.drawn_from().0, [40.0, 150.0]);
}

#[test]
fn bodies_of_a_label_map_are_centroids_from_the_head_down() {
    let grid = crate::geometry::Grid::new(
        [5, 5, 9],
        LpsPoint::new(0.0, 0.0, 0.0),
        crate::geometry::LpsVector::new(1.0, 0.0, 0.0),
        crate::geometry::LpsVector::new(0.0, 1.0, 0.0),
        crate::geometry::LpsVector::new(0.0, 0.0, 2.0),
    )
    .unwrap();
    let mut labels = vec![0u16; grid.len()];
    for (label, k) in [(7u16, 2), (4, 6), (9, 8)] {
        for i in 1..4 {
            labels[grid.offset(crate::geometry::VoxelIndex { i, j: 2, k })] = label;
        }
    }
    let map = LabelMap {
        grid,
        labels,
        names: BTreeMap::from([(9, "vertebrae_L5".to_owned()), (7, "vertebrae_S1".to_owned())]),
        codes: BTreeMap::new(),
        frame_of_reference_uid: None,
        referenced_series_uid: None,
        slices_held: crate::volume::SlicesHeld::All,
    };
    let places = places_of_labels(&map);
    let heights: Vec<f64> = places.iter().map(|place| place.centroid.z()).collect();
    assert_eq!(heights, [16.0, 12.0, 4.0]);
    assert_eq!(places[1].centroid, LpsPoint::new(2.0, 2.0, 12.0));
    let shares: Vec<f64> = places.iter().map(|place| place.fraction_in_view).collect();
    assert_eq!(shares, [0.5, 1.0, 1.0]);
    let levels: Vec<Option<Level>> = places.iter().map(|place| place.level).collect();
    assert_eq!(levels, [Some(Level::L5), None, Some(Level::S1)], "S1 must get no lesion");
}
