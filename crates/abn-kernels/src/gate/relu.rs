//! The ReLU, alone and behind a sum, and its gradient.

use crate::buffer::{Buffers, Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, Rows};

/// `max(0, x)`; NaN stays.
///
/// # Panics
/// Lengths differ.
pub fn relu(set: InstructionSet, values: Buffers) {
    let (input, output) = values.split();
    run(
        set,
        Elements {
            input,
            other: None,
            operation: Operation::Add { relu: true },
            output,
        },
    );
}

/// `x + other`, or `max(0, x + other)`.
///
/// # Panics
/// Lengths differ.
pub fn add(set: InstructionSet, values: Buffers, other: &[f32], relu: bool) {
    let (input, output) = values.split();
    run(
        set,
        Elements {
            input,
            other: Some(Input::new(other)),
            operation: Operation::Add { relu },
            output,
        },
    );
}

/// The gradient before a ReLU, from the one behind it: what it is where the ReLU's `output` is
/// positive or NaN, else zero.
///
/// # Panics
/// Lengths differ.
pub fn gate(set: InstructionSet, gradient: Buffers, output: &[f32]) {
    let (input, target) = gradient.split();
    run(
        set,
        Elements {
            input,
            other: Some(Input::new(output)),
            operation: Operation::Gate,
            output: target,
        },
    );
}

fn run(set: InstructionSet, elements: Elements) {
    let len = elements.output.len();
    assert_eq!(elements.input.len(), len, "values of a ReLU");
    assert!(
        elements.other.is_none_or(|other| other.len() == len),
        "values of a ReLU"
    );
    // Nothing depends on the channel.
    let rows = Rows::of(1);
    rows.for_each(len, |part| rows.sweep(set, part, elements));
}

#[derive(Clone, Copy)]
enum Operation {
    Add { relu: bool },
    Gate,
}

#[derive(Clone, Copy)]
struct Elements<'a> {
    input: Input<'a>,
    other: Option<Input<'a>>,
    operation: Operation,
    output: Output<'a>,
}

impl Pass for Elements<'_> {
    const ROWS: usize = 1;

    fn check(&self, end: usize, _: usize) {
        assert!(end <= self.input.len().min(self.output.len()));
        assert!(self.other.is_none_or(|other| end <= other.len()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. In place, values are read before their index is written.
        unsafe {
            for row in 0..block.rows {
                let mut values = block.read::<S, V>(self.input, row);
                if let Some(other) = self.other {
                    let other = block.read::<S, V>(other, row);
                    for v in 0..V {
                        values[v] = match self.operation {
                            Operation::Add { .. } => S::add(values[v], other[v]),
                            Operation::Gate => S::keep_where_positive(values[v], other[v]),
                        };
                    }
                }
                if let Operation::Add { relu: true } = self.operation {
                    for value in &mut values {
                        // In this order a NaN stays one.
                        *value = S::max(S::splat(0.0), *value);
                    }
                }
                block.write::<S, V>(self.output, row, values);
            }
        }
    }
}
