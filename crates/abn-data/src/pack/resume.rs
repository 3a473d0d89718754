//! A pack that grows: what an interrupted packing has left, and what comes behind it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, Source, both};
use super::positioned::Positioned;
use super::record::{HEADER, Header, Kind, MAGIC, RECORD, Record, UNFINISHED};
use super::{PackError, PackOptions};
use crate::DataError;
use crate::ordered::Ordered;

/// Written at a time where pieces are small.
const BUFFER: usize = 1 << 20;

/// An unfinished pack.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    file: Arc<Positioned>,
    /// Images that are complete.
    pub(super) done: usize,
    /// Where the next byte is written.
    pub(super) end: u64,
    buffer: Vec<u8>,
}

impl Partial {
    /// The unfinished pack of that name with what is complete in it, or a new one.
    pub(super) fn open(
        path: &Path,
        source: &Arc<Source>,
        options: &PackOptions,
    ) -> Result<Self, DataError> {
        let written = |source| PackError::Write {
            path: path.into(),
            source,
        };
        let read = |source| DataError::Read {
            path: path.into(),
            source,
        };
        let mut how = OpenOptions::new();
        let how = how.read(true).write(true).create(true).truncate(false);
        let file = how.open(path).map_err(written)?;
        // Where there are no locks, nobody is kept out.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(PackError::Busy { path: path.into() }.into());
        }
        let size = file.metadata().map_err(read)?.len();
        let mut partial = Self {
            path: path.into(),
            file: Arc::new(Positioned::new(file)),
            done: 0,
            end: HEADER as u64,
            buffer: Vec::new(),
        };
        let header = Header::unfinished(source.what.version(), options.stored, source.truth());
        if size > 0 && !partial.is_ours(size)? {
            return Err(PackError::Exists { path: path.into() }.into());
        }
        if partial.continues(size, &header)? {
            partial.keep_whole(size, source, options)?;
        }
        partial.cut()?;
        partial.write_at(&header.bytes(UNFINISHED), 0)?;
        Ok(partial)
    }

    /// Whether it is an unfinished pack and not somebody's file of that name. One that was
    /// interrupted at its very start may have a part of the header.
    fn is_ours(&self, size: u64) -> Result<bool, DataError> {
        let start = self.bytes(size.min(MAGIC.len() as u64) as usize, 0)?;
        Ok(UNFINISHED.starts_with(&start) || MAGIC.starts_with(&start))
    }

    /// Whether its entries are stored as these would be. A pack that only lacked its name has the
    /// header of a complete one.
    fn continues(&self, size: u64, header: &Header) -> Result<bool, DataError> {
        if size < HEADER as u64 {
            return Ok(false);
        }
        let bytes = self.bytes(HEADER, 0)?;
        let bytes = super::record::array_at(&bytes, 0);
        let found = Header::of(&bytes);
        Ok((found.version, found.stored, found.truth)
            == (header.version, header.stored, header.truth))
    }

    /// Counts the entries from the first on that are whole and whose sources are as they were.
    fn keep_whole(
        &mut self,
        size: u64,
        source: &Arc<Source>,
        options: &PackOptions,
    ) -> Result<(), DataError> {
        let mut places = Vec::new();
        let mut place = self.end;
        while places.len() < source.what.len() && place + RECORD as u64 <= size {
            let Ok(record) = self.record(place) else {
                break;
            };
            let end = record.offset.checked_add(record.length());
            let known = source.what.short_name(places.len()).len() == record.name as usize;
            let Some(end) = end.filter(|end| *end <= size && known) else {
                break;
            };
            if !record.is_sound(options.stored) {
                break;
            }
            places.push(place);
            place = end;
        }
        let whole = {
            let (file, source) = (self.file.clone(), source.clone());
            let leave_out = options.leave_out;
            let ends: Vec<u64> = places.iter().skip(1).copied().chain([place]).collect();
            let count = places.len();
            let whole = move |number: usize| {
                is_whole(&file, places[number], &source, number, leave_out).then(|| ends[number])
            };
            Ordered::new(0..count, options.workers, whole)
        };
        for end in whole.map_while(|end| end) {
            self.done += 1;
            self.end = end;
        }
        Ok(())
    }

    /// Removes what lies behind the end.
    fn cut(&self) -> Result<(), DataError> {
        let file = self.file.file();
        file.set_len(self.end)
            .map_err(|error| self.unwritten(error))
    }

    /// The record at that place.
    pub(super) fn record(&self, place: u64) -> Result<Record, DataError> {
        record_at(&self.file, place).map_err(|source| self.unread(source))
    }

    /// So many bytes at that place.
    pub(super) fn bytes(&self, length: usize, place: u64) -> Result<Vec<u8>, DataError> {
        let bytes = self.file.bytes(length, place);
        bytes.map_err(|source| self.unread(source))
    }

    /// Writes an entry behind the others.
    pub(super) fn append(&mut self, mut entry: Entry) -> Result<(), DataError> {
        entry.record.offset = self.end + RECORD as u64;
        self.buffered(&entry.record.bytes())?;
        self.buffered(&entry.bytes)?;
        // What is reported as done is in the file.
        self.flush()?;
        self.done += 1;
        Ok(())
    }

    /// Writes bytes at the end, perhaps later.
    pub(super) fn buffered(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.buffer.extend_from_slice(bytes);
        match self.buffer.len() < BUFFER {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<(), DataError> {
        self.write_at(&self.buffer, self.end)?;
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left, then the header of a complete pack.
    pub(super) fn complete(&mut self, header: &[u8; HEADER]) -> Result<(), DataError> {
        self.flush()?;
        self.sync()?;
        self.write_at(header, 0)?;
        self.sync()
    }

    fn write_at(&self, bytes: &[u8], place: u64) -> Result<(), DataError> {
        let mut file: &File = self.file.file();
        file.seek(SeekFrom::Start(place))
            .and_then(|_| file.write_all(bytes))
            .map_err(|source| self.unwritten(source))
    }

    fn sync(&self) -> Result<(), DataError> {
        let synced = self.file.file().sync_all();
        synced.map_err(|source| self.unwritten(source))
    }

    fn unwritten(&self, source: io::Error) -> DataError {
        let path = self.path.clone();
        PackError::Write { path, source }.into()
    }

    fn unread(&self, source: io::Error) -> DataError {
        let path = self.path.clone();
        DataError::Read { path, source }
    }
}

/// The record at that place of a file.
pub(super) fn record_at(file: &Positioned, place: u64) -> io::Result<Record> {
    let mut bytes = [0; RECORD];
    file.read(&mut bytes, place)?;
    Record::of(&bytes)
        .filter(|record| record.offset == place + RECORD as u64)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Whether an entry has the content that its record says, made from what its source is now.
fn is_whole(
    file: &Positioned,
    place: u64,
    source: &Source,
    number: usize,
    leave_out: bool,
) -> bool {
    let Ok(record) = record_at(file, place) else {
        return false;
    };
    let state = source.state(number);
    let read = |length: u32, offset| file.bytes(length as usize, offset);
    let content = read(record.image, record.offset)
        .and_then(|image| Ok((image, read(record.mask, record.mask_offset())?)));
    (state.file, state.truth) == (record.source, record.truth)
        && (leave_out || record.kind != Kind::Unreadable)
        && content.is_ok_and(|(image, mask)| {
            both(&image, &mask) == record.sha256
                && [image, mask].map(|bytes| crc32fast::hash(&bytes)) == record.crcs
        })
}
