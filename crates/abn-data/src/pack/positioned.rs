//! Reading at a position from several threads at once.

use std::fs::File;
use std::io;
#[cfg(not(any(unix, windows)))]
use std::io::{Read, Seek, SeekFrom};

/// A file that is read by position.
#[derive(Debug)]
pub(super) struct Positioned {
    file: File,
    /// Held while the file's only position is used.
    #[cfg(not(any(unix, windows)))]
    alone: std::sync::Mutex<()>,
}

impl Positioned {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            #[cfg(not(any(unix, windows)))]
            alone: std::sync::Mutex::new(()),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Fills `bytes` with what begins at that offset.
    #[cfg(unix)]
    pub(super) fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset)
    }

    /// Fills `bytes` with what begins at that offset.
    #[cfg(windows)]
    pub(super) fn read(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, bytes, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[read..];
            offset += read as u64;
        }
        Ok(())
    }

    /// Fills `bytes` with what begins at that offset.
    #[cfg(not(any(unix, windows)))]
    pub(super) fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let _alone = self.alone.lock();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }

    /// The `length` bytes that begin at that offset, which must be known to be there.
    pub(super) fn bytes(&self, length: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read(&mut bytes, offset)?;
        Ok(bytes)
    }
}
