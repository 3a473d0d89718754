//! Images one after the other in a temporary file that has no name, so that nothing is left of it
//! however the process ends.

use std::fs::File;
use std::io::{self, BufWriter, Write};

/// Images as they are written.
pub(super) struct Writer {
    file: BufWriter<File>,
    /// Where each image ends.
    ends: Vec<u64>,
    at: u64,
}

impl Writer {
    /// An empty file in the folder for temporary files.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, tempfile::tempfile()?),
            ends: vec![],
            at: 0,
        })
    }

    pub(super) fn push(&mut self, image: &[u8]) -> io::Result<()> {
        self.file.write_all(image)?;
        self.at += image.len() as u64;
        self.ends.push(self.at);
        Ok(())
    }

    /// Number of bytes.
    pub(super) fn size(&self) -> u64 {
        self.at
    }

    pub(super) fn finish(self) -> io::Result<Cache> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(Cache {
            file: Shared::new(file),
            ends: self.ends,
        })
    }
}

/// Images that are read by their place.
pub(super) struct Cache {
    file: Shared,
    ends: Vec<u64>,
}

impl Cache {
    pub(super) fn read(&self, place: usize) -> io::Result<Vec<u8>> {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        let mut bytes = vec![0; (self.ends[place] - start) as usize];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}

/// A file that threads read at places of their own.
#[cfg(unix)]
struct Shared(File);

#[cfg(unix)]
impl Shared {
    fn new(file: File) -> Self {
        Self(file)
    }

    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, bytes, at)
    }
}

/// The same where a file has only one place to read at.
#[cfg(not(unix))]
struct Shared(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl Shared {
    fn new(file: File) -> Self {
        Self(std::sync::Mutex::new(file))
    }

    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_they_were_written() {
        let mut writer = Writer::new().unwrap();
        let images: [&[u8]; 4] = [b"one", b"", b"three", &[7; 3_000_000]];
        images.iter().for_each(|image| writer.push(image).unwrap());
        assert_eq!(writer.size(), 3_000_008);
        let cache = writer.finish().unwrap();
        for place in [3, 0, 2, 1, 0] {
            assert!(cache.read(place).unwrap() == images[place], "{place}");
        }
    }
}
