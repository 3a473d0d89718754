//! What is wrong with a recipe or a configuration, in the words of their fields.

use abn_core::architecture::ArchitectureError;
use abn_core::backbone::NoPlaceForAttention;
use abn_core::detect::InvalidDetector;
use abn_core::mixed::InvalidAttention;

/// Why a recipe cannot be trained, or a configuration not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A field out of its range.
    #[error("{field} must be {expected}")]
    Range {
        /// Its name in `config.json`.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
    /// No architecture of that name.
    #[error("{source}{}", nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Architecture {
        /// What was asked for.
        source: ArchitectureError,
        /// The published name that looks most like it.
        nearest: Option<String>,
    },
    /// Blocks asked for beside a name that has others.
    #[error(
        "`{name}` names its blocks, and others are asked for; name the architecture without them"
    )]
    Blocks {
        /// The architecture.
        name: String,
    },
    /// A module in blocks that have no place for it.
    #[error(transparent)]
    NoPlace(#[from] NoPlaceForAttention),
    /// Attention that cannot be built.
    #[error(transparent)]
    Attention(#[from] InvalidAttention),
    /// A detector that cannot be built.
    #[error("detector: {0}")]
    Detector(InvalidDetector),
    /// A cost of wrong answers that cannot be.
    #[error("{0}")]
    Penalty(&'static str),
    /// Inputs of which nothing would be left.
    #[error(
        "inputs of {side}x{side} are too small for {architecture}: the size must be at least {smallest}"
    )]
    TooSmall {
        /// Side of the inputs.
        side: u32,
        /// The network.
        architecture: String,
        /// The shortest side that it can see.
        smallest: usize,
    },
    /// Dropout of a network that drops nothing.
    #[error(
        "dropout is of no use: {architecture} drops nothing in training (WRN, DenseNet and VGG do)"
    )]
    NoDropout {
        /// The network.
        architecture: String,
    },
    /// Steps that no transform has.
    #[error("{0}")]
    Steps(&'static str),
    /// A network that no machine could train.
    #[error("{architecture} has {parameters} parameters, more than the {most} that are trained")]
    TooLarge {
        /// The network.
        architecture: String,
        /// Its parameters.
        parameters: usize,
        /// The most that are trained.
        most: usize,
    },
    /// A detail of the attention that does not exist.
    #[error("{path}: {reason}")]
    NoSuchSetting {
        /// Its path.
        path: String,
        /// What there is.
        reason: String,
    },
    /// Details that make no attention.
    #[error("{settings} gives no attention that can be built")]
    Settings {
        /// Paths and values.
        settings: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Not JSON.
    #[error("not valid JSON")]
    Json(#[source] serde_json::Error),
    /// JSON of something else.
    #[error("{0}")]
    Fields(#[source] serde_json::Error),
    /// JSON of something else.
    #[error("not the configuration of a run")]
    NotAConfiguration,
    /// A layout that this version does not read.
    #[error("written by another version of abn (layout {found}, this one reads {known})")]
    Version {
        /// The layout of the file.
        found: u64,
        /// What is read.
        known: String,
    },
    /// A network other than the recipe's.
    #[error("the model does not fit the recipe's architecture, attention and classes")]
    Model,
}

impl RecipeError {
    /// A field that must be something else.
    pub(crate) fn range(field: &'static str, expected: impl Into<String>) -> Self {
        let expected = expected.into();
        Self::Range { field, expected }
    }
}

/// Refuses a field that is out of its range.
pub(crate) fn require(
    holds: bool,
    field: &'static str,
    expected: impl Into<String>,
) -> Result<(), RecipeError> {
    if holds {
        Ok(())
    } else {
        Err(RecipeError::range(field, expected))
    }
}
