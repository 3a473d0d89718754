//! What the tests of packs share.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::DataError;

pub(super) fn go(_done: usize, _all: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A pack of a folder, and the folder that it lies in.
pub(super) fn pack_of(dir: &Path, options: &PackOptions) -> (TempDir, PathBuf, Packed) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.abnpack");
    let packed = pack(dir, &path, options, &mut go).unwrap();
    (folder, path, packed)
}

#[track_caller]
pub(super) fn fails<T>(result: Result<T, DataError>, words: &str) {
    let error = result.err().expect("an error").to_string();
    assert!(error.contains(words), "no `{words}` in: {error}");
}
