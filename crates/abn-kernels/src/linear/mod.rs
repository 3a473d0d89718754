//! Linear layers: products of matrices, with the sums of convolutions of one value.

mod in_place;

use rayon::prelude::*;

use crate::buffer::Output;
use crate::conv::{Convolution, Finish, Order, Pass, Side, Tap, Taps, Weights, weight_sums};
use crate::simd::InstructionSet;

/// A linear layer over rows of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Rows.
    pub rows: usize,
    /// Values of a row that is read.
    pub inputs: usize,
    /// Values of a row that is written.
    pub outputs: usize,
}

/// `output = input * weight + bias`, with `input` `[rows, inputs]`, `weight` `[inputs, outputs]`,
/// `bias` `[outputs]` and `output` `[rows, outputs]`.
///
/// # Panics
/// A length does not fit.
pub fn forward(
    set: InstructionSet,
    shape: &Linear,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    output: &mut [f32],
) {
    shape.check(input, weight, output);
    assert!(
        bias.is_none_or(|bias| bias.len() == shape.outputs),
        "bias of {shape:?}"
    );
    if output.is_empty() {
        return;
    }
    let done = in_place::whole_panels(set, shape, input, weight, bias, Output::new(output));
    let weights = Weights {
        values: weight.get(done..).unwrap_or_default(),
        output: 1,
        input: shape.outputs,
    };
    let finish = Finish {
        bias: bias.map(|bias| &bias[done..]),
        ..Finish::default()
    };
    let rest = [shape.inputs, shape.outputs - done];
    let product = Product {
        rows: shape.rows,
        sides: rest,
        row: shape.outputs,
    };
    product.run(set, input, weights, finish, &mut output[done..]);
}

/// `input_gradient = output_gradient * transposed weight`.
///
/// # Panics
/// A length does not fit.
pub fn input_gradient(
    set: InstructionSet,
    shape: &Linear,
    weight: &[f32],
    output_gradient: &[f32],
    input_gradient: &mut [f32],
) {
    shape.check(input_gradient, weight, output_gradient);
    let weights = Weights {
        values: weight,
        output: shape.outputs,
        input: 1,
    };
    let product = Product {
        rows: shape.rows,
        sides: [shape.outputs, shape.inputs],
        row: shape.inputs,
    };
    product.run(
        set,
        output_gradient,
        weights,
        Finish::default(),
        input_gradient,
    );
}

/// `weight_gradient = transposed input * output_gradient`, summed over the rows in fixed chunks.
///
/// # Panics
/// A length does not fit.
pub fn weight_gradient(
    set: InstructionSet,
    shape: &Linear,
    input: &[f32],
    output_gradient: &[f32],
    weight_gradient: &mut [f32],
) {
    shape.check(input, weight_gradient, output_gradient);
    if shape.rows == 0 {
        return weight_gradient.fill(0.0);
    }
    let order = Order {
        output: 1,
        input: shape.outputs,
    };
    weight_sums(
        set,
        &shape.convolution(),
        input,
        output_gradient,
        order,
        weight_gradient,
    );
}

/// The sum of each column of `values`, `[rows, columns]`: the gradient of a bias.
///
/// # Panics
/// The values are no whole rows.
pub fn column_sums(columns: usize, values: &[f32]) -> Vec<f32> {
    assert!(
        columns > 0 && values.len().is_multiple_of(columns),
        "whole rows"
    );
    (0..columns)
        .into_par_iter()
        .map(|column| {
            let column = values[column..].iter().step_by(columns);
            column.map(|&value| f64::from(value)).sum::<f64>() as f32
        })
        .collect()
}

impl Linear {
    fn check(&self, input: &[f32], weight: &[f32], output: &[f32]) {
        assert_eq!(input.len(), self.rows * self.inputs, "input of {self:?}");
        assert_eq!(
            weight.len(),
            self.inputs * self.outputs,
            "weight of {self:?}"
        );
        assert_eq!(output.len(), self.rows * self.outputs, "output of {self:?}");
    }

    /// One image whose positions are the rows.
    fn convolution(&self) -> Convolution {
        Convolution {
            batch: 1,
            input: [1, self.rows],
            kernel: [1, 1],
            stride: [1, 1],
            padding_before: [0, 0],
            padding_after: [0, 0],
            dilation: [1, 1],
            channels_in: self.inputs,
            channels_out: self.outputs,
            groups: 1,
        }
    }
}

/// A product with a matrix that is packed first.
struct Product {
    rows: usize,
    /// Values of a row that are read and that are written.
    sides: [usize; 2],
    /// Distance of the rows that are written.
    row: usize,
}

impl Product {
    fn run(
        &self,
        set: InstructionSet,
        input: &[f32],
        weights: Weights,
        finish: Finish,
        output: &mut [f32],
    ) {
        let (rows, [inputs, outputs]) = (self.rows, self.sides);
        if rows == 0 || outputs == 0 {
            return;
        }
        let tap = vec![Tap {
            index: 0,
            offset: 0,
        }];
        let taps = Taps::new([tap.clone(), tap], inputs, 1);
        let panels = [taps.pack(set, outputs, 1, weights)];
        let side = |channels| Side {
            size: [1, rows],
            channels,
            step: [1, 1],
        };
        let pass = Pass {
            batch: 1,
            positions: [1, rows],
            groups: 1,
            reads: side(inputs),
            first_read: [0, 0],
            taps,
            writes: side(self.row),
            first_write: [0, 0],
        };
        pass.run(set, input, &panels, finish, Output::new(output));
    }
}
