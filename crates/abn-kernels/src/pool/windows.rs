//! Where windows lie.

use std::ops::Range;

/// The windows of a pooling. An axis has `(input + 2 padding - kernel) / stride + 1` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Images.
    pub batch: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of an image.
    pub input: [usize; 2],
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Step from window to window.
    pub stride: [usize; 2],
    /// Border around an image, at most half a window.
    pub padding: [usize; 2],
}

impl Windows {
    /// Height and width of the output.
    ///
    /// # Panics
    /// A window has no size or no stride, is larger than the padded image or may lie in the padding
    /// alone.
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let padded = self.input[axis] + 2 * self.padding[axis];
            assert!(
                self.kernel[axis] > 0 && self.stride[axis] > 0 && padded >= self.kernel[axis],
                "{self:?}"
            );
            assert!(
                2 * self.padding[axis] <= self.kernel[axis] && self.input[axis] > 0,
                "{self:?}"
            );
            (padded - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    /// Values of `[batch, height, width, channels]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.input[0] * self.input[1] * self.channels
    }

    /// Values of `[batch, height, width, channels]` behind the pooling.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.batch * height * width * self.channels
    }

    /// What a window has of the image, which is never nothing.
    #[inline(always)]
    pub(super) fn inputs(&self, axis: usize, window: usize) -> Range<usize> {
        let start = window * self.stride[axis];
        let end = (start + self.kernel[axis] - self.padding[axis]).min(self.input[axis]);
        start.saturating_sub(self.padding[axis])..end
    }

    /// The windows that a row or column of the image lies in, of `count`.
    #[inline(always)]
    pub(super) fn windows(&self, axis: usize, at: usize, count: usize) -> Range<usize> {
        let at = at + self.padding[axis];
        let start = (at + 1)
            .saturating_sub(self.kernel[axis])
            .div_ceil(self.stride[axis]);
        start..(at / self.stride[axis] + 1).min(count)
    }
}
