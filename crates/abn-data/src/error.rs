//! Everything that can go wrong between a file and a batch, in words a user can act on.

use std::io;
use std::path::PathBuf;

use crate::{PackError, UnknownClasses};

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
    /// A MATLAB file whose content is not that of its data set.
    #[error("{}: {reason}; get it again, or check that it is the right file", path.display())]
    Mat {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// An archive of images that is not understood, or that does what no archive of images should.
    #[error("{}: {reason}", path.display())]
    Archive {
        /// The archive, or the folder of archives.
        path: PathBuf,
        /// What was found, what was expected and what to do.
        reason: String,
    },
    /// A temporary file that cannot be written or read.
    #[cfg(feature = "parquet")]
    #[error(
        "cannot keep images in a temporary file in {}; make room there, or name another folder by \
         TMPDIR",
        dir.display()
    )]
    Cache {
        /// Its folder.
        dir: PathBuf,
        /// The refusal.
        source: io::Error,
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
        "{} has no images: expected files such as .jpg or .png; add some or remove the folder",
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
    /// Held-out images of classes that are not learned.
    #[error(
        "{} lacks classes that {} has: {}, and has others: {}; expected the same class folders in \
         both: rename or remove them",
        path.display(), other.display(), listed(missing), listed(unknown)
    )]
    UnequalClasses {
        /// The folder of held-out images.
        path: PathBuf,
        /// The folder of training images.
        other: PathBuf,
        /// Classes of the training images alone.
        missing: Vec<String>,
        /// Classes of the held-out images alone.
        unknown: Vec<String>,
    },
    /// Classes that a network does not know.
    #[error(transparent)]
    UnknownClasses(#[from] UnknownClasses),
    /// A pack that cannot be read or made.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Folders that are called like splits and are not understood.
    #[error(
        "{} holds folders that are called like parts of a data set, and {reason}: {}; expected \
         train/ with val/ or test/, or folders of classes alone: rename, move or remove them",
        path.display(), listed(folders)
    )]
    UnclearSplits {
        /// The folder that they lie in.
        path: PathBuf,
        /// Their names.
        folders: Vec<String>,
        /// Why they are not understood.
        reason: String,
    },
    /// Splits within a class.
    #[error(
        "{} holds the folders {}: expected the images of one class; put the splits above the \
         classes, as in train/CLASS and val/CLASS",
        path.display(), listed(folders)
    )]
    SplitsInClass {
        /// The class folder.
        path: PathBuf,
        /// The folders in it.
        folders: Vec<String>,
    },
    /// A folder that may be one of masks or a class.
    #[error(
        "{} lies beside class folders such as {class}: it may be a class or hold masks; rename it, \
         or put the class folders into images/ beside it",
        path.display()
    )]
    UnclearFolder {
        /// The folder.
        path: PathBuf,
        /// A class beside it.
        class: String,
    },
    /// Images whose classes nobody has told.
    #[error(
        "{} holds {}and no folders of classes: what each image shows is not told; put the images \
         of each class into a folder of its name",
        path.display(),
        described(*images, beside)
    )]
    NoLabels {
        /// The folder.
        path: PathBuf,
        /// Number of images in it.
        images: usize,
        /// Folders in it that hold no class.
        beside: Vec<String>,
    },
    /// A row or list of labels that cannot be right.
    #[error("{}, line {line}: {reason}; correct the table, or remove it", path.display())]
    LabelTable {
        /// The table.
        path: PathBuf,
        /// Number of the line from 1 on.
        line: u64,
        /// What was found.
        reason: String,
    },
    /// A cell of a list of labels that cannot be right.
    #[error("{}, line {line}, column {column}: {reason}; correct the list, or leave it out", path.display())]
    LabelCell {
        /// The list.
        path: PathBuf,
        /// Number of the line from 1 on.
        line: u64,
        /// Number of the cell in the line from 1 on.
        column: usize,
        /// What was found.
        reason: String,
    },
    /// Lists of a published data set that cannot be right.
    #[error("{}: {reason}; correct it, or get it again", path.display())]
    Lists {
        /// The list, or its folder.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A file that should say where the objects in an image lie, and does not.
    #[error("{}: {reason}; correct the file, or remove it", path.display())]
    Annotation {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A landmark that lies elsewhere than in its image.
    #[error(
        "{}, line {line}, column {column}: the {landmark} lies at {}, {} and its image has {}x{} \
         pixels; correct the line, or remove it",
        path.display(), at.0, at.1, size.0, size.1
    )]
    Landmark {
        /// The list of landmarks.
        path: PathBuf,
        /// Number of the line from 1 on.
        line: u64,
        /// Number of the cell in the line from 1 on.
        column: usize,
        /// Which it is.
        landmark: &'static str,
        /// Where it lies, in pixels.
        at: (i16, i16),
        /// Width and height of the image.
        size: (u32, u32),
    },
    /// Several labels an image where one was expected.
    #[error(
        "{} holds a list of several labels an image: train on it, check it and pack it as `--dataset \
         attributes`",
        path.display()
    )]
    SeveralLabels {
        /// The folder.
        path: PathBuf,
    },
    /// A file where a folder with several labels an image was expected.
    #[error(
        "{} is a file: expected a folder of images with a list of their labels, or a pack of one",
        path.display()
    )]
    NoAttributes {
        /// The file.
        path: PathBuf,
    },
    /// Two tables that both tell labels.
    #[error(
        "{} and {} both tell the classes of images; call the right one labels.csv, or remove the \
         other",
        path.display(), other.display()
    )]
    TwoTables {
        /// The first by name.
        path: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// Two folders whose names are one, written in two ways of Unicode.
    #[error(
        "{} holds two folders of the same name, written in two ways of Unicode: {}; put their \
         images into one",
        path.display(), listed(names)
    )]
    SameName {
        /// The folder that they lie in.
        path: PathBuf,
        /// Their names.
        names: [String; 2],
    },
    /// An image that cannot be cropped to its object.
    #[error(
        "{}{}: {image}: {reason}; mend the box, leave the image out, or train without \
         --crop-to-object",
        path.display(), at_line(*line)
    )]
    Crop {
        /// What tells the boxes.
        path: PathBuf,
        /// Number of the line from 1 on; 0 if there is none to be named.
        line: u64,
        /// The image.
        image: String,
        /// What was found.
        reason: String,
    },
    /// Images are to be cropped to their objects where nobody says where these lie.
    #[error(
        "{} has no box for each image, to which images could be cropped: expected boxes.csv, label/ \
         of CompCars or bounding_boxes.txt of CUB-200-2011; train without --crop-to-object",
        path.display()
    )]
    NoBoxes {
        /// The folder.
        path: PathBuf,
    },
    /// A folder without objects that can be read.
    #[error(
        "{} holds no objects in a form that is read: expected COCO's \
         annotations/instances_train2017.json with its images, or VOC's Annotations/ beside \
         JPEGImages/; name the folder that holds them",
        path.display()
    )]
    NoObjects {
        /// The folder.
        path: PathBuf,
    },
    /// All images of a data set that has splits.
    #[error("{} holds splits: name one of them, or its folder", path.display())]
    SplitApart {
        /// The folder.
        path: PathBuf,
    },
    /// An archive whose reader is not part of this build.
    #[error("{} can be read by a build with the feature {feature}, which this one lacks", path.display())]
    NotBuilt {
        /// The archive.
        path: PathBuf,
        /// The feature.
        feature: &'static str,
    },
    /// A file where photographs were expected.
    #[error(
        "{} is no file of photographs: expected a folder of them, or a pack as `abn data pack` \
         writes it",
        path.display()
    )]
    NoPhotographs {
        /// The file.
        path: PathBuf,
    },
    /// A link to nothing.
    #[error("{} is a link that leads nowhere; mend or remove it", path.display())]
    BrokenLink {
        /// The link.
        path: PathBuf,
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
        "the mask {} has {}x{} pixels: expected {}x{} as its image has{}; replace or remove it",
        path.display(), found.0, found.1, expected.0, expected.1,
        if *turned { " when it is turned as its EXIF orientation says" } else { "" }
    )]
    MaskSize {
        /// The mask.
        path: PathBuf,
        /// Its width and height.
        found: (u32, u32),
        /// Those of the image.
        expected: (u32, u32),
        /// Whether the image is stored in another orientation.
        turned: bool,
    },
    /// An image of another size than is told of it.
    #[error(
        "{} has {}x{} pixels, and what tells its boxes says {}x{}: they would lie elsewhere; get the \
         image again, or correct its size",
        path.display(), found.0, found.1, told.0, told.1
    )]
    ImageSize {
        /// The image.
        path: PathBuf,
        /// Its width and height.
        found: (u32, u32),
        /// Those that are told of it.
        told: (u32, u32),
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
    #[error("{} is not an image that can be read: expected JPEG, PNG, WebP, BMP, TIFF, GIF or PNM, found {found}; convert or remove it", path.display())]
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
    #[error("cannot decode {}; the file is damaged or of an unusual kind: copy it again, convert or remove it", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder found.
        source: image::ImageError,
    },
    /// A sound file of a picture that is too large.
    #[error(
        "{} has {width}x{height} pixels: expected at most {longest} a side, and {most} MiB when \
         decoded; scale it down",
        path.display()
    )]
    Pixels {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The longest side that is read.
        longest: u32,
        /// The most memory that a decoded picture may take, in MiB.
        most: u64,
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
    /// Images that fit into no memory when all are padded to the largest of them.
    #[error(
        "a batch of {images} images, padded to the largest of them, fits into no memory: an image is \
         far too long or too high, or the batch too large"
    )]
    TooManyPixels {
        /// Images of the batch.
        images: usize,
    },
    /// Any of the above, met while sample `index` was made.
    #[error("sample {index}")]
    Sample {
        /// The sample's index in the data set.
        index: usize,
        /// What happened.
        source: Box<DataError>,
    },
    /// More unreadable images than may be skipped.
    #[error(
        "{} cannot be read, and at most {most} may be skipped: something is wrong with \
         the data set as a whole; the last one",
        images(*found)
    )]
    TooManyUnreadable {
        /// How many there are so far.
        found: usize,
        /// How many may be skipped.
        most: usize,
        /// What is wrong with the last one.
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
    /// A defect in the code that reads an image, caught so that the other images are read.
    #[error(
        "reading image {index} failed unexpectedly: {message}; this is a defect of the code that \
         reads it: report it"
    )]
    Defect {
        /// The image's index in the data set.
        index: usize,
        /// The panic's message.
        message: String,
    },
    /// A pass over a data set that its caller ended.
    #[error("stopped after {done} of {all} images; start it again to see all")]
    Stopped {
        /// Images that were read.
        done: usize,
        /// Images that there are.
        all: usize,
    },
}

