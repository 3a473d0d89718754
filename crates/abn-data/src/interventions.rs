//! Images whose making is known, so that they can be made again without one of their things: what
//! that changes in a network's answer is the exact effect of the thing.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use crate::sample::Chosen;

/// What is changed in a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The object that makes the class is left out.
    WithoutObject,
    /// Something that belongs to no class is left out.
    WithoutDistractor,
    /// A planted mark is left out.
    WithoutMark,
    /// What lies behind everything is drawn anew.
    OtherGround,
    /// The object lies elsewhere.
    Moved,
    /// The object has other colours of the same brightness.
    Recoloured,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::WithoutObject,
        Self::WithoutDistractor,
        Self::WithoutMark,
        Self::OtherGround,
        Self::Moved,
        Self::Recoloured,
    ];

    /// Whether a thing is taken out of the image, so that what changes is its effect.
    pub fn removes(self) -> bool {
        !matches!(self, Self::Moved | Self::Recoloured)
    }

    /// The change in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WithoutObject => "without the object",
            Self::WithoutDistractor => "without a distractor",
            Self::WithoutMark => "without the mark",
            Self::OtherGround => "on another ground",
            Self::Moved => "object moved",
            Self::Recoloured => "object recoloured",
        }
    }
}

/// A scene made again with one thing changed.
#[derive(Debug, Clone)]
pub struct Intervention {
    /// What is changed.
    pub change: Change,
    /// 255 where that thing is what one sees in the image as it was, 0 elsewhere.
    pub region: GrayImage,
    /// What one sees then; several images where the change is drawn at random.
    pub images: Vec<RgbImage>,
}

/// Those of a data set whose images can be made again.
pub trait Interventions: Send + Sync {
    /// The scene of that index with each of its things changed in turn, as one asks of that label:
    /// its object is what the label is about. Things that hardly show are left out.
    fn interventions(&self, index: usize, label: usize) -> Vec<Intervention>;
}

impl Interventions for Chosen<dyn Interventions> {
    fn interventions(&self, index: usize, label: usize) -> Vec<Intervention> {
        self.of.interventions(self.places[index], label)
    }
}

/// Those of these places.
pub(crate) fn chosen(of: Arc<dyn Interventions>, places: Vec<usize>) -> Arc<dyn Interventions> {
    Arc::new(Chosen { of, places })
}
