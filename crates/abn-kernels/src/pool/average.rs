//! Averages of windows.

use crate::buffer::{Input, Output};
use crate::simd::{InstructionSet, Simd};

use super::Windows;
use super::walk::{Place, Visit, walk};

/// The mean of every window. Padding counts as zeros if `count_padding`, else not at all.
///
/// # Panics
/// A length does not fit the windows.
pub fn average(
    set: InstructionSet,
    windows: &Windows,
    count_padding: bool,
    input: &[f32],
    output: &mut [f32],
) {
    let size = windows.output();
    assert_eq!(input.len(), windows.input_len(), "input of {windows:?}");
    assert_eq!(output.len(), windows.output_len(), "output of {windows:?}");
    let (input, output) = (Input::new(input), Output::new(output));
    let visitor = Average {
        windows: *windows,
        size,
        count_padding,
        input,
        output,
    };
    // SAFETY: the lengths are those of the windows.
    unsafe { walk(set, windows.batch, size, windows.channels, &visitor) }
}

/// The gradient of the input from that of the output.
///
/// # Panics
/// A length does not fit the windows.
pub fn average_backward(
    set: InstructionSet,
    windows: &Windows,
    count_padding: bool,
    gradient: &[f32],
    input_gradient: &mut [f32],
) {
    let size = windows.output();
    assert_eq!(
        gradient.len(),
        windows.output_len(),
        "gradient of {windows:?}"
    );
    assert_eq!(
        input_gradient.len(),
        windows.input_len(),
        "gradient of {windows:?}"
    );
    let (input, output) = (Input::new(gradient), Output::new(input_gradient));
    let visitor = Spread(Average {
        windows: *windows,
        size,
        count_padding,
        input,
        output,
    });
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

struct Average<'a> {
    windows: Windows,
    size: [usize; 2],
    count_padding: bool,
    input: Input<'a>,
    output: Output<'a>,
}

impl Average<'_> {
    /// What a value of a window counts.
    #[inline(always)]
    fn share(&self, row: usize, column: usize) -> f32 {
        let [height, width] = self.windows.kernel;
        let count = if self.count_padding {
            height * width
        } else {
            self.windows.inputs(0, row).len() * self.windows.inputs(1, column).len()
        };
        1.0 / count as f32
    }
}

impl Visit for Average<'_> {
    #[inline(always)]
    unsafe fn visit<S: Simd, const V: usize>(&self, place: Place) {
        let [height, width] = self.windows.input;
        let channels = self.windows.channels;
        // SAFETY: windows lie in the image, and the place in the output.
        unsafe {
            let mut sums = [S::splat(0.0); V];
            for row in self.windows.inputs(0, place.row) {
                for column in self.windows.inputs(1, place.column) {
                    let position = (place.image * height + row) * width + column;
                    let values = place.load::<S, V>(self.input.pointer(), position, channels);
                    for v in 0..V {
                        sums[v] = S::add(sums[v], values[v]);
                    }
                }
            }
            let share = S::splat(self.share(place.row, place.column));
            for sum in &mut sums {
                *sum = S::mul(*sum, share);
            }
            let position = (place.image * self.size[0] + place.row) * self.size[1] + place.column;
            place.store::<S, V>(self.output.pointer(), position, channels, sums);
        }
    }
}

/// Every input asks the windows that it lies in.
struct Spread<'a>(Average<'a>);

impl Visit for Spread<'_> {
    #[inline(always)]
    unsafe fn visit<S: Simd, const V: usize>(&self, place: Place) {
        let Average {
            windows,
            size,
            input,
            output,
            ..
        } = &self.0;
        let [height, width] = windows.input;
        // SAFETY: windows lie in the output, and the place in the image.
        unsafe {
            let mut sums = [S::splat(0.0); V];
            for row in windows.windows(0, place.row, size[0]) {
                for column in windows.windows(1, place.column, size[1]) {
                    let window = (place.image * size[0] + row) * size[1] + column;
                    let share = S::splat(self.0.share(row, column));
                    let values = place.load::<S, V>(input.pointer(), window, windows.channels);
                    for v in 0..V {
                        sums[v] = S::mul_add(values[v], share, sums[v]);
                    }
                }
            }
            let position = (place.image * height + place.row) * width + place.column;
            place.store::<S, V>(output.pointer(), position, windows.channels, sums);
        }
    }
}
