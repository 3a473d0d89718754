//! Everything that can go wrong between an address and a folder, in words a user can act on.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::checksum::Checksum;

/// Why a data set could not be fetched.
///
/// Every message says what was found, where, and what to do; a cause from below is the error's
/// `source`, not part of its message. Addresses are shown without the password that they may
/// contain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// An address that cannot be used.
    #[error(
        "`{url}` is not an address to fetch from: {reason}; expected http:// or https:// and a host"
    )]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address of one file for a data set of several.
    #[error(
        "`{mirror}` names one file, but {set} has {}: {}; name the folder that holds them, \
         with `/` at the end",
        files.len(), files.join(", ")
    )]
    MirrorOfOne {
        /// What was given.
        mirror: String,
        /// The data set.
        set: &'static str,
        /// Its files.
        files: Vec<&'static str>,
    },
    /// A local file or folder that is not there.
    #[error("{} does not exist; expected the file, or a folder that holds {file}", path.display())]
    NoLocalFile {
        /// What was looked for.
        path: PathBuf,
        /// The file of the data set.
        file: &'static str,
    },
    /// The proxy of the environment cannot be used.
    #[error(
        "`{proxy}` is not the address of a proxy: correct HTTP_PROXY, \
         HTTPS_PROXY or ALL_PROXY, for example http://host:3128"
    )]
    Proxy {
        /// The proxy, without its password.
        proxy: String,
    },
    /// A file of certificates that cannot be used.
    #[error(
        "{} holds no certificates that can be read; expected PEM: correct SSL_CERT_FILE, or \
         unset it",
        path.display()
    )]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server that does not answer, or breaks off again and again.
    #[error(
        "cannot fetch {url}{}, tried {}{}; check the network, or name a mirror",
        through(proxy.as_deref()), times(*attempts), kept(part.as_deref(), *bytes)
    )]
    Network {
        /// The address.
        url: String,
        /// The proxy, if there is one, without its password.
        proxy: Option<String>,
        /// Attempts in a row without a byte of success.
        attempts: u32,
        /// Where the bytes are kept that arrived.
        part: Option<PathBuf>,
        /// How many there are.
        bytes: u64,
        /// The last cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An answer of a server that is no file.
    #[error("{url} answered {status}{}; check the address, or name a mirror", meaning(*status))]
    Status {
        /// The address.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// An answer that contradicts the request.
    #[error("{url} answered what was not asked for: {found}; name a mirror")]
    Answer {
        /// The address.
        url: String,
        /// What was found.
        found: String,
    },
    /// Redirects without end.
    #[error("{url} is redirected more than {limit} times; name a mirror")]
    Redirects {
        /// The first address.
        url: String,
        /// How many are followed.
        limit: usize,
    },
    /// A redirect from an encrypted address to one that is not.
    #[error(
        "{url} is redirected to {to}, which is not encrypted: it is not followed; name a mirror"
    )]
    Downgrade {
        /// The encrypted address.
        url: String,
        /// The other one.
        to: String,
    },
    /// A file of another size than expected.
    #[error(
        "{origin} has {found} bytes: expected {expected}; it is damaged or another \
         file: fetch it from elsewhere"
    )]
    Size {
        /// The file or address.
        origin: String,
        /// Its size.
        found: u64,
        /// The published size.
        expected: u64,
    },
    /// More bytes than the file can have.
    #[error(
        "{origin} sends more than the {limit} bytes that the file may have; nothing of it was \
         kept: name a mirror"
    )]
    TooLong {
        /// The file or address.
        origin: String,
        /// How many are taken.
        limit: u64,
    },
    /// A file of another checksum than was published.
    #[error(
        "{origin} has the {} {found}: expected {}; it is damaged or another file{}",
        expected.kind(),
        expected.digits(),
        if *removed { " and was removed: fetch it again, or from a mirror" } else { ": replace it" }
    )]
    Checksum {
        /// The file or address.
        origin: String,
        /// The digits found.
        found: String,
        /// What was published.
        expected: Checksum,
        /// Whether the file was a download, which is of no use.
        removed: bool,
    },
    /// A full disk.
    #[error(
        "the disk is full: cannot write {}; free some space and fetch it again. {}",
        path.display(),
        match part {
            Some(part) => format!("{} is kept and will not be downloaded again", part.display()),
            None => "Nothing half-written was left".to_owned(),
        }
    )]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// The download, as far as it came.
        part: Option<PathBuf>,
        /// The refusal.
        source: io::Error,
    },
    /// The operating system refused to write.
    #[error("cannot write {}; check that its folder can be written", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The operating system refused to read.
    #[error(
        "cannot read {}; check that it is a file and that its permissions allow reading",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Somebody else fetches the same.
    #[error(
        "{} is in use: another process fetches the same data set; wait for it to end",
        path.display()
    )]
    Busy {
        /// The folder of downloads.
        path: PathBuf,
    },
    /// Stopped on request.
    #[error("stopped{}", kept(part.as_deref(), *bytes))]
    Stopped {
        /// Where the bytes are kept that arrived.
        part: Option<PathBuf>,
        /// How many there are.
        bytes: u64,
    },
    /// Something at the place of a data set that is not the data set.
    #[error(
        "{} is there, but {found}: it is not touched; move or remove it, then fetch again",
        path.display()
    )]
    Incomplete {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// An archive that cannot be read.
    #[error(
        "{} cannot be unpacked; it is damaged, or no {packing} archive: replace it",
        archive.display()
    )]
    Archive {
        /// The archive.
        archive: PathBuf,
        /// What it should be.
        packing: &'static str,
        /// What was found.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An archive with an entry that nobody who means well would put there.
    #[error(
        "{} was not unpacked: its entry `{entry}` {found}; take the archive from a source \
         that you trust",
        archive.display()
    )]
    Unsafe {
        /// The archive.
        archive: PathBuf,
        /// The entry's name, with everything escaped that does not print.
        entry: String,
        /// What it is or would do.
        found: String,
    },
    /// An archive of more than it should hold.
    #[error(
        "{} was not unpacked: it holds more than the {limit} {what} that are allowed; take it \
         from a source that you trust",
        archive.display()
    )]
    TooMuch {
        /// The archive.
        archive: PathBuf,
        /// How many are allowed.
        limit: u64,
        /// Bytes or entries.
        what: &'static str,
    },
    /// An archive of something else.
    #[error(
        "{} was not unpacked: it does not hold {missing}; it is an archive of something \
         else",
        archive.display()
    )]
    OtherContent {
        /// The archive.
        archive: PathBuf,
        /// What should be in it.
        missing: String,
    },
}

