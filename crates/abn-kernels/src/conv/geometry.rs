//! The shapes of a convolution.

/// A two-dimensional convolution over values in the order batch, row, column, channel ("channels
/// last").
///
/// Pairs are vertical, then horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps of the kernel.
    pub stride: [usize; 2],
    /// Rows and columns of zeros before the input, on the top and on the left.
    pub padding_before: [usize; 2],
    /// Rows and columns of zeros behind the input, at the bottom and on the right.
    pub padding_after: [usize; 2],
    /// Distance of neighbouring kernel values in the input.
    pub dilation: [usize; 2],
    /// Channels of the input, of all groups.
    pub channels_in: usize,
    /// Channels of the output, of all groups.
    pub channels_out: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Convolution {
    /// Whether every output is made of one position of the input, and every position makes one.
    pub(crate) fn is_pointwise(&self) -> bool {
        let padding = [self.padding_before, self.padding_after];
        self.kernel == [1, 1] && self.stride == [1, 1] && self.groups == 1 && padding == [[0; 2]; 2]
    }

    /// Height and width of the output.
    ///
    /// # Panics
    /// The dilated kernel is larger than the padded input, or the numbers make no convolution.
    pub fn output(&self) -> [usize; 2] {
        assert!(
            self.groups > 0 && self.channels_in.is_multiple_of(self.groups),
            "{self:?}"
        );
        assert!(self.channels_out.is_multiple_of(self.groups), "{self:?}");
        [0, 1].map(|axis| {
            let span = self.span(axis);
            let padded = self.padding_before[axis] + self.input[axis] + self.padding_after[axis];
            assert!(
                self.stride[axis] > 0 && padded >= span,
                "the kernel does not fit: {self:?}"
            );
            (padded - span) / self.stride[axis] + 1
        })
    }

    /// Extent of the dilated kernel.
    pub(crate) fn span(&self, axis: usize) -> usize {
        assert!(self.kernel[axis] > 0 && self.dilation[axis] > 0, "{self:?}");
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Values of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.input[0] * self.input[1] * self.channels_in
    }

    /// Values of the output.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.batch * height * width * self.channels_out
    }

    /// Values of the weights, in the order output channel, input channel of the group, row, column.
    pub fn weight_len(&self) -> usize {
        self.channels_out * self.group_in() * self.kernel[0] * self.kernel[1]
    }

    pub(crate) fn group_in(&self) -> usize {
        self.channels_in / self.groups
    }

    pub(crate) fn group_out(&self) -> usize {
        self.channels_out / self.groups
    }
}
