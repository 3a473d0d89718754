//! What is right for an image: what a network is to learn of it.

use abn_boxes::{BoundingBox, Size};

/// What is right for one image. Where its objects lie pixel by pixel is another matter: that is the
/// [masks](crate::Sample::masks) of its sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The right class of each [group](crate::Group) of the data set's labels, counted in the
    /// group; `None` where nobody knows it.
    Classes(Vec<Option<usize>>),
    /// Everything that is to be found in the image.
    Objects(Vec<Object>),
}

/// Something to be found in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// Its class, counted from 0.
    pub class: usize,
    /// Where it is, in pixels of the image. It may have no inside and may reach beyond the image,
    /// as files have it.
    pub bounds: BoundingBox,
    /// Pixels that it covers in the image as it lies in the data set, which decides whether it is
    /// small; a transform does not change it.
    pub area: f64,
    /// How it counts.
    pub counts: Counts,
}

/// How an object counts in training and in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counts {
    /// It is learned from and to be found.
    #[default]
    Fully,
    /// A group of objects: not learned from, and whoever finds any of them is neither right nor
    /// wrong (COCO's `iscrowd`).
    Crowd,
    /// Learned from, but whoever finds it is neither right nor wrong (VOC's `difficult`).
    Difficult,
}

impl Target {
    /// The class of an image with one label.
    #[must_use]
    pub fn class(class: usize) -> Self {
        Self::known(vec![class])
    }

    /// The class of every group.
    #[must_use]
    pub fn known(classes: Vec<usize>) -> Self {
        Self::Classes(classes.into_iter().map(Some).collect())
    }

    /// The right class of each group, where it is known; none where objects are to be found.
    #[must_use]
    pub fn classes(&self) -> &[Option<usize>] {
        match self {
            Self::Classes(classes) => classes,
            Self::Objects(_) => &[],
        }
    }

    /// The right class of a group, if it is known.
    #[must_use]
    pub fn of(&self, group: usize) -> Option<usize> {
        self.classes().get(group).copied().flatten()
    }

    /// What is to be found; nothing where classes are to be told.
    #[must_use]
    pub fn objects(&self) -> &[Object] {
        match self {
            Self::Classes(_) => &[],
            Self::Objects(objects) => objects,
        }
    }

    /// The same after the image was resized.
    pub(crate) fn resized(&self, from: Size, to: Size) -> Self {
        self.moved(|bounds| bounds.resize(from, to))
    }

    /// The same with every object elsewhere.
    pub(crate) fn moved(&self, to: impl Fn(&BoundingBox) -> BoundingBox) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.clone()),
            Self::Objects(objects) => {
                let moved = objects.iter().map(|object| Object {
                    bounds: to(&object.bounds),
                    ..*object
                });
                Self::Objects(moved.collect())
            }
        }
    }
}
