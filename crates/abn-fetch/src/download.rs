//! A file from a server, which continues where an earlier download was broken.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::catalog::Size;
use crate::checksum::{Checksum, Sums};
use crate::error::FetchError;
use crate::network::Network;
use crate::part::{Part, remove};
use crate::request::{Cause, Failure, Head, Hope, Piece, Request, send};
use crate::url::without_password;
use crate::watch::{Event, Stage, Watch};

/// How often it is asked whether to stop.
const TICK: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is to be downloaded.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    pub(crate) size: Size,
    pub(crate) checksum: Option<Checksum>,
    /// Where the bytes are kept until the caller renames them.
    pub(crate) part: PathBuf,
}

/// Downloads a file and compares it with what is known of it.
///
/// # Errors
/// The address cannot be used, the server does not have the file or breaks off again and again, the
/// file is not the one that was published, the disk is full, or `watch` says to stop. What has
/// arrived is kept unless it is wrong.
pub(crate) fn download(
    wanted: &Wanted<'_>,
    network: &Network,
    watch: &mut Watch<'_>,
) -> Result<Sums, FetchError> {
    let mut part = Part::open(wanted.part.clone(), wanted.checksum, |done| {
        progress(wanted, watch, Stage::Checking, done, None);
        stop_if_asked(watch, 0, wanted)
    })?;
    let mut download = Download {
        wanted,
        url: without_password(wanted.url),
        network,
        watch,
        reached: false,
    };
    let complete = download.all_attempts(&mut part);
    match complete {
        Ok(()) => verified(wanted, part),
        // Of a file that is too long nothing is of use.
        Err(error @ FetchError::TooLong { .. }) => {
            part.discard();
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn verified(wanted: &Wanted<'_>, part: Part) -> Result<Sums, FetchError> {
    // The name of a downloaded file would not say where the wrong bytes are from.
    let origin = without_password(wanted.url);
    let path = part.path().to_owned();
    let sums = part.finish()?;
    let wrong = compared(&origin, wanted.size, wanted.checksum, &sums, true);
    if let Err(error) = wrong {
        remove(&path);
        return Err(error);
    }
    Ok(sums)
}

/// Compares a file with what is known of it.
///
/// # Errors
/// It has another size or another checksum.
pub(crate) fn compared(
    origin: &str,
    size: Size,
    checksum: Option<Checksum>,
    sums: &Sums,
    removed: bool,
) -> Result<(), FetchError> {
    match size {
        Size::Exactly(expected) if sums.bytes != expected => {
            return Err(FetchError::Size {
                origin: origin.to_owned(),
                found: sums.bytes,
                expected,
            });
        }
        Size::AtMost(limit) if sums.bytes > limit => {
            return Err(FetchError::TooLong {
                origin: origin.to_owned(),
                limit,
            });
        }
        Size::Exactly(_) | Size::AtMost(_) => {}
    }
    match checksum {
        Some(expected) if sums.like(expected) != expected.digits() => Err(FetchError::Checksum {
            origin: origin.to_owned(),
            found: sums.like(expected).to_owned(),
            expected,
            removed,
        }),
        _ => Ok(()),
    }
}

fn progress(
    wanted: &Wanted<'_>,
    watch: &mut Watch<'_>,
    stage: Stage,
    done: u64,
    total: Option<u64>,
) {
    let total = match wanted.size {
        Size::Exactly(bytes) => Some(bytes),
        Size::AtMost(_) => total,
    };
    watch.tell(Event::Progress {
        stage,
        file: wanted.name,
        done,
        total,
    });
}

fn stop_if_asked(watch: &Watch<'_>, bytes: u64, wanted: &Wanted<'_>) -> Result<(), FetchError> {
    if watch.stopped() {
        return Err(FetchError::Stopped {
            part: Some(wanted.part.clone()),
            bytes,
        });
    }
    Ok(())
}

/// Why an attempt ended early, and whether another may do better.
struct Setback {
    failure: Failure,
    /// How long the server wants to be left alone.
    wait: Option<Duration>,
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            wait: None,
        }
    }
}

impl From<FetchError> for Setback {
    fn from(error: FetchError) -> Self {
        Failure::from(error).into()
    }
}

struct Download<'a, 'w> {
    wanted: &'a Wanted<'a>,
    /// The address, as it may be shown.
    url: String,
    network: &'a Network,
    watch: &'a mut Watch<'w>,
    /// Whether a server has answered.
    reached: bool,
}

impl Download<'_, '_> {
    /// Tries until the file is there, or until nothing came several times in a row.
    fn all_attempts(&mut self, part: &mut Part) -> Result<(), FetchError> {
        let patience = self.network.patience;
        let mut furthest = part.bytes();
        let mut failed = 0;
        loop {
            let Err(setback) = self.attempt(part) else {
                return Ok(());
            };
            failed = if part.bytes() > furthest {
                1
            } else {
                failed + 1
            };
            furthest = furthest.max(part.bytes());
            let hopeless = match setback.failure.hope {
                Hope::None => true,
                Hope::IfReachedBefore => !self.reached,
                Hope::Some => false,
            };
            let cause = setback.failure.cause;
            if hopeless || failed >= patience.attempts {
                return Err(self.given_up(cause, failed, part));
            }
            let doubled = patience.first_wait * 2_u32.saturating_pow(failed - 1);
            let wait = setback.wait.unwrap_or(doubled).min(LONGEST_WAIT);
            self.wait(&cause, wait, failed, part)?;
        }
    }

    fn given_up(&self, cause: Cause, attempts: u32, part: &Part) -> FetchError {
        match cause {
            Cause::Other(error) => *error,
            Cause::Network(source, proxy) => FetchError::Network {
                url: self.url.clone(),
                proxy,
                attempts,
                part: Some(part.path().to_owned()),
                bytes: part.bytes(),
                source,
            },
        }
    }

    fn wait(
        &mut self,
        cause: &Cause,
        wait: Duration,
        attempt: u32,
        part: &Part,
    ) -> Result<(), FetchError> {
        let reason = match cause {
            Cause::Network(error, _) => error.to_string(),
            Cause::Other(error) => error.to_string(),
        };
        self.watch.tell(Event::Waiting {
            file: self.wanted.name,
            reason: &reason,
            wait,
            attempt,
            attempts: self.network.patience.attempts,
        });
        let end = Instant::now() + wait;
        loop {
            stop_if_asked(self.watch, part.bytes(), self.wanted)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    /// One request, from where the part ends.
    fn attempt(&mut self, part: &mut Part) -> Result<(), Setback> {
        let mark = part.mark(&self.url);
        match self.wanted.size {
            Size::Exactly(bytes) if part.bytes() == bytes => return Ok(()),
            Size::Exactly(limit) | Size::AtMost(limit) if part.bytes() > limit => {
                self.restart(part, "there is more than the file can have")?;
            }
            // Without a checksum nobody would notice that the bytes are of two files.
            _ if mark.is_none() && self.wanted.checksum.is_none() => {
                self.restart(part, "nothing tells whether the file is still the same")?;
            }
            _ => {}
        }
        self.watch.tell(Event::Downloading {
            file: self.wanted.name,
            url: &self.url,
            kept: part.bytes(),
        });
        let request = Request {
            url: self.wanted.url.to_owned(),
            from: part.bytes(),
            if_still: mark,
        };
        let no_thread = FetchError::reading(part.path());
        let pieces = send(self.network, request).map_err(no_thread)?;
        let Piece::Head(head) = self.next(&pieces, part)? else {
            return Err(self.answer("bytes before a status").into());
        };
        self.reached = true;
        if self.begin(&head, part)? {
            return Ok(());
        }
        let total = head.whole.or(head.length);
        self.bytes(&pieces, total, part)
    }

    fn restart(&mut self, part: &mut Part, reason: &str) -> Result<(), FetchError> {
        if part.bytes() > 0 {
            self.watch.tell(Event::Restarted {
                file: self.wanted.name,
                reason,
            });
            part.restart()?;
        }
        Ok(())
    }

    /// Brings the part to where the bytes of the answer begin. Whether it is complete already.
    fn begin(&mut self, head: &Head, part: &mut Part) -> Result<bool, Setback> {
        match head.status {
            200 => self.restart(part, "the server sends the whole file")?,
            206 if part.bytes() > 0 && head.first == Some(part.bytes()) => {}
            206 => {
                let found = format!("bytes from {:?} on instead of {}", head.first, part.bytes());
                self.restart(part, "the server sends other bytes than were asked for")?;
                return Err(again(self.answer(&found), None));
            }
            416 if part.bytes() > 0 => {
                if head.whole == Some(part.bytes()) {
                    return Ok(true);
                }
                self.restart(part, "the file is shorter than what was downloaded")?;
                return Err(again(self.status(416), Some(Duration::ZERO)));
            }
            status @ (408 | 425 | 429 | 500 | 502 | 503 | 504) => {
                return Err(again(self.status(status), head.wait));
            }
            status => return Err(self.status(status).into()),
        }
        let whole = if head.status == 206 {
            head.whole
        } else {
            head.length
        };
        self.compare(whole)?;
        if part.bytes() == 0 {
            part.set_mark(&self.url, head.mark.as_deref().unwrap_or_default())?;
        }
        Ok(false)
    }

    /// What the server says of the size is compared before anything is downloaded.
    fn compare(&self, whole: Option<u64>) -> Result<(), FetchError> {
        let origin = self.url.clone();
        match (self.wanted.size, whole) {
            (Size::Exactly(expected), Some(found)) if found != expected => Err(FetchError::Size {
                origin,
                found,
                expected,
            }),
            (Size::AtMost(limit), Some(found)) if found > limit => {
                Err(FetchError::TooLong { origin, limit })
            }
            _ => Ok(()),
        }
    }

    fn bytes(
        &mut self,
        pieces: &Receiver<Piece>,
        total: Option<u64>,
        part: &mut Part,
    ) -> Result<(), Setback> {
        let (Size::Exactly(limit) | Size::AtMost(limit)) = self.wanted.size;
        loop {
            match self.next(pieces, part)? {
                Piece::Block(block) => {
                    if part.bytes() + block.len() as u64 > limit {
                        return Err(FetchError::TooLong {
                            origin: self.url.clone(),
                            limit,
                        }
                        .into());
                    }
                    part.add(&block)?;
                    progress(
                        self.wanted,
                        self.watch,
                        Stage::Downloading,
                        part.bytes(),
                        total,
                    );
                }
                Piece::End => return self.ended(total, part),
                Piece::Head(_) | Piece::Failed(_) => {
                    return Err(self.answer("two answers").into());
                }
            }
        }
    }

    /// Whether all is there. HTTP notices a broken connection only where the server told a size.
    fn ended(&self, total: Option<u64>, part: &Part) -> Result<(), Setback> {
        let whole = match self.wanted.size {
            Size::Exactly(bytes) => Some(bytes),
            Size::AtMost(_) => total,
        };
        if whole.is_some_and(|whole| part.bytes() < whole) {
            let early = "the connection ended early";
            return Err(Failure {
                cause: Cause::Network(early.into(), None),
                hope: Hope::Some,
            }
            .into());
        }
        Ok(())
    }

    /// The next piece, unless it is a failure or it was asked to stop.
    fn next(&self, pieces: &Receiver<Piece>, part: &Part) -> Result<Piece, Setback> {
        loop {
            stop_if_asked(self.watch, part.bytes(), self.wanted)?;
            match pieces.recv_timeout(TICK) {
                Ok(Piece::Failed(failure)) => return Err(failure.into()),
                Ok(piece) => return Ok(piece),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.answer("nothing: the request ended early").into());
                }
            }
        }
    }

    fn answer(&self, found: &str) -> FetchError {
        FetchError::Answer {
            url: self.url.clone(),
            found: found.to_owned(),
        }
    }

    fn status(&self, status: u16) -> FetchError {
        FetchError::Status {
            url: self.url.clone(),
            status,
        }
    }
}

/// A setback that may pass.
fn again(error: FetchError, wait: Option<Duration>) -> Setback {
    Setback {
        failure: Failure {
            cause: Cause::Other(error.into()),
            hope: Hope::Some,
        },
        wait,
    }
}
