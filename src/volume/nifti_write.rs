//! Writing of NIfTI-1: label maps and volumes, the same bytes every time.

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};

use super::nifti::{NiftiError, farthest_corner};
use crate::geometry::{Grid, LpsPoint, LpsVector};

/// Voxels to write, `[k, j, i]` with `i` fastest.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum NiftiData<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    I16(&'a [i16]),
    F32(&'a [f32]),
}

impl NiftiData<'_> {
    const fn len(self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// `datatype` and `bitpix`.
    const fn code(self) -> (i16, i16) {
        match self {
            Self::U8(_) => (2, 8),
            Self::U16(_) => (512, 16),
            Self::I16(_) => (4, 16),
            Self::F32(_) => (16, 32),
        }
    }

    fn append_to(self, bytes: &mut Vec<u8>) {
        match self {
            Self::U8(v) => bytes.extend(v),
            Self::U16(v) => bytes.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Self::I16(v) => bytes.extend(v.iter().flat_map(|v| v.to_le_bytes())),
            Self::F32(v) => bytes.extend(v.iter().flat_map(|v| v.to_le_bytes())),
        }
    }
}

/// A NIfTI-1 file in memory: little endian, millimetres, sform of scanner coordinates; the qform
/// as well where the axes stand at right angles (it cannot hold a shear).
///
/// `extensions` are `(ecode, content)`, for example a label table ([`super::label_table`]).
/// The place is exact up to the single precision of the format (about 0.00003 mm at 500 mm).
///
/// # Errors
/// [`NiftiError::Field`] when the number of voxels is not that of the grid, or an axis has more
/// than 32767.
pub fn nifti_bytes(
    grid: &Grid,
    data: NiftiData<'_>,
    extensions: &[(i32, Vec<u8>)],
) -> Result<Vec<u8>, NiftiError> {
    let field = |field, found, expected| NiftiError::Field {
        path: "the NIfTI file to write".into(),
        field,
        found,
        expected,
    };
    if data.len() != grid.len() {
        return Err(field("voxels", data.len().to_string(), "as many as the grid has"));
    }
    let mut dim = [1i16; 8];
    dim[0] = 3;
    for (to, &from) in dim.iter_mut().skip(1).zip(&grid.size()) {
        *to = i16::try_from(from)
            .map_err(|_| field("dim", from.to_string(), "at most 32767 along each axis"))?;
    }
    let mut extended = Vec::new();
    for (code, content) in extensions {
        // Each is a multiple of 16 bytes with its own eight.
        let length = (content.len() + 8).next_multiple_of(16);
        let too_long = |_| field("extension", length.to_string(), "less than 2 GiB");
        extended.extend(i32::try_from(length).map_err(too_long)?.to_le_bytes());
        extended.extend(code.to_le_bytes());
        extended.extend(content);
        extended.resize(extended.len() + length - content.len() - 8, 0);
    }
    let (datatype, bitpix) = data.code();
    let rows = ras_rows(grid);
    let quaternion = quaternion(grid);
    let [di, dj, dk] = grid.spacing();
    let qfac = quaternion.as_ref().map_or(1.0, |q| q.qfac);
    let mut head = Vec::with_capacity(352);
    head.extend(348i32.to_le_bytes());
    head.resize(40, 0);
    head.extend(dim.iter().flat_map(|v| v.to_le_bytes()));
    head.resize(70, 0);
    head.extend(datatype.to_le_bytes());
    head.extend(bitpix.to_le_bytes());
    head.resize(76, 0);
    let pixdim = [qfac, di, dj, dk, 0.0, 0.0, 0.0, 0.0];
    head.extend(pixdim.iter().flat_map(|&v| (v as f32).to_le_bytes()));
    head.extend((352.0 + extended.len() as f32).to_le_bytes());
    head.extend([1f32, 0.0].iter().flat_map(|v| v.to_le_bytes()));
    head.resize(123, 0);
    head.push(2);
    head.resize(148, 0);
    head.extend(b"osteoflag");
    head.resize(252, 0);
    head.extend(i16::from(quaternion.is_some()).to_le_bytes());
    head.extend(1i16.to_le_bytes());
    let [bcd, offset] = match &quaternion {
        Some(q) => [q.bcd, [rows[0][3], rows[1][3], rows[2][3]]],
        None => [[0.0; 3]; 2],
    };
    head.extend(bcd.iter().chain(&offset).flat_map(|&v| (v as f32).to_le_bytes()));
    head.extend(rows.iter().flatten().flat_map(|&v| (v as f32).to_le_bytes()));
    head.resize(344, 0);
    head.extend(b"n+1\0");
    head.extend([u8::from(!extended.is_empty()), 0, 0, 0]);
    head.extend(extended);
    data.append_to(&mut head);
    Ok(head)
}

