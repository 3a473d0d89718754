//! Making a pack.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::PackError;
use super::entry::Source;
use super::record::{Header, Kind, MAGIC, Sha};
use super::resume::Partial;
use crate::ordered::Ordered;
use crate::{DataError, Truth};

/// How images are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The bytes of their files. Reading decodes them.
    AsTheyAre,
    /// Pixels, resized to so many on the shorter side as by
    /// [`Step::ResizeShorter`](crate::Step::ResizeShorter). Nothing is decoded when they are read.
    /// Masks are resized in the same way and grey at their borders, which ends with the
    /// [transform](crate::Transform::sample).
    Shorter(u32),
}

/// What is packed, and how.
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// How images are stored.
    pub stored: Stored,
    /// What tells where the objects lie; if nothing is asked for, masks before boxes.
    pub truth: Option<Truth>,
    /// Whether images that cannot be read are packed as the reason why; otherwise the first is an
    /// error.
    pub leave_out: bool,
    /// Threads that read and resize; 0 does it in the thread that asks.
    pub workers: usize,
    /// What is told of each image.
    pub labels: PackedLabels,
}

/// What is told of each image that is packed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PackedLabels {
    /// The class of its folder, as [`image_folder`](crate::image_folder) reads it.
    #[default]
    One,
    /// Several labels, as [`attributes`](crate::attributes()) reads them.
    Several {
        /// The table that tells them, if not the usual one; of CompCars `make`, `model` or `both`.
        labels: Option<String>,
        /// Whether images are cropped to the box of their object: those that are stored as they
        /// are when they are read, the others before they are resized.
        crop: bool,
    },
    /// The objects in it, as [`objects`](crate::objects()) reads them. Images are stored as they are.
    Objects,
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Images in the pack, with those that cannot be read.
    pub images: usize,
    /// How many of them an interrupted packing had left.
    pub resumed: usize,
    /// Size of the pack.
    pub bytes: u64,
    /// SHA-256 of the names, classes, parts and files of the folder, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// The images that cannot be read, with the reasons.
    pub unreadable: Vec<(String, String)>,
}

/// Packs all parts of a folder of photographs into the file `out`.
///
/// The pack grows as `out` with `.partial` behind its name. What an interrupted packing has left
/// there is kept as far as it is whole and its sources are as they were, and the result has the
/// same bytes as if nothing had happened. `watch` is told how many images are done and how many
/// there are, and may break off.
///
/// # Errors
/// The folder cannot be opened, as with [`image_folder`](crate::image_folder),
/// [`attributes`](crate::attributes()) or [`objects`](crate::objects()); an image cannot be read;
/// there is something in the place of the pack; or it cannot be written.
pub fn pack(
    dir: &Path,
    out: &Path,
    options: &PackOptions,
    watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Packed, DataError> {
    if out.symlink_metadata().is_ok() {
        return Err(PackError::Exists { path: out.into() }.into());
    }
    if let Stored::Shorter(0) = options.stored {
        // Asks the step for its words.
        crate::Step::ResizeShorter { size: 0 }
            .decide((1, 1), &mut crate::random::augmentation(0, 0, 0))?;
    }
    let source = Arc::new(Source::open(dir, options)?);
    let mut partial = Partial::open(&partial_of(out), &source, options)?;
    let (resumed, all) = (partial.done, source.what.len());
    let make = {
        let source = Arc::clone(&source);
        move |number| source.entry(number)
    };
    let made = Ordered::new(resumed..all, options.workers, make);
    let stopped = |done| PackError::Stopped {
        path: partial_of(out),
        done,
        all,
    };
    for (number, made) in (resumed..).zip(made) {
        if watch(number, all).is_break() {
            return Err(stopped(number).into());
        }
        let entry = match made.map_err(|failed| *failed) {
            Ok(entry) => entry,
            Err((error, state)) if options.leave_out => source.unreadable(number, &error, state),
            Err((error, _)) => return Err(error),
        };
        partial.append(entry)?;
    }
    if watch(all, all).is_break() {
        return Err(stopped(all).into());
    }
    let finished = finish(&mut partial, &source, options.stored)?;
    let written = |result: io::Result<()>| {
        result.map_err(|source| {
            let path = partial.path.clone();
            PackError::Write { path, source }
        })
    };
    written(fs::rename(&partial.path, out))?;
    written(sync_folder(out))?;
    Ok(Packed {
        resumed,
        ..finished
    })
}

/// Where a pack grows.
pub(super) fn partial_of(out: &Path) -> PathBuf {
    let mut name = OsString::from(out);
    name.push(".partial");
    name.into()
}

/// Writes the index behind the entries, and the header.
fn finish(partial: &mut Partial, source: &Source, stored: Stored) -> Result<Packed, DataError> {
    let index = partial.end;
    let mut digest = Sha256::new();
    let mut fingerprint = source.what.fingerprint();
    let mut unreadable = Vec::new();
    let mut place = super::record::HEADER as u64;
    for number in 0..source.what.len() {
        let record = partial.record(place)?;
        source.what.add(&mut fingerprint, number, &record.source);
        if record.kind == Kind::Unreadable {
            let reason = partial.bytes(record.image as usize, record.offset)?;
            let reason = String::from_utf8_lossy(&reason).into_owned();
            unreadable.push((source.what.name(number), reason));
        }
        let bytes = record.bytes();
        digest.update(bytes);
        partial.buffered(&bytes)?;
        place = record.offset + record.length();
    }
    let mut names = 0;
    for number in 0..source.what.len() {
        let name = source.what.short_name(number).as_bytes();
        names += name.len() as u64;
        digest.update(name);
        partial.buffered(name)?;
    }
    let contents = source.what.bytes()?;
    digest.update(&contents);
    partial.buffered(&contents)?;
    let mut header = Header {
        entries: source.what.len() as u64,
        index,
        names,
        contents: contents.len() as u64,
        fingerprint: fingerprint.finalize().into(),
        ..Header::unfinished(source.what.version(), stored, source.truth())
    };
    digest.update(header.checked());
    header.digest = digest.finalize().into();
    partial.complete(&header.bytes(MAGIC))?;
    Ok(Packed {
        images: source.what.len(),
        resumed: 0,
        bytes: partial.end,
        fingerprint: hexadecimal(&header.fingerprint),
        unreadable,
    })
}

pub(super) fn hexadecimal(sha: &Sha) -> String {
    sha.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the renaming itself durable where folders can be synced.
fn sync_folder(file: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    // The parent of a bare file name is the empty path.
    let folder = file
        .parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
