//! The folder in which a data set is downloaded, used by one process at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::FetchError;

/// Of all sets, in the folder of data sets. Readers of class folders pass over hidden names.
const DOWNLOADS: &str = ".downloads";
const LOCK: &str = ".lock";

/// Removes itself when it is dropped, unless something is kept there.
#[derive(Debug)]
pub(crate) struct Workplace {
    folder: PathBuf,
    _lock: File,
}

impl Workplace {
    /// Makes or enters the folder of a set.
    ///
    /// # Errors
    /// It cannot be made, or another process is there.
    pub(crate) fn enter(datasets: &Path, set: &str) -> Result<Self, FetchError> {
        let folder = datasets.join(DOWNLOADS).join(set);
        fs::create_dir_all(&folder).map_err(FetchError::writing(&folder, None))?;
        let path = folder.join(LOCK);
        let file = File::create(&path).map_err(FetchError::writing(&path, None))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                folder,
                _lock: file,
            }),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy { path: folder }),
            Err(TryLockError::Error(source)) => Err(FetchError::Write { path, source }),
        }
    }

    /// A file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        // A folder that is not empty refuses to be removed, and that is what is wanted.
        if entries.flatten().all(|entry| entry.file_name() == LOCK) {
            let _ = fs::remove_file(self.path(LOCK));
            let _ = fs::remove_dir(&self.folder);
            let _ = self.folder.parent().map(fs::remove_dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_there_and_nothing_remains() {
        let datasets = tempfile::tempdir().unwrap();
        let workplace = Workplace::enter(datasets.path(), "a").unwrap();
        let error = Workplace::enter(datasets.path(), "a").unwrap_err();
        assert!(matches!(error, FetchError::Busy { .. }), "{error}");
        let other = Workplace::enter(datasets.path(), "b").unwrap();
        drop((workplace, other));
        assert_eq!(fs::read_dir(datasets.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_kept_keeps_the_folder() {
        let datasets = tempfile::tempdir().unwrap();
        let workplace = Workplace::enter(datasets.path(), "a").unwrap();
        let kept = workplace.path("x.part");
        fs::write(&kept, b"x").unwrap();
        drop(workplace);
        assert!(kept.exists());
        assert!(Workplace::enter(datasets.path(), "a").is_ok());
    }
}
