//! What lies in a folder, and what of it nobody means: hidden files, what systems leave behind,
//! what abn itself wrote.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use super::left_out::LeftOut;
use crate::DataError;

/// Endings of the names of images that are read, in any case.
const READ: [&str; 15] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif", "ppm", "pgm",
    "pbm", "pnm",
];
/// What archives, file managers and network drives leave in folders.
const LEFT_BEHIND: [&str; 9] = [
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "@eadir",
    "icon\r",
];
/// Files that only abn writes: of overlays, of scores, of stability, of a campaign.
const OWN: [&str; 4] = [
    ".abn-explain",
    "score.json",
    "stability.csv",
    "ablation.json",
];
/// Folders between `runs/` and a run.
const RUN_LEVELS: usize = 4;

/// The folders and files of a folder, each by name.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) folders: Vec<String>,
    /// Files whose names end as those of images that are read.
    pub(super) images: Vec<String>,
}

/// Looks into `folder`; what is no image is counted in `left_out`.
///
/// # Errors
/// The folder cannot be read, a link in it leads nowhere, or a name is no text.
pub(super) fn entries(folder: &Path, left_out: &mut LeftOut) -> Result<Entries, DataError> {
    let mut entries = Entries::default();
    for entry in visible(folder)? {
        let name = || {
            let name = entry.file_name().into_string();
            name.map_err(|_| DataError::FileName { path: entry.path() })
        };
        if is_folder(&entry)? {
            if !is_own(&entry.path()) {
                entries.folders.push(name()?);
            }
        } else if is_image_name(Path::new(&entry.file_name())) {
            entries.images.push(name()?);
        } else {
            left_out.file(folder, Path::new(&entry.file_name()));
        }
    }
    entries.folders.sort_unstable();
    entries.images.sort_unstable();
    Ok(entries)
}

/// What is in a folder, is not hidden and was not left behind.
fn visible(folder: &Path) -> Result<Vec<DirEntry>, DataError> {
    let failed = |source: io::Error| DataError::Read {
        path: folder.into(),
        source,
    };
    let entries: Vec<DirEntry> = fs::read_dir(folder)
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    Ok(entries.into_iter().filter(is_meant).collect())
}

/// Whether somebody put it there.
fn is_meant(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let lower = name.to_string_lossy().to_lowercase();
    !name.as_encoded_bytes().starts_with(b".") && !LEFT_BEHIND.contains(&lower.as_str())
}

/// Links are followed; only they cost a look at the file itself. One that leads nowhere and is
/// called like an image is a file, which cannot be read.
fn is_folder(entry: &DirEntry) -> Result<bool, DataError> {
    let path = entry.path();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => DataError::BrokenLink { path: path.clone() },
        _ => DataError::Read {
            path: path.clone(),
            source,
        },
    };
    let kind = entry.file_type().map_err(failed)?;
    if !kind.is_symlink() {
        return Ok(kind.is_dir());
    }
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_image_name(&path) => Ok(false),
        metadata => Ok(metadata.map_err(failed)?.is_dir()),
    }
}

/// Whether a file is called as an image of a kind that is read, in any case.
#[must_use]
pub fn is_image_name(name: &Path) -> bool {
    let ending = name.extension();
    ending.is_some_and(|ending| READ.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Whether abn wrote that folder: overlays, figures, a run, or a folder of nothing but runs.
pub(super) fn is_own(folder: &Path) -> bool {
    OWN.iter().any(|mark| folder.join(mark).exists()) || holds_runs(folder, RUN_LEVELS)
}

fn holds_runs(folder: &Path, levels: usize) -> bool {
    if folder.join("config.json").is_file() && folder.join("checkpoints").is_dir() {
        return true;
    }
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    // A class folder has files: the first one decides, and the others are not looked at.
    let mut runs = 0;
    for entry in entries.flatten().filter(is_meant) {
        if levels == 0 || !matches!(is_folder(&entry), Ok(true)) {
            return false;
        }
        if !holds_runs(&entry.path(), levels - 1) {
            return false;
        }
        runs += 1;
    }
    runs > 0
}
