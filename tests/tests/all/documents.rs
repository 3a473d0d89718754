//! What the documents promise: their commands can be typed, their links lead somewhere, and the map
//! in ARCHITECTURE.md is that of the house.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use abn_train::cli;

/// Longest line, in characters: what a terminal beside an editor shows.
const COLUMNS: usize = 120;
/// What stands in commands for a value, and a value.
const PLACEHOLDERS: [(&str, &str); 10] = [
    ("abn-?", "abn-1 runs/stab-long-abn-2"),
    ("$((10 + i))", "11"),
    ("$((20 + i))", "21"),
    ("$attention", "abn"),
    ("$labels", "both"),
    ("$seed", "1"),
    ("$i", "1"),
    ("ATTENTION", "abn"),
    ("NETWORK", "abn"),
    ("LR_i", "0.1"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let folders = ["", "docs", "docs/results", "datasets", "checkpoints"];
    let mut folders: Vec<PathBuf> = folders.map(|folder| root().join(folder)).into();
    let crates = fs::read_dir(root().join("crates")).unwrap();
    folders.extend(crates.map(|entry| entry.unwrap().path()));
    let mut documents = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "md") {
                documents.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(documents.len() > 10, "the documents are elsewhere");
    documents
}

/// The text of a document without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

#[test]
fn no_line_is_too_long() {
    for (path, text) in documents() {
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            let place = format!("{}:{}", path.display(), number + 1);
            assert!(columns <= COLUMNS, "{place} has {columns} columns");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for (path, text) in documents() {
        for link in prose(&text).split("](").skip(1) {
            let (target, _) = link.split_once(')').unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = path.parent().unwrap().join(file);
            assert!(file.exists(), "{} links {target}", path.display());
            let titles = fs::read(&file).unwrap_or_default();
            let titles = String::from_utf8_lossy(&titles)
                .to_lowercase()
                .replace(' ', "-");
            let found = anchor.is_empty() || titles.contains(&format!("#-{anchor}\n"));
            assert!(found, "{} links {target}", path.display());
            links += 1;
        }
    }
    assert!(links > 20, "the links look otherwise");
}

#[test]
fn commands_can_be_typed() {
    let mut commands = 0;
    for (path, text) in documents() {
        let blocks = text.split("```sh\n").skip(1);
        for block in blocks.map(|block| block.split("```").next().unwrap()) {
            for line in block.replace("\\\n", " ").lines() {
                let line = line.trim();
                if !line.starts_with("abn ") {
                    continue;
                }
                let line = line.split(" #").next().unwrap().to_owned();
                let filled = PLACEHOLDERS
                    .iter()
                    .fold(line, |line, (name, value)| line.replace(name, value));
                let typed = shell_words::split(&filled).unwrap();
                if let Err(error) = cli::command().try_get_matches_from(typed) {
                    let place = path.display();
                    // Help is an error of status 0.
                    assert_eq!(error.exit_code(), 0, "{place}: {filled}: {error}");
                }
                commands += 1;
            }
        }
    }
    assert!(commands > 20, "the commands look otherwise");
}

/// The names between single backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_map_names_every_file_at_the_top_and_no_other() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let package = entry.unwrap().path();
        let name = package.file_name().unwrap().to_string_lossy().into_owned();
        let (_, after) = text
            .split_once(&format!("\n- **{name}**:"))
            .unwrap_or_else(|| panic!("no paragraph of {name}"));
        let paragraph = after.split("\n- **").next().unwrap();
        let named = quoted(paragraph.split("\n## ").next().unwrap());
        for entry in fs::read_dir(package.join("src")).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            // A folder, or the file of the same name, stands for both.
            let stem = path.file_stem().unwrap().to_string_lossy();
            let (folder, same) = (format!("{stem}/"), format!("{stem}.rs"));
            let known = ["lib.rs", "main.rs", "snapshots"].contains(&&*file)
                || path.extension().is_some_and(|ending| ending == "css")
                || named.contains(&*same)
                || named.contains(&*folder);
            assert!(known, "{name}/src/{file} is not named");
        }
        for file in named
            .iter()
            .filter(|name| name.ends_with(".rs") || name.ends_with('/'))
        {
            assert!(
                package.join("src").join(file).exists(),
                "{name} has no {file}"
            );
        }
    }
    for path in quoted(&prose(&text)) {
        let below = ["abn-", "crates/", "tests/", "xtask/"]
            .iter()
            .any(|start| path.starts_with(start));
        if !below || path.contains("NAME") || !path.contains('/') {
            continue;
        }
        let found = ["", "crates", "tests"]
            .iter()
            .any(|folder| root().join(folder).join(path).exists());
        assert!(found, "there is no {path}");
    }
}
