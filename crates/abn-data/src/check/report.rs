//! What a check found, for programs: these types are its JSON.

use serde::Serialize;

/// What was found in a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Number of images.
    pub images: usize,
    /// The splits that lie apart, or all images together.
    pub splits: Vec<SplitReport>,
    /// How large the images are; none of a set without a readable one.
    pub sizes: Option<Sizes>,
    /// What should be mended before anybody trains or measures.
    pub wrong: Vec<Finding>,
    /// What a user should know, and may be meant so.
    pub remarks: Vec<Finding>,
}

/// The images of one split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitReport {
    /// `train`, `held-out`, `test`, or `all` of a set that nobody has split.
    pub split: &'static str,
    /// Number of images.
    pub images: usize,
    /// Number of those that can be read.
    pub readable: usize,
    /// What is told of each image.
    pub labels: Vec<LabelReport>,
}

/// One label of every image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelReport {
    /// What it is about; `class` of images with one label.
    pub name: String,
    /// Its classes in their order.
    pub classes: Vec<ClassCount>,
}

/// How many images a class has. An image that cannot be read counts if its folder or a table tells
/// its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// Number of its images.
    pub images: usize,
}

/// Width and height of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Of the one with the fewest pixels.
    pub smallest: (u32, u32),
    /// Of the one in the middle.
    pub median: (u32, u32),
    /// Of the one with the most pixels.
    pub largest: (u32, u32),
}

/// One thing that was found. Images are called by their paths from the folder of the data set on,
/// or by their split and number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// A file that ends early, or is empty.
    Truncated {
        /// The image.
        image: String,
        /// What is said when it is read.
        reason: String,
    },
    /// An image that cannot be read for another reason.
    Unreadable {
        /// The image.
        image: String,
        /// What is said when it is read.
        reason: String,
    },
    /// One picture in several splits: what is measured on it was learned by heart.
    SameInSplits(Same),
    /// One picture in several classes of a split: at most one of them is right.
    SameInClasses(Same),
    /// A class without images.
    EmptyClass {
        /// The split.
        split: &'static str,
        /// The class.
        class: String,
    },
    /// A mask that has another size than its image.
    MaskSize {
        /// The image.
        image: String,
        /// What is said when it is read.
        reason: String,
    },
    /// A mask that cannot be read.
    MaskUnreadable {
        /// The image.
        image: String,
        /// What is said when it is read.
        reason: String,
    },
    /// A mask that is no image's.
    MaskOfNoImage {
        /// The mask.
        mask: String,
    },
    /// Boxes of an image that is not there.
    BoxOfNoImage {
        /// The table.
        table: String,
        /// What it calls the image.
        image: String,
        /// Number of its boxes.
        boxes: usize,
    },
    /// Boxes that hold no pixel of their image.
    BoxOutside {
        /// The image.
        image: String,
        /// Width and height of it.
        size: (u32, u32),
        /// Number of its boxes.
        boxes: usize,
        /// Number of those without a pixel.
        outside: usize,
    },
    /// Masks or boxes that are not understood at all.
    Annotations {
        /// Why.
        reason: String,
    },
    /// One picture several times in a class of a split.
    SameInClass(Same),
    /// A class of one image in a set that nobody has split: none of it can be held out.
    LoneImage {
        /// The class.
        class: String,
    },
    /// Classes of very different numbers of images.
    Imbalance {
        /// The split.
        split: &'static str,
        /// The label.
        label: String,
        /// The class with the fewest images, of those that have some.
        smallest: ClassCount,
        /// The class with the most images.
        largest: ClassCount,
    },
    /// An image of a strange size.
    OddSize {
        /// The image.
        image: String,
        /// Width and height of it.
        size: (u32, u32),
        /// What is strange.
        odd: Odd,
    },
    /// A mask without a pixel of an object.
    EmptyMask {
        /// The image.
        image: String,
    },
    /// Images without a mask in a set that has masks.
    NoMask(Without),
    /// Images without a box in a set that has a table of boxes.
    NoBox(Without),
    /// Anything else.
    Note {
        /// A sentence.
        note: String,
    },
}

/// One picture, several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Same {
    /// What is the same.
    pub same: SameWhat,
    /// Where it is: two places or more.
    pub images: Vec<Place>,
}

/// What two images have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SameWhat {
    /// Every byte of their files.
    File,
    /// Every pixel, in other files.
    Pixels,
}

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The image.
    pub image: String,
    /// Its split.
    pub split: &'static str,
    /// Its class; of several labels, all.
    pub class: String,
}

/// What is strange about a size. What is so of half of the images or more is not strange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Odd {
    /// A side is shorter than 16 pixels.
    Tiny,
    /// One side is more than 5 times as long as the other.
    Narrow,
    /// It has less than a 64th of the pixels of the image in the middle.
    Small,
    /// It has more than 64 times as many pixels.
    Large,
}

/// Images of a split that lack something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Without {
    /// The split.
    pub split: &'static str,
    /// How many lack it.
    pub images: usize,
    /// Of how many that can be read.
    pub of: usize,
    /// The first of them.
    pub first: String,
}

impl Report {
    /// Whether nothing is wrong; there may be remarks.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.wrong.is_empty()
    }
}
