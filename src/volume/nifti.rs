//! Reading of NIfTI-1 and NIfTI-2 images (`.nii`, `.nii.gz`).
//!
//! NIfTI's world is RAS; it is turned into LPS here, at the door (x and y change sign), and lengths
//! into millimetres. The voxels stay in the order of the file, `[k, j, i]` with `i` fastest, in the
//! type that they are stored in; nothing is flipped.
//!
//! # Method
//! Header fields by byte offset as in `nifti1.h` and `nifti2.h` (NIfTI Data Format Working Group).
//! Of the two transforms the one into scanner or aligned coordinates is taken (codes 1 and 2), the
//! sform before the qform; where both are such and differ, the file is refused, because nobody can
//! know which one its masks were drawn in.
//!
//! # Limits
//! No `.hdr`/`.img` pairs, no Analyze, no complex or colour voxels; of 4-D and higher only files
//! with one volume.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::geometry::{ContinuousIndex, Grid, LpsPoint, LpsVector};

/// Two transforms of one file are different when they put a corner of the volume farther apart
/// than this share of its diagonal. A quaternion in single precision near a half turn, which is
/// what a change of axes is, is right to 0.0007 of it only.
const SAME_TRANSFORM: f64 = 0.001;
/// Square of the scalar part of a quaternion below which the turn is taken for half a turn, as the
/// reference code of the standard does.
const HALF_TURN: f64 = 1e-7;
/// Deflate makes at most 1032 bytes of one (RFC 1951: 258 bytes for 2 bits).
const MAX_DEFLATE_RATIO: u64 = 1032;
/// Header extensions that are read (label names); longer ones are stepped over.
const MAX_EXTENSION: usize = 4 << 20;
/// Voxels are read in pieces of this many bytes, so that a header that lies takes no memory.
const CHUNK: usize = 1 << 20;

/// Why a NIfTI file cannot be read or written. Each names the file, the header field, what was
/// expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NiftiError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither NIfTI-1 nor NIfTI-2.
    #[error("{}: sizeof_hdr is {found}, expected 348 (NIfTI-1) or 540 (NIfTI-2)", path.display())]
    NotNifti {
        /// The file.
        path: PathBuf,
        /// First four bytes as a number.
        found: i32,
    },
    /// A header field that cannot be used.
    #[error("{}: {field} is {found}, expected {expected}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Name of the field in the standard.
        field: &'static str,
        /// Its value.
        found: String,
        /// What can be used.
        expected: &'static str,
    },
    /// The file ends before its last voxel.
    #[error("{}: voxels end after {found} of {expected} bytes", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes of voxels that are there.
        found: u64,
        /// Bytes that the header promises.
        expected: u64,
    },
    /// More memory than allowed; nothing was allocated.
    #[error("{}: {required_bytes} bytes needed, {max_bytes} allowed", path.display())]
    MemoryLimit {
        /// The file.
        path: PathBuf,
        /// What the voxels take.
        required_bytes: u64,
        /// What is allowed.
        max_bytes: u64,
    },
    /// The two transforms of the file contradict each other.
    #[error(
        "{}: sform and qform put a corner of the volume {distance_mm:.2} mm apart, expected the same place", path.display()
    )]
    TransformsDiffer {
        /// The file.
        path: PathBuf,
        /// Largest distance of a corner, mm.
        distance_mm: f64,
    },
}

impl NiftiError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the path and that the file may be read",
            Self::NotNifti { .. } => "give a .nii or .nii.gz file; convert .hdr/.img pairs first",
            Self::Field { .. } => "write the file again, for example with nibabel or SimpleITK",
            Self::Truncated { .. } => "copy or write the file again",
            Self::MemoryLimit { .. } => "raise --max-memory or give a smaller volume",
            Self::TransformsDiffer { .. } => {
                "keep the transform that is right and set the code of the other to 0"
            }
        }
    }
}

/// Voxels in the type that they are stored in.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum NiftiVoxels {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl NiftiVoxels {
    /// The stored value at an offset, before slope and intercept.
    pub fn stored(&self, offset: usize) -> Option<f64> {
        Some(match self {
            Self::U8(v) => f64::from(*v.get(offset)?),
            Self::I8(v) => f64::from(*v.get(offset)?),
            Self::U16(v) => f64::from(*v.get(offset)?),
            Self::I16(v) => f64::from(*v.get(offset)?),
            Self::U32(v) => f64::from(*v.get(offset)?),
            Self::I32(v) => f64::from(*v.get(offset)?),
            Self::U64(v) => *v.get(offset)? as f64,
            Self::I64(v) => *v.get(offset)? as f64,
            Self::F32(v) => f64::from(*v.get(offset)?),
            Self::F64(v) => *v.get(offset)?,
        })
    }

    /// Whether values have no fraction by their type.
    pub const fn is_integer(&self) -> bool {
        !matches!(self, Self::F32(_) | Self::F64(_))
    }
}

