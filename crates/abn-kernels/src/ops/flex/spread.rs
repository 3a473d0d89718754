//! Values of images that hold at every position, as the gradient of a mean does.

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};

/// A tensor of these dimensions with the values `[batch, channels]` at every position, which takes
/// no more memory than they do.
pub(super) fn spread(values: Vec<f32>, dims: [usize; 4]) -> FlexTensor {
    assert_eq!(values.len(), dims[0] * dims[1], "values of images");
    let layout = Layout::new(Shape::new(dims), strides(dims).to_vec(), 0);
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// The values, if the tensor is one of [`spread`].
pub(super) fn values(tensor: &FlexTensor) -> Option<&[f32]> {
    let dims = tensor.layout().shape().dims::<4>();
    let [batch, channels, height, width] = dims;
    if height * width <= 1 || tensor.layout().strides() != strides(dims) {
        return None;
    }
    Some(&tensor.storage::<f32>()[tensor.layout().start_offset()..][..batch * channels])
}

fn strides([_, channels, ..]: [usize; 4]) -> [isize; 4] {
    [channels as isize, 1, 0, 0]
}
