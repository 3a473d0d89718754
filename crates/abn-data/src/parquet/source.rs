//! Reads one Parquet file: first what it says of itself, then its labels, then its images.
//!
//! The crate `parquet` decodes. It believes much of what a file says, and panics at some of it. So
//! everything that it would allocate by is compared with the size of the file before, and a panic
//! is an error of the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Type};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;

use super::cache::Writer;
use super::columns::Columns;
use super::pages;
use super::thrift::{Item, walk};
use crate::DataError;
use crate::archive::{Interner, Label, MOST_CLASSES, refused, shown};
use crate::decode::{MAX_FILE, open_bounded};

const EXPECTED: &str = "a Parquet file";
const MAGIC: &[u8] = b"PAR1";
/// Length of what follows the footer: its own length and the magic.
const TAIL: u64 = 8;
/// ImageNet's files have footers of 100 kB.
const MAX_FOOTER: u64 = 64 << 20;
/// Nested columns are built by recursion.
const MOST_COLUMNS: usize = 1000;
/// Rows that are decoded at a time.
const LABELS_AT_ONCE: usize = 1024;
const IMAGES_AT_ONCE: usize = 16;
/// How many times as large as the file its images may become: a dictionary can repeat them.
const MOST_RATIO: u64 = 64;

/// A file that was opened.
pub(super) struct Source {
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    metadata: ParquetMetaData,
    pub(super) columns: Columns,
}