/// A NIfTI volume, placed in the patient's frame.
#[derive(Clone, Debug)]
pub struct NiftiImage {
    /// Where the voxels lie (LPS, mm), axes in the order of the file.
    pub grid: Grid,
    /// The voxels `[k, j, i]`, `i` fastest.
    pub voxels: NiftiVoxels,
    /// `scl_slope`; 1 where the file has none.
    pub slope: f64,
    /// `scl_inter`; 0 where the file has none.
    pub intercept: f64,
    /// Header extensions `(ecode, bytes)`, as far as they are not longer than 4 MiB.
    pub extensions: Vec<(i32, Vec<u8>)>,
}

impl NiftiImage {
    /// The value at an offset: stored · slope + intercept.
    pub fn value(&self, offset: usize) -> Option<f64> {
        Some(self.voxels.stored(offset)? * self.slope + self.intercept)
    }
}

/// Whether a file is NIfTI by its name (`.nii`, `.nii.gz`, any case).
pub fn is_nifti_name(path: &Path) -> bool {
    let is = |path: &Path, ending| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
    is(path, "nii")
        || is(path, "gz") && path.file_stem().is_some_and(|stem| is(Path::new(stem), "nii"))
}

/// Reads a NIfTI volume. Compression is told from the bytes, not from the name.
///
/// # Errors
/// Every [`NiftiError`]; memory is checked against `max_bytes` (of voxels) before any is taken.
pub fn read_nifti(path: &Path, max_bytes: u64) -> Result<NiftiImage, NiftiError> {
    let io_error = |source| NiftiError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io_error)?;
    let file_bytes = file.metadata().map_err(io_error)?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let gzip =
        std::io::BufRead::fill_buf(&mut reader).map_err(io_error)?.starts_with(&[0x1F, 0x8B]);
    if gzip {
        let most = file_bytes.saturating_mul(MAX_DEFLATE_RATIO);
        Reading { path, source: MultiGzDecoder::new(reader), most, max_bytes }.image()
    } else {
        Reading { path, source: reader, most: file_bytes, max_bytes }.image()
    }
}

/// What is being read.
struct Reading<'a, R> {
    path: &'a Path,
    source: R,
    /// Bytes that the source can give at most.
    most: u64,
    max_bytes: u64,
}

/// Header bytes with their byte order.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    fn raw<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut raw: [u8; N] =
            self.bytes.get(at..at + N).and_then(|b| b.try_into().ok()).unwrap_or([0; N]);
        if self.big_endian {
            raw.reverse();
        }
        raw
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.raw(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.raw(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.raw(at))
    }

    fn f32(&self, at: usize) -> f64 {
        f32::from_le_bytes(self.raw(at)).into()
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.raw(at))
    }
}

/// What this program needs of either header version.
struct Header {
    big_endian: bool,
    dim: [i64; 8],
    datatype: i16,
    pixdim: [f64; 8],
    vox_offset: f64,
    slope: f64,
    intercept: f64,
    xyzt_units: u8,
    qform_code: i32,
    sform_code: i32,
    quatern: [f64; 3],
    qoffset: [f64; 3],
    srow: [[f64; 4]; 3],
    length: u64,
    magic: [u8; 4],
}

impl Header {
    fn version_1(f: &Fields<'_>) -> Self {
        Self {
            big_endian: f.big_endian,
            dim: std::array::from_fn(|n| f.i16(40 + 2 * n).into()),
            datatype: f.i16(70),
            pixdim: std::array::from_fn(|n| f.f32(76 + 4 * n)),
            vox_offset: f.f32(108),
            slope: f.f32(112),
            intercept: f.f32(116),
            xyzt_units: f.raw::<1>(123)[0],
            qform_code: f.i16(252).into(),
            sform_code: f.i16(254).into(),
            quatern: std::array::from_fn(|n| f.f32(256 + 4 * n)),
            qoffset: std::array::from_fn(|n| f.f32(268 + 4 * n)),
            srow: std::array::from_fn(|r| std::array::from_fn(|c| f.f32(280 + 16 * r + 4 * c))),
            length: 348,
            magic: f.bytes.get(344..348).and_then(|b| b.try_into().ok()).unwrap_or_default(),
        }
    }