impl DataError {
    /// Whether an error of [`Dataset::get`](crate::Dataset::get) is about the file of that one
    /// image, or of its mask: then the images beside it may well be read. Everything else, such as
    /// a transform that fits no image, would come again with the next one.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sample { source, .. } => source.is_damage(),
            Self::Pack(error) => error.is_damage(),
            Self::Missing { .. }
            | Self::BrokenLink { .. }
            | Self::Read { .. }
            | Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::NotAnImage { .. }
            | Self::Truncated { .. }
            | Self::Decode { .. }
            | Self::Pixels { .. }
            | Self::Landmark { .. }
            | Self::Annotation { .. }
            | Self::Crop { .. }
            | Self::ImageSize { .. }
            | Self::MaskSize { .. } => true,
            _ => false,
        }
    }

    /// The error and what caused it, in a line.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            let words = inner.to_string();
            // Some repeat their own cause.
            if !text.contains(&words) {
                text.push_str(&format!(" ({words})"));
            }
            cause = inner.source();
        }
        text
    }

    /// The same error with the sample's index in front.
    pub(crate) fn at(self, index: usize) -> Self {
        Self::Sample {
            index,
            source: Box::new(self),
        }
    }
}

/// What lies in a folder without classes.
fn described(images: usize, beside: &[String]) -> String {
    match (images, beside) {
        (0, []) => "nothing ".to_owned(),
        (images, []) => format!("{images} images "),
        (0, beside) => format!("the folders {} ", listed(beside)),
        (images, beside) => format!("{images} images, the folders {} ", listed(beside)),
    }
}

/// What came from outside, short and without control characters, for a message.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 120;
    let start: String = text.chars().take(MOST).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("{}{more}", start.escape_debug())
}

/// So many images, in words.
fn images(count: usize) -> String {
    match count {
        1 => "1 image".to_owned(),
        count => format!("{count} images"),
    }
}

/// The line of a list, if there is one.
fn at_line(line: u64) -> String {
    match line {
        0 => String::new(),
        line => format!(", line {line}"),
    }
}

/// The first names of a list, and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
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
    fn damage_is_told_from_other_errors_also_within_a_sample() {
        let path = || PathBuf::from("1.jpg");
        let truncated = DataError::Truncated {
            path: path(),
            size: 9,
        };
        let table = DataError::Table {
            path: path(),
            line: 2,
            reason: "no number".into(),
        };
        let panic = DataError::Panic {
            batch: 0,
            message: "x".into(),
        };
        assert!(truncated.is_damage() && truncated.at(3).is_damage());
        assert!(!panic.is_damage() && !table.is_damage() && !table.at(3).at(1).is_damage());
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..10).map(|name| name.to_string()).collect();
        assert_eq!(listed(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(listed(&names[..2]), "0, 1");
    }
}
