//! Whole pictures of a made-up patient.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::canvas::{CANAL, Rgb, UNSURE};
use super::{Picture, PictureSubject, finding_picture, overview, overview_picture};
use crate::anatomy::{
    Anatomy, BodySurface, Canal, CanalSection, EndplateSurface, OUTLINE_DIRECTIONS, Vertebra,
    VertebraId, VertebralBody,
};
use crate::features::Location;
use crate::geometry::{Frame, Grid, LpsPoint, LpsVector, VoxelIndex};
use crate::kernels::BitMask;
use crate::terms::{Level, Provider};
use crate::units::{Millimetres, Share};
use crate::volume::{Image, MrVoxels, Validity, Volume};

const NO_ANATOMY: Anatomy = Anatomy::empty(Provider::Heuristic);

/// Two bodies of 400 HU in soft tissue, one on the other, a dense ball in the upper one on the
/// patient's left, air beyond 60 mm.
fn patient() -> (Image, Anatomy, Location) {
    let grid = Grid::new(
        [64, 64, 30],
        LpsPoint::new(-64.0, -64.0, -45.0),
        LpsVector::new(2.0, 0.0, 0.0),
        LpsVector::new(0.0, 2.0, 0.0),
        LpsVector::new(0.0, 0.0, 3.0),
    )
    .unwrap();
    let ball = LpsPoint::new(8.0, 4.0, 18.0);
    let mut mask = BitMask::empty(grid.size());
    let mut voxels = Vec::with_capacity(grid.len());
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for k in 0..30 {
        for j in 0..64 {
            for i in 0..64 {
                let index = VoxelIndex { i, j, k };
                let p = grid.voxel_to_lps(index);
                let radius = libm::sqrt(p.x() * p.x() + p.y() * p.y());
                let in_body = radius < 18.0 && (p.z().abs() - 18.0).abs() < 13.0;
                let dense = p.distance(ball) < 7.0;
                voxels.push(match (dense, in_body, radius < 60.0) {
                    (true, ..) => 900,
                    (_, true, _) => 400,
                    (_, _, true) => 40,
                    _ => -1000,
                });
                if dense {
                    mask.insert(grid.offset(index));
                    for (n, at) in [i, j, k].into_iter().enumerate() {
                        low[n] = low[n].min(at);
                        high[n] = high[n].max(at);
                    }
                }
            }
        }
    }
    let frame = |z| {
        Frame::from_up_and_anterior(
            LpsPoint::new(0.0, 0.0, z),
            LpsVector::HEAD,
            LpsVector::ANTERIOR,
        )
        .unwrap()
    };
    let vertebra = |id: &str, level, z| Vertebra {
        id: VertebraId(id.to_owned()),
        level,
        level_candidates: Vec::new(),
        section_guess: None,
        centroid: LpsPoint::new(0.0, 0.0, z),
        fraction_in_view: Share::new(1.0),
        confidence: Share::new(0.9),
        body: Some(VertebralBody {
            frame: frame(z),
            surface: BodySurface {
                first_outline_s: -14.0,
                outlines: vec![[18.0; OUTLINE_DIRECTIONS]; 29],
                upper: EndplateSurface::flat(13.0),
                lower: EndplateSurface::flat(-13.0),
                in_view_s: (-14.0, 14.0),
            },
            confidence: Share::new(0.9),
            measurements: None,
        }),
        disc_below: None,
        disc_above: None,
        problems: Vec::new(),
    };
    let sections = (-40..=40)
        .map(|z| CanalSection {
            frame: Frame { origin: LpsPoint::new(0.0, 28.0, f64::from(z)), ..frame(0.0) },
            anterior: Millimetres::new(8.0),
            posterior: None,
            left: Some(Millimetres::new(11.0)),
            right: None,
            outline: None,
            followed: true,
            confidence: Share::new(0.9),
        })
        .collect();
    let anatomy = Anatomy {
        canal: Some(Canal { sections }),
        vertebrae: vec![
            vertebra("v1", Some(Level::L2), -18.0),
            vertebra("v2", Some(Level::L1), 18.0),
        ],
        ..NO_ANATOMY
    };
    let corner = |c: [usize; 3]| VoxelIndex { i: c[0], j: c[1], k: c[2] };
    let location = Location {
        centroid: ball,
        mask: Some(mask),
        voxel_box: Some((corner(low), corner(high))),
        volume: None,
        side: None,
        parts: Vec::new(),
        distance_to_canal: None,
    };
    let image = Image::Ct(Volume { grid, voxels, validity: Validity::default() });
    (image, anatomy, location)
}

/// Compares the pixels with a hash; keeps the picture where they differ.
fn assert_looks_like(name: &str, picture: &Picture, expected: &str) {
    use std::fmt::Write as _;
    let hash = Sha256::digest(&picture.rgb).iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    if hash != expected {
        let folder = std::env::temp_dir().join("osteoflag-pictures");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, picture.to_png().unwrap()).unwrap();
        panic!("{name}: pixels hash to {hash}, not {expected}; look at {}", path.display());
    }
}

#[test]
fn the_picture_of_a_finding_is_unchanged() {
    let (image, anatomy, location) = patient();
    let picture = finding_picture(
        &image,
        &anatomy,
        &PictureSubject {
            title: "f1 sclerotic_density, v2 L1, present, +500 HU, 7° 1430 mm³",
            location: &location,
            vertebra: Some(&anatomy.vertebrae[1].id),
        },
    );
    assert_looks_like("finding", &picture, "870fc425c897db6c");
}

