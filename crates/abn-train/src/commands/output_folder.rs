//! A folder for results that never replaces a file of the user's.

use std::fs;
use std::path::{Path, PathBuf};

use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;
use anyhow::{Result, ensure};

/// Marks a folder as one that `abn explain` may write into again.
const MARK: &str = ".abn-explain";

/// A folder that is empty, absent, or has been made by the same command before.
#[derive(Debug)]
pub(crate) struct OutputFolder {
    path: PathBuf,
    made: bool,
}

impl OutputFolder {
    /// Makes sure that nothing of the user's is in the folder. Writes nothing.
    ///
    /// # Errors
    /// It has files that the command did not make, is a file, or cannot be read.
    pub(crate) fn check(path: &Path) -> Result<Self> {
        let folder = Self {
            path: path.to_owned(),
            made: false,
        };
        ensure!(
            !path.exists() || path.is_dir(),
            "`{}` is a file; --out names a folder",
            path.display()
        );
        ensure!(
            !path.exists() || is_marked(path) || is_empty(path)?,
            "`{}` has files in it that abn did not make; nothing was changed, choose \
             another folder",
            path.display()
        );
        Ok(folder)
    }

    /// Writes a file into the folder, which is made before the first.
    ///
    /// # Errors
    /// The folder cannot be written or is full.
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if !self.made {
            let failed = FolderError::writing_in(&self.path);
            fs::create_dir_all(&self.path).map_err(&failed)?;
            fs::write(self.path.join(MARK), "").map_err(&failed)?;
            self.made = true;
        }
        Ok(write_atomically(&self.path.join(name), bytes)?)
    }

    /// Where a file of that name lies.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Whether a folder holds what the command made.
pub(crate) fn is_marked(path: &Path) -> bool {
    path.join(MARK).exists()
}

fn is_empty(path: &Path) -> Result<bool> {
    let mut entries = fs::read_dir(path).map_err(FolderError::reading(path))?;
    Ok(entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_its_own_is_written_again_and_another_never() {
        let temporary = tempfile::tempdir().unwrap();
        let maps = temporary.path().join("a/maps");
        let mut folder = OutputFolder::check(&maps).unwrap();
        assert!(!maps.exists(), "checking writes nothing");
        folder.write("one.txt", b"1").unwrap();
        folder.write("two.txt", b"2").unwrap();
        assert!(is_marked(&maps) && OutputFolder::check(&maps).is_ok());
        let error = OutputFolder::check(temporary.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("did not make"), "{error}");
        let error = OutputFolder::check(&maps.join("one.txt"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("is a file"), "{error}");
    }
}
