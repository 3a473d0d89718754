//! Mean and variance of every channel.

use std::ops::Range;

use crate::buffer::{Input, Line};
use crate::simd::{InstructionSet, Simd};
use crate::sweep::{Pass, Place, Rows};

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
/// Every part is centred on the mean of its first rows before it is squared, so a mean that is large beside the
/// deviation costs no digits. The result depends on neither the threads nor their number.
///
/// # Panics
/// `input` does not hold whole positions, or none.
pub fn statistics(set: InstructionSet, channels: usize, input: &[f32]) -> Statistics {
    assert!(channels > 0 && !input.is_empty() && input.len().is_multiple_of(channels), "whole positions");
    let rows = Rows::of(channels);
    let parts = rows.map(input.len(), |part| Moments::of(set, rows, channels, input, part));
    let moments = parts.into_iter().reduce(Moments::join).expect("there are values");
    Statistics {
        mean: moments.mean.iter().map(|&mean| mean as f32).collect(),
        variance: moments.squares.iter().map(|squares| (squares / moments.count) as f32).collect(),
    }
}

/// Count, means and sums of squared deviations from them.
struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn of(set: InstructionSet, rows: Rows, channels: usize, input: &[f32], part: Range<usize>) -> Self {
        let count = (part.len() / channels) as f64;
        let head = rows.head(part.len(), SHARE);
        let (first, _) = sums(set, rows, input, part.start..part.start + head, &vec![0.0; channels]);
        let pivot: Vec<f32> = first.iter().map(|sum| (sum / (head / channels) as f64) as f32).collect();
        let (mut mean, mut squares) = sums(set, rows, input, part, &pivot);
        for ((mean, squares), &pivot) in mean.iter_mut().zip(&mut squares).zip(&pivot) {
            let shift = *mean / count;
            *squares -= *mean * shift;
            if *squares < 0.0 {
                *squares = 0.0; // by rounding
            }
            *mean = f64::from(pivot) + shift;
        }
        Self { count, mean, squares }
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

/// Sums of `x - pivot` and of its square for each channel.
fn sums(
    set: InstructionSet,
    rows: Rows,
    input: &[f32],
    range: Range<usize>,
    pivot: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let (mut sums, mut squares) = (rows.sums(), rows.sums());
    let pass = Sums {
        input: Input::new(input),
        pivot: &rows.repeat(pivot),
        sums: Line::doubles_mut(&mut sums),
        squares: Line::doubles_mut(&mut squares),
    };
    rows.sweep::<8, _>(set, range, pass);
    (rows.fold(&sums), rows.fold(&squares))
}

struct Sums<'a> {
    input: Input<'a>,
    pivot: &'a [f32],
    sums: &'a mut [f64],
    squares: &'a mut [f64],
}

impl Pass for Sums<'_> {
    fn check(&self, end: usize, width: usize) {
        assert!(end <= self.input.len() && width <= self.pivot.len());
        assert!(Rows::room(width) <= self.sums.len().min(self.squares.len()));
    }

    #[inline(always)]
    unsafe fn step<S: Simd, const R: usize>(&mut self, place: Place) {
        let Place { at, width, column, count } = place;
        // SAFETY: the place is checked. Behind `count`, input and pivot are both zero.
        unsafe {
            let input = self.input.pointer().add(at);
            let pivot = S::load_up_to(self.pivot.as_ptr().add(column), count);
            let (mut sum, mut squares) = (S::splat(0.0), S::splat(0.0));
            for row in 0..R {
                let centred = S::sub(S::load_up_to(input.add(row * width), count), pivot);
                sum = S::add(sum, centred);
                squares = S::mul_add(centred, centred, squares);
            }
            S::add_to(self.sums.as_mut_ptr().add(column), sum);
            S::add_to(self.squares.as_mut_ptr().add(column), squares);
        }
    }
}
