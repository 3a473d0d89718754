//! Explanations: attention maps as data, and measures of how good they are.

mod map;
mod pointing;

pub use map::{AttentionMap, MapSizeError};
pub use pointing::PointingGame;
