//! The backward pass, through the batch's statistics.

use crate::buffer::{Buffers, Input, Output};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, RUN, Rows, Sums};

/// What the forward pass leaves for the backward one.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// What was normalised, `[positions, channels]`.
    pub input: &'a [f32],
    /// The ReLU behind it, if there was one.
    pub relu: Option<Relu<'a>>,
    /// The batch's mean, `[channels]`.
    pub mean: &'a [f32],
    /// `1 / sqrt(variance + epsilon)`, `[channels]`.
    pub inverse_std: &'a [f32],
    /// The scale, `[channels]`.
    pub gamma: &'a [f32],
}

/// How the backward pass knows what a ReLU let through.
#[derive(Debug, Clone, Copy)]
pub enum Relu<'a> {
    /// By what came out of it.
    Output(&'a [f32]),
    /// By the normalisation alone, which is computed again: the shift of each channel, where nothing
    /// was added before the ReLU. The scale is `gamma * inverse_std`.
    Normalized(&'a [f32]),
}

/// Gradients of gamma and beta, `[channels]` each. Makes the input's gradient from the output's,
/// and the residual's where asked:
///
/// ```text
/// dz = gradient where output > 0, else 0          (of the residual)
/// dbeta = sum dz        dgamma = sum dz * xhat    xhat = (x - mean) * inverse_std
/// dx = gamma * inverse_std * (dz - dbeta / n - xhat * dgamma / n)
/// ```
///
/// Without a ReLU the residual's gradient is the output's, and needs no copy. Where others know more
/// of the batch, `pooled` says which `dgamma` and `dbeta` the input's gradient is made of.
///
/// # Panics
/// Lengths differ, or the values are no whole positions.
pub fn backward(
    set: InstructionSet,
    channels: usize,
    saved: Saved,
    gradient: Buffers,
    residual: Option<&mut [f32]>,
    pooled: impl FnOnce([&[f64]; 2]) -> Option<[Vec<f64>; 2]>,
) -> (Vec<f32>, Vec<f32>) {
    let len = saved.input.len();
    let (gradient, target) = gradient.split();
    let residual = residual.map(Output::new);
    assert!(
        channels > 0 && len.is_multiple_of(channels),
        "whole positions"
    );
    assert!(
        gradient.len() == len && target.len() == len,
        "gradient of a normalisation"
    );
    assert!(
        match saved.relu {
            None => true,
            Some(Relu::Output(output)) => output.len() == len,
            Some(Relu::Normalized(shift)) => shift.len() == channels,
        },
        "output or shift of a normalisation"
    );
    assert!(
        residual.is_none_or(|residual| residual.len() == len),
        "residual of a normalisation"
    );
    assert_eq!(
        saved.inverse_std.len(),
        channels,
        "one value for each channel"
    );
    assert_eq!(saved.gamma.len(), channels, "one value for each channel");

    let rows = Rows::of(channels);
    let [factor, shift] = match saved.relu {
        Some(Relu::Normalized(shift)) => {
            let pairs = saved.gamma.iter().zip(saved.inverse_std);
            let factor: Vec<f32> = pairs.map(|(gamma, std)| gamma * std).collect();
            [rows.repeat(&factor), rows.repeat(shift)]
        }
        _ => [rows.repeat(saved.gamma), rows.repeat(saved.gamma)],
    };
    let gate = match saved.relu {
        None => Gate::Open,
        Some(Relu::Output(output)) => Gate::Output(Input::new(output)),
        Some(Relu::Normalized(_)) => Gate::Affine(&factor, &shift),
    };
    let gated = Gated { gradient, gate };
    let [beta, product] = reduce(set, channels, saved, gated, residual);
    let gamma: Vec<f64> = product
        .iter()
        .zip(saved.inverse_std)
        .map(|(sum, &std)| sum * f64::from(std))
        .collect();
    // The first pass has written the gated gradient, if anybody wants it.
    let gated = residual.map_or(gated, |residual| Gated {
        gradient: residual.into(),
        gate: Gate::Open,
    });
    match pooled([&gamma, &beta]) {
        None => propagate(set, channels, saved, gated, [&gamma, &beta], target),
        Some([gamma, beta]) => {
            propagate(set, channels, saved, gated, [&gamma, &beta], target);
        }
    }
    (
        gamma.iter().map(|&sum| sum as f32).collect(),
        beta.iter().map(|&sum| sum as f32).collect(),
    )
}

/// The gradient behind the ReLU, `dz`.
#[derive(Clone, Copy)]
struct Gated<'a> {
    gradient: Input<'a>,
    gate: Gate<'a>,
}

/// What lets a gradient through.
#[derive(Clone, Copy)]
enum Gate<'a> {
    Open,
    /// Where the output is positive.
    Output(Input<'a>),
    /// Where the centred input times these plus those is, rounded as the forward pass does.
    Affine(&'a [f32], &'a [f32]),
}

impl Gated<'_> {
    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.gradient.len());
        match self.gate {
            Gate::Open => (),
            Gate::Output(output) => assert!(end <= output.len()),
            Gate::Affine(factor, shift) => assert!(width <= factor.len().min(shift.len())),
        }
    }

    /// # Safety
    /// The instructions of `S`; the block is checked.
    #[inline(always)]
    unsafe fn read<S: Simd, const V: usize>(
        &self,
        block: Block,
        row: usize,
        centred: [S::Vector; V],
    ) -> [S::Vector; V] {
        // SAFETY: the contract.
        unsafe {
            let mut gradient = block.read::<S, V>(self.gradient, row);
            let output = match self.gate {
                Gate::Open => return gradient,
                Gate::Output(output) => block.read::<S, V>(output, row),
                Gate::Affine(factor, shift) => {
                    let factor = block.constants::<S, V>(factor);
                    let mut output = block.constants::<S, V>(shift);
                    for v in 0..V {
                        output[v] = S::mul_add(centred[v], factor[v], output[v]);
                    }
                    output
                }
            };
            for v in 0..V {
                gradient[v] = S::keep_where_positive(gradient[v], output[v]);
            }
            gradient
        }
    }
}

