//! Files that are either complete or absent: written under a temporary name, synced, renamed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::FolderError;

/// Start of the name of every unfinished file, so that the remains of a killed process can be told.
const TEMPORARY: &str = ".abn-tmp-";

/// Writes a file so that a kill or a full disk at any instant leaves the old content or the new,
/// never a part.
///
/// # Errors
/// The folder does not exist, is not writable or full. What was there before is intact.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    // The parent of a bare file name is the empty path.
    let folder = path
        .parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        usual_permissions(builder.prefix(TEMPORARY));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(folder)
    };
    let absent = !folder.exists();
    write().map_err(|source| {
        let (path, folder) = (path.to_owned(), folder.to_owned());
        if absent {
            FolderError::NoFolder {
                path,
                folder,
                source,
            }
        } else {
            FolderError::Write { path, source }
        }
    })
}

/// What the user's umask makes of a usual file; temporary files are private otherwise.
#[cfg(unix)]
fn usual_permissions(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn usual_permissions(_builder: &mut tempfile::Builder<'_, '_>) {}

/// Makes the rename itself durable where folders can be synced.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Removes what a killed process left unfinished in a folder.
///
/// # Errors
/// The folder cannot be read or a file in it not be removed.
pub fn remove_unfinished(folder: &Path) -> Result<(), FolderError> {
    for entry in fs::read_dir(folder).map_err(FolderError::reading(folder))? {
        let entry = entry.map_err(FolderError::reading(folder))?;
        if is_unfinished(&entry.file_name()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file.
pub(super) fn remove(path: &Path) -> Result<(), FolderError> {
    fs::remove_file(path).map_err(|source| FolderError::Remove {
        path: path.to_owned(),
        source,
    })
}

/// Whether a file of that name is the remains of a write that was cut short.
pub fn is_unfinished(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_no_remains() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("missing").join("a.json");
        let error = write_atomically(&blocked, b"x").unwrap_err();
        assert!(format!("{error:#}").contains("a.json"), "{error:#}");
    }

    #[test]
    fn only_unfinished_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".abn-tmp-x"), b"half").unwrap();
        fs::write(folder.path().join("kept"), b"whole").unwrap();
        remove_unfinished(folder.path()).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["kept"]);
    }
}
