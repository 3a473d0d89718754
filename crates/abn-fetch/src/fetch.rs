//! A data set from its address to its place.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::blocks::each_block;
use crate::catalog::{Becomes, PublishedFile, PublishedSet, Size};
use crate::checksum::{Checksum, Summing, Sums};
use crate::download::{Wanted, compared, download};
use crate::error::FetchError;
use crate::mirror::{Origin, origins};
use crate::network::Network;
use crate::part::forget;
use crate::unpack::{Archive, remove_unfinished, unpack};
use crate::url::without_password;
use crate::watch::{Event, Stage, Watch};
use crate::workplace::Workplace;

/// From where, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Instead of the official address: that of a folder, with `/` at its end; that of the file, if
    /// the set has one; or a path of this machine, of the file or of a folder that holds it. A
    /// published checksum is compared all the same.
    pub mirror: Option<String>,
    /// How servers are reached.
    pub network: Network,
}

/// A file that is at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub file: &'static str,
    /// Where it lies, or the folder that it became.
    pub place: PathBuf,
    /// How it came there.
    pub how: How,
}

/// How a file came to its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It was there.
    AlreadyThere,
    /// It was fetched now.
    New {
        /// From where, without the password that an address may contain.
        origin: String,
        /// Its size and its checksums.
        sums: Sums,
        /// What they were compared with; nothing if no checksum is published, and then
        /// [`Sums::sha256`] is what to note down.
        checked: Option<Checksum>,
    },
}

/// Fetches what is missing of `set` into `datasets`, the folder of all data sets.
///
/// A file counts as there when something is at its place: that is never overwritten. Downloads are
/// kept in `datasets/.downloads` while they are not complete, and go on from there the next time.
///
/// # Errors
/// See [`FetchError`]. No place has anything but what it had, or all that it should have.
pub fn fetch(
    set: &PublishedSet,
    datasets: &Path,
    options: &Options,
    watch: &mut Watch<'_>,
) -> Result<Vec<Fetched>, FetchError> {
    let origins = origins(set, options.mirror.as_deref())?;
    let mut present = Vec::new();
    for file in set.files {
        present.push(is_present(file, datasets)?);
    }
    // Without a lock, since nothing is written.
    let workplace = match present.contains(&false) {
        true => Some(Workplace::enter(datasets, set.name)?),
        false => None,
    };
    let mut fetched = Vec::new();
    for (file, origin) in set.files.iter().zip(&origins) {
        let place = datasets.join(file.place());
        let how = match &workplace {
            // Again, because another process may have ended in between.
            Some(workplace) if !is_present(file, datasets)? => {
                let job = Job {
                    file,
                    place: &place,
                    workplace,
                    network: &options.network,
                };
                job.run(origin, watch)?
            }
            _ => How::AlreadyThere,
        };
        fetched.push(Fetched {
            file: file.name(),
            place,
            how,
        });
    }
    Ok(fetched)
}

/// Whether a file is at its place.
///
/// # Errors
/// Something else is there.
fn is_present(file: &PublishedFile, datasets: &Path) -> Result<bool, FetchError> {
    let place = datasets.join(file.place());
    // Also a link that leads nowhere is something.
    if place.symlink_metadata().is_err() {
        return Ok(false);
    }
    let wrong = match (file.becomes, file.size) {
        (Becomes::File { .. }, _) if !place.is_file() => Some("is not a file".to_owned()),
        (Becomes::File { .. }, Size::Exactly(expected)) => {
            let metadata = fs::metadata(&place).map_err(FetchError::reading(&place))?;
            let found = metadata.len();
            (found != expected).then(|| format!("has {found} bytes instead of {expected}"))
        }
        (Becomes::File { .. }, Size::AtMost(_)) => None,
        (Becomes::Folder { holds, .. }, _) => {
            let missing = holds.iter().find(|path| !place.join(path).exists());
            missing.map(|path| format!("lacks `{path}`"))
        }
    };
    match wrong {
        Some(found) => Err(FetchError::Incomplete { path: place, found }),
        None => Ok(true),
    }
}

/// A file that is not there yet.
struct Job<'a> {
    file: &'a PublishedFile,
    place: &'a Path,
    workplace: &'a Workplace,
    network: &'a Network,
}

