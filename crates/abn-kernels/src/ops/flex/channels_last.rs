//! Tensors of the CPU backend whose channels lie side by side.

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};

use crate::buffer::filled;

/// A tensor `[batch, channels, height, width]` in the order batch, row, column, channel.
#[derive(Debug, Clone)]
pub(super) struct ChannelsLast(FlexTensor);

impl ChannelsLast {
    /// The tensor itself where it lies so, else a copy.
    pub(super) fn of(tensor: FlexTensor) -> Self {
        let dims = tensor.layout().shape().dims::<4>();
        let same = tensor.layout().strides().iter().zip(strides(dims)).zip(dims);
        if same.into_iter().all(|((&have, want), len)| len <= 1 || have == want) {
            return Self(tensor);
        }
        let tensor = tensor.to_contiguous();
        let [batch, channels, height, width] = dims;
        let positions = height * width;
        let source = tensor.as_slice::<f32>().expect("a contiguous tensor is a slice");
        let mut values = vec![0.0; source.len()];
        for image in 0..batch {
            for position in 0..positions {
                for channel in 0..channels {
                    values[(image * positions + position) * channels + channel] =
                        source[(image * channels + channel) * positions + position];
                }
            }
        }
        Self::new(values, dims)
    }

    /// Values in that order.
    pub(super) fn new(values: Vec<f32>, dims: [usize; 4]) -> Self {
        assert_eq!(values.len(), dims.iter().product::<usize>());
        let layout = Layout::new(Shape::new(dims), strides(dims).to_vec(), 0);
        Self(FlexTensor::new(Bytes::from_elems(values), layout, DType::F32))
    }

    /// A tensor that `fill` writes, every value, before anybody reads one.
    pub(super) fn filled(dims: [usize; 4], fill: impl FnOnce(&mut [f32])) -> Self {
        // SAFETY: the kernels of this crate write their whole output.
        Self::new(unsafe { filled(dims.iter().product(), fill) }, dims)
    }

    /// A tensor of zeros.
    pub(super) fn zeros(dims: [usize; 4]) -> Self {
        Self::new(vec![0.0; dims.iter().product()], dims)
    }

    /// The values, if nobody else holds the tensor.
    pub(super) fn values_mut(&mut self) -> Option<&mut [f32]> {
        let (start, len) = (self.0.layout().start_offset(), self.dims().iter().product::<usize>());
        Some(&mut self.0.try_storage_mut::<f32>()?[start..][..len])
    }

    pub(super) fn dims(&self) -> [usize; 4] {
        self.0.layout().shape().dims()
    }

    pub(super) fn values(&self) -> &[f32] {
        let len: usize = self.dims().iter().product();
        &self.0.storage::<f32>()[self.0.layout().start_offset()..][..len]
    }

    pub(super) fn into_tensor(self) -> FlexTensor {
        self.0
    }
}

fn strides([_, channels, height, width]: [usize; 4]) -> [isize; 4] {
    [height * width * channels, 1, width * channels, channels].map(|stride| stride as isize)
}
