//! Why a MATLAB file was not read, before its name is added.

use std::fmt;
use std::io;
use std::path::Path;

use crate::DataError;

#[derive(Debug)]
pub(super) enum Fault {
    /// The operating system refused.
    Unreadable(io::Error),
    /// What the file holds is not what was expected.
    Content(String),
}

impl Fault {
    pub(super) fn content(reason: impl Into<String>) -> Self {
        Self::Content(reason.into())
    }

    pub(super) fn of_variable(name: &str, reason: impl fmt::Display) -> Self {
        Self::Content(format!("its variable {name} {reason}"))
    }

    pub(super) fn ends_early() -> Self {
        Self::content("it ends within a variable")
    }

    /// The same of that file.
    pub(super) fn of(self, path: &Path) -> DataError {
        let path = path.into();
        match self {
            Self::Unreadable(source) => DataError::Read { path, source },
            Self::Content(reason) => DataError::Mat { path, reason },
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::ends_early(),
            // Of the decoder alone: no file is asked for anything invalid.
            io::ErrorKind::InvalidInput => Self::content("its compressed data are damaged"),
            _ => Self::Unreadable(error),
        }
    }
}