    fn version_2(f: &Fields<'_>) -> Self {
        Self {
            big_endian: f.big_endian,
            dim: std::array::from_fn(|n| f.i64(16 + 8 * n)),
            datatype: f.i16(12),
            pixdim: std::array::from_fn(|n| f.f64(104 + 8 * n)),
            vox_offset: f.i64(168) as f64,
            slope: f.f64(176),
            intercept: f.f64(184),
            xyzt_units: f.raw::<4>(500)[0],
            qform_code: f.i32(344),
            sform_code: f.i32(348),
            quatern: std::array::from_fn(|n| f.f64(352 + 8 * n)),
            qoffset: std::array::from_fn(|n| f.f64(376 + 8 * n)),
            srow: std::array::from_fn(|r| std::array::from_fn(|c| f.f64(400 + 32 * r + 8 * c))),
            length: 540,
            magic: f.bytes.get(4..8).and_then(|b| b.try_into().ok()).unwrap_or_default(),
        }
    }

    /// RAS matrix of the sform, rows.
    const fn sform(&self) -> [[f64; 4]; 3] {
        self.srow
    }

    /// RAS matrix of the qform, rows (`nifti1.h`, method 2).
    fn qform(&self) -> [[f64; 4]; 3] {
        let [b, c, d] = self.quatern;
        let squares = b * b + c * c + d * d;
        // Rounding may push the vector part over length 1, or just below it.
        let (a, b, c, d) = if 1.0 - squares < HALF_TURN {
            let length = squares.sqrt();
            (0.0, b / length, c / length, d / length)
        } else {
            ((1.0 - squares).sqrt(), b, c, d)
        };
        let qfac = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let [_, dx, dy, dz, ..] = self.pixdim;
        let scale = [dx, dy, dz * qfac];
        let rotation = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ];
        let mut rows = [[0.0; 4]; 3];
        for ((row, turned), offset) in rows.iter_mut().zip(rotation).zip(self.qoffset) {
            let [x, y, z] = turned;
            *row = [x * scale[0], y * scale[1], z * scale[2], offset];
        }
        rows
    }
}