#[test]
fn the_overviews_with_and_without_a_spine_are_unchanged() {
    let (image, anatomy, _) = patient();
    let picture = overview_picture(&image, &anatomy, "series 0123456789abcdef, ct_soft");
    assert_looks_like("overview", &picture, "b011c3211eddf70f");
    let picture = overview_picture(&image, &NO_ANATOMY, "series 0123456789abcdef, ct_soft");
    assert_looks_like("overview_without_spine", &picture, "24b8031afb602c78");
}

#[test]
fn where_the_line_of_the_canal_only_goes_on_straight_it_is_drawn_as_unsure() {
    let (image, mut anatomy, _) = patient();
    let pixels = |anatomy: &Anatomy, colour: Rgb| {
        let picture = overview_picture(&image, anatomy, "");
        picture.rgb.chunks_exact(3).filter(|pixel| *pixel == colour).count()
    };
    let (canal, unsure) = (pixels(&anatomy, CANAL), pixels(&anatomy, UNSURE));
    assert!(overview::summary(&anatomy).0.ends_with("canal followed over 80 mm"));
    for section in anatomy.canal.as_mut().unwrap().sections.iter_mut().skip(60) {
        section.followed = false;
    }
    assert!(pixels(&anatomy, CANAL) + 30 < canal);
    assert!(pixels(&anatomy, UNSURE) > unsure + 30);
    let caption = overview::summary(&anatomy).0;
    assert!(
        caption.ends_with("canal followed over 59 mm, its line drawn on over 21 mm"),
        "{caption}"
    );
    for section in &mut anatomy.canal.as_mut().unwrap().sections {
        section.followed = false;
    }
    let caption = overview::summary(&anatomy).0;
    assert!(caption.ends_with("canal not followed, its line drawn over 80 mm"), "{caption}");
}

#[test]
fn the_dense_ball_on_the_patients_left_is_seen_on_the_right_of_the_axial_cut() {
    let (image, _, mut location) = patient();
    location.centroid = LpsPoint::new(0.0, 0.0, 18.0);
    let picture = finding_picture(
        &image,
        &NO_ANATOMY,
        &PictureSubject { title: "", location: &location, vertebra: None },
    );
    // 8 mm left and 4 mm posterior of the middle, at 110 mm for 360 pixels, panel at (8, 24).
    let at = |x_mm: f64, y_mm: f64| {
        let pixel = |mm: f64| (180.0 + mm * 360.0 / 110.0) as usize;
        picture.rgb[((pixel(y_mm) + 24) * picture.width + pixel(x_mm) + 8) * 3]
    };
    assert!(at(8.0, 4.0) > at(-8.0, 4.0) + 40);
    assert!(at(8.0, 4.0) > at(8.0, -8.0) + 40);
}

#[test]
fn png_bytes_are_the_same_each_time_and_carry_no_text_or_time() {
    let (image, anatomy, _) = patient();
    let picture = overview_picture(&image, &anatomy, "series");
    let bytes = picture.to_png().unwrap();
    assert_eq!(bytes, picture.to_png().unwrap());
    for chunk in [b"tEXt", b"iTXt", b"zTXt", b"tIME"] {
        assert!(!bytes.windows(4).any(|window| window == chunk));
    }
    assert!(Picture { width: 0, height: 0, rgb: Vec::new() }.to_png().is_err());
}

fn vector() -> impl Strategy<Value = LpsVector> {
    (-3.0..3.0f64, -3.0..3.0f64, -3.0..3.0f64).prop_map(|(x, y, z)| LpsVector::new(x, y, z))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]
    #[test]
    fn no_geometry_makes_a_picture_panic(
        size in (0usize..6, 0usize..6, 0usize..6),
        steps in (vector(), vector(), vector()),
        scale in prop::sample::select(vec![1e-3, 1.0, 1e4]),
        centre in (-1e5..1e5f64, -100.0..100.0f64, -100.0..100.0f64),
        low in (0usize..9, 0usize..9, 0usize..9),
        high in (0usize..9, 0usize..9, 0usize..9),
        with_mask in any::<bool>(),
        wrong_mask in any::<bool>(),
    ) {
        let origin = LpsPoint::new(-5.0, 7.0, 900.0);
        let (a, b, c) = steps;
        let Ok(grid) =
            Grid::new([size.0, size.1, size.2], origin, a * scale, b * scale, c * scale)
        else {
            return Ok(());
        };
        let image = Image::Mr {
            voxels: MrVoxels::Rescaled(vec![f32::NAN; grid.len()]),
            grid: grid.clone(),
            slope: 1.0,
            intercept: 0.0,
            validity: Validity::default(),
        };
        let (_, mut anatomy, _) = patient();
        anatomy.vertebrae[0].body = None;
        let corner = |c: (usize, usize, usize)| VoxelIndex { i: c.0, j: c.1, k: c.2 };
        let mask_size = if wrong_mask { [3, 3, 3] } else { grid.size() };
        let location = Location {
            centroid: LpsPoint::new(centre.0, centre.1, centre.2),
            mask: with_mask.then(|| BitMask::empty(mask_size)),
            voxel_box: Some((corner(low), corner(high))),
            volume: None,
            side: None,
            parts: Vec::new(),
            distance_to_canal: None,
        };
        let subject = PictureSubject { title: "\u{7}x", location: &location, vertebra: None };
        finding_picture(&image, &anatomy, &subject).to_png().unwrap();
        overview_picture(&image, &anatomy, "x").to_png().unwrap();
        overview_picture(&image, &NO_ANATOMY, "").to_png().unwrap();
    }
}
