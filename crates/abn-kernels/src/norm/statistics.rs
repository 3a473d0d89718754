//! Mean and variance of every channel.

use std::ops::Range;

use crate::buffer::Input;
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Block, Pass, RUN, Rows, Sums};

/// Mean and biased variance, `[channels]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `sum x / n`.
    pub mean: Vec<f32>,
    /// `sum (x - mean)^2 / n`.
    pub variance: Vec<f32>,
}

/// One in so many values of a part is read once more, for a first guess of the mean.
const SHARE: usize = 16;

/// Mean and variance over the positions of `input` (`[positions, channels]`), in one pass.
///
/// Every part is centred on the mean of its first rows before it is squared, so a mean that is
/// large beside the deviation costs no digits. The result depends on neither the threads nor their
/// number.
///
/// # Panics
/// `input` does not hold whole positions, or none.
pub fn statistics(set: InstructionSet, channels: usize, input: &[f32]) -> Statistics {
    assert!(
        channels > 0 && !input.is_empty() && input.len().is_multiple_of(channels),
        "whole positions"
    );
    let rows = Rows::of(channels);
    let parts = rows.map(input.len(), |part| {
        Moments::of(set, rows, channels, input, part)
    });
    let moments = parts
        .into_iter()
        .reduce(Moments::join)
        .expect("there are values");
    Statistics {
        mean: moments.mean.iter().map(|&mean| mean as f32).collect(),
        variance: moments
            .squares
            .iter()
            .map(|squares| (squares / moments.count) as f32)
            .collect(),
    }
}

/// Count, means and sums of squared deviations from them.
struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn of(
        set: InstructionSet,
        rows: Rows,
        channels: usize,
        input: &[f32],
        part: Range<usize>,
    ) -> Self {
        let count = (part.len() / channels) as f64;
        let head = rows.head(part.len(), SHARE);
        let mut sums = rows.sums();
        let mut add = |range: Range<usize>, pivot: &[f32]| {
            let pass = Centred {
                input: Input::new(input),
                pivot: &rows.repeat(pivot),
                sums: &mut sums,
            };
            rows.sweep(set, range, pass);
            sums.take()
        };
        let [first, _] = add(part.start..part.start + head, &vec![0.0; channels]);
        let pivot: Vec<f32> = first
            .iter()
            .map(|sum| (sum / (head / channels) as f64) as f32)
            .collect();
        let [mut mean, mut squares] = add(part, &pivot);
        for ((mean, squares), &pivot) in mean.iter_mut().zip(&mut squares).zip(&pivot) {
            let shift = *mean / count;
            *squares -= *mean * shift;
            if *squares < 0.0 {
                *squares = 0.0; // by rounding
            }
            *mean = f64::from(pivot) + shift;
        }
        Self {
            count,
            mean,
            squares,
        }
    }

    /// Chan's formula.
    fn join(mut self, other: Self) -> Self {
        let count = self.count + other.count;
        for (at, (mean, squares)) in self.mean.iter_mut().zip(&mut self.squares).enumerate() {
            let step = other.mean[at] - *mean;
            *mean += step * (other.count / count);
            *squares += other.squares[at] + step * step * (self.count * other.count / count);
        }
        Self { count, ..self }
    }
}

/// Sums of `x - pivot` and of its square.
struct Centred<'a> {
    input: Input<'a>,
    pivot: &'a [f32],
    sums: &'a mut Sums<2>,
}

impl Pass for Centred<'_> {
    const ROWS: usize = RUN;

    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len() && width <= self.pivot.len().min(self.sums.width()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const V: usize>(&mut self, block: Block) {
        // SAFETY: the block is checked. Behind `count`, input and pivot are both zero.
        unsafe {
            let pivot = block.constants::<S, V>(self.pivot);
            let (mut sums, mut squares) = ([S::splat(0.0); V], [S::splat(0.0); V]);
            for row in 0..block.rows {
                let input = block.read::<S, V>(self.input, row);
                for v in 0..V {
                    let centred = S::sub(input[v], pivot[v]);
                    sums[v] = S::add(sums[v], centred);
                    squares[v] = S::mul_add(centred, centred, squares[v]);
                }
            }
            self.sums.add::<S, V>(0, block, sums);
            self.sums.add::<S, V>(1, block, squares);
        }
    }
}