impl<R: Read> Reading<'_, R> {
    fn image(mut self) -> Result<NiftiImage, NiftiError> {
        let mut head = vec![0; 348];
        self.fill(&mut head)?;
        let first: [u8; 4] = head.get(..4).and_then(|b| b.try_into().ok()).unwrap_or_default();
        let (big_endian, version) = match (i32::from_le_bytes(first), i32::from_be_bytes(first)) {
            (348, _) => (false, 1),
            (_, 348) => (true, 1),
            (540, _) => (false, 2),
            (_, 540) => (true, 2),
            (found, _) => return Err(NiftiError::NotNifti { path: self.path.to_owned(), found }),
        };
        if version == 2 {
            let mut rest = vec![0; 540 - 348];
            self.fill(&mut rest)?;
            head.extend(rest);
        }
        let fields = Fields { bytes: &head, big_endian };
        let header =
            if version == 1 { Header::version_1(&fields) } else { Header::version_2(&fields) };
        let expected_magic: &[u8] = if version == 1 { b"n+1\0" } else { b"n+2\0" };
        if header.magic != expected_magic {
            let found = String::from_utf8_lossy(&header.magic).replace('\0', "");
            return Err(self.field("magic", format!("\"{found}\""), "n+1 or n+2: a single file"));
        }
        let size = self.size(&header)?;
        let grid = self.grid(&header, size)?;
        let extensions = self.up_to_voxels(&header)?;
        let voxels = self.voxels(&header, size)?;
        let (slope, intercept) = match (header.slope, header.intercept) {
            // A slope of 0 or none at all means that values are as stored.
            (slope, _) if slope == 0.0 || slope.is_nan() => (1.0, 0.0),
            (slope, inter) if slope.is_finite() && inter.is_finite() => (slope, inter),
            (slope, inter) => {
                return Err(self.field(
                    "scl_slope and scl_inter",
                    format!("{slope} and {inter}"),
                    "finite numbers",
                ));
            }
        };
        Ok(NiftiImage { grid, voxels, slope, intercept, extensions })
    }

    fn field(&self, field: &'static str, found: String, expected: &'static str) -> NiftiError {
        NiftiError::Field { path: self.path.to_owned(), field, found, expected }
    }

    /// Fills a buffer of the header.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), NiftiError> {
        let expected = buffer.len() as u64;
        let found = read_up_to(&mut self.source, buffer)
            .map_err(|source| NiftiError::Io { path: self.path.to_owned(), source })?;
        if (found as u64) < expected {
            return Err(self.field(
                "the header",
                format!("{found} bytes long"),
                "348 bytes (NIfTI-1) or 540 (NIfTI-2)",
            ));
        }
        Ok(())
    }

    fn size(&self, header: &Header) -> Result<[usize; 3], NiftiError> {
        let [rank, ni, nj, nk, more @ ..] = header.dim;
        if !(3..=7).contains(&rank) {
            return Err(self.field("dim[0]", rank.to_string(), "3 to 7 dimensions"));
        }
        let used = usize::try_from(rank - 3).unwrap_or(0);
        if let Some(&volumes) = more.iter().take(used).find(|&&n| n > 1) {
            return Err(self.field(
                "dim",
                format!("{:?} ({volumes} volumes)", header.dim),
                "one volume: pick one of them first",
            ));
        }
        let mut size = [0; 3];
        for (to, from) in size.iter_mut().zip([ni, nj, nk]) {
            *to =
                usize::try_from(from).ok().filter(|&n| n > 0 && n <= 1 << 20).ok_or_else(|| {
                    self.field("dim", format!("{:?}", header.dim), "1 to 1048576 along each axis")
                })?;
        }
        Ok(size)
    }

    fn grid(&self, header: &Header, size: [usize; 3]) -> Result<Grid, NiftiError> {
        let to_mm = match header.xyzt_units & 7 {
            1 => 1000.0,
            3 => 0.001,
            // 2 is millimetres; 0 says nothing, and nobody writes anything else then.
            _ => 1.0,
        };
        // Codes 1 (scanner) and 2 (aligned to another file of the patient) are the patient's.
        let of_patient = |code: i32| code == 1 || code == 2;
        let (s, q) = (header.sform_code, header.qform_code);
        let grid = |rows| {
            lps_grid(rows, to_mm, size).ok_or_else(|| {
                self.field("srow or quatern", format!("{rows:?}"), "axes that span space")
            })
        };
        match (s, q) {
            (s, q) if of_patient(s) && of_patient(q) => {
                let (by_s, by_q) = (grid(header.sform())?, grid(header.qform())?);
                let distance_mm = farthest_corner(&by_s, &by_q);
                let (low, high) = by_s.bounds();
                if distance_mm > SAME_TRANSFORM * low.distance(high) {
                    let path = self.path.to_owned();
                    return Err(NiftiError::TransformsDiffer { path, distance_mm });
                }
                Ok(by_s)
            }
            (s, _) if of_patient(s) => grid(header.sform()),
            (_, q) if of_patient(q) => grid(header.qform()),
            (s, _) if s > 0 => grid(header.sform()),
            (_, q) if q > 0 => grid(header.qform()),
            _ => Err(self.field(
                "sform_code and qform_code",
                format!("{s} and {q}"),
                "at least one above 0: without a transform left and right are unknown",
            )),
        }
    }

    /// Reads or steps over what stands between header and voxels.
    fn up_to_voxels(&mut self, header: &Header) -> Result<Vec<(i32, Vec<u8>)>, NiftiError> {
        // 0 is written by nibabel's header object and means right behind the header.
        let least = header.length + 4;
        let offset = header.vox_offset;
        if !(offset == 0.0 || offset >= least as f64 && offset <= 1e9 && offset.fract() == 0.0) {
            return Err(self.field("vox_offset", offset.to_string(), "352 (NIfTI-1), 544 or more"));
        }
        let between = (offset as u64).max(least) - header.length;
        if between > self.most {
            return Err(self.field("vox_offset", offset.to_string(), "a place inside the file"));
        }
        let kept = usize::try_from(between).unwrap_or(usize::MAX).min(MAX_EXTENSION);
        let mut bytes = vec![0; kept];
        self.fill(&mut bytes)?;
        let io_error = |source| NiftiError::Io { path: self.path.to_owned(), source };
        io::copy(&mut (&mut self.source).take(between - kept as u64), &mut io::sink())
            .map_err(io_error)?;
        Ok(extensions(&bytes, header.big_endian))
    }

    fn voxels(&mut self, header: &Header, size: [usize; 3]) -> Result<NiftiVoxels, NiftiError> {
        macro_rules! read_as {
            ($($code:literal $kind:ident $type:ty;)*) => {
                match header.datatype {
                    $($code => NiftiVoxels::$kind(self.numbers(
                        size,
                        header.big_endian,
                        <$type>::from_le_bytes,
                    )?),)*
                    other => return Err(self.field(
                        "datatype",
                        other.to_string(),
                        "a whole or floating-point number of 8 to 64 bits (2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)",
                    )),
                }
            };
        }
        Ok(read_as! {
            2 U8 u8;
            4 I16 i16;
            8 I32 i32;
            16 F32 f32;
            64 F64 f64;
            256 I8 i8;
            512 U16 u16;
            768 U32 u32;
            1024 I64 i64;
            1280 U64 u64;
        })
    }

    /// All voxels, each of `N` bytes.
    fn numbers<T, const N: usize>(
        &mut self,
        size: [usize; 3],
        big_endian: bool,
        number: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, NiftiError> {
        let count = size.iter().fold(1u64, |n, &m| n.saturating_mul(m as u64));
        let expected = count.saturating_mul(N as u64);
        if expected > self.max_bytes {
            return Err(NiftiError::MemoryLimit {
                path: self.path.to_owned(),
                required_bytes: expected,
                max_bytes: self.max_bytes,
            });
        }
        if expected > self.most {
            // Not even all zeros could be packed into this file.
            let path = self.path.to_owned();
            return Err(NiftiError::Truncated { path, found: self.most, expected });
        }
        let io_error = |source| NiftiError::Io { path: self.path.to_owned(), source };
        let mut numbers: Vec<T> = Vec::new();
        let mut buffer = vec![0; CHUNK - CHUNK % N];
        let mut read = 0u64;
        while read < expected {
            let wanted = (expected - read).min(buffer.len() as u64) as usize;
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            let found = read_up_to(&mut self.source, piece).map_err(io_error)?;
            read += found as u64;
            if found < wanted {
                let path = self.path.to_owned();
                return Err(NiftiError::Truncated { path, found: read, expected });
            }
            numbers
                .try_reserve(wanted / N)
                .map_err(|_| io_error(io::Error::from(io::ErrorKind::OutOfMemory)))?;
            numbers.extend(piece.chunks_exact(N).filter_map(|chunk| {
                let mut bytes: [u8; N] = chunk.try_into().ok()?;
                if big_endian {
                    bytes.reverse();
                }
                Some(number(bytes))
            }));
        }
        Ok(numbers)
    }
}

