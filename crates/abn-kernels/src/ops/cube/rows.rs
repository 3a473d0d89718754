//! Features as the kernels take them.

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;

use super::{Plain, unfilled};

/// Features `[B, H, W, C]`, the channels of a position side by side and the positions at one
/// distance.
#[derive(Debug, Clone)]
pub(super) struct Rows(Plain);

impl Rows {
    /// Of features `[B, C, H, W]`; copied if they lie otherwise.
    pub(super) fn of(features: Plain) -> Self {
        let features = Cube::float_permute(features, &[0, 2, 3, 1]);
        match Self::evenly(features) {
            Ok(rows) => rows,
            Err(features) => Self::evenly(burn_cubecl::kernel::into_contiguous(features))
                .expect("contiguous features lie evenly"),
        }
    }

    /// Features that lie so already. The distances along axes of one value are whatever they were,
    /// and are those of the others then.
    fn evenly(mut features: Plain) -> Result<Self, Plain> {
        let [batch, height, width, channels] = features.meta.shape().dims();
        let sizes = [batch, height, width];
        let strides = features.meta.strides();
        let ends = [strides[0], strides[1], strides[2]];
        let inner = [height * width, width, 1];
        let pitch = (0..3)
            .find(|axis| sizes[*axis] > 1)
            .map_or(channels, |axis| ends[axis] / inner[axis]);
        let lies = channels == 1 || strides[3] == 1;
        let even = (0..3).all(|axis| sizes[axis] == 1 || ends[axis] == inner[axis] * pitch);
        if !lies || !even || features.meta.is_tiled() {
            return Err(features);
        }
        let [image, row, column] = inner.map(|inner| inner * pitch);
        features.meta.strides = [image, row, column, 1].into();
        Ok(Self(features))
    }

    /// Those of a tensor `[B, H, W, C]` as kernels leave it.
    pub(super) fn filled_with(tensor: Plain) -> Self {
        Self(tensor)
    }

    /// For a kernel to fill.
    pub(super) fn unfilled(like: &Self) -> Self {
        Self(unfilled(&like.0, like.0.meta.shape().clone()))
    }

    /// How many there are, and channels of each.
    pub(super) fn size(&self) -> [usize; 2] {
        let shape = self.0.meta.shape();
        [shape[0] * shape[1] * shape[2], shape[3]]
    }

    /// `[B, H, W, C]`.
    pub(super) fn tensor(&self) -> &Plain {
        &self.0
    }

    /// `[B, C, H, W]`.
    pub(super) fn into_features(self) -> Plain {
        Cube::float_permute(self.0, &[0, 3, 1, 2])
    }
}
