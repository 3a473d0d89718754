//! The folder that an archive becomes, as far as it was read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::names;
use super::reader::Unreadable;
use super::{Archive, Create, Unpacked};
use crate::blocks::BLOCK;
use crate::error::FetchError;

/// Writes files and folders, and nothing that is not below `folder`.
pub(super) struct Tree<'a> {
    folder: &'a Path,
    archive: &'a Archive<'a>,
    root: Vec<&'a str>,
    create: Create<'a>,
    /// Paths in small letters, as some systems compare them, with what lies there.
    taken: HashMap<String, Taken>,
    entries: u64,
    unpacked: Unpacked,
    block: Vec<u8>,
}

struct Taken {
    path: String,
    is_folder: bool,
}

impl<'a> Tree<'a> {
    pub(super) fn new(folder: &'a Path, archive: &'a Archive<'a>, create: Create<'a>) -> Self {
        let root = archive.root.split('/').filter(|part| !part.is_empty());
        Self {
            folder,
            archive,
            root: root.collect(),
            create,
            taken: HashMap::new(),
            entries: 0,
            unpacked: Unpacked::default(),
            block: vec![0; BLOCK],
        }
    }

    pub(super) fn unpacked(&self) -> Unpacked {
        self.unpacked
    }

    pub(super) fn archive(&self) -> &'a Archive<'a> {
        self.archive
    }

    /// Another entry of the archive, of whatever kind.
    pub(super) fn count(&mut self) -> Result<(), FetchError> {
        self.entries += 1;
        self.within_entries(self.entries)
    }

    /// Compares a number of entries with its bound.
    pub(super) fn within_entries(&self, entries: u64) -> Result<(), FetchError> {
        let limit = self.archive.bounds.entries;
        if entries > limit {
            return Err(self.too_much(limit, "entries"));
        }
        Ok(())
    }

    fn too_much(&self, limit: u64, what: &'static str) -> FetchError {
        FetchError::TooMuch {
            archive: self.archive.path.to_owned(),
            limit,
            what,
        }
    }

    pub(super) fn refused(&self, path: &[u8], found: &str) -> FetchError {
        FetchError::Unsafe {
            archive: self.archive.path.to_owned(),
            entry: shown(path),
            found: found.to_owned(),
        }
    }

    /// Makes a folder, unless it lies beside the root.
    pub(super) fn folder(&mut self, path: &[u8]) -> Result<(), Unreadable> {
        let parts = names::parts(path).map_err(|found| self.refused(path, found))?;
        self.claim_folders(path, &parts)
    }

    /// Writes a file of `size` bytes, unless it lies beside the root.
    pub(super) fn file(
        &mut self,
        path: &[u8],
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), Unreadable> {
        let parts = names::parts(path).map_err(|found| self.refused(path, found))?;
        let Some((_, folders)) = parts.split_last() else {
            return Err(self.refused(path, "has no name").into());
        };
        self.claim_folders(path, folders)?;
        if !self.claim(path, &parts, false)? {
            return Err(self.refused(path, "is there twice").into());
        }
        let left = self.archive.bounds.bytes - self.unpacked.bytes;
        if size > left {
            return Err(self.too_much(self.archive.bounds.bytes, "bytes").into());
        }
        if let Some(place) = self.place(&parts) {
            self.write(path, &place, size, content)?;
            self.unpacked.files += 1;
            self.unpacked.bytes += size;
        }
        Ok(())
    }

    /// Where a path of the archive comes to lie; nothing for the root itself and what is beside it.
    fn place(&self, parts: &[&str]) -> Option<PathBuf> {
        let below = parts.strip_prefix(self.root.as_slice())?;
        let place = below
            .iter()
            .fold(self.folder.to_owned(), |place, part| place.join(part));
        (!below.is_empty()).then_some(place)
    }

    /// Makes the folders of a path that are new.
    fn claim_folders(&mut self, path: &[u8], parts: &[&str]) -> Result<(), Unreadable> {
        for end in 1..=parts.len() {
            let parts = &parts[..end];
            if self.claim(path, parts, true)?
                && let Some(place) = self.place(parts)
            {
                fs::create_dir(&place).map_err(|error| self.unwritable(path, &place, error))?;
            }
        }
        Ok(())
    }

    /// Whether a path is new.
    fn claim(&mut self, path: &[u8], parts: &[&str], is_folder: bool) -> Result<bool, FetchError> {
        let exact = parts.join("/");
        match self.taken.entry(exact.to_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(Taken {
                    path: exact,
                    is_folder,
                });
                return Ok(true);
            }
            Entry::Occupied(place) => {
                let taken = place.get();
                if taken.path == exact && taken.is_folder == is_folder {
                    return Ok(false);
                }
            }
        }
        Err(self.refused(path, "has the path of another entry, but for case or kind"))
    }

    fn write(
        &mut self,
        path: &[u8],
        place: &Path,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), Unreadable> {
        let mut file = (self.create)(place).map_err(|error| self.unwritable(path, place, error))?;
        let mut written = 0;
        loop {
            let read = match content.read(&mut self.block) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            written += read as u64;
            if written > size {
                break;
            }
            file.write_all(&self.block[..read])
                .map_err(FetchError::writing(place, None))?;
        }
        file.flush().map_err(FetchError::writing(place, None))?;
        if written != size {
            let entry = shown(path);
            let text = format!("`{entry}` has another size than the archive says, {size} bytes");
            return Err(Unreadable::Format(text.into()));
        }
        Ok(())
    }

    /// What is there although no entry was of that path: a system that takes two names for one.
    fn unwritable(&self, path: &[u8], place: &Path, error: io::Error) -> FetchError {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return self.refused(path, "has the path of another entry on this system");
        }
        FetchError::writing(place, None)(error)
    }
}

/// A path as it may be printed.
fn shown(path: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text = path[..path.len().min(SHOWN)].escape_ascii().to_string();
    if path.len() > SHOWN {
        text + "..."
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::super::{Bounds, Packing};
    use super::*;

    /// Counts bytes.
    struct Counter(Rc<Cell<usize>>);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_more_is_written_than_an_entry_says_and_no_less_is_enough() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive {
            path: Path::new("a.tar"),
            packing: Packing::Tar,
            root: "",
            bounds: Bounds {
                bytes: 1_000,
                entries: 10,
            },
        };
        for (content, expected) in [(999_999, None), (11, None), (10, Some(10)), (9, None)] {
            let written = Rc::new(Cell::new(0));
            let counter = written.clone();
            let create = move |_: &Path| -> io::Result<Box<dyn Write>> {
                Ok(Box::new(Counter(counter.clone())))
            };
            let mut tree = Tree::new(folder.path(), &archive, &create);
            let result = tree.file(b"a", 10, &mut io::repeat(1).take(content));
            assert_eq!(result.is_ok(), expected.is_some(), "{content}");
            assert!(written.get() <= 10, "{content}");
            assert_eq!(tree.unpacked().bytes, expected.unwrap_or(0));
        }
    }

    #[test]
    fn long_paths_are_cut_where_they_are_shown() {
        assert_eq!(shown(b"a\n\xff"), "a\\n\\xff");
        assert_eq!(shown(&[b'a'; 300]).len(), 203);
    }
}