/// The same gzipped, without name, clock or system in the head of the stream.
///
/// # Errors
/// As [`nifti_bytes`].
pub fn nifti_gz_bytes(
    grid: &Grid,
    data: NiftiData<'_>,
    extensions: &[(i32, Vec<u8>)],
) -> Result<Vec<u8>, NiftiError> {
    let plain = nifti_bytes(grid, data, extensions)?;
    let mut encoder =
        GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    let in_memory = |source: io::Error| NiftiError::Io { path: "memory".into(), source };
    encoder.write_all(&plain).map_err(in_memory)?;
    encoder.finish().map_err(in_memory)
}

/// Rows of the RAS matrix.
fn ras_rows(grid: &Grid) -> [[f64; 4]; 3] {
    let (i, j, k, o) = (grid.step(0), grid.step(1), grid.step(2), grid.origin());
    [
        [-i.x(), -j.x(), -k.x(), -o.x()],
        [-i.y(), -j.y(), -k.y(), -o.y()],
        [i.z(), j.z(), k.z(), o.z()],
    ]
}

struct Quaternion {
    qfac: f64,
    bcd: [f64; 3],
}

/// The rotation of a grid whose axes stand at right angles (to what single precision tells);
/// `None` for a shear.
fn quaternion(grid: &Grid) -> Option<Quaternion> {
    let ras = |v: LpsVector| LpsVector::new(-v.x(), -v.y(), v.z());
    let axis = |n| ras(grid.step(n)).normalised();
    let (a, b, c) = (axis(0)?, axis(1)?, axis(2)?);
    let qfac = if a.cross(b).dot(c) < 0.0 { -1.0 } else { 1.0 };
    let c = c * qfac;
    let rotation = glam::DMat3::from_cols(
        glam::DVec3::new(a.x(), a.y(), a.z()),
        glam::DVec3::new(b.x(), b.y(), b.z()),
        glam::DVec3::new(c.x(), c.y(), c.z()),
    );
    let q = glam::DQuat::from_mat3(&rotation).normalize();
    let q = if q.w < 0.0 { -q } else { q };
    // Written and read back: a rotation that does not give the grid again is none.
    let [di, dj, dk] = grid.spacing();
    let back = |v: glam::DVec3, mm: f64| {
        let turned = q * v * mm;
        LpsVector::new(-turned.x, -turned.y, turned.z)
    };
    let o = grid.origin();
    let turned = Grid::new(
        grid.size(),
        LpsPoint::new(o.x(), o.y(), o.z()),
        back(glam::DVec3::X, di),
        back(glam::DVec3::Y, dj),
        back(glam::DVec3::Z * qfac, dk),
    )
    .ok()?;
    (farthest_corner(grid, &turned) < 1e-3).then_some(Quaternion { qfac, bcd: [q.x, q.y, q.z] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::read_nifti;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_place_and_pose_survives_writing_and_reading(
            turn in -3.0..3.0f64, lean in -1.5..1.5f64, flip in any::<bool>(), shear in 0.0..0.4f64,
            sheared in any::<bool>(), x in -500.0..500.0f64, mm in 0.3..5.0f64,
        ) {
            let q = glam::DQuat::from_euler(glam::EulerRot::XYZ, turn, lean, 0.3);
            let v = |p: glam::DVec3| LpsVector::new(p.x, p.y, p.z);
            let shear = if sheared { shear } else { 0.0 };
            let k = q * glam::DVec3::new(0.0, shear, if flip { -mm } else { mm });
            let grid = Grid::new(
                [5, 6, 7], LpsPoint::new(x, 3.0, -x), v(q * glam::DVec3::X * 0.7),
                v(q * glam::DVec3::Y * 0.9), v(k),
            ).unwrap();
            let labels: Vec<u16> = (0..210).map(|n| n * 300).collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("labels.nii.gz");
            let bytes = nifti_gz_bytes(&grid, NiftiData::U16(&labels), &[(0, b"abc".to_vec())]).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let image = read_nifti(&path, 1 << 20).unwrap();
            prop_assert!(farthest_corner(&image.grid, &grid) < 2e-4);
            prop_assert_eq!(image.voxels, crate::volume::NiftiVoxels::U16(labels));
            prop_assert!(image.extensions[0].1.starts_with(b"abc"));
        }
    }

    #[test]
    fn the_stream_holds_no_clock_and_no_system() {
        let grid = Grid::new(
            [2, 1, 1],
            LpsPoint::new(0.0, 0.0, 0.0),
            LpsVector::LEFT,
            LpsVector::ANTERIOR,
            LpsVector::HEAD,
        )
        .unwrap();
        let bytes = nifti_gz_bytes(&grid, NiftiData::U8(&[0, 1]), &[]).unwrap();
        assert_eq!(bytes[..10], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]);
        assert!(nifti_bytes(&grid, NiftiData::U8(&[0]), &[]).is_err());
    }
}
