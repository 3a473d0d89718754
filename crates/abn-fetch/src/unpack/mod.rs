//! Archives become folders, complete or not at all, and nothing outside of them.
//!
//! Every entry is written below a new folder beside the target, which is renamed when the archive
//! was read to its end. Names, kinds, sizes and numbers of entries are checked before a byte is
//! written; permissions and owners are never taken over.

mod names;
mod reader;
mod tar_gz;
mod tree;
mod zip_file;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::FetchError;
use crate::watch::Watch;
use reader::{Overseer, Watched};
use tree::Tree;

/// Start of the name of every folder that is not complete.
const TEMPORARY: &str = ".abn-tmp-";

/// How files are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// `.tar`.
    Tar,
    /// `.tar.gz` or `.tgz`.
    TarGz,
    /// `.zip`, stored or deflated.
    Zip,
}

impl Packing {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::Zip => "zip",
        }
    }
}

/// The most that is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of all files together.
    pub bytes: u64,
    /// Files, folders and whatever else an archive lists.
    pub entries: u64,
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files that were written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An archive to unpack.
///
/// ```
/// use std::fs;
/// use abn_fetch::{Archive, Bounds, Packing, Watch, unpack};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("digits.tar");
/// let mut archive = tar::Builder::new(fs::File::create(&path)?);
/// let mut header = tar::Header::new_gnu();
/// header.set_size(3);
/// archive.append_data(&mut header, "digits/train/one.txt", &b"one"[..])?;
/// archive.finish()?;
///
/// let archive = Archive {
///     path: &path,
///     packing: Packing::Tar,
///     root: "digits",
///     bounds: Bounds { bytes: 1_000, entries: 10 },
/// };
/// let target = folder.path().join("data");
/// let mut silent = |_: abn_fetch::Event<'_>| {};
/// let mut watch = Watch { report: &mut silent, stop: &|| false };
/// let unpacked = unpack(&archive, &target, &["train"], &mut watch)?;
/// assert_eq!(unpacked.files, 1);
/// assert_eq!(fs::read(target.join("train/one.txt"))?, b"one");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Archive<'a> {
    /// The file.
    pub path: &'a Path,
    /// How it is packed.
    pub packing: Packing,
    /// The folder in it that is wanted, with `/` between; empty for all. What lies beside it is
    /// left out.
    pub root: &'a str,
    /// The most that may be in it.
    pub bounds: Bounds,
}

/// Unpacks `archive.root` as the folder `target`, which must not exist. The folders above it are
/// made. `holds` are paths that have to be in it.
///
/// # Errors
/// Something is at `target`; the archive cannot be read, is damaged, holds more than its bounds or
/// not what it should; an entry has a name that leads out of the folder, that another entry has, or
/// that only some systems can write, or is anything but a file or a folder; nothing can be written,
/// or `watch` says to stop. Nothing is left of what was unpacked.
pub fn unpack(
    archive: &Archive<'_>,
    target: &Path,
    holds: &[&str],
    watch: &mut Watch<'_>,
) -> Result<Unpacked, FetchError> {
    unpack_by(archive, target, holds, watch, &|path| {
        Ok(Box::new(File::create_new(path)?))
    })
}

/// Makes the file of a path that does not exist.
type Create<'a> = &'a dyn Fn(&Path) -> io::Result<Box<dyn io::Write>>;

