//! Everything that can go wrong between a file and a batch, in words a user can act on.

use std::io;
use std::path::PathBuf;

/// Why a data set, an image or a batch could not be read.
///
/// Every message names the file or the sample, what was expected and what to do; a cause from below is the
/// error's `source`, not part of its message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder of a data set is not there.
    #[error("{} does not exist: expected {expected}; {advice}", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// What should have been there.
        expected: String,
        /// How to get it.
        advice: String,
    },
    /// The operating system refused to read.
    #[error("cannot read {}; check that it is a file and that its permissions allow reading", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A file without content.
    #[error("{} is empty: expected {expected}; copy or unpack it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What should have been in it.
        expected: &'static str,
    },
    /// A file that is larger than anything this reader could make sense of.
    #[error("{} has {size} bytes: expected at most {limit}; check that it is the right file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A file of fixed-size records that ends within a record.
    #[error(
        "{} has {size} bytes: expected a multiple of {record}, the size of a record, but {} bytes are left over; \
         the file is truncated or of another format: copy or unpack it again",
        path.display(),
        size % record
    )]
    RecordSize {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// Bytes a record.
        record: u64,
    },
    /// Files that belong together and are of different sizes: one was cut at the end of a record.
    #[error(
        "{} has {size} bytes: expected {expected}, as the files before it have; it is truncated or of another data \
         set: copy or unpack it again",
        path.display()
    )]
    UnequalFiles {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The size of the first file.
        expected: u64,
    },
    /// A label that names no class.
    #[error(
        "{}: record {record} has label {label}: expected 0 to {}; the file is damaged or of another format: \
         copy or unpack it again",
        path.display(),
        classes - 1
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// 0-based number of the record in the file.
        record: usize,
        /// What was read.
        label: u8,
        /// Number of classes of the data set.
        classes: usize,
    },
    /// A list of class names of the wrong length.
    #[error("{} has {found} class names: expected {expected}, one a line; unpack the data set again", path.display())]
    ClassNames {
        /// The file.
        path: PathBuf,
        /// Number of classes of the data set.
        expected: usize,
        /// Number of lines with a name.
        found: usize,
    },
    /// A file whose first bytes are of no image format that is read.
    #[error("{} is not an image that can be read: expected PNG or JPEG, found {found}; convert or remove it", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What the first bytes look like.
        found: String,
    },
    /// A JPEG file without its end.
    #[error("{} is a truncated JPEG: its end marker is missing after {size} bytes; copy it again or remove it", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: usize,
    },
    /// An image file that cannot be decoded.
    #[error("cannot decode {}; expected a whole PNG or JPEG file of a moderate size: replace or remove it", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder found.
        source: image::ImageError,
    },
    /// A transform that would make an image too small or too large to hold.
    #[error(
        "{step} would turn an image of {}x{} into one of {}x{}: expected sides of 1 to {limit}; \
         change the step or remove the image",
        from.0, from.1, to.0, to.1
    )]
    Size {
        /// The step in words.
        step: &'static str,
        /// Width and height before.
        from: (u32, u32),
        /// Width and height after.
        to: (u64, u64),
        /// The longest side that is made.
        limit: u32,
    },
    /// Images of one batch that do not have one size.
    #[error(
        "sample {index} has {}x{} pixels after the transform: expected {}x{} as the first of its batch; \
         end the transform with a crop",
        found.0, found.1, expected.0, expected.1
    )]
    UnequalSizes {
        /// The sample's index in the data set.
        index: usize,
        /// Width and height of the batch's first image.
        expected: (u32, u32),
        /// Width and height of this one.
        found: (u32, u32),
    },
    /// Any of the above, met while sample `index` was made.
    #[error("sample {index}")]
    Sample {
        /// The sample's index in the data set.
        index: usize,
        /// What happened.
        source: Box<DataError>,
    },
    /// A defect in the code that makes samples, caught so that training ends with a message.
    #[error(
        "making batch {batch} failed unexpectedly: {message}; this is a defect of the data set's code: report it"
    )]
    Panic {
        /// Number of the batch in the epoch.
        batch: usize,
        /// The panic's message.
        message: String,
    },
}

impl DataError {
    /// The same error with the sample's index in front.
    pub(crate) fn at(self, index: usize) -> Self {
        Self::Sample { index, source: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_travel_between_threads_and_into_other_errors() {
        fn takes<E: std::error::Error + Send + Sync + 'static>(error: E) -> String {
            error.to_string()
        }
        let error = DataError::RecordSize { path: "a.bin".into(), size: 6150, record: 3073 };
        assert!(takes(error).starts_with("a.bin has 6150 bytes: expected a multiple of 3073"));
    }
}