/// The input minus its mean.
///
/// # Safety
/// The instructions of `S`; the block is checked.
#[inline(always)]
unsafe fn centred<S: Simd, const V: usize>(
    block: Block,
    row: usize,
    input: Input,
    mean: [S::Vector; V],
) -> [S::Vector; V] {
    // SAFETY: the contract.
    unsafe {
        let mut input = block.read::<S, V>(input, row);
        for v in 0..V {
            input[v] = S::sub(input[v], mean[v]);
        }
        input
    }
}

/// `sum dz` and `sum dz * (x - mean)`; `dz` is written where asked.
fn reduce(
    set: InstructionSet,
    channels: usize,
    saved: Saved,
    gated: Gated,
    target: Option<Output>,
) -> [Vec<f64>; 2] {
    let rows = Rows::of(channels);
    let mean = rows.repeat(saved.mean);
    let parts = rows.map(saved.input.len(), |part| {
        let (input, mut sums) = (Input::new(saved.input), rows.sums());
        rows.sweep(
            set,
            part,
            Reduce {
                input,
                gated,
                mean: &mean,
                target,
                sums: &mut sums,
            },
        );
        sums.take()
    });
    let mut total = [vec![0.0; channels], vec![0.0; channels]];
    for part in parts {
        for (total, part) in total.iter_mut().flatten().zip(part.into_iter().flatten()) {
            *total += part;
        }
    }
    total
}

struct Reduce<'a> {
    input: Input<'a>,
    gated: Gated<'a>,
    mean: &'a [f32],
    target: Option<Output<'a>>,
    sums: &'a mut Sums<2>,
}

impl Pass for Reduce<'_> {
    const ROWS: usize = RUN;

    fn check(&self, end: usize, width: usize) {
        self.gated.check(end, width);
        assert!(end <= self.input.len() && self.target.is_none_or(|target| end <= target.len()));
        assert!(width <= self.mean.len().min(self.sums.width()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. Behind `count`, the gradient is zero.
        unsafe {
            let mean = block.constants::<S, V>(self.mean);
            let (mut sums, mut products) = ([S::splat(0.0); V], [S::splat(0.0); V]);
            for row in 0..block.rows {
                let centred = centred::<S, V>(block, row, self.input, mean);
                let gradient = self.gated.read::<S, V>(block, row, centred);
                if let Some(target) = self.target {
                    block.write::<S, V>(target, row, gradient);
                }
                for v in 0..V {
                    sums[v] = S::add(sums[v], gradient[v]);
                    products[v] = S::mul_add(gradient[v], centred[v], products[v]);
                }
            }
            self.sums.add::<S, V>(0, block, sums);
            self.sums.add::<S, V>(1, block, products);
        }
    }
}

/// `dx` from `dgamma` and `dbeta`, as `factor * dz - (x - mean) * slope - offset`.
fn propagate(
    set: InstructionSet,
    channels: usize,
    saved: Saved,
    gated: Gated,
    [gamma, beta]: [&[f64]; 2],
    target: Output,
) {
    let rows = Rows::of(channels);
    let positions = (saved.input.len() / channels) as f64;
    let (mut factor, mut slope, mut offset) = (vec![], vec![], vec![]);
    for channel in 0..channels {
        let inverse_std = f64::from(saved.inverse_std[channel]);
        let product = f64::from(saved.gamma[channel]) * inverse_std;
        factor.push(product as f32);
        slope.push((product * inverse_std * gamma[channel] / positions) as f32);
        offset.push((product * beta[channel] / positions) as f32);
    }
    let pass = Propagate {
        input: Input::new(saved.input),
        gated,
        mean: &rows.repeat(saved.mean),
        factor: &rows.repeat(&factor),
        slope: &rows.repeat(&slope),
        offset: &rows.repeat(&offset),
        target,
    };
    rows.for_each(saved.input.len(), |part| rows.sweep(set, part, pass));
}

#[derive(Clone, Copy)]
struct Propagate<'a> {
    input: Input<'a>,
    gated: Gated<'a>,
    mean: &'a [f32],
    factor: &'a [f32],
    slope: &'a [f32],
    offset: &'a [f32],
    target: Output<'a>,
}

impl Pass for Propagate<'_> {
    const ROWS: usize = 1;

    fn check(&self, end: usize, width: usize) {
        self.gated.check(end, width);
        assert!(end <= self.input.len().min(self.target.len()));
        assert!(
            width
                <= self
                    .mean
                    .len()
                    .min(self.factor.len())
                    .min(self.slope.len())
                    .min(self.offset.len())
        );
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. In place, a gradient is read before its index is written.
        unsafe {
            let mean = block.constants::<S, V>(self.mean);
            let factor = block.constants::<S, V>(self.factor);
            let slope = block.constants::<S, V>(self.slope);
            let offset = block.constants::<S, V>(self.offset);
            for row in 0..block.rows {
                let centred = centred::<S, V>(block, row, self.input, mean);
                let gradient = self.gated.read::<S, V>(block, row, centred);
                let mut values = gradient;
                for v in 0..V {
                    let drop = S::mul_add(centred[v], slope[v], offset[v]);
                    values[v] = S::sub(S::mul(gradient[v], factor[v]), drop);
                }
                block.write::<S, V>(self.target, row, values);
            }
        }
    }
}
