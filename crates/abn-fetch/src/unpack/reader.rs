//! Archives as they are read: with somebody looking on, and not without end.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::FetchError;
use crate::watch::{Event, Stage, Watch};

/// Looks on while an archive is read through several layers, and remembers why it was stopped: not
/// every layer hands errors on as they are.
pub(super) struct Overseer<'a, 'w> {
    archive: &'a Path,
    name: String,
    size: Option<u64>,
    silent: Cell<bool>,
    watch: RefCell<&'a mut Watch<'w>>,
    halt: Cell<Option<Halt>>,
}

#[derive(Debug, Clone, Copy)]
enum Halt {
    Stopped,
    TooMuch(u64),
}

/// Why reading ended before the archive did.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// What reading, or the format, found wrong.
    Format(Box<dyn Error + Send + Sync>),
    /// Everything else.
    Other(FetchError),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Format(error.into())
    }
}

impl From<FetchError> for Unreadable {
    fn from(error: FetchError) -> Self {
        Self::Other(error)
    }
}

impl<'a, 'w> Overseer<'a, 'w> {
    pub(super) fn new(archive: &'a Path, file: &File, watch: &'a mut Watch<'w>) -> Self {
        let name = archive.file_name().unwrap_or_default();
        Self {
            archive,
            name: name.to_string_lossy().into_owned(),
            size: file.metadata().ok().map(|metadata| metadata.len()),
            silent: Cell::new(false),
            watch: RefCell::new(watch),
            halt: Cell::new(None),
        }
    }

    /// Whether what is read now says nothing of how far the unpacking is.
    pub(super) fn set_silent(&self, silent: bool) {
        self.silent.set(silent);
    }

    /// The file was read up to `position`.
    fn reached(&self, position: u64) -> io::Result<()> {
        let mut watch = self.watch.borrow_mut();
        if watch.stopped() {
            return Err(self.stop(Halt::Stopped));
        }
        if !self.silent.get() {
            watch.tell(Event::Progress {
                stage: Stage::Unpacking,
                file: &self.name,
                done: position,
                total: self.size,
            });
        }
        Ok(())
    }

    fn stop(&self, halt: Halt) -> io::Error {
        self.halt.set(Some(halt));
        io::Error::other("reading was stopped")
    }

    /// An error in words of what stopped the reading.
    pub(super) fn explained(&self, error: Unreadable, packing: &'static str) -> FetchError {
        let archive = self.archive.to_owned();
        match (self.halt.get(), error) {
            (Some(Halt::Stopped), _) => FetchError::Stopped {
                part: None,
                bytes: 0,
            },
            (Some(Halt::TooMuch(limit)), _) => FetchError::TooMuch {
                archive,
                limit,
                what: "bytes",
            },
            (None, Unreadable::Other(error)) => error,
            (None, Unreadable::Format(source)) => FetchError::Archive {
                archive,
                packing,
                source,
            },
        }
    }
}

/// The file of an archive.
pub(super) struct Watched<'a, 'o, 'w> {
    file: &'a File,
    position: u64,
    overseer: &'a Overseer<'o, 'w>,
}

impl<'a, 'o, 'w> Watched<'a, 'o, 'w> {
    pub(super) fn new(file: &'a File, overseer: &'a Overseer<'o, 'w>) -> Self {
        Self {
            file,
            position: 0,
            overseer,
        }
    }
}

impl Read for Watched<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.position += read as u64;
        self.overseer.reached(self.position)?;
        Ok(read)
    }
}

impl Seek for Watched<'_, '_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

/// What comes out of a packed file, up to a limit: also what nobody writes takes time to unpack.
pub(super) struct Limited<'a, 'o, 'w, R> {
    inner: R,
    overseer: &'a Overseer<'o, 'w>,
    left: u64,
    limit: u64,
    ended: &'a Cell<bool>,
}

impl<'a, 'o, 'w, R: Read> Limited<'a, 'o, 'w, R> {
    /// At most `limit` bytes of content, and `more` of what stands between. `ended` becomes true
    /// when `inner` has no more bytes.
    pub(super) fn new(
        inner: R,
        overseer: &'a Overseer<'o, 'w>,
        (limit, more): (u64, u64),
        ended: &'a Cell<bool>,
    ) -> Self {
        Self {
            inner,
            overseer,
            left: limit.saturating_add(more),
            limit,
            ended,
        }
    }
}

impl<R: Read> Read for Limited<'_, '_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            return Err(self.overseer.stop(Halt::TooMuch(self.limit)));
        };
        self.left = left;
        if read == 0 && !buffer.is_empty() {
            self.ended.set(true);
        }
        Ok(read)
    }
}