impl FetchError {
    /// A write that failed; `part` is what is kept of a download.
    pub(crate) fn writing(path: &Path, part: Option<&Path>) -> impl FnOnce(io::Error) -> Self {
        let (path, part) = (path.to_owned(), part.map(Path::to_owned));
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, part, source }
            }
            _ => Self::Write { path, source },
        }
    }

    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// The same, with the download named that remains, of so many bytes.
    pub(crate) fn keeping(mut self, kept: &Path, size: u64) -> Self {
        match &mut self {
            Self::DiskFull { part, .. } => *part = Some(kept.to_owned()),
            Self::Stopped { part, bytes } => (*part, *bytes) = (Some(kept.to_owned()), size),
            _ => {}
        }
        self
    }
}

fn through(proxy: Option<&str>) -> String {
    proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"))
}

fn times(attempts: u32) -> String {
    match attempts {
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

fn kept(part: Option<&Path>, bytes: u64) -> String {
    match part {
        Some(part) if bytes > 0 => format!(
            "; {bytes} bytes are kept in {}, where it continues the next time",
            part.display()
        ),
        _ => String::new(),
    }
}

/// What statuses mean that data sets meet.
fn meaning(status: u16) -> &'static str {
    match status {
        401 => ": a password is asked for",
        403 => ": it is forbidden",
        404 | 410 => ": the file is not there",
        407 => ": the proxy asks for a password",
        429 => ": too many requests",
        500..600 => ": the server is in trouble",
        _ => "",
    }
}

/// An error with everything behind it, as a program prints it.
#[cfg(test)]
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_refusals() {
        let path = Path::new("a.bin");
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = FetchError::writing(path, None)(kind.into());
            assert!(matches!(error, FetchError::DiskFull { .. }));
            let text = error.to_string();
            assert!(text.starts_with("the disk is full: cannot write a.bin;"));
            assert!(text.ends_with("Nothing half-written was left"), "{text}");
            let text = error.keeping(Path::new("a.gz"), 1).to_string();
            assert!(text.ends_with("a.gz is kept and will not be downloaded again"));
        }
        let error = FetchError::writing(path, None)(io::ErrorKind::PermissionDenied.into());
        assert!(
            matches!(error, FetchError::Write { .. }),
            "{}",
            chain(&error)
        );
    }
}
