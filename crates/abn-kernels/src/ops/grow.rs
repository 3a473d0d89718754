//! Features that get more and more channels, as those of DenseNet.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use super::flex;
use super::kept::Kept;
use super::norm::RunningNorm;

/// Features in memory for all the channels that they will have, so that what is there already is
/// not copied for what comes: on the CPU backend, without gradients.
#[derive(Debug)]
pub struct Growing(#[cfg(feature = "flex")] flex::grow::Growing);

impl Growing {
    /// Begins with features that will have so many channels; `None` where another backend computes
    /// or gradients are wanted: there they are [joined](super::join_channels).
    ///
    /// # Shapes
    /// `[B, C, H, W]`.
    ///
    /// # Panics
    /// They have more channels already.
    pub fn begin(features: &Tensor<4>, channels: usize) -> Option<Self> {
        #[cfg(feature = "flex")]
        if flex::serves(features) && !features.is_autodiff() {
            let features = features.clone();
            return Some(Self(flex::grow::Growing::begin(features, channels)));
        }
        let _ = (features, channels);
        None
    }

    /// Those so far, normalised by known statistics and through a ReLU, then through a 1x1
    /// convolution without bias, which is normalised and goes through a ReLU as well.
    ///
    /// # Shapes
    /// `weight` `[K, C, 1, 1]` for the C channels so far; returns `[B, K, H, W]`.
    pub fn bottleneck(
        &self,
        known: RunningNorm,
        weight: Tensor<4>,
        behind: RunningNorm,
        kept: &Kept,
    ) -> Tensor<4> {
        #[cfg(feature = "flex")]
        return self.0.bottleneck(known, weight, behind, &kept.0);
        #[cfg(not(feature = "flex"))]
        {
            let _ = (known, weight, behind, kept);
            unreachable!("no other backend begins")
        }
    }

    /// Adds features behind those so far.
    ///
    /// # Panics
    /// They are of other positions, or too many.
    pub fn add(&mut self, features: Tensor<4>) {
        #[cfg(feature = "flex")]
        self.0.add(features);
        #[cfg(not(feature = "flex"))]
        let _ = features;
    }

    /// All of them.
    ///
    /// # Panics
    /// Some are missing.
    pub fn finish(self) -> Tensor<4> {
        #[cfg(feature = "flex")]
        return self.0.finish();
        #[cfg(not(feature = "flex"))]
        unreachable!("no other backend begins")
    }
}
