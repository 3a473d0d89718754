//! Between the two orders of images: planes, `[batch, channels, positions]`, and channels last,
//! `[batch, positions, channels]`.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Input, Output};
use crate::simd::{InstructionSet, Kernel, Simd, fetch};

/// `input` `[batch, channels, positions]` as `output` `[batch, positions, channels]`.
///
/// # Panics
/// Lengths differ, or the values are no whole images.
pub fn to_channels_last(
    set: InstructionSet,
    channels: usize,
    positions: usize,
    input: &[f32],
    output: &mut [f32],
) {
    // Some columns of every plane: a part reads and writes as much as the second-level cache holds.
    transpose(set, [channels, positions], Cut::Columns, input, output);
}

/// `input` `[batch, positions, channels]` as `output` `[batch, channels, positions]`.
///
/// # Panics
/// Lengths differ, or the values are no whole images.
pub fn to_channels_first(
    set: InstructionSet,
    channels: usize,
    positions: usize,
    input: &[f32],
    output: &mut [f32],
) {
    transpose(set, [positions, channels], Cut::Rows, input, output);
}

/// Positions that a thread copies at once.
const TOGETHER: usize = 256;

/// `first` `[positions, a]` beside `second` `[positions, b]` as `output` `[positions, a + b]`.
///
/// # Panics
/// Lengths do not fit the channels `[a, b]`.
pub fn join_channels([a, b]: [usize; 2], [first, second]: [&[f32]; 2], output: &mut [f32]) {
    let positions = positions([a, b], [first.len(), second.len()], output.len());
    if positions == 0 {
        return;
    }
    output
        .par_chunks_mut(TOGETHER * (a + b))
        .zip(first.par_chunks(TOGETHER * a))
        .zip(second.par_chunks(TOGETHER * b))
        .for_each(|((output, first), second)| {
            let rows = output.chunks_exact_mut(a + b);
            for ((to, first), second) in rows.zip(first.chunks_exact(a)).zip(second.chunks_exact(b))
            {
                let (of_first, of_second) = to.split_at_mut(a);
                of_first.copy_from_slice(first);
                of_second.copy_from_slice(second);
            }
        });
}

/// The reverse of [`join_channels`].
///
/// # Panics
/// Lengths do not fit the channels `[a, b]`.
pub fn split_channels([a, b]: [usize; 2], input: &[f32], [first, second]: [&mut [f32]; 2]) {
    let positions = positions([a, b], [first.len(), second.len()], input.len());
    if positions == 0 {
        return;
    }
    input
        .par_chunks(TOGETHER * (a + b))
        .zip(first.par_chunks_mut(TOGETHER * a))
        .zip(second.par_chunks_mut(TOGETHER * b))
        .for_each(|((input, first), second)| {
            let rows = input.chunks_exact(a + b);
            let parts = first.chunks_exact_mut(a).zip(second.chunks_exact_mut(b));
            for (from, (first, second)) in rows.zip(parts) {
                let (of_first, of_second) = from.split_at(a);
                first.copy_from_slice(of_first);
                second.copy_from_slice(of_second);
            }
        });
}

/// Writes `part` `[positions, channels]` into `wide` `[positions, width]`, from channel `at` on.
///
/// # Panics
/// Lengths do not fit `[channels, width]`, or the channels end behind the width.
pub fn put_channels([channels, width]: [usize; 2], part: &[f32], at: usize, wide: &mut [f32]) {
    assert!(channels > 0 && at + channels <= width, "room for channels");
    assert!(
        part.len().is_multiple_of(channels) && wide.len() == part.len() / channels * width,
        "values of the same positions"
    );
    wide.par_chunks_mut(TOGETHER * width)
        .zip(part.par_chunks(TOGETHER * channels))
        .for_each(|(wide, part)| {
            let rows = wide.chunks_exact_mut(width);
            for (to, from) in rows.zip(part.chunks_exact(channels)) {
                to[at..][..channels].copy_from_slice(from);
            }
        });
}