/// Fills as much of the buffer as the source has.
fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A stream that is cut off inside a block: what came before it is told as truncated.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Extensions from the four flag bytes on; a broken one ends the list.
fn extensions(bytes: &[u8], big_endian: bool) -> Vec<(i32, Vec<u8>)> {
    let mut found = Vec::new();
    if bytes.first().is_none_or(|&flag| flag == 0) {
        return found;
    }
    let fields = Fields { bytes, big_endian };
    let mut at = 4;
    while at + 8 <= bytes.len() {
        let length = usize::try_from(fields.i32(at)).unwrap_or(0);
        let Some(content) = bytes.get(at + 8..at.saturating_add(length)) else { break };
        found.push((fields.i32(at + 4), content.to_vec()));
        at += length;
    }
    found
}

/// The grid of a RAS matrix, in LPS millimetres.
fn lps_grid(rows: [[f64; 4]; 3], to_mm: f64, size: [usize; 3]) -> Option<Grid> {
    let [[xi, xj, xk, x], [yi, yj, yk, y], [zi, zj, zk, z]] =
        rows.map(|row| row.map(|v| v * to_mm));
    Grid::new(
        size,
        LpsPoint::new(-x, -y, z),
        LpsVector::new(-xi, -yi, zi),
        LpsVector::new(-xj, -yj, zj),
        LpsVector::new(-xk, -yk, zk),
    )
    .ok()
}

/// Largest distance of the eight corner voxels between two grids of one size, mm.
pub(super) fn farthest_corner(a: &Grid, b: &Grid) -> f64 {
    let end = |n: usize| [0.0, n.saturating_sub(1) as f64];
    let mut farthest = 0.0f64;
    for i in end(a.ni()) {
        for j in end(a.nj()) {
            for k in end(a.nk()) {
                let at = ContinuousIndex { i, j, k };
                farthest = farthest.max(a.to_lps(at).distance(b.to_lps(at)));
            }
        }
    }
    farthest
}

#[cfg(test)]
#[path = "nifti_tests.rs"]
mod tests;
