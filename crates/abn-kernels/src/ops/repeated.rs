//! Passes in training that share their weights.

#[cfg(feature = "flex")]
use super::flex;

/// Several forward and backward passes through the same weights, none of which changes meanwhile: a
/// CPU's kernels bring the weights into their order once, and keep them until the last pass is over.
///
/// All of it happens on the calling thread. Weights that are made anew for each pass would all be kept
/// until then: not for those.
pub fn repeatedly<R>(passes: impl FnOnce() -> R) -> R {
    #[cfg(feature = "flex")]
    return flex::repeated::repeatedly(passes);
    #[cfg(not(feature = "flex"))]
    passes()
}