fn positions([a, b]: [usize; 2], [first, second]: [usize; 2], both: usize) -> usize {
    assert!(a > 0 && b > 0, "channels to join");
    let positions = first / a;
    assert!(
        first == positions * a && second == positions * b && both == positions * (a + b),
        "values of {positions} positions with {a} and {b} channels"
    );
    positions
}

/// Which side of a matrix is cut into parts: the one of the positions.
#[derive(Clone, Copy)]
enum Cut {
    Rows,
    Columns,
}

/// Values of a part.
const PART: usize = 32 * 1024;

/// Side of a tile: whole cache lines are read and written.
const TILE: usize = 16;

fn transpose(
    set: InstructionSet,
    [rows, columns]: [usize; 2],
    cut: Cut,
    input: &[f32],
    output: &mut [f32],
) {
    let matrix = rows * columns;
    assert!(
        matrix > 0 && input.len().is_multiple_of(matrix),
        "whole images"
    );
    assert_eq!(output.len(), input.len(), "output of a transposition");
    let (input, output) = (Input::new(input), Output::new(output));
    let (side, other) = match cut {
        Cut::Rows => (rows, columns),
        Cut::Columns => (columns, rows),
    };
    let step = (PART / other)
        .max(4 * TILE)
        .next_multiple_of(TILE)
        .min(side);
    let parts = side.div_ceil(step);
    (0..input.len() / matrix * parts)
        .into_par_iter()
        .for_each(|index| {
            let part = index % parts * step..(index % parts * step + step).min(side);
            let (image, size) = (index / parts * matrix, [rows, columns]);
            let (rows, columns) = match cut {
                Cut::Rows => (part, 0..columns),
                Cut::Columns => (0..rows, part),
            };
            set.run(Transpose {
                image,
                size,
                rows,
                columns,
                input,
                output,
            });
        });
}

/// A part of a matrix, `[rows, columns]`, to be written as `[columns, rows]`.
struct Transpose<'a> {
    /// First value of the matrix.
    image: usize,
    size: [usize; 2],
    rows: Range<usize>,
    columns: Range<usize>,
    input: Input<'a>,
    output: Output<'a>,
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let [height, width] = self.size;
        assert!(self.rows.end <= height && self.columns.end <= width);
        assert!(self.image + height * width <= self.input.len().min(self.output.len()));
        // SAFETY: inside the matrix, as asserted; nobody else writes this part of it.
        unsafe {
            let (from, to) = (
                self.input.pointer().add(self.image),
                self.output.pointer().add(self.image),
            );
            for row in self.rows.clone().step_by(TILE) {
                let rows = row..(row + TILE).min(self.rows.end);
                for column in self.columns.clone().step_by(TILE) {
                    let columns = column..(column + TILE).min(self.columns.end);
                    tile::<S>(from, to, self.size, rows.clone(), columns);
                }
            }
        }
    }
}

/// # Safety
/// The instructions of `S`; the addresses are valid for matrices of that size, in which the tile
/// lies.
#[inline(always)]
unsafe fn tile<S: Simd>(
    from: *const f32,
    to: *mut f32,
    [height, width]: [usize; 2],
    rows: Range<usize>,
    columns: Range<usize>,
) {
    // SAFETY: the contract.
    unsafe {
        if rows.len() == TILE && columns.len() == TILE {
            // What the tiles of the next rows need.
            for column in columns.clone() {
                fetch(to.wrapping_add(column * height + rows.start + TILE));
            }
            for row in rows.clone() {
                fetch(from.wrapping_add((row + TILE) * width + columns.start));
            }
            // A line of the output at once: planes are often 4 KiB apart, where the cache holds few
            // lines.
            for column in [columns.start, columns.start + 8] {
                for row in [rows.start, rows.start + 8] {
                    S::transpose(
                        from.add(row * width + column),
                        width,
                        to.add(column * height + row),
                        height,
                    );
                }
            }
            return;
        }
        for column in columns {
            for row in rows.clone() {
                to.add(column * height + row)
                    .write(from.add(row * width + column).read());
            }
        }
    }
}
