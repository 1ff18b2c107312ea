//! What the tests of the command share.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what was left out is said")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Folder of real data, or `None` with a line that says what was left out.
pub fn real_data(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("OSTEOFLAG_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("left out, OSTEOFLAG_DATA is not set: {what}");
    }
    folder
}

pub fn osteoflag() -> Command {
    Command::new(env!("CARGO_BIN_EXE_osteoflag"))
}

pub fn screen(path: &Path, out: &Path, more: &[&str]) -> Assert {
    osteoflag().arg("screen").arg(path).arg("-o").arg(out).args(more).assert()
}

pub fn stderr(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

pub fn stdout(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// Every result file below `out` but run.json, by its path there.
pub fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "run.json") {
                let name = path.strip_prefix(out).unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The findings.json files below `out`.
pub fn findings(out: &Path) -> Vec<serde_json::Value> {
    results(out)
        .into_iter()
        .filter(|(name, _)| name.ends_with("findings.json"))
        .map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap())
        .collect()
}

/// Copies the files below `from` into `to` under names that sort the other way round.
pub fn shuffled_copy(from: &Path, to: &Path) {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![from.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let total = files.len();
    for (n, file) in files.iter().enumerate() {
        let folder = to.join(format!("part{}", n * 7 % 3));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(file, folder.join(format!("{:05}.bin", (total - n) * 31 % 9973))).unwrap();
    }
}
