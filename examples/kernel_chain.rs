//! The reference chain of image kernels on one volume, timed step by step.
//!
//! `cargo run --release --example kernel_chain -- VOLUME.npy [--spacing SI,SJ,SK] [--threshold HU]
//! [--threads N] [--repeats N] [--all-blocks] [--digests]`: clamp to -200..1200 HU, Gaussian of
//! 1.5 mm cut at 4 standard deviations, above the threshold (200 HU), opening by a box of 3 voxels,
//! 26-connected components with size, centroid and box, Euclidean distance in millimetres inside.
//! The volume is a NumPy file of int16, `[k, j, i]`. Prints one line of JSON for each repeat: seconds
//! of each step, what was found, and with `--digests` SHA-256 of what `scripts/bench_chain.py`
//! compares with other libraries. `--all-blocks` filters every voxel, also where the surroundings
//! decide. Development only.
#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a development tool: it may stop at the first surprise"
)]

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use memmap2::MmapMut;
use osteoflag::kernels::{
    Beyond, BitMask, Blocks, Component, Connectivity, components, distance_inside_into,
    gaussian_above, open,
};
use rayon::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

const RANGE_HU: std::ops::RangeInclusive<i16> = -200..=1200;
const SIGMA_MM: f64 = 1.5;
const TRUNCATE: f64 = 4.0;
/// Bytes that one thread reads at a time.
const PIECE: usize = 4 << 20;

struct Settings {
    volume: PathBuf,
    spacing: [f64; 3],
    threshold: f32,
    threads: usize,
    repeats: usize,
    blocks: Blocks,
    digests: bool,
}

fn settings() -> Settings {
    let mut s = Settings {
        volume: PathBuf::new(),
        spacing: [0.7, 0.7, 1.0],
        threshold: 200.0,
        threads: 2,
        repeats: 1,
        blocks: Blocks::Undecided,
        digests: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap();
        match argument.as_str() {
            "--spacing" => {
                let parts: Vec<f64> = value().split(',').map(|x| x.parse().unwrap()).collect();
                s.spacing = parts.try_into().unwrap();
            }
            "--threshold" => s.threshold = value().parse().unwrap(),
            "--threads" => s.threads = value().parse().unwrap(),
            "--repeats" => s.repeats = value().parse().unwrap(),
            "--all-blocks" => s.blocks = Blocks::All,
            "--digests" => s.digests = true,
            path => s.volume = PathBuf::from(path),
        }
    }
    s
}

