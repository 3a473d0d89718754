//! One weight for each channel of each image, as in squeeze-and-excitation (Hu et al. 2018).

use rayon::prelude::*;

use crate::buffer::{Buffers, Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, RUN, Rows, Sums};

/// What follows an excitation: a block joins its shortcut, and a ReLU.
#[derive(Debug, Clone, Copy, Default)]
pub struct Join<'a> {
    /// Added: as many values as the output has.
    pub residual: Option<&'a [f32]>,
    /// Negative values become zero.
    pub relu: bool,
}

/// `join(features * weights)`, with `features` and what is written `[batch, positions, channels]`
/// and `weights` `[batch, channels]`.
///
/// # Panics
/// Lengths do not fit.
pub fn excite(
    set: InstructionSet,
    channels: usize,
    features: Buffers,
    weights: &[f32],
    join: Join,
) {
    let (input, output) = features.split();
    let image = check(channels, weights, input, output);
    let residual = join.residual.map(Input::new);
    assert!(
        residual.is_none_or(|residual| residual.len() == input.len()),
        "residual of an excitation"
    );
    let rows = Rows::of(channels);
    weights
        .par_chunks_exact(channels)
        .enumerate()
        .for_each(|(index, weights)| {
            let weights = &rows.repeat(weights);
            rows.for_each(image, |part| {
                let excite = Excite {
                    input,
                    weights,
                    residual,
                    relu: join.relu,
                    output,
                };
                let first = index * image;
                rows.sweep(set, first + part.start..first + part.end, excite);
            });
        });
}

/// What the forward pass leaves for the backward one.
#[derive(Debug, Clone, Copy)]
pub struct Excited<'a> {
    /// What was weighted, `[batch, positions, channels]`.
    pub features: &'a [f32],
    /// `[batch, channels]`.
    pub weights: &'a [f32],
    /// What came out of the ReLU behind it, if there was one.
    pub relu: Option<&'a [f32]>,
}

/// The gradient of the features, made from that of the output, and the residual's where asked:
///
/// ```text
/// dz = gradient where output > 0, else 0          (of the residual)
/// dfeatures = dz * weights
/// ```
///
/// Returns the gradient of the weights, `[batch, channels]`: the sum of `dz * features` over the
/// positions. Without a ReLU the residual's gradient is the output's, and needs no copy.
///
/// # Panics
/// Lengths do not fit.
pub fn excite_backward(
    set: InstructionSet,
    channels: usize,
    excited: Excited,
    gradient: Buffers,
    residual: Option<&mut [f32]>,
) -> Vec<f32> {
    let (input, output) = gradient.split();
    let image = check(channels, excited.weights, input, output);
    let (features, relu) = (Input::new(excited.features), excited.relu.map(Input::new));
    let residual = residual.map(Output::new);
    assert_eq!(features.len(), input.len(), "features of an excitation");
    assert!(
        relu.is_none_or(|relu| relu.len() == input.len())
            && residual.is_none_or(|residual| residual.len() == input.len()),
        "output and residual of an excitation"
    );
    let rows = Rows::of(channels);
    let excite = |(index, weights): (usize, &[f32])| {
        let mut sums = rows.sums();
        let pass = Backward {
            input,
            features,
            relu,
            weights: &rows.repeat(weights),
            residual,
            output,
            sums: &mut sums,
        };
        rows.sweep(set, index * image..(index + 1) * image, pass);
        let [sums] = sums.take();
        sums.into_iter().map(|sum| sum as f32).collect::<Vec<_>>()
    };
    excited
        .weights
        .par_chunks_exact(channels)
        .enumerate()
        .flat_map_iter(excite)
        .collect()
}

/// Values of an image.
fn check(channels: usize, weights: &[f32], input: Input, output: Output) -> usize {
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
    image
}

#[derive(Clone, Copy)]
struct Excite<'a> {
    input: Input<'a>,
    weights: &'a [f32],
    residual: Option<Input<'a>>,
    relu: bool,
    output: Output<'a>,
}

impl Pass for Excite<'_> {
    const ROWS: usize = 1;

    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len().min(self.output.len()));
        assert!(self.residual.is_none_or(|residual| end <= residual.len()));
        assert!(width <= self.weights.len());
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. In place, values are read before their index is written.
        unsafe {
            let weights = block.constants::<S, V>(self.weights);
            for row in 0..block.rows {
                let mut values = block.read::<S, V>(self.input, row);
                for v in 0..V {
                    values[v] = S::mul(values[v], weights[v]);
                }
                if let Some(residual) = self.residual {
                    let residual = block.read::<S, V>(residual, row);
                    for v in 0..V {
                        values[v] = S::add(values[v], residual[v]);
                    }
                }
                if self.relu {
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

struct Backward<'a> {
    input: Input<'a>,
    features: Input<'a>,
    relu: Option<Input<'a>>,
    weights: &'a [f32],
    residual: Option<Output<'a>>,
    output: Output<'a>,
    sums: &'a mut Sums<1>,
}

impl Pass for Backward<'_> {
    const ROWS: usize = RUN;

    fn check(&self, end: usize, width: usize) {
        let shortest = self.input.len().min(self.output.len());
        assert!(end <= shortest.min(self.features.len()));
        assert!(self.relu.is_none_or(|relu| end <= relu.len()));
        assert!(self.residual.is_none_or(|residual| end <= residual.len()));
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
                let features = block.read::<S, V>(self.features, row);
                if let Some(relu) = self.relu {
                    let relu = block.read::<S, V>(relu, row);
                    for v in 0..V {
                        values[v] = S::keep_where_positive(values[v], relu[v]);
                    }
                }
                if let Some(residual) = self.residual {
                    block.write::<S, V>(residual, row, values);
                }
                for v in 0..V {
                    sums[v] = S::mul_add(values[v], features[v], sums[v]);
                    values[v] = S::mul(values[v], weights[v]);
                }
                block.write::<S, V>(self.output, row, values);
            }
            self.sums.add::<S, V>(0, block, sums);
        }
    }
}
