//! Reads a file here and there: what was read last is kept, so that small things which lie beside
//! each other cost one read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Headers and labels lie in blocks of 512 bytes, a few in a row.
const KEPT: usize = 4096;

/// A file that is read through a small window.
pub(super) struct Window<F = File> {
    file: F,
    size: u64,
    /// Where the next byte is read.
    at: u64,
    /// Where the file itself stands.
    stands: u64,
    kept: Vec<u8>,
    kept_from: u64,
    /// Whether something was asked for behind the end.
    pub(super) ended: bool,
}

impl<F: Read + Seek> Window<F> {
    /// A file of that size that stands at its start.
    pub(super) fn new(file: F, size: u64) -> Self {
        Self {
            file,
            size,
            at: 0,
            stands: 0,
            kept: Vec::with_capacity(KEPT),
            kept_from: 0,
            ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.kept.clear();
        self.kept_from = self.at;
        // A system refuses to go far behind the end, in words of its own.
        if self.at >= self.size {
            return Ok(());
        }
        if self.stands != self.at {
            self.stands = self.file.seek(SeekFrom::Start(self.at))?;
        }
        let read = self
            .file
            .by_ref()
            .take(KEPT as u64)
            .read_to_end(&mut self.kept)?;
        self.stands += read as u64;
        Ok(())
    }

    /// What is kept from where the next byte is read.
    fn ahead(&self) -> &[u8] {
        let start = self.at.checked_sub(self.kept_from);
        let start = start.and_then(|start| usize::try_from(start).ok());
        start
            .and_then(|start| self.kept.get(start..))
            .unwrap_or_default()
    }
}

impl<F: Read + Seek> Read for Window<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            self.fill()?;
        }
        let count = self.ahead().read(into)?;
        self.at += count as u64;
        self.ended |= count == 0;
        Ok(count)
    }
}

impl<F: Read + Seek> Seek for Window<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn every_place_is_read_as_it_is() {
        let bytes: Vec<u8> = (0..20_000_u32)
            .map(|at| (at * 7 + at / 251) as u8)
            .collect();
        let mut window = Window::new(Cursor::new(&bytes), 20_000);
        for (at, length) in [
            (0, 512),
            (512, 100),
            (4000, 300),
            (4100, 9000),
            (19_990, 10),
            (3, 1),
            (3, 4097),
        ] {
            window.seek(SeekFrom::Start(at as u64)).unwrap();
            let mut found = vec![0; length];
            window.read_exact(&mut found).unwrap();
            assert_eq!(found, bytes[at..at + length], "{length} from {at}");
            assert_eq!(window.stream_position().unwrap(), (at + length) as u64);
        }
        assert!(!window.ended);
        window.seek(SeekFrom::Start(19_999)).unwrap();
        let mut rest = vec![];
        window.read_to_end(&mut rest).unwrap();
        assert_eq!((rest.as_slice(), window.ended), (&bytes[19_999..], true));
        window.seek(SeekFrom::Start(1 << 40)).unwrap();
        assert_eq!(window.read(&mut [0; 4]).unwrap(), 0);
        assert!(window.seek(SeekFrom::Current(-(1 << 41))).is_err());
    }
}
