//! A step of gradient descent.

use burn::backend::Cube;
use burn::tensor::{Shape, Tensor};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{address, plain, unfilled};
use crate::cube::descent::descend;
use crate::ops::Descent;

pub(in crate::ops) fn step<const D: usize>(
    step: Descent,
    weight: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<1>>,
) -> (Tensor<D>, Tensor<1>) {
    let (weight, gradient) = (plain(weight), plain(gradient));
    let before = velocity.map(plain);
    let values = weight.meta.num_elements();
    let stepped = unfilled(&weight, weight.meta.shape().clone());
    let velocity = unfilled(&weight, Shape::new([values]));
    let dim = CubeDim::new(&weight.client, values);
    let address = address([&weight, &gradient, &stepped, &velocity]);
    let client = weight.client.clone();
    descend::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        address,
        weight.into_linear_view(),
        gradient.into_linear_view(),
        before.map(|before| before.into_linear_view()).into(),
        stepped.clone().into_linear_view(),
        velocity.clone().into_linear_view(),
        step.rate as f32,
        step.momentum as f32,
        step.weight_decay as f32,
    );
    (
        Tensor::from_primitive::<Cube>(stepped),
        Tensor::from_primitive::<Cube>(velocity),
    )
}
