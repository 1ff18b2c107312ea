use std::path::{Path, PathBuf};
use std::{env, fs};

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Compares the committed files with what the phantom makes; `OSTEOFLAG_UPDATE=1` writes them.
fn compare_with_committed(spec: &Spec) {
    let folder = fixtures().join(&spec.name);
    let made = files(&generate(spec).unwrap()).unwrap();
    if env::var_os("OSTEOFLAG_UPDATE").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in &made {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected: Vec<&String> = made.iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().collect::<Vec<_>>(), expected, "files of {}", folder.display());
    for (name, bytes) in &made {
        let committed = fs::read(folder.join(name)).unwrap();
        assert!(committed == *bytes, "{}/{name} differs from what the phantom makes", spec.name);
    }
}

#[test]
fn the_committed_ct_fixture_is_what_the_phantom_makes() {
    compare_with_committed(&Spec::ct_lumbar());
}

#[test]
fn the_committed_mr_fixture_is_what_the_phantom_makes() {
    compare_with_committed(&Spec::mr_t1_lumbar());
}
