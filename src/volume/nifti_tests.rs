use super::*;
use std::io::Write as _;

use crate::volume::{NiftiData, nifti_bytes};

fn grid() -> Grid {
    Grid::new(
        [3, 4, 2],
        LpsPoint::new(10.0, -20.0, 30.5),
        LpsVector::new(0.0, 0.5, 0.0),
        LpsVector::new(0.0, 0.0, -0.5),
        LpsVector::new(-2.0, 0.0, 0.25),
    )
    .unwrap()
}

fn bytes() -> Vec<u8> {
    let voxels: Vec<i16> = (0..24).map(|n| n * 100 - 1000).collect();
    nifti_bytes(&grid(), NiftiData::I16(&voxels), &[]).unwrap()
}

fn read_bytes(bytes: &[u8]) -> Result<NiftiImage, NiftiError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.nii");
    std::fs::write(&path, bytes).unwrap();
    read_nifti(&path, 1 << 20)
}

fn with(changes: &[(usize, &[u8])]) -> Result<NiftiImage, NiftiError> {
    let mut bytes = bytes();
    for (at, new) in changes {
        bytes[*at..at + new.len()].copy_from_slice(new);
    }
    read_bytes(&bytes)
}

#[test]
fn what_was_written_is_read_with_place_and_values() {
    let image = read_bytes(&bytes()).unwrap();
    assert!(farthest_corner(&image.grid, &grid()) < 1e-6);
    assert_eq!(image.value(0), Some(-1000.0));
    assert_eq!(image.value(23), Some(1300.0));
    assert_eq!(image.value(24), None);
}

#[test]
fn ras_becomes_lps_at_the_door() {
    // srow = identity: the first axis runs to the right in RAS, that is to -x in LPS.
    let mut rows = Vec::new();
    for row in [[1f32, 0., 0., 5.], [0., 1., 0., 7.], [0., 0., 1., 9.]] {
        rows.extend(row.iter().flat_map(|v| v.to_le_bytes()));
    }
    let grid = with(&[(280, &rows), (252, &[0, 0])]).unwrap().grid;
    assert_eq!(grid.origin(), LpsPoint::new(-5.0, -7.0, 9.0));
    assert_eq!(grid.step(0), LpsVector::new(-1.0, 0.0, 0.0));
    assert_eq!(grid.step(1), LpsVector::new(0.0, -1.0, 0.0));
    assert_eq!(grid.step(2), LpsVector::HEAD);
}

#[test]
fn metres_become_millimetres() {
    let grid = with(&[(123, &[1]), (252, &[0, 0])]).unwrap().grid;
    assert!((grid.spacing()[0] - 500.0).abs() < 1e-9);
}

#[test]
fn slope_and_intercept_are_applied_and_a_slope_of_zero_means_none() {
    let image = with(&[(112, &2f32.to_le_bytes()), (116, &5f32.to_le_bytes())]).unwrap();
    assert_eq!(image.value(1), Some(-1795.0));
    let image = with(&[(112, &0f32.to_le_bytes()), (116, &5f32.to_le_bytes())]).unwrap();
    assert_eq!(image.value(1), Some(-900.0));
    let error = with(&[(112, &f32::INFINITY.to_le_bytes())]).unwrap_err();
    assert!(error.to_string().contains("scl_slope"), "{error}");
}

type Change<'a> = &'a [(usize, &'a [u8])];

#[test]
fn each_refusal_names_the_field_and_both_values() {
    let cases: [(Change<'_>, &str); 8] = [
        (&[(0, &[1, 2, 3, 4])], "sizeof_hdr"),
        (&[(344, b"ni1\0")], "magic"),
        (&[(40, &[2, 0])], "dim[0]"),
        (&[(40, &[4, 0]), (48, &[9, 0])], "9 volumes"),
        (&[(42, &[0, 0])], "dim"),
        (&[(70, &[128, 0])], "datatype is 128"),
        (&[(252, &[0, 0, 0, 0])], "sform_code"),
        (&[(108, &100f32.to_le_bytes())], "vox_offset"),
    ];
    for (changes, named) in cases {
        let error = with(changes).unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
        assert!(error.to_string().contains("x.nii") && !error.hint().is_empty());
    }
}

#[test]
fn transforms_that_contradict_each_other_are_refused() {
    // srow_x[3], half a millimetre to the right; the qform of this sheared grid is no rotation
    // at all, and its code is set here against the facts.
    let moved = -10.5f32;
    let error = with(&[(292, &moved.to_le_bytes()), (252, &[1, 0, 1, 0])]);
    assert!(matches!(error, Err(NiftiError::TransformsDiffer { .. })), "{error:?}");
}

#[test]
fn a_header_that_claims_more_than_the_file_can_hold_takes_no_memory() {
    let huge = 20_000i16.to_le_bytes();
    let error = with(&[(42, &huge), (44, &huge)]).unwrap_err();
    assert!(matches!(error, NiftiError::MemoryLimit { .. }), "{error}");
    let error = with(&[(42, &huge)]).unwrap_err();
    assert!(matches!(error, NiftiError::Truncated { expected: 320_000, .. }), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    let plain = bytes();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&plain).unwrap();
    let packed = packed.finish().unwrap();
    for whole in [plain, packed] {
        assert!(read_bytes(&whole).is_ok());
        for length in 0..whole.len() - 8 {
            let Err(error) = read_bytes(&whole[..length]) else {
                panic!("cut to {length} of {} bytes was read", whole.len());
            };
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn big_endian_files_are_read() {
    // A minimal NIfTI-2, big endian, float64, qform alone.
    let mut b = vec![0u8; 544];
    b[0..4].copy_from_slice(&540i32.to_be_bytes());
    b[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
    b[12..14].copy_from_slice(&64i16.to_be_bytes());
    for (n, dim) in [3i64, 2, 1, 1, 1, 1, 1, 1].into_iter().enumerate() {
        b[16 + 8 * n..24 + 8 * n].copy_from_slice(&dim.to_be_bytes());
    }
    for (n, mm) in [-1f64, 0.5, 0.6, 0.7].into_iter().enumerate() {
        b[104 + 8 * n..112 + 8 * n].copy_from_slice(&mm.to_be_bytes());
    }
    b[168..176].copy_from_slice(&544i64.to_be_bytes());
    b[344..348].copy_from_slice(&1i32.to_be_bytes());
    b.extend([1.5f64, -2.5].iter().flat_map(|v| v.to_be_bytes()));
    let image = read_bytes(&b).unwrap();
    assert_eq!(image.voxels, NiftiVoxels::F64(vec![1.5, -2.5]));
    // No rotation, qfac -1: RAS steps (0.5, 0.6, -0.7).
    assert_eq!(image.grid.step(0), LpsVector::new(-0.5, 0.0, 0.0));
    assert_eq!(image.grid.step(2), LpsVector::new(0.0, 0.0, -0.7));
}