/// Zeros in pages of 2 MiB where the system has them: fresh memory in small pages costs more than
/// a whole step of the chain.
fn zeros(bytes: usize) -> MmapMut {
    let map = MmapMut::map_anon(bytes).unwrap();
    #[cfg(target_os = "linux")]
    {
        // Without them it is slower, not wrong.
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    map
}

/// Size `[ni, nj, nk]` and where the voxels start.
fn npy_header(path: &Path) -> ([usize; 3], u64) {
    let mut file = std::fs::File::open(path).unwrap();
    let mut start = [0; 10];
    file.read_exact(&mut start).unwrap();
    assert_eq!(&start[..7], b"\x93NUMPY\x01", "a NumPy file of version 1");
    let len = usize::from(u16::from_le_bytes([start[8], start[9]]));
    let mut text = vec![0; len];
    file.read_exact(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("'<i2'") && text.contains("'fortran_order': False"), "{text}");
    let shape = text.split("'shape': (").nth(1).unwrap().split(')').next().unwrap();
    let n: Vec<usize> = shape.split(',').map(|x| x.trim().parse().unwrap()).collect();
    ([n[2], n[1], n[0]], 10 + len as u64)
}

fn load(path: &Path) -> (MmapMut, [usize; 3]) {
    let (size, start) = npy_header(path);
    let mut map = zeros(size.iter().product::<usize>() * 2);
    map.par_chunks_mut(PIECE).enumerate().for_each(|(n, piece)| {
        let mut file = std::fs::File::open(path).unwrap();
        file.seek(SeekFrom::Start(start + (n * PIECE) as u64)).unwrap();
        file.read_exact(piece).unwrap();
    });
    (map, size)
}

/// The first 12 digits of SHA-256.
fn short(hash: Sha256) -> String {
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Digest of a mask as one byte for each voxel.
fn of_mask(mask: &BitMask) -> String {
    let len: usize = mask.size().iter().product();
    let mut hash = Sha256::new();
    let mut bytes = Vec::with_capacity(1 << 16);
    for at in 0..len {
        bytes.push(u8::from(mask.get(at)));
        if bytes.len() == 1 << 16 {
            hash.update(&bytes);
            bytes.clear();
        }
    }
    hash.update(&bytes);
    short(hash)
}

fn of_sizes(found: &[Component]) -> String {
    let mut sizes: Vec<i64> = found.iter().map(|c| c.voxels as i64).collect();
    sizes.sort_unstable();
    let mut hash = Sha256::new();
    for size in sizes {
        hash.update(size.to_le_bytes());
    }
    short(hash)
}

/// Digest of sizes, centroids (to 1e-6 voxels) and boxes in the order of first voxels.
fn of_statistics(found: &[Component]) -> String {
    let mut hash = Sha256::new();
    for c in found {
        hash.update((c.voxels as i64).to_le_bytes());
        for axis in [2, 1, 0] {
            hash.update(((c.centroid()[axis] * 1e6).round() as i64).to_le_bytes());
            hash.update((c.low[axis] as i64).to_le_bytes());
            hash.update((c.high[axis] as i64).to_le_bytes());
        }
    }
    short(hash)
}

/// Digest of 100 x the squared distances as whole numbers.
fn of_distances(values: &[f32]) -> String {
    let mut hash = Sha256::new();
    for values in values.chunks(1 << 16) {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|&d| ((f64::from(d).powi(2) * 100.0).round() as i32).to_le_bytes())
            .collect();
        hash.update(&bytes);
    }
    short(hash)
}

fn main() {
    let s = settings();
    rayon::ThreadPoolBuilder::new().num_threads(s.threads).build_global().unwrap();
    let start = Instant::now();
    let (volume, size) = load(&s.volume);
    let loaded = start.elapsed().as_secs_f64();
    let voxels: &[i16] = bytemuck::cast_slice(&volume);
    for _ in 0..s.repeats {
        let mut digests = json!({});
        let mut laps = vec![Instant::now()];
        let sigma = s.spacing.map(|mm| SIGMA_MM / mm);
        let mask = gaussian_above(voxels, size, RANGE_HU, sigma, TRUNCATE, s.threshold, s.blocks);
        laps.push(Instant::now());
        let opened = open(&mask, [1, 1, 1], Beyond::Outside);
        laps.push(Instant::now());
        if s.digests {
            digests["mask"] = json!([mask.count(), of_mask(&mask)]);
        }
        drop(mask);
        let resumed = Instant::now();
        let found = components(&opened, Connectivity::Corners);
        laps.push(Instant::now());
        let mut memory = zeros(voxels.len() * 4);
        let distances: &mut [f32] = bytemuck::cast_slice_mut(&mut memory);
        distance_inside_into(&opened, s.spacing, distances);
        laps.push(Instant::now());
        let pause = (resumed - laps[2]).as_secs_f64();
        let lap = |n: usize| (laps[n + 1] - laps[n]).as_secs_f64();
        if s.digests {
            digests["opened"] = json!([opened.count(), of_mask(&opened)]);
            digests["components"] = json!([found.len(), of_sizes(&found), of_statistics(&found)]);
            let deepest = distances.iter().fold(0.0f32, |a, &b| a.max(b));
            digests["distances"] = json!([deepest, of_distances(distances)]);
        }
        println!(
            "{}",
            json!({
                "load": loaded,
                "clamp, Gaussian, threshold": lap(0),
                "opening": lap(1),
                "components, statistics": lap(2) - pause,
                "distance": lap(3),
                "sum": (laps[4] - laps[0]).as_secs_f64() - pause,
                "components": found.len(),
                "largest": found.iter().map(|c| c.voxels).max(),
                "digests": digests,
            })
        );
    }
}
