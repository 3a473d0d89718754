//! The forward pass.

use crate::buffer::Output;
use crate::simd::InstructionSet;

use super::Convolution;
use super::gather::Finish;
use super::panels::{Panels, Weights};
use super::pass::{Pass, Side};
use super::taps::{Tap, Taps};
use super::winograd::{self, Winograd};

/// How a forward pass adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Every product by itself: the rounding of any plain implementation.
    Direct,
    /// With the fewest multiplications, which is Winograd's algorithm where it serves: about twice
    /// that rounding.
    Fewest,
}

/// Convolves `input` (channels last) with `weight` (output channel, input channel of the group,
/// row, column) into `output` (channels last), and finishes every value.
///
/// # Panics
/// A length does not fit the shapes.
pub fn forward(
    set: InstructionSet,
    algorithm: Algorithm,
    geometry: &Convolution,
    input: &[f32],
    weight: &[f32],
    finish: Finish,
    output: &mut [f32],
) {
    assert_eq!(input.len(), geometry.input_len(), "input of {geometry:?}");
    assert_eq!(
        weight.len(),
        geometry.weight_len(),
        "weight of {geometry:?}"
    );
    assert_eq!(
        output.len(),
        geometry.output_len(),
        "output of {geometry:?}"
    );
    for each in [finish.factor, finish.bias].into_iter().flatten() {
        assert_eq!(
            each.len(),
            geometry.channels_out,
            "one value for each channel of {geometry:?}"
        );
    }
    assert!(
        finish
            .residual
            .is_none_or(|residual| residual.len() == output.len()),
        "residual of {geometry:?}"
    );
    if output.is_empty() {
        return;
    }
    if algorithm == Algorithm::Fewest && winograd::serves(geometry) {
        let shape = Winograd {
            batch: geometry.batch,
            reads: geometry.input,
            channels_in: geometry.channels_in,
            first_read: geometry.padding_before.map(|padding| -(padding as isize)),
            writes: geometry.output(),
            channels_out: geometry.channels_out,
        };
        let weights = Weights {
            values: weight,
            output: geometry.channels_in * 9,
            input: 9,
        };
        return winograd::pass(
            set,
            &shape,
            input,
            weights,
            false,
            finish,
            Output::new(output),
        );
    }
    let taps = taps(geometry);
    let (kernel, group_out) = (
        geometry.kernel[0] * geometry.kernel[1],
        geometry.group_out(),
    );
    let panels: Vec<Panels> = weight
        .chunks_exact(group_out * geometry.group_in() * kernel)
        .map(|values| {
            let weights = Weights {
                values,
                output: geometry.group_in() * kernel,
                input: kernel,
            };
            taps.pack(set, group_out, geometry.kernel[1], weights)
        })
        .collect();
    let pass = Pass {
        batch: geometry.batch,
        positions: geometry.output(),
        groups: geometry.groups,
        reads: Side {
            size: geometry.input,
            channels: geometry.channels_in,
            step: geometry.stride,
        },
        first_read: geometry.padding_before.map(|padding| -(padding as isize)),
        taps,
        writes: Side {
            size: geometry.output(),
            channels: geometry.channels_out,
            step: [1, 1],
        },
        first_write: [0, 0],
    };
    pass.run(set, input, &panels, finish, Output::new(output));
}

/// The whole kernel, as an output position meets it.
pub(crate) fn taps(geometry: &Convolution) -> Taps {
    let axes = [0, 1].map(|axis| {
        let taps = 0..geometry.kernel[axis];
        taps.map(|index| Tap {
            index,
            offset: index * geometry.dilation[axis],
        })
        .collect()
    });
    Taps::new(axes, geometry.group_in(), geometry.groups)
}
