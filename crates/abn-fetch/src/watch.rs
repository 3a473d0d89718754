//! What is told while a data set is fetched, and how to stop it.

use std::time::Duration;

/// Who looks on.
///
/// ```
/// use abn_fetch::{Event, Watch};
///
/// let mut last = 0;
/// let mut report = |event: Event<'_>| {
///     if let Event::Progress { done, .. } = event {
///         last = done;
///     }
/// };
/// let watch = Watch { report: &mut report, stop: &|| false };
/// ```
pub struct Watch<'a> {
    /// Gets every event, progress about once a 64 KiB block.
    pub report: &'a mut dyn FnMut(Event<'_>),
    /// Asked between blocks, and ten times a second while a server is silent: whether to stop. What
    /// was downloaded is kept then.
    pub stop: &'a dyn Fn() -> bool,
}

impl Watch<'_> {
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        (self.report)(event);
    }

    pub(crate) fn stopped(&self) -> bool {
        (self.stop)()
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file is going to be downloaded.
    Downloading {
        /// The file.
        file: &'a str,
        /// From where, without the password that the address may contain.
        url: &'a str,
        /// Bytes that are there already, of a download that was broken before.
        kept: u64,
    },
    /// A step is `done` bytes further.
    Progress {
        /// The step.
        stage: Stage,
        /// The file.
        file: &'a str,
        /// Bytes that are through: of the file, also where it is an archive that is unpacked.
        done: u64,
        /// Its size, if it is known.
        total: Option<u64>,
    },
    /// The connection broke; it is tried again after a while.
    Waiting {
        /// The file.
        file: &'a str,
        /// What happened.
        reason: &'a str,
        /// How long it waits.
        wait: Duration,
        /// Which attempt in a row has failed, from 1 on.
        attempt: u32,
        /// How many are made.
        attempts: u32,
    },
    /// What was downloaded before is of no use; it begins anew.
    Restarted {
        /// The file.
        file: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// The steps of a file, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What is there already is read, for its checksum.
    Checking,
    /// Bytes come from a server.
    Downloading,
    /// A local file is copied to its place.
    Copying,
    /// An archive is unpacked.
    Unpacking,
}
