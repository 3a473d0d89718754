//! What can go wrong while a run is asked why.

use std::path::PathBuf;

use abn_core::explain::{ExplainError, MapSizeError, Method};
use abn_core::state::StateMismatch;
use abn_data::DataError;
use abn_run::RunError;

/// Why a run cannot be scored or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A method that the network lacks.
    #[error("it has no map by {}", method.name())]
    NoMethod {
        /// What was asked for.
        method: Method,
        /// Why there is none.
        source: ExplainError,
    },
    /// Runs that do not compare.
    #[error("{0}")]
    NotComparable(String),
    /// One of several runs.
    #[error("`{run}` cannot be compared")]
    OfRun {
        /// Its path, as given.
        run: String,
        /// Why.
        source: Box<AnalysisError>,
    },
    /// An image in which nobody knows what is asked.
    #[error(
        "the label {label} of image {image} is not known: compare by one that is known of all \
         images, or fewer images by the limit"
    )]
    UnknownLabel {
        /// Which label.
        label: String,
        /// Index of the image.
        image: usize,
    },
    /// Images without a map in a folder of maps.
    #[error(
        "{missing} of the {count} images have no map in `{}`, such as `{first}`: each needs a file of \
         its own name that ends in .npy or .png",
        folder.display()
    )]
    NoMaps {
        /// Where they were looked for.
        folder: PathBuf,
        /// How many have none.
        missing: usize,
        /// How many there are.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// A file of a map that cannot be read.
    #[error("the map `{}` cannot be read", file.display())]
    MapFile {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no map.
    #[error("`{}` is no map: {why}", file.display())]
    NotAMap {
        /// Which.
        file: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Figures that cannot be kept.
    #[error("cannot keep what was measured; is the disk full?")]
    Keep(#[source] std::io::Error),
    /// A line that JSON cannot hold.
    #[error("what was measured cannot be described in JSON")]
    Json(#[from] serde_json::Error),
    /// A table that cannot be written.
    #[error("the table cannot be written")]
    Csv(#[from] csv::Error),
}

impl AnalysisError {
    /// For [`Result::map_err`] on a table that is finished.
    pub(crate) fn of_table<W>(error: csv::IntoInnerError<W>) -> Self {
        Self::Csv(error.into_error().into())
    }
}

macro_rules! of_run {
    ($($source:ty),*) => {$(
        impl From<$source> for AnalysisError {
            fn from(error: $source) -> Self {
                Self::Run(error.into())
            }
        }
    )*};
}

of_run!(DataError, ExplainError, MapSizeError, StateMismatch);
#[cfg(feature = "files")]
of_run!(abn_run::folder::FolderError);
