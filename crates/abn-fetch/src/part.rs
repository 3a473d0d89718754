//! A download that is not complete: its bytes, their checksum, and of which file they are.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::blocks::each_block;
use crate::checksum::{Checksum, Summing, Sums};
use crate::error::FetchError;

/// `NAME.part`, and beside it `NAME.part.from`: the address, and the mark of the file there.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    file: File,
    published: Option<Checksum>,
    summing: Summing,
}

impl Part {
    /// Opens what is left of an earlier download, or begins one. `seen` gets the bytes that were
    /// read so far, and says whether to stop.
    ///
    /// # Errors
    /// The file cannot be opened or read, or `seen` says to stop.
    pub(crate) fn open(
        path: PathBuf,
        published: Option<Checksum>,
        mut seen: impl FnMut(u64) -> Result<(), FetchError>,
    ) -> Result<Self, FetchError> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(FetchError::writing(&path, None))?;
        let mut summing = Summing::new(published);
        let there = file.metadata().map_err(FetchError::reading(&path))?.len();
        each_block(&mut (&mut file).take(there), &path, |block| {
            summing.add(block);
            seen(summing.bytes())
        })?;
        Ok(Self {
            path,
            file,
            published,
            summing,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are there.
    pub(crate) fn bytes(&self) -> u64 {
        self.summing.bytes()
    }

    /// Of which file at `url` the bytes are: nothing if they are of another address, or if the
    /// server did not say.
    pub(crate) fn mark(&self, url: &str) -> Option<String> {
        let text = fs::read_to_string(mark_path(&self.path)).ok()?;
        let (from, mark) = text.split_once('\n')?;
        let mark = mark.trim_end();
        (from == url && !mark.is_empty()).then(|| mark.to_owned())
    }

    /// Remembers of which file the bytes to come are.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn set_mark(&self, url: &str, mark: &str) -> Result<(), FetchError> {
        let path = mark_path(&self.path);
        fs::write(&path, format!("{url}\n{mark}\n"))
            .map_err(FetchError::writing(&path, Some(&self.path)))
    }

    /// Begins anew.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn restart(&mut self) -> Result<(), FetchError> {
        if self.bytes() > 0 {
            self.file
                .set_len(0)
                .and_then(|()| self.file.seek(SeekFrom::Start(0)))
                .map_err(FetchError::writing(&self.path, None))?;
            self.summing = Summing::new(self.published);
        }
        Ok(())
    }

    /// Adds what arrived.
    ///
    /// # Errors
    /// The file cannot be written. What was complete of it is kept.
    pub(crate) fn add(&mut self, block: &[u8]) -> Result<(), FetchError> {
        let written = self.file.write_all(block);
        if written.is_err() {
            // A block of which a part was written is asked for again.
            let kept = self.bytes();
            let _ = self.file.set_len(kept);
            let _ = self.file.seek(SeekFrom::Start(kept));
        }
        written.map_err(FetchError::writing(&self.path, Some(&self.path)))?;
        self.summing.add(block);
        Ok(())
    }

    /// Sees to it that the bytes are on the disk.
    ///
    /// # Errors
    /// The disk does not take them.
    pub(crate) fn finish(self) -> Result<Sums, FetchError> {
        self.file
            .sync_all()
            .map_err(FetchError::writing(&self.path, Some(&self.path)))?;
        Ok(self.summing.finish())
    }

    /// Removes the bytes: they are not those of the file.
    pub(crate) fn discard(self) {
        drop(self.file);
        remove(&self.path);
    }
}

/// Removes the bytes of a part that is closed.
pub(crate) fn remove(part: &Path) {
    // What cannot be removed is found to be wrong once more.
    let _ = fs::remove_file(part);
    forget(part);
}

/// Removes what is remembered of a part that has become a file.
pub(crate) fn forget(part: &Path) {
    let _ = fs::remove_file(mark_path(part));
}

fn mark_path(part: &Path) -> PathBuf {
    let mut path = part.as_os_str().to_owned();
    path.push(".from");
    path.into()
}
