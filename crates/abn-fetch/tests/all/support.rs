//! What the tests share: small data sets, and somebody who looks on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abn_fetch::{
    Becomes, Checksum, Event, FetchError, Fetched, How, Network, Options, Packing, Patience,
    PublishedFile, PublishedSet, Size, Watch, fetch,
};
use md5::{Digest, Md5};
use tempfile::TempDir;

use crate::made::BOUNDS;

/// Bytes without a pattern that a mistaken offset could hit.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..size).map(|_| byte()).collect()
}

pub(crate) fn md5(bytes: &[u8]) -> &'static str {
    let digits = Md5::digest(bytes);
    let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.leak()
}

/// A file that stays as it is, with its size and its checksum.
pub(crate) fn known(content: &[u8]) -> PublishedFile {
    PublishedFile {
        url: "http://127.0.0.1:1/data.bin",
        size: Size::Exactly(content.len() as u64),
        checksum: Some(Checksum::Md5(md5(content))),
        becomes: Becomes::File {
            place: "set/data.bin",
        },
    }
}

/// A file of which nothing but the most that it may have is known.
pub(crate) fn unknown(most: u64) -> PublishedFile {
    PublishedFile {
        size: Size::AtMost(most),
        checksum: None,
        ..known(b"")
    }
}

/// A packed folder `set/` that holds `a.txt`, with bounds of 1 MB.
pub(crate) fn packed(packing: Packing) -> PublishedFile {
    PublishedFile {
        url: "http://127.0.0.1:1/set.archive",
        size: Size::AtMost(1_000_000),
        checksum: None,
        becomes: Becomes::Folder {
            place: "set",
            packing,
            root: "set",
            holds: &["a.txt"],
            bounds: BOUNDS,
        },
    }
}

pub(crate) fn set(files: &[PublishedFile]) -> PublishedSet {
    PublishedSet {
        name: "test",
        about: "a set of the tests",
        page: "",
        folder: "set",
        files: files.to_vec().leak(),
    }
}

/// Quick to try again, and patient with a machine that is busy.
pub(crate) fn network() -> Network {
    Network {
        patience: Patience {
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            attempts: 3,
            first_wait: Duration::from_millis(1),
        },
        ..Network::default()
    }
}

pub(crate) fn from(mirror: &str) -> Options {
    Options {
        mirror: Some(mirror.to_owned()),
        network: network(),
    }
}

/// A folder of data sets, and what was told while something was fetched into it.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) told: Vec<String>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            told: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the download of `data.bin` is kept.
    pub(crate) fn part(&self) -> PathBuf {
        self.path(".downloads/test/data.bin.part")
    }

    /// Leaves a download behind, as a process that was killed does.
    pub(crate) fn leave_part(&self, bytes: &[u8], url_and_mark: Option<(&str, &str)>) {
        fs::create_dir_all(self.part().parent().unwrap()).unwrap();
        fs::write(self.part(), bytes).unwrap();
        if let Some((url, mark)) = url_and_mark {
            let from = self.path(".downloads/test/data.bin.part.from");
            fs::write(from, format!("{url}\n{mark}\n")).unwrap();
        }
    }

    pub(crate) fn fetch(
        &mut self,
        file: PublishedFile,
        options: &Options,
    ) -> Result<Fetched, FetchError> {
        let all = self.fetch_set(&set(&[file]), options, &|| false)?;
        Ok(all.into_iter().next().unwrap())
    }

    pub(crate) fn fetch_set(
        &mut self,
        set: &PublishedSet,
        options: &Options,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Fetched>, FetchError> {
        let told = &mut self.told;
        let mut report = |event: Event<'_>| told.push(format!("{event:?}"));
        let mut watch = Watch {
            report: &mut report,
            stop,
        };
        fetch(set, self.folder.path(), options, &mut watch)
    }

    /// Whether an event was told.
    pub(crate) fn heard(&self, words: &str) -> bool {
        self.told.iter().any(|event| event.contains(words))
    }

    /// Every file and folder below the folder of data sets.
    pub(crate) fn all(&self) -> Vec<String> {
        listed(self.folder.path())
    }
}

/// Every file and folder below a folder, sorted.
pub(crate) fn listed(folder: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path.clone());
            }
            let below = path.strip_prefix(folder).unwrap();
            paths.push(below.to_str().unwrap().to_owned());
        }
    }
    paths.sort();
    paths
}

#[track_caller]
pub(crate) fn is_new(fetched: &Fetched) -> bool {
    matches!(fetched.how, How::New { .. })
}
