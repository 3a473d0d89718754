//! Why bytes are no weights, as the end of a sentence about their file.

/// What a file that ends too early is told.
#[cfg(feature = "files")]
pub(super) const CUT_OFF: &str = "the file is cut off or damaged; copy or download it again";

/// Why bytes are no weights.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

pub(super) type Result<T> = std::result::Result<T, Cause>;

/// Refuses what does not hold.
pub(super) fn require(holds: bool, cause: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Cause(cause())) }
}
