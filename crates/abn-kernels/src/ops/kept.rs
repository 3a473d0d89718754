//! What a convolution keeps between forward passes.

use std::fmt;

#[cfg(feature = "flex")]
use super::flex::kept::Place;

/// A place beside the weights of a convolution, where the kernels keep them in the order in which
/// they read them: forward passes without gradients reorder them once, not for every batch.
///
/// They are kept until other weights come or a forward pass with gradients needs the memory. Clones
/// share one place. [`Kept::default`] is an empty one, for a convolution that happens once.
#[derive(Clone, Default)]
pub struct Kept(#[cfg(feature = "flex")] pub(super) Place);

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kept").finish_non_exhaustive()
    }
}
