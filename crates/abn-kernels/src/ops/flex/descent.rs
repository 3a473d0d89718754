//! A step of gradient descent.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{contiguous, inner, slice};
use crate::buffer::filled;
use crate::ops::Descent;
use crate::{Buffers, descent};

pub(in crate::ops) fn step(
    step: Descent,
    weight: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Option<Tensor<1>>,
) -> (Tensor<1>, Tensor<1>) {
    let descent = descent::Descent {
        rate: step.rate as f32,
        momentum: step.momentum as f32,
        weight_decay: step.weight_decay as f32,
    };
    let [mut weight, gradient] = [weight, gradient].map(|tensor| inner(tensor).to_contiguous());
    let velocity = match velocity {
        Some(velocity) => {
            let mut velocity = inner(velocity).to_contiguous();
            let moving = values_mut(&mut velocity);
            if weight.is_unique() {
                let weight = Buffers::InPlace(values_mut(&mut weight));
                descent.go_on(weight, slice(&gradient), moving);
            } else {
                let shape = weight.layout().shape().clone();
                let write = |to: &mut [f32]| {
                    let from = slice(&weight);
                    descent.go_on(Buffers::Apart { from, to }, slice(&gradient), moving);
                };
                // SAFETY: the step writes every value.
                let moved = unsafe { filled(shape.num_elements(), write) };
                weight = contiguous(moved, shape);
            }
            velocity
        }
        None => {
            let mut velocity = gradient;
            descent.begin(values_mut(&mut weight), values_mut(&mut velocity));
            velocity
        }
    };
    (
        Tensor::from_primitive::<Flex>(weight),
        Tensor::from_primitive::<Flex>(velocity),
    )
}

/// The values of a contiguous tensor, its own: a shared one is copied first.
fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let (start, len) = (tensor.layout().start_offset(), slice(tensor).len());
    &mut tensor.storage_mut::<f32>()[start..][..len]
}
