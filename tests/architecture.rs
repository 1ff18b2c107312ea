//! The imports of the rooms, held against the table in ARCHITECTURE.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const GROUND: [&str; 4] = ["units", "geometry", "terms", "problem"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Room to the rooms it may import, as the table says.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let part = text.split("<!-- imports").nth(1).unwrap();
    let part = part.split("<!-- end of imports -->").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let allowed = cells[2]
            .split_whitespace()
            .flat_map(|word| if word == "ground" { GROUND.to_vec() } else { vec![word] })
            .map(str::to_owned)
            .collect();
        (cells[1].trim_matches('`').to_owned(), allowed)
    })
    .collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The room a file belongs to: its folder under src, its own name at the top, or the file itself
/// where the table lists it.
fn room(path: &Path, table: &BTreeMap<String, BTreeSet<String>>) -> String {
    let below = path.strip_prefix(root().join("src")).unwrap().to_string_lossy().replace('\\', "/");
    if table.contains_key(&below) {
        return below;
    }
    below.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// Every `crate::…` path of the code before its tests.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| line.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>())
        .map(|rest| {
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect()
        })
        .collect()
}

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let table = table();
    assert!(table.len() > 15, "the table was not read");
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let mut seen = 0;
    let mut wrong = Vec::new();
    for file in files {
        let room = room(&file, &table);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(allowed) = table.get(&room) else {
            wrong.push(format!("{}: room `{room}` is not in the table", file.display()));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let mut parts = import.split("::");
            let first = parts.next().unwrap_or_default().to_owned();
            let schema = first == "findings" && parts.next() == Some("schema");
            let own = room.split('/').next() == Some(first.as_str());
            seen += 1;
            let listed =
                allowed.contains(&first) || (schema && allowed.contains("findings/schema.rs"));
            if !(own || listed || first.is_empty()) {
                wrong.push(format!("{}: `{room}` imports `crate::{import}`", file.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} imports were seen: the test looks at nothing");
    assert!(wrong.is_empty(), "imports against ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn rooms_of_the_table_exist() {
    for room in table().keys() {
        let name = room.trim_end_matches(".rs");
        let (file, folder) = (format!("src/{name}.rs"), format!("src/{name}/mod.rs"));
        assert!(root().join(&file).exists() || root().join(&folder).exists(), "{room} is nowhere");
    }
}
