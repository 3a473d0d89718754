//! Maxima of windows.

use crate::buffer::{Input, Output, bits, bits_mut};
use crate::simd::{InstructionSet, Simd};

use super::Windows;
use super::walk::{Place, Visit, walk};

/// The greatest value of every window, and in `indices`, where asked, its position `row * width +
/// column` in the image: the first of several. Padding never wins, NaN always does.
///
/// # Panics
/// A length does not fit the windows.
pub fn maximum(
    set: InstructionSet,
    windows: &Windows,
    input: &[f32],
    output: &mut [f32],
    indices: Option<&mut [i32]>,
) {
    let size = windows.output();
    assert_eq!(input.len(), windows.input_len(), "input of {windows:?}");
    assert_eq!(output.len(), windows.output_len(), "output of {windows:?}");
    assert!(
        indices
            .as_ref()
            .is_none_or(|indices| indices.len() == output.len()),
        "indices of {windows:?}"
    );
    assert!(
        i32::try_from(windows.input[0] * windows.input[1]).is_ok(),
        "positions of {windows:?}"
    );
    let (input, output) = (Input::new(input), Output::new(output));
    let indices = indices.map(|indices| Output::new(bits_mut(indices)));
    let visitor = Maximum {
        windows: *windows,
        size,
        input,
        output,
        indices,
    };
    // SAFETY: the lengths are those of the windows.
    unsafe { walk(set, windows.batch, size, windows.channels, &visitor) }
}

struct Maximum<'a> {
    windows: Windows,
    size: [usize; 2],
    input: Input<'a>,
    output: Output<'a>,
    indices: Option<Output<'a>>,
}

impl Visit for Maximum<'_> {
    #[inline(always)]
    unsafe fn visit<S: Simd, const V: usize>(&self, place: Place) {
        let [height, width] = self.windows.input;
        let channels = self.windows.channels;
        let (rows, columns) = (
            self.windows.inputs(0, place.row),
            self.windows.inputs(1, place.column),
        );
        // SAFETY: windows lie in the image, and the place in the output.
        unsafe {
            let first = rows.start * width + columns.start;
            let index = S::splat(f32::from_bits(first as u32));
            let mut best = [[index; 2]; V];
            let values = place.load::<S, V>(
                self.input.pointer(),
                place.image * height * width + first,
                channels,
            );
            for v in 0..V {
                best[v][0] = values[v];
            }
            for row in rows {
                for column in columns.clone() {
                    let at = row * width + column;
                    let index = S::splat(f32::from_bits(at as u32));
                    let position = place.image * height * width + at;
                    let values = place.load::<S, V>(self.input.pointer(), position, channels);
                    for v in 0..V {
                        best[v] = S::take_greater(best[v], values[v], index);
                    }
                }
            }
            let position = (place.image * self.size[0] + place.row) * self.size[1] + place.column;
            let (mut values, mut indices) = ([index; V], [index; V]);
            for v in 0..V {
                [values[v], indices[v]] = best[v];
            }
            place.store::<S, V>(self.output.pointer(), position, channels, values);
            if let Some(output) = self.indices {
                place.store::<S, V>(output.pointer(), position, channels, indices);
            }
        }
    }
}

/// The gradient of the input from that of the output, given the indices of [`maximum`].
///
/// # Panics
/// A length does not fit the windows.
pub fn maximum_backward(
    set: InstructionSet,
    windows: &Windows,
    gradient: &[f32],
    indices: &[i32],
    input_gradient: &mut [f32],
) {
    let size = windows.output();
    assert_eq!(
        gradient.len(),
        windows.output_len(),
        "gradient of {windows:?}"
    );
    assert_eq!(
        indices.len(),
        windows.output_len(),
        "indices of {windows:?}"
    );
    assert_eq!(
        input_gradient.len(),
        windows.input_len(),
        "gradient of {windows:?}"
    );
    let (gradient, indices) = (Input::new(gradient), Input::new(bits(indices)));
    let visitor = Return {
        windows: *windows,
        size,
        gradient,
        indices,
        output: Output::new(input_gradient),
    };
    // SAFETY: the lengths are those of the windows.
    unsafe {
        walk(
            set,
            windows.batch,
            windows.input,
            windows.channels,
            &visitor,
        )
    }
}

/// Every input asks the windows that it lies in, so that no two threads write to the same.
struct Return<'a> {
    windows: Windows,
    size: [usize; 2],
    gradient: Input<'a>,
    indices: Input<'a>,
    output: Output<'a>,
}

impl Visit for Return<'_> {
    #[inline(always)]
    unsafe fn visit<S: Simd, const V: usize>(&self, place: Place) {
        let [height, width] = self.windows.input;
        let channels = self.windows.channels;
        let rows = self.windows.windows(0, place.row, self.size[0]);
        let columns = self.windows.windows(1, place.column, self.size[1]);
        let at = place.row * width + place.column;
        // SAFETY: windows lie in the output, and the place in the image.
        unsafe {
            let own = S::splat(f32::from_bits(at as u32));
            let mut sums = [S::splat(0.0); V];
            for row in rows {
                for column in columns.clone() {
                    let window = (place.image * self.size[0] + row) * self.size[1] + column;
                    let gradient = place.load::<S, V>(self.gradient.pointer(), window, channels);
                    let indices = place.load::<S, V>(self.indices.pointer(), window, channels);
                    for v in 0..V {
                        sums[v] = S::add(sums[v], S::keep_where_same(gradient[v], indices[v], own));
                    }
                }
            }
            place.store::<S, V>(
                self.output.pointer(),
                place.image * height * width + at,
                channels,
                sums,
            );
        }
    }
}
