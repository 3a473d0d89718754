//! Everything that can go wrong with a run, in words of its fields, files and images.

use std::path::PathBuf;

use abn_boxes::CocoError;
use abn_core::explain::{ExplainError, MapSizeError};
use abn_core::state::StateMismatch;
use abn_data::DataError;

use crate::class_name::UnknownClass;
use crate::datasets::PlaceError;
#[cfg(feature = "files")]
use crate::folder::FolderError;
use crate::recipe::RecipeError;
#[cfg(feature = "files")]
use crate::warm_start::WarmStartError;
use crate::weights::WeightsError;

/// Why a run cannot be made, opened or measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The recipe or the configuration.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The folder.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file of weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Weights to start from.
    #[cfg(feature = "files")]
    #[error(transparent)]
    WarmStart(#[from] WarmStartError),
    /// An image, or a file of a data set.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Where the data set lies.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A data set that cannot be opened.
    #[error("the data set cannot be opened")]
    DataSet(#[source] DataError),
    /// A data set without images.
    #[error("the data set {0} has no images")]
    NoImages(&'static str),
    /// A balance of labels that are not absent or present.
    #[error("only labels that are absent or present can be balanced, as those of scenes")]
    NoBalance,
    /// All images of a data set that always has splits.
    #[error("the data set {0} has training and test images: all of them are no one split")]
    OnlySplits(&'static str),
    /// A data set of other numbers of classes than the run.
    #[error("{dataset} has {found}, the run has {expected}: it was trained on another data set")]
    OtherCount {
        /// The data set.
        dataset: &'static str,
        /// Its classes.
        found: String,
        /// Those of the run.
        expected: String,
    },
    /// A data set of other classes than the run.
    #[error("the data set has the class `{found}` where the run has `{expected}`")]
    OtherClass {
        /// A class of the data set.
        found: String,
        /// The run's in its place.
        expected: String,
    },
    /// A batch larger than the data set.
    #[error("batch_size {batch} is more than the {images} training images")]
    BatchSize {
        /// Images a step.
        batch: usize,
        /// Images that there are.
        images: usize,
    },
    /// Weights of another network.
    #[error("the checkpoint of `{}` does not fit its configuration", run.display())]
    Misfit {
        /// The run.
        run: PathBuf,
        /// What differs.
        source: StateMismatch,
    },
    /// Weights of another network.
    #[error(transparent)]
    State(#[from] StateMismatch),
    /// Images too small for a network.
    #[error(
        "the transform of the run makes {width}x{height} pixels of `{}`; its network needs \
         {smallest} a side",
        file.display()
    )]
    TooSmall {
        /// The image.
        file: PathBuf,
        /// Width after the transform.
        width: u32,
        /// Height after the transform.
        height: u32,
        /// The shortest side that the network can see.
        smallest: usize,
    },
    /// A detector where a classifier is needed.
    #[error(
        "`{}` is a run of a detector: train, eval, predict, explain and export know it, and this is \
         for classifiers",
        .0.display()
    )]
    IsDetector(PathBuf),
    /// A classifier where a detector is needed.
    #[error("`{}` is a run of a classifier, which finds no objects", .0.display())]
    IsClassifier(PathBuf),
    /// Boxes or scores that are no numbers.
    #[error("what the detector found cannot be measured")]
    NotFinite(#[source] CocoError),
    /// A map without values.
    #[error(transparent)]
    Map(#[from] MapSizeError),
    /// A method that the network lacks.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// A class that the run lacks.
    #[error(transparent)]
    Class(#[from] UnknownClass),
}

/// An error with everything behind it, as a program prints it.
#[cfg(test)]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
