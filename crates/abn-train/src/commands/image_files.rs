//! The image files that a command line names: files, folders, and patterns that the shell left
//! alone.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use abn_data::is_image_name;
use anyhow::{Context, Result, ensure};
use glob::MatchOptions;

use crate::commands::output_folder::is_marked;

/// Folders within folders that are looked into; links may lead in circles.
const DEEPEST: usize = 8;

/// Expands a pattern as a shell does.
const AS_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files in the order named, `-` for those that stdin names. A folder stands for the images in it and in folders within it, by
/// name, except for those that `abn explain` made; a pattern such as `photos/**/*.jpg` for what it
/// matches, by name. What folders and patterns bring several times is taken once.
///
/// # Errors
/// A folder cannot be read or has no images, a pattern is malformed or matches nothing.
pub(crate) fn image_files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for path in named {
        let found = match path.to_str() {
            Some("-") => {
                files.extend(names_from(std::io::stdin().lock())?);
                continue;
            }
            // A file may be called `a[1].png`: what exists is meant.
            Some(pattern) if is_pattern(pattern) && !path.exists() => matches(pattern)?,
            _ if path.is_dir() => images_in(path)?,
            _ => {
                files.push(path.clone());
                continue;
            }
        };
        let place = |file: &PathBuf| file.canonicalize().unwrap_or_else(|_| file.clone());
        files.extend(found.into_iter().filter(|file| seen.insert(place(file))));
    }
    Ok(files)
}

/// Files named one a line, whatever the letters.
fn names_from(mut input: impl Read) -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .context("cannot read the names on stdin")?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let names: Result<Vec<PathBuf>> = lines.filter(|line| !line.is_empty()).map(named).collect();
    let names = names?;
    ensure!(!names.is_empty(), "stdin has no names; give one a line");
    Ok(names)
}

#[cfg(unix)]
fn named(bytes: &[u8]) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn named(bytes: &[u8]) -> Result<PathBuf> {
    Ok(std::str::from_utf8(bytes)
        .context("a name on stdin is not UTF-8")?
        .into())
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// What a pattern matches; folders among it stand for their images.
fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let paths = glob::glob_with(pattern, AS_A_SHELL).with_context(|| {
        format!("`{pattern}` is neither a file nor a pattern such as 'photos/*.jpg'")
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.with_context(|| format!("cannot look for `{pattern}`"))?;
        if !path.is_dir() {
            files.push(path);
        } else if !is_marked(&path) {
            images_below(&path, DEEPEST, &mut files)?;
        }
    }
    ensure!(
        !files.is_empty(),
        "no file matches `{pattern}`; check the folder and the ending"
    );
    Ok(files)
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    images_below(folder, DEEPEST, &mut images)?;
    ensure!(
        !images.is_empty(),
        "`{}` has no .png, .jpg or other image files",
        folder.display()
    );
    images.sort();
    Ok(images)
}

fn images_below(folder: &Path, levels: usize, images: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            // Overlays of an earlier call are no photographs.
            if levels > 0 && !is_marked(&path) {
                images_below(&path, levels - 1, images)?;
            }
        } else if is_image_name(&path) {
            images.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds what is named in a folder with these files, as paths in it.
    fn found(files: &[&str], named: &[&str]) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let named: Vec<_> = named.iter().map(|name| folder.path().join(name)).collect();
        let relative = |file: PathBuf| {
            file.strip_prefix(folder.path())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        Ok(image_files(&named)?.into_iter().map(relative).collect())
    }

    const FILES: [&str; 6] = [
        "a.png",
        "b/c.JPG",
        "b/notes.txt",
        "b/deep/d.jpeg",
        ".hidden.png",
        "maps/0001-a.png",
    ];

    #[test]
    fn folders_stand_for_their_images() {
        assert_eq!(found(&FILES, &["b"]).unwrap(), ["b/c.JPG", "b/deep/d.jpeg"]);
        assert_eq!(
            found(&FILES, &["b/notes.txt", "absent.png"]).unwrap(),
            ["b/notes.txt", "absent.png"]
        );
        let error = found(&["b/notes.txt"], &["b"]).unwrap_err().to_string();
        assert!(error.contains("has no .png"), "{error}");
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        assert_eq!(found(&FILES, &["*.png"]).unwrap(), ["a.png"]);
        assert_eq!(found(&FILES, &["**/*.jp*g"]).unwrap(), ["b/deep/d.jpeg"]);
        assert_eq!(
            found(&FILES, &["b/*"]).unwrap(),
            ["b/c.JPG", "b/deep/d.jpeg", "b/notes.txt"]
        );
        let error = found(&FILES, &["*.gif"]).unwrap_err().to_string();
        assert!(error.contains("no file matches"), "{error}");
        let error = format!("{:#}", found(&FILES, &["***"]).unwrap_err());
        assert!(error.contains("'photos/*.jpg'"), "{error}");
    }

    #[test]
    fn names_come_one_a_line() {
        let names = names_from(&b"a b.png\r\n\nc,d.png\n"[..]).unwrap();
        assert_eq!(names, ["a b.png", "c,d.png"].map(PathBuf::from));
        assert!(names_from(&b"\n"[..]).is_err());
        #[cfg(unix)]
        assert_eq!(names_from(&b"\xff.png"[..]).unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_looks_like_a_pattern_is_a_file() {
        assert_eq!(
            found(&["a[1].png", "a1.png"], &["a[1].png"]).unwrap(),
            ["a[1].png"]
        );
    }

    #[test]
    fn what_is_found_twice_is_taken_once() {
        assert_eq!(
            found(&FILES, &["b", "b/deep", "b/*.JPG"]).unwrap(),
            ["b/c.JPG", "b/deep/d.jpeg"]
        );
    }

    #[test]
    fn overlays_of_an_earlier_call_are_not_explained() {
        let marked = ["a.png", "maps/.abn-explain", "maps/0001-a.png"];
        assert_eq!(found(&marked, &["."]).unwrap(), ["a.png"]);
        assert_eq!(found(&marked, &["*"]).unwrap(), ["a.png"]);
        assert_eq!(
            found(&marked, &["maps"]).unwrap(),
            ["maps/0001-a.png"],
            "unless they are named"
        );
    }
}
