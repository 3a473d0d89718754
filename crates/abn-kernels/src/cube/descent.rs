//! A step of gradient descent.

use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

/// The step of [`Descent`](crate::ops::Descent), a unit a value; each tensor may lie as it will.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn descend(
    weight: LinearView<'_, f32>,
    gradient: LinearView<'_, f32>,
    before: ComptimeOption<LinearView<'_, f32>>,
    mut stepped: LinearViewMut<'_, f32>,
    mut velocity: LinearViewMut<'_, f32>,
    rate: f32,
    momentum: f32,
    weight_decay: f32,
) {
    if !stepped.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let value = weight.read(ABSOLUTE_POS);
    let mut moving = gradient.read(ABSOLUTE_POS) + weight_decay * value;
    #[comptime]
    if let ComptimeOption::Some(before) = before {
        moving += momentum * before.read(ABSOLUTE_POS);
    }
    velocity.write(ABSOLUTE_POS, moving);
    stepped.write(ABSOLUTE_POS, value - rate * moving);
}
