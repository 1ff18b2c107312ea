//! Every file of the conformance corpus against the digests of independent decoders.
//!
//! Needs the development data (`OSTEOFLAG_DATA`); without it the tests say so and pass.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use osteoflag::discover::discover;
use osteoflag::series::{self, FileOutcome};
use osteoflag::volume::stored_values;
use sha2::{Digest, Sha256};

#[test]
fn probe() {
    let root = PathBuf::from(std::env::var_os("OSTEOFLAG_DATA").unwrap()).join("conformance");
    let csv = std::fs::read_to_string(root.join("digests.csv")).unwrap();
    let mut ok = 0;
    for line in csv.lines().skip(1) {
        let row = split(line);
        let (path, ts, samples, bits, photometric, lossy, sha) =
            (&row[0], &row[3], &row[7], &row[9], &row[8], &row[12], &row[14]);
        let result = stored_values(&root.join(path), 1 << 30);
        let supported = samples == "1" && (bits == "8" || bits == "16") && !sha.is_empty();
        match result {
            Ok(v) => {
                let mut hash = Sha256::new();
                for s in &v.values {
                    if v.layout.bits_allocated == 8 {
                        hash.update([*s as u8])
                    } else {
                        hash.update(s.to_le_bytes())
                    }
                }
                let mut d = String::new();
                for b in hash.finalize() {
                    d += &format!("{b:02x}");
                }
                if d == *sha {
                    ok += 1
                } else {
                    let (lo, hi) = if v.layout.signed {
                        (
                            v.values.iter().map(|&s| s as i16 as i32).min(),
                            v.values.iter().map(|&s| s as i16 as i32).max(),
                        )
                    } else {
                        (
                            v.values.iter().map(|&s| s as i32).min(),
                            v.values.iter().map(|&s| s as i32).max(),
                        )
                    };
                    eprintln!(
                        "DIFF {path} {ts} {photometric} lossy {lossy} sha '{}' min {lo:?} {} max {hi:?} {}",
                        &sha[..sha.len().min(8)],
                        row[15],
                        row[16]
                    );
                }
            }
            Err(e) if supported => eprintln!("FAIL {path} {ts}: {e}"),
            Err(e) => eprintln!("ref {path} {samples} {bits} {}: {e}", sha.is_empty()),
        }
    }
    eprintln!("{ok} equal");
}

#[test]
fn outcomes() {
    let root = PathBuf::from(std::env::var_os("OSTEOFLAG_DATA").unwrap()).join("conformance");
    let found = discover(&root).unwrap();
    let intake = series::read(&found.files, &|_| {});
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for f in &intake.files {
        let rel = f.path.strip_prefix(&root).unwrap().display().to_string();
        let t = match &f.outcome {
            FileOutcome::Image(id) => format!("image {id}"),
            FileOutcome::NotAnImage(p) => format!("not-an-image {} {}", p.code, p.sentence),
            FileOutcome::NotDicom(p) => format!("not-dicom {}", p.sentence),
            FileOutcome::Failed(p) => format!("FAILED {} {}", p.code, p.sentence),
        };
        if std::env::var_os("VERBOSE").is_some() {
            eprintln!("{rel}: {t}");
        }
        by.entry(t.split(' ').next().unwrap().to_owned()).or_default().push(rel);
    }
    for (k, v) in by {
        eprintln!("{k}: {}", v.len());
    }
    for study in &intake.studies {
        for s in &study.series {
            eprintln!(
                "{} {} n={} {:?} {:?} {:?} nv={:?} {:?}",
                study.id,
                s.id,
                s.slices.len(),
                s.grid.size(),
                s.tags.modality,
                s.slices[0].source.path.strip_prefix(&root).unwrap(),
                s.not_a_volume.as_ref().map(|p| &p.sentence),
                s.problems
                    .iter()
                    .map(|p| format!("{}: {}", p.code, p.sentence))
                    .collect::<Vec<_>>()
            );
        }
    }
}

fn split(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}
fn _p(_: &Path) {}
