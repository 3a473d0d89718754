//! Files in the folders of a data set that are no part of it, counted by their endings.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Endings of pictures of kinds that are not read.
const PICTURES: [&str; 24] = [
    "apng", "arw", "avif", "cr2", "cr3", "dcm", "dng", "exr", "hdr", "heic", "heif", "ico", "j2k",
    "jp2", "jxl", "nef", "orf", "pcx", "psd", "raf", "rw2", "svg", "tga", "xcf",
];
/// Names of endings that are listed.
const LISTED: usize = 4;

/// What is left out of a split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LeftOut {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pictures: BTreeMap<String, u32>,
    /// Where they lie.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    folders: BTreeSet<PathBuf>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<String, u32>,
}

impl LeftOut {
    /// Counts a file of that folder.
    pub(super) fn file(&mut self, folder: &Path, name: &Path) {
        let ending = name.extension().map(OsStr::to_ascii_lowercase);
        let ending = ending.map(|ending| ending.to_string_lossy().into_owned());
        match ending {
            Some(ending) if PICTURES.contains(&ending.as_str()) => {
                self.folders.insert(folder.to_owned());
                *self.pictures.entry(format!(".{ending}")).or_default() += 1;
            }
            Some(ending) => *self.others.entry(format!(".{ending}")).or_default() += 1,
            None => *self.others.entry("without ending".to_owned()).or_default() += 1,
        }
    }

    /// Adds what is left out elsewhere.
    pub(super) fn extend(&mut self, other: &Self) {
        let both = [
            (&mut self.pictures, &other.pictures),
            (&mut self.others, &other.others),
        ];
        for (counts, more) in both {
            for (kind, count) in more {
                let sum = counts.entry(kind.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        self.folders.extend(other.folders.iter().cloned());
    }

    /// The same with folders named from `dir` on.
    pub(super) fn below(mut self, dir: &Path) -> Self {
        let below = |path: PathBuf| path.strip_prefix(dir).map(Path::to_owned).unwrap_or(path);
        self.folders = self.folders.into_iter().map(below).collect();
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A line for each kind of what is left out.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.pictures.is_empty() {
            let folders = match self.folders.len() {
                1 => "1 folder".to_owned(),
                count => format!("{count} folders"),
            };
            notes.push(format!(
                "{} pictures in {folders} are left out, their kind is not read: {}; convert them",
                total(&self.pictures),
                counted(&self.pictures)
            ));
        }
        if !self.others.is_empty() {
            notes.push(format!(
                "{} files that are no images are left out: {}",
                total(&self.others),
                counted(&self.others)
            ));
        }
        notes
    }
}

fn total(kinds: &BTreeMap<String, u32>) -> u64 {
    kinds.values().map(|count| u64::from(*count)).sum()
}

/// `3 .txt, 1 .xml`, the most frequent first.
fn counted(kinds: &BTreeMap<String, u32>) -> String {
    let mut kinds: Vec<(&String, &u32)> = kinds.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = kinds.len().saturating_sub(LISTED);
    let mut shown: Vec<String> = kinds
        .iter()
        .take(LISTED)
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if more > 0 {
        shown.push(format!("{more} more kinds"));
    }
    shown.join(", ")
}
