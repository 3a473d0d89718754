//! One weight for each channel of each image, as in squeeze-and-excitation (Hu et al. 2018).

use rayon::prelude::*;

use crate::buffer::{Buffers, Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, RUN, Rows, Sums};

/// `output = features * weights`, with `features` and `output` `[batch, positions, channels]` and
/// `weights` `[batch, channels]`.
///
/// # Panics
/// Lengths do not fit.
pub fn excite(
    set: InstructionSet,
    channels: usize,
    features: &[f32],
    weights: &[f32],
    output: &mut [f32],
) {
    run::<false>(
        set,
        channels,
        features,
        weights,
        Buffers::Apart {
            from: features,
            to: output,
        },
    );
}

/// The gradient of the features, made from that of the output: `gradient * weights`. Returns the
/// gradient of the weights, `[batch, channels]`: the sum of `gradient * features` over the
/// positions.
///
/// # Panics
/// Lengths do not fit.
pub fn excite_backward(
    set: InstructionSet,
    channels: usize,
    features: &[f32],
    weights: &[f32],
    gradient: Buffers,
) -> Vec<f32> {
    run::<true>(set, channels, features, weights, gradient)
}

/// Multiplies, and adds up the products with the features where `SUMS`.
fn run<const SUMS: bool>(
    set: InstructionSet,
    channels: usize,
    features: &[f32],
    weights: &[f32],
    values: Buffers,
) -> Vec<f32> {
    let (input, output) = values.split();
    assert!(
        channels > 0 && weights.len().is_multiple_of(channels),
        "weights of whole images"
    );
    let batch = weights.len() / channels;
    let image = input.len() / batch.max(1);
    assert!(
        image.is_multiple_of(channels) && batch * image == input.len(),
        "features of whole images"
    );
    assert_eq!(output.len(), input.len(), "output of an excitation");
    assert_eq!(features.len(), input.len(), "features of an excitation");
    let (rows, features) = (Rows::of(channels), Input::new(features));
    let excite = |(index, weights): (usize, &[f32])| {
        let mut sums = rows.sums();
        let weights = &rows.repeat(weights);
        let pass = Excite::<SUMS> {
            input,
            features,
            weights,
            output,
            sums: &mut sums,
        };
        rows.sweep(set, index * image..(index + 1) * image, pass);
        let [sums] = sums.take();
        sums.into_iter().map(|sum| sum as f32).collect::<Vec<_>>()
    };
    weights
        .par_chunks_exact(channels)
        .enumerate()
        .flat_map_iter(excite)
        .collect()
}

struct Excite<'a, const SUMS: bool> {
    input: Input<'a>,
    features: Input<'a>,
    weights: &'a [f32],
    output: Output<'a>,
    sums: &'a mut Sums<1>,
}

impl<const SUMS: bool> Pass for Excite<'_, SUMS> {
    const ROWS: usize = if SUMS { RUN } else { 1 };

    fn check(&self, end: usize, width: usize) {
        assert!(
            end <= self
                .input
                .len()
                .min(self.output.len())
                .min(self.features.len())
        );
        assert!(width <= self.weights.len().min(self.sums.width()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. In place, values are read before their index is written.
        unsafe {
            let weights = block.constants::<S, V>(self.weights);
            let mut sums = [S::splat(0.0); V];
            for row in 0..block.rows {
                let mut values = block.read::<S, V>(self.input, row);
                if SUMS {
                    let features = block.read::<S, V>(self.features, row);
                    for v in 0..V {
                        sums[v] = S::mul_add(values[v], features[v], sums[v]);
                    }
                }
                for v in 0..V {
                    values[v] = S::mul(values[v], weights[v]);
                }
                block.write::<S, V>(self.output, row, values);
            }
            if SUMS {
                self.sums.add::<S, V>(0, block, sums);
            }
        }
    }
}
