//! Tensors of the CPU backend whose channels lie side by side.

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};

use super::{slice, spread};
use crate::buffer::filled;
use crate::layout::to_channels_last;
use crate::{Buffers, InstructionSet, pool};

/// A tensor `[batch, channels, height, width]` in the order batch, row, column, channel.
#[derive(Debug, Clone)]
pub(super) struct ChannelsLast(FlexTensor);

impl ChannelsLast {
    /// The tensor itself where it lies so, else a copy.
    pub(super) fn of(tensor: FlexTensor) -> Self {
        let dims = tensor.layout().shape().dims::<4>();
        let same = tensor
            .layout()
            .strides()
            .iter()
            .zip(strides(dims))
            .zip(dims);
        if same
            .into_iter()
            .all(|((&have, want), len)| len <= 1 || have == want)
        {
            return Self(tensor);
        }
        let [_, channels, height, width] = dims;
        if let Some(each) = spread::values(&tensor) {
            return Self::filled(dims, |values| {
                pool::spread(channels, height * width, each, values);
            });
        }
        let tensor = tensor.to_contiguous();
        let source = slice(&tensor);
        Self::filled(dims, |values| {
            to_channels_last(
                InstructionSet::in_use(),
                channels,
                height * width,
                source,
                values,
            );
        })
    }

    /// Values in that order.
    pub(super) fn new(values: Vec<f32>, dims: [usize; 4]) -> Self {
        assert_eq!(values.len(), dims.iter().product::<usize>());
        let layout = Layout::new(Shape::new(dims), strides(dims).to_vec(), 0);
        Self(FlexTensor::new(
            Bytes::from_elems(values),
            layout,
            DType::F32,
        ))
    }

    /// A tensor that `fill` writes, every value, before anybody reads one.
    pub(super) fn filled(dims: [usize; 4], fill: impl FnOnce(&mut [f32])) -> Self {
        // SAFETY: the kernels of this crate write their whole output.
        Self::new(unsafe { filled(dims.iter().product(), fill) }, dims)
    }

    /// The same, with what `fill` returns.
    pub(super) fn filled_with<R>(
        dims: [usize; 4],
        fill: impl FnOnce(&mut [f32]) -> R,
    ) -> (Self, R) {
        let mut result = None;
        let tensor = Self::filled(dims, |values| result = Some(fill(values)));
        (tensor, result.expect("a tensor is filled once"))
    }

    /// The tensor after `rewrite`: in its own memory if nobody else holds it, else in new memory.
    pub(super) fn rewritten<R>(mut self, rewrite: impl FnOnce(Buffers) -> R) -> (Self, R) {
        if !self.0.is_unique() {
            let from = self.values();
            return Self::filled_with(self.dims(), |to| rewrite(Buffers::Apart { from, to }));
        }
        let (start, len) = (self.0.layout().start_offset(), self.len());
        let result = rewrite(Buffers::InPlace(
            &mut self.0.storage_mut::<f32>()[start..][..len],
        ));
        (self, result)
    }

    fn len(&self) -> usize {
        self.dims().iter().product()
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        self.0.layout().shape().dims()
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.0.storage::<f32>()[self.0.layout().start_offset()..][..self.len()]
    }

    pub(super) fn into_tensor(self) -> FlexTensor {
        self.0
    }

    /// The same values as `[positions of all images, channels]`.
    pub(super) fn into_positions(self) -> FlexTensor {
        let [batch, channels, height, width] = self.dims();
        let shape = Shape::new([batch * height * width, channels]);
        let layout = Layout::new(
            shape,
            vec![channels as isize, 1],
            self.0.layout().start_offset(),
        );
        self.0.with_layout(layout)
    }
}

fn strides([_, channels, height, width]: [usize; 4]) -> [isize; 4] {
    [height * width * channels, 1, width * channels, channels].map(|stride| stride as isize)
}
