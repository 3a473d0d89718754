//! Convolutions with known normalisations, alone and one after the other.

use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

#[cfg(feature = "flex")]
use super::flex;
use super::{After, Kept, RunningNorm, batch_norm, conv2d};

/// How a convolution and the normalisation behind it are rounded where they are one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Bias, mean and shift become one number for each channel: the fewest operations.
    Folded,
    /// As one pass after the other: the same bits.
    Apart,
}

/// A convolution and the normalisation by known statistics behind it.
#[derive(Debug)]
pub struct NormedConv<'a> {
    /// `[O, C / groups, kh, kw]`.
    pub weight: Tensor<4>,
    /// `[O]`.
    pub bias: Option<Tensor<1>>,
    /// Strides, padding, dilation, groups.
    pub options: ConvOptions<2>,
    /// Of the `O` channels.
    pub norm: RunningNorm,
    /// The place beside the weights.
    pub kept: &'a Kept,
}

impl NormedConv<'_> {
    /// Both and what follows them: on a CPU without gradients, one pass, or two where a bias is to
    /// be rounded apart.
    ///
    /// # Shapes
    /// Those of [`conv2d`].
    pub fn forward(self, input: Tensor<4>, rounding: Rounding, after: After) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if flex::serves(&input)
            && !input.is_autodiff()
            && (rounding == Rounding::Folded || self.bias.is_none())
        {
            return flex::path::forward(self, input, rounding, after);
        }
        #[cfg(not(feature = "flex"))]
        let _ = rounding;
        let output = conv2d(input, self.weight, self.bias, self.options, self.kept);
        batch_norm(output, self.norm, after)
    }
}

/// A path of convolutions: a ReLU between them, `after` behind the last; each is
/// [folded](Rounding::Folded).
///
/// On a CPU without gradients some images at a time go all the way, so that the features between
/// the convolutions take little memory, however large the batch. No value depends on how many.
///
/// # Shapes
/// Those of the convolutions, one after the other.
///
/// # Panics
/// There is no convolution.
pub fn path(input: Tensor<4>, mut convs: Vec<NormedConv>, after: After) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) && !input.is_autodiff() {
        return flex::path::path(input, convs, after);
    }
    let last = convs.pop().expect("a path has convolutions");
    let features = convs.into_iter().fold(input, |features, conv| {
        conv.forward(features, Rounding::Folded, After::relu())
    });
    last.forward(features, Rounding::Folded, after)
}