impl Job<'_> {
    fn run(&self, origin: &Origin, watch: &mut Watch<'_>) -> Result<How, FetchError> {
        remove_unfinished(self.place);
        let (origin, sums) = match origin {
            Origin::Url(url) => {
                let path = self.workplace.path(self.file.name());
                let sums = self.downloaded(url, &path, watch)?;
                self.put(&path, &sums, watch)?;
                (without_password(url), sums)
            }
            Origin::Local(path) => {
                let sums = self.checked(path, watch)?;
                self.put_local(path, watch)?;
                (path.display().to_string(), sums)
            }
        };
        Ok(How::New {
            origin,
            sums,
            checked: self.file.checksum,
        })
    }

    /// The whole file at `path`: downloaded earlier, and not unpacked then, or now.
    fn downloaded(
        &self,
        url: &str,
        path: &Path,
        watch: &mut Watch<'_>,
    ) -> Result<Sums, FetchError> {
        if path.exists() {
            match self.checked(path, watch) {
                Ok(sums) => return Ok(sums),
                Err(stopped @ FetchError::Stopped { .. }) => return Err(stopped),
                Err(error) => {
                    watch.tell(Event::Restarted {
                        file: self.file.name(),
                        reason: &error.to_string(),
                    });
                    fs::remove_file(path).map_err(FetchError::writing(path, None))?;
                }
            }
        }
        let part = self.workplace.path(&format!("{}.part", self.file.name()));
        let wanted = Wanted {
            url,
            name: self.file.name(),
            size: self.file.size,
            checksum: self.file.checksum,
            part: part.clone(),
        };
        let sums = download(&wanted, self.network, watch)?;
        fs::rename(&part, path).map_err(FetchError::writing(path, Some(&part)))?;
        forget(&part);
        Ok(sums)
    }

    /// Reads a file of this machine and compares it with what is published.
    fn checked(&self, path: &Path, watch: &mut Watch<'_>) -> Result<Sums, FetchError> {
        let mut summing = Summing::new(self.file.checksum);
        self.each_block(path, Stage::Checking, watch, |block| {
            summing.add(block);
            Ok(())
        })?;
        let sums = summing.finish();
        let origin = path.display().to_string();
        compared(&origin, self.file.size, self.file.checksum, &sums, false)?;
        Ok(sums)
    }

    /// Hands over every block of a file, while `watch` looks on.
    fn each_block(
        &self,
        path: &Path,
        stage: Stage,
        watch: &mut Watch<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), FetchError>,
    ) -> Result<(), FetchError> {
        let mut file = File::open(path).map_err(FetchError::reading(path))?;
        let total = file.metadata().ok().map(|metadata| metadata.len());
        let mut done = 0;
        each_block(&mut file, path, |block| {
            if watch.stopped() {
                return Err(FetchError::Stopped {
                    part: None,
                    bytes: 0,
                });
            }
            take(block)?;
            done += block.len() as u64;
            watch.tell(Event::Progress {
                stage,
                file: self.file.name(),
                done,
                total,
            });
            Ok(())
        })
    }

    /// Brings a downloaded file to its place.
    fn put(&self, path: &Path, sums: &Sums, watch: &mut Watch<'_>) -> Result<(), FetchError> {
        if let Becomes::File { .. } = self.file.becomes {
            return self.renamed(path);
        }
        let unpacked = self.unpacked(path, watch);
        // What is no archive of the data set would not be one the next time. If it is what was
        // published, it is kept for whoever wants to look into it.
        let useless = matches!(
            unpacked,
            Err(FetchError::Archive { .. }
                | FetchError::Unsafe { .. }
                | FetchError::TooMuch { .. }
                | FetchError::OtherContent { .. })
        );
        if unpacked.is_ok() || (useless && self.file.checksum.is_none()) {
            // What remains takes space, but is in nobody's way.
            let _ = fs::remove_file(path);
        }
        unpacked.map_err(|error| error.keeping(path, sums.bytes))
    }

    /// Brings a file of this machine to its place, and leaves it where it is.
    fn put_local(&self, path: &Path, watch: &mut Watch<'_>) -> Result<(), FetchError> {
        if let Becomes::Folder { .. } = self.file.becomes {
            return self.unpacked(path, watch);
        }
        let copy = self.workplace.path(&format!("{}.copy", self.file.name()));
        let copied = self.copied(path, &copy, watch);
        let renamed = copied.and_then(|()| self.renamed(&copy));
        if renamed.is_err() {
            let _ = fs::remove_file(&copy);
        }
        renamed
    }

    fn copied(&self, from: &Path, to: &Path, watch: &mut Watch<'_>) -> Result<(), FetchError> {
        let mut copy = File::create(to).map_err(FetchError::writing(to, None))?;
        self.each_block(from, Stage::Copying, watch, |block| {
            copy.write_all(block).map_err(FetchError::writing(to, None))
        })?;
        copy.sync_all().map_err(FetchError::writing(to, None))
    }

    fn renamed(&self, from: &Path) -> Result<(), FetchError> {
        let folder = self.place.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::rename(from, self.place))
            .map_err(FetchError::writing(self.place, None))
    }

    fn unpacked(&self, path: &Path, watch: &mut Watch<'_>) -> Result<(), FetchError> {
        let Becomes::Folder {
            packing,
            root,
            holds,
            bounds,
            ..
        } = self.file.becomes
        else {
            return Ok(());
        };
        let archive = Archive {
            path,
            packing,
            root,
            bounds,
        };
        unpack(&archive, self.place, holds, watch).map(|_| ())
    }
}