fn unpack_by(
    archive: &Archive<'_>,
    target: &Path,
    holds: &[&str],
    watch: &mut Watch<'_>,
    create: Create<'_>,
) -> Result<Unpacked, FetchError> {
    // Also a link that leads nowhere is something.
    if target.symlink_metadata().is_ok() {
        return Err(FetchError::Incomplete {
            path: target.to_owned(),
            found: "should be made by unpacking".to_owned(),
        });
    }
    let file = File::open(archive.path).map_err(FetchError::reading(archive.path))?;
    let folder = temporary_beside(target)?;
    let overseer = Overseer::new(archive.path, &file, watch);
    let mut tree = Tree::new(folder.path(), archive, create);
    let watched = Watched::new(&file, &overseer);
    let read = match archive.packing {
        Packing::Tar => tar_gz::read_tar(watched, &overseer, &mut tree),
        Packing::TarGz => tar_gz::read_tar_gz(watched, &overseer, &mut tree),
        Packing::Zip => zip_file::read(watched, &overseer, &mut tree),
    };
    read.map_err(|error| overseer.explained(error, archive.packing.name()))?;
    let unpacked = tree.unpacked();
    for missing in holds {
        if !folder.path().join(missing).exists() {
            return Err(other_content(archive, missing));
        }
    }
    if unpacked.files == 0 {
        return Err(other_content(archive, ""));
    }
    let place = folder.keep();
    let renamed = fs::rename(&place, target).map_err(FetchError::writing(target, None));
    if renamed.is_err() {
        let _ = fs::remove_dir_all(&place);
    }
    renamed.map(|()| unpacked)
}

fn other_content(archive: &Archive<'_>, missing: &str) -> FetchError {
    let parts = [archive.root, missing];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    FetchError::OtherContent {
        archive: archive.path.to_owned(),
        missing: match parts.as_slice() {
            [] => "any file".to_owned(),
            parts => format!("`{}`", parts.join("/")),
        },
    }
}

/// A new folder on the disk of `target`, removed when it is dropped.
fn temporary_beside(target: &Path) -> Result<tempfile::TempDir, FetchError> {
    let parent = parent_of(target);
    fs::create_dir_all(parent).map_err(FetchError::writing(parent, None))?;
    let mut builder = tempfile::Builder::new();
    let prefix = temporary_prefix(target);
    builder.prefix(&prefix);
    usual_permissions(&mut builder);
    builder
        .tempdir_in(parent)
        .map_err(FetchError::writing(parent, None))
}

/// The parent of a bare name is the empty path.
fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| *parent != Path::new(""))
        .unwrap_or(Path::new("."))
}

fn temporary_prefix(target: &Path) -> std::ffi::OsString {
    let mut prefix = std::ffi::OsString::from(TEMPORARY);
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}

/// What the user's umask makes of a usual folder; temporary ones are private otherwise.
#[cfg(unix)]
fn usual_permissions(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o777));
}

#[cfg(not(unix))]
fn usual_permissions(_builder: &mut tempfile::Builder<'_, '_>) {}

/// Removes what processes that were killed left beside `target`. Nobody else may unpack there.
pub(crate) fn remove_unfinished(target: &Path) {
    let prefix = temporary_prefix(target);
    let prefix = prefix.to_string_lossy();
    let Ok(entries) = fs::read_dir(parent_of(target)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The rest is random; that of `a-b` is not of `a`.
        if name
            .strip_prefix(&*prefix)
            .is_some_and(|rest| !rest.contains('-'))
        {
            // It only takes space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::chain;
    use crate::watch::Event;

    /// Takes some bytes, and then says that the disk is full.
    struct SmallDisk {
        left: usize,
    }

    impl Write for SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = bytes.len().min(self.left);
            self.left -= written;
            if written == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        for name in ["set/one", "set/two"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(100_000);
            let content = [1; 100_000];
            builder
                .append_data(&mut header, name, &content[..])
                .unwrap();
        }
        builder.finish().unwrap();
        let archive = Archive {
            path: &path,
            packing: Packing::Tar,
            root: "set",
            bounds: Bounds {
                bytes: 1_000_000,
                entries: 10,
            },
        };
        let target = folder.path().join("data");
        let mut report = |_: Event<'_>| {};
        let mut watch = Watch {
            report: &mut report,
            stop: &|| false,
        };
        let error = unpack_by(&archive, &target, &[], &mut watch, &|path| {
            let small = path.ends_with("two");
            File::create_new(path)?;
            let left = if small { 70_000 } else { usize::MAX };
            Ok(Box::new(SmallDisk { left }))
        })
        .unwrap_err();
        let text = chain(&error);
        assert!(text.starts_with("the disk is full: cannot write"), "{text}");
        assert!(text.contains("Nothing half-written was left"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
