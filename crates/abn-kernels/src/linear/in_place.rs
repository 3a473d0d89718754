//! Products with a matrix that is read where it lies: a weight of `[inputs, outputs]` has the outputs
//! of a vector side by side already, and a copy of it would take longer than the products.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Line, Output};
use crate::conv::{PER_THREAD, accumulate};
use crate::simd::{InstructionSet, Kernel, Simd, fetch};

use super::Linear;

/// Inputs after which sums are stored: so many rows of a panel's weights stay in the second-level
/// cache wherever they lie, and their pages are those of the next panels.
const DEPTH: usize = 64;

/// Computes the outputs of whole panels, `input * weight + bias`, and returns how many these are.
pub(super) fn whole_panels(
    set: InstructionSet,
    shape: &Linear,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    output: Output,
) -> usize {
    let width = 2 * set.lanes();
    let panels = shape.outputs / width;
    let tasks = panels.min(PER_THREAD * rayon::current_num_threads());
    (0..tasks).into_par_iter().for_each(|task| {
        set.run(Panels {
            shape,
            input,
            weight,
            bias,
            panels: task * panels / tasks..(task + 1) * panels / tasks,
            output,
        });
    });
    panels * width
}

/// Some panels of two vectors of outputs each.
struct Panels<'a> {
    shape: &'a Linear,
    input: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    panels: Range<usize>,
    /// Nobody else uses the outputs of these panels meanwhile.
    output: Output<'a>,
}

impl Kernel for Panels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Linear {
            rows,
            inputs,
            outputs,
        } = *self.shape;
        assert!(self.input.len() == rows * inputs && self.weight.len() == inputs * outputs);
        assert!(self.output.len() == rows * outputs && self.panels.end * 2 * S::LANES <= outputs);
        assert!(self.bias.is_none_or(|bias| bias.len() == outputs));
        let mut start = 0;
        // Without inputs the bias alone.
        loop {
            let block = start..inputs.min(start + DEPTH);
            for panel in self.panels.clone() {
                // SAFETY: the instructions are there; lengths are checked above.
                unsafe {
                    match S::TILE {
                        14 => self.block::<S, 14>(panel, block.clone()),
                        6 => self.block::<S, 6>(panel, block.clone()),
                        _ => self.block::<S, 2>(panel, block.clone()),
                    }
                }
            }
            start = block.end;
            if start >= inputs {
                break;
            }
        }
    }
}

impl Panels<'_> {
    /// Adds the products of some inputs to the sums of a panel.
    ///
    /// # Safety
    /// The instructions of `S`; the lengths are checked.
    #[inline(always)]
    unsafe fn block<S: Simd, const P: usize>(&self, panel: usize, block: Range<usize>) {
        let Linear {
            rows,
            inputs,
            outputs,
        } = *self.shape;
        let column = panel * 2 * S::LANES;
        // SAFETY: rows, inputs and outputs are within the buffers.
        unsafe {
            let weights = self.weight.as_ptr().add(block.start * outputs + column);
            // The next panel's weights are on their way meanwhile.
            let each = block.len().div_ceil(P);
            let ahead = |part: usize| {
                for line in (0..2 * S::LANES).step_by(Line::LEN) {
                    for row in part * each..(part + 1) * each {
                        fetch(weights.wrapping_add(row * outputs + 2 * S::LANES + line));
                    }
                }
            };
            for first in (0..rows).step_by(P) {
                let count = P.min(rows - first);
                let row = |p: usize| first + p.min(count - 1);
                let at = |p: usize, v: usize| {
                    let at = row(p) * outputs + column + v * S::LANES;
                    self.output.pointer().add(at)
                };
                let mut from = [self.input.as_ptr(); P];
                let mut sums = [[S::splat(0.0); 2]; P];
                for p in 0..P {
                    from[p] = from[p].add(row(p) * inputs);
                    if block.start > 0 {
                        sums[p] = [S::load(at(p, 0)), S::load(at(p, 1))];
                    }
                }
                let meanwhile = (first == 0).then_some(ahead);
                accumulate::<S, 2, P>(
                    &mut sums,
                    &from,
                    block.start,
                    weights,
                    outputs,
                    block.len(),
                    meanwhile,
                );
                for (p, sums) in sums.iter_mut().enumerate().take(count) {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        if let Some(bias) = self.bias.filter(|_| block.end == inputs) {
                            let bias = bias.as_ptr().add(column + v * S::LANES);
                            *sum = S::add(*sum, S::load(bias));
                        }
                        S::store(at(p, v), *sum);
                    }
                }
            }
        }
    }
}