impl Source {
    /// # Errors
    /// It cannot be read, is damaged or of another format, or lacks images or labels.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let (file, size) = open_bounded(path, i64::MAX as u64, EXPECTED)?;
        if size == 0 {
            let (path, expected) = (path.into(), EXPECTED);
            return Err(DataError::Empty { path, expected });
        }
        let footer = footer(&file, size, path)?;
        let metadata = guarded(path, || ParquetMetaDataReader::decode_metadata(&footer))?;
        let columns = Columns::of(metadata.file_metadata());
        let source = Self {
            path: path.into(),
            file: Arc::new(file),
            size,
            columns: columns.map_err(|wrong| {
                refused(
                    path,
                    format!("{wrong}; check that it is a set of labelled images"),
                )
            })?,
            metadata,
        };
        source.check_rows()?;
        Ok(source)
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        let groups = self.metadata.row_groups().iter();
        groups.map(|group| group.num_rows() as usize).sum()
    }

    /// A row needs a byte at least: no number of rows is believed that the file has no room for.
    fn check_rows(&self) -> Result<(), DataError> {
        let groups = self.metadata.row_groups().iter();
        let rows = groups.map(|group| u64::try_from(group.num_rows()).ok());
        let total = rows.sum::<Option<u64>>();
        let told = u64::try_from(self.metadata.file_metadata().num_rows()).ok();
        if total.is_none_or(|rows| rows > self.size) || told != total {
            return Err(self.damaged("its number of rows cannot be right"));
        }
        Ok(())
    }

    fn damaged(&self, wrong: &str) -> DataError {
        damaged(&self.path, wrong)
    }

    /// The labels of all rows.
    ///
    /// # Errors
    /// It is damaged, or a row has no label that can be one.
    pub(super) fn labels(&self) -> Result<Vec<Label>, DataError> {
        let number = self.columns.label;
        let kind = self
            .metadata
            .file_metadata()
            .schema_descr()
            .column(number)
            .physical_type();
        let (mut labels, mut interner) = (Vec::with_capacity(self.rows()), Interner::default());
        for group in 0..self.metadata.num_row_groups() {
            let mut add = |label: Result<Label, String>| {
                let row = labels.len();
                let label = label.map_err(|wrong| {
                    let reason = format!("its row {row} {wrong}; correct it, or leave it out");
                    refused(&self.path, reason)
                });
                labels.push(label?);
                Ok(())
            };
            let missing = || Err("has no label".to_owned());
            match kind {
                Type::INT64 => self.column::<Int64Type>(group, number, LABELS_AT_ONCE, |label| {
                    add(label.map_or_else(missing, |label| Interner::number(*label)))
                }),
                Type::INT32 => self.column::<Int32Type>(group, number, LABELS_AT_ONCE, |label| {
                    add(label.map_or_else(missing, |label| Interner::number((*label).into())))
                }),
                _ => self.column::<ByteArrayType>(group, number, LABELS_AT_ONCE, |label| {
                    let text = label.map(|label| str::from_utf8(label.data()));
                    add(match text {
                        None => missing(),
                        Some(Err(_)) => Err("has a label that is not valid UTF-8".to_owned()),
                        Some(Ok(text)) => interner.text(text),
                    })
                }),
            }?;
        }
        Ok(labels)
    }

    /// Writes the images of all rows, one after the other.
    ///
    /// # Errors
    /// It is damaged, a row has no image, or the disk is full.
    pub(super) fn images(&self, cache: &mut Writer) -> Result<(), DataError> {
        let (start, mut row) = (cache.size(), 0_usize);
        for group in 0..self.metadata.num_row_groups() {
            self.column::<ByteArrayType>(group, self.columns.image, IMAGES_AT_ONCE, |image| {
                let Some(image) = image else {
                    let reason = format!(
                        "its row {row} has no bytes of an image, perhaps a path in their place: \
                         write the file again with the images in it, or name the folder of the \
                         images"
                    );
                    return Err(refused(&self.path, reason));
                };
                row += 1;
                if image.len() as u64 > MAX_FILE {
                    let reason = format!("its row {row} has {} bytes", image.len());
                    return Err(self.damaged(&reason));
                }
                cache
                    .push(image.data())
                    .map_err(|source| DataError::Cache {
                        dir: std::env::temp_dir(),
                        source,
                    })?;
                if cache.size() - start > MOST_RATIO * self.size {
                    return Err(self.damaged("its images are many times as large as itself"));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Calls `each` with every value of a column in a group of rows, `None` for what is not there.
    fn column<T: DataType>(
        &self,
        group: usize,
        number: usize,
        at_once: usize,
        mut each: impl FnMut(Option<&T::T>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let group = self.metadata.row_group(group);
        let chunk = self.checked(group.column(number))?;
        let rows = group.num_rows() as usize;
        let descriptor = chunk.column_descr_ptr();
        let whole = descriptor.max_def_level();
        let mut reader = guarded(&self.path, || {
            let pages = SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None)?;
            Ok(ColumnReaderImpl::<T>::new(descriptor, Box::new(pages)))
        })?;
        let (mut seen, mut values, mut levels) = (0, Vec::new(), Vec::new());
        while seen < rows {
            values.clear();
            levels.clear();
            let wanted = at_once.min(rows - seen);
            let (records, ..) = guarded(&self.path, || {
                reader.read_records(wanted, Some(&mut levels), None, &mut values)
            })?;
            if records == 0 || records > wanted {
                break;
            }
            seen += records;
            let mut values = values.iter();
            for record in 0..records {
                let is_there = whole == 0 || levels.get(record) == Some(&whole);
                let value = if is_there { values.next() } else { None };
                each(value)?;
            }
        }
        match seen == rows {
            true => Ok(()),
            false => Err(self.damaged("a column has fewer values than there are rows")),
        }
    }

    /// The part of a column that lies in a group, whose pages are as it says.
    fn checked<'a>(
        &self,
        chunk: &'a ColumnChunkMetaData,
    ) -> Result<&'a ColumnChunkMetaData, DataError> {
        // Of gzip, the decoder unpacks all that comes, whatever size was told.
        let codec = chunk.compression();
        if !matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY) {
            let reason =
                format!("it is compressed by {codec}: expected snappy or none; write it again");
            return Err(refused(&self.path, reason));
        }
        if chunk.file_path().is_some() {
            return Err(self.damaged("its columns are said to lie in another file"));
        }
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or(chunk.data_page_offset());
        let range = u64::try_from(start)
            .ok()
            .zip(u64::try_from(chunk.compressed_size()).ok());
        let within = |(start, length): &(u64, u64)| {
            start
                .checked_add(*length)
                .is_some_and(|end| end <= self.size)
        };
        let Some(range) = range.filter(within) else {
            return Err(self.damaged("a column reaches beyond the file"));
        };
        let pages = pages::check(&self.file, range, codec != Compression::UNCOMPRESSED);
        let pages = pages.map_err(|source| DataError::Read {
            path: self.path.clone(),
            source,
        })?;
        pages.map_err(|wrong| self.damaged(&wrong))?;
        Ok(chunk)
    }
}

/// What a file says of itself, looked through.
fn footer(mut file: &File, size: u64, path: &Path) -> Result<Vec<u8>, DataError> {
    let unreadable = |source| DataError::Read {
        path: path.into(),
        source,
    };
    let read = |mut file: &File, at: u64, length: u64| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let tail = read(file, size.saturating_sub(TAIL), TAIL).map_err(unreadable)?;
    let (length, magic) = tail.split_first_chunk().unwrap_or((&[0; 4], b""));
    if magic == b"PARE" {
        return Err(refused(
            path,
            "it is encrypted; write it again without a key",
        ));
    }
    if magic != MAGIC {
        return Err(damaged(path, "it does not end as a Parquet file does"));
    }
    let length = u64::from(u32::from_le_bytes(*length));
    let start = size.checked_sub(TAIL + length);
    let Some(start) = start.filter(|_| length <= MAX_FOOTER) else {
        return Err(damaged(
            path,
            "its footer is said to be larger than it can be",
        ));
    };
    let bytes = read(file, start, length).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    // Room is made for as many columns within a column as it is said to have.
    let (mut columns, mut within) = (0, 0);
    let walked = walk(&bytes, &mut |path, item| match (path, item) {
        ([2], Item::List(count)) => columns = count,
        ([2, 5], Item::Number(count)) => within = within.max(count),
        _ => {}
    });
    if walked.is_none() {
        return Err(damaged(path, "its footer cannot be read"));
    }
    if columns > MOST_COLUMNS {
        let reason = format!("it has {columns} columns: expected at most {MOST_COLUMNS}");
        return Err(damaged(path, &reason));
    }
    if within > columns as i64 {
        return Err(damaged(path, "it is said to have more columns than it has"));
    }
    Ok(bytes)
}

fn damaged(path: &Path, wrong: &str) -> DataError {
    refused(
        path,
        format!("{wrong}: it is damaged, or no Parquet file of images; get it again"),
    )
}

/// What the crate makes of a file; that it fails or panics is the file's fault.
fn guarded<T>(
    path: &Path,
    function: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, DataError> {
    // What is half done when it panics is dropped with the error.
    match catch_unwind(AssertUnwindSafe(function)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(damaged(path, &shown(&error.to_string()))),
        Err(_) => Err(damaged(path, "its content makes the decoder stop")),
    }
}

/// Whether so many names can be those of classes.
pub(super) fn too_many(names: &[String]) -> bool {
    names.len() > MOST_CLASSES
}
