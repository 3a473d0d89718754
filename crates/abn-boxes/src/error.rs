//! What can go wrong with numbers and files from outside, in words a user can act on.

use std::io;

/// A number of a detector that no detector can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is out of bounds: expected {expected}")]
pub struct ConstantsError {
    /// Its name, with dots.
    pub name: &'static str,
    /// What it may be.
    pub expected: &'static str,
}

/// Why truth or detections could not be read or do not fit each other.
///
/// Messages name the place or the id of what is wrong; whoever opened the file names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CocoError {
    /// The operating system refused to read.
    #[error("it cannot be read; check that it is a file and that its permissions allow reading")]
    Read(#[source] io::Error),
    /// The operating system refused to write.
    #[error("it cannot be written; check that there is room and that permissions allow writing")]
    Write(#[source] io::Error),
    /// Text that is not JSON, or values that are not COCO's.
    #[error("line {line}, column {column}: {reason}")]
    Json {
        /// 1-based.
        line: usize,
        /// 1-based, in bytes; 0 before the first.
        column: usize,
        /// What was found, what was expected and what to do.
        reason: String,
    },
    /// A text that ends before its last value does.
    #[error(
        "it ends within a value, at line {line}, column {column}: it is truncated; copy or write it \
         again"
    )]
    Truncated {
        /// 1-based.
        line: usize,
        /// 1-based, in bytes; 0 before the first.
        column: usize,
    },
    /// Entries that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

/// A text of a file as it can be printed: short and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 160;
    let start: String = text.chars().take(MOST).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    // Quotes stay as they are.
    let clean = |letter: char| match letter {
        letter if letter.is_control() => letter.escape_debug().collect(),
        letter => String::from(letter),
    };
    format!("{}{more}", start.chars().map(clean).collect::<String>())
}
