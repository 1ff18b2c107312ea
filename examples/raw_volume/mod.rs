//! CT volumes of the development examples: raw files, or folders of DICOM.

#![allow(dead_code, reason = "each example uses a part of it")]

use std::path::Path;

use osteoflag::anatomy::Anatomy;
use osteoflag::geometry::{Grid, LpsPoint, LpsVector};
use osteoflag::kernels::BitMask;
use osteoflag::volume::{Image, LoadLimits, Validity, Volume};
use osteoflag::{discover, series};
use serde_json::Value;

/// Below this HU a voxel of the development volumes is padding.
const PADDING_BELOW_HU: i16 = -1500;

fn floats(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The volume of `<name>.json` (`size` `[ni, nj, nk]`, `origin`, `step_i`, `step_j`, `step_k` in LPS mm) with
/// `<name>.raw` beside it (int16 Hounsfield units, little endian, `[k][j][i]`; below -1500 is padding).
pub fn load(json: &Path) -> Volume<i16> {
    let meta: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let size = floats(&meta["size"]);
    let step = |name: &str| {
        let f = floats(&meta[name]);
        LpsVector::new(f[0], f[1], f[2])
    };
    let origin = floats(&meta["origin"]);
    let grid = Grid::new(
        [size[0] as usize, size[1] as usize, size[2] as usize],
        LpsPoint::new(origin[0], origin[1], origin[2]),
        step("step_i"),
        step("step_j"),
        step("step_k"),
    )
    .unwrap();
    let raw = std::fs::read(json.with_extension("raw")).unwrap();
    let voxels: Vec<i16> = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    assert_eq!(voxels.len(), grid.len());
    let mut padding = BitMask::empty(grid.size());
    for (at, &v) in voxels.iter().enumerate() {
        if v < PADDING_BELOW_HU {
            padding.insert(at);
        }
    }
    let validity =
        Validity { padding: (!padding.is_empty()).then_some(padding), ..Validity::default() };
    Volume { grid, voxels, validity }
}

/// The only CT series of a folder of DICOM.
pub fn load_dicom(folder: &Path) -> Volume<i16> {
    let files = discover::discover(folder).unwrap().files;
    let intake = series::read(&files, &|_| {});
    let all: Vec<_> = intake.studies.iter().flat_map(|study| &study.series).collect();
    assert_eq!(all.len(), 1, "{}: one series is wanted", folder.display());
    match osteoflag::volume::load(all[0], &LoadLimits { max_bytes: 4 << 30 }).unwrap().image {
        Image::Ct(volume) => volume,
        Image::Mr { .. } => panic!("{}: no CT", folder.display()),
    }
}

/// One byte for each voxel, `[k][j][i]`: n for the n-th vertebra's body, 0 outside.
pub fn body_labels(anatomy: &Anatomy, grid: &Grid) -> Vec<u8> {
    let mut labels = vec![0_u8; grid.len()];
    for (n, vertebra) in anatomy.vertebrae.iter().enumerate() {
        let Some(body) = &vertebra.body else { continue };
        let Some((mask, _, _)) = body.surface.rasterise(&body.frame, grid) else { continue };
        for at in mask.offsets() {
            labels[at] = n as u8 + 1;
        }
    }
    labels
}
