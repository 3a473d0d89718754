//! Everything that can go wrong between a file and a batch, in words a user can act on.

use std::io;
use std::path::PathBuf;

/// Why a data set, an image or a batch could not be read.
///
/// Every message names the file or the sample, what was expected and what to do; a cause from below
/// is the error's `source`, not part of its message.
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
        "{} has {size} bytes: expected a multiple of {record}, the size of a record, but {} bytes \
         are left over; the file is truncated or of another format: copy or unpack it again",
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
        "{} has {size} bytes: expected {expected}, as the files before it have; it is truncated or \
         of another data set: copy or unpack it again",
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
        "{}: record {record} has label {label}: expected 0 to {}; the file is damaged or of \
         another format: copy or unpack it again",
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
    /// A folder that should hold class folders and does not.
    #[error(
        "{} holds {}: expected one folder of images a class, of two classes or more; name the \
         folder that holds them, or the one that holds train/ and val/",
        path.display(),
        match found.as_slice() { [] => "no folders".to_owned(), names => format!("only the folder {}", listed(names)) }
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// The folders in it.
        found: Vec<String>,
    },
    /// A class folder without images.
    #[error(
        "{} has no images: expected files that end in .jpg, .jpeg or .png; add some or remove the folder",
        path.display()
    )]
    EmptyClass {
        /// The folder.
        path: PathBuf,
    },
    /// A class that cannot be split.
    #[error(
        "{} has one image: expected two or more, of which one in five is held out; add images, \
         remove the folder, or hold images out yourself in train/ and val/",
        path.display()
    )]
    LoneImage {
        /// The class folder.
        path: PathBuf,
    },
    /// Training and held-out images of different classes.
    #[error(
        "{} lacks classes that {} has: {}; expected the same class folders in both: add these or \
         remove them there",
        path.display(), other.display(), listed(missing)
    )]
    UnequalClasses {
        /// The folder that lacks classes.
        path: PathBuf,
        /// The folder that has them.
        other: PathBuf,
        /// Their names.
        missing: Vec<String>,
    },
    /// Folders within folders without end.
    #[error(
        "{} lies {limit} folders deep in its class: expected images nearer to it; remove the \
         folder, or the link if it is one to a folder above",
        path.display()
    )]
    TooDeep {
        /// The folder.
        path: PathBuf,
        /// Levels that are entered.
        limit: usize,
    },
    /// A file name that is no text.
    #[error("the name of {} is not valid Unicode; rename it", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
    },
    /// A mask that does not cover its image.
    #[error(
        "the mask {} has {}x{} pixels: expected {}x{} as its image has; replace or remove it",
        path.display(), found.0, found.1, expected.0, expected.1
    )]
    MaskSize {
        /// The mask.
        path: PathBuf,
        /// Its width and height.
        found: (u32, u32),
        /// Those of the image.
        expected: (u32, u32),
    },
    /// A row that is none of a table of boxes.
    #[error(
        "{}, line {line}: {reason}; expected the columns image, x0, y0, x1 and y1, in pixels: \
         correct or remove it",
        path.display()
    )]
    Table {
        /// The table.
        path: PathBuf,
        /// Number of the line from 1 on.
        line: u64,
        /// What was found.
        reason: String,
    },
    /// An image that should be a map and has more than values from black to white.
    #[error("{} has {found}: expected a greyscale image, black for 0 and white for 1; convert it", path.display())]
    NotAMap {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: &'static str,
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
        "sample {index} has {}x{} pixels after the transform: expected {}x{} as the first of its \
         batch; end the transform with a crop",
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
        "making batch {batch} failed unexpectedly: {message}; this is a defect of the data set's \
         code: report it"
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
        Self::Sample {
            index,
            source: Box::new(self),
        }
    }
}

/// The first names of a list, and how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
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
        let error = DataError::RecordSize {
            path: "a.bin".into(),
            size: 6150,
            record: 3073,
        };
        assert!(takes(error).starts_with("a.bin has 6150 bytes: expected a multiple of 3073"));
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..10).map(|name| name.to_string()).collect();
        assert_eq!(listed(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(listed(&names[..2]), "0, 1");
    }
}
