//! Convolutions as the networks of the papers use them, with and without a batch norm behind them.

use abn_kernels::ops::{self, After, Growing, Kept, NormedConv, Rounding, RunningNorm, conv2d};
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use crate::norm::BatchNorm;
use crate::precision::{convolution, is_single};

/// A square convolution as data: "same" padding for odd sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub side: usize,
    /// Steps of the kernel.
    pub stride: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl ConvShape {
    /// Stride 1, one group.
    pub fn new(inputs: usize, outputs: usize, side: usize) -> Self {
        Self {
            inputs,
            outputs,
            side,
            stride: 1,
            groups: 1,
        }
    }

    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// The convolution without bias.
    pub(crate) fn init(self, device: &Device) -> Conv2d {
        let shape = [
            self.outputs,
            self.inputs / self.groups,
            self.side,
            self.side,
        ];
        let weight = he_fan_out(self.outputs, self.side).init(shape, device);
        Conv2d {
            weight,
            bias: None,
            shape: self,
            kept: Kept::default(),
        }
    }

    /// The convolution with a bias that starts at 0.
    pub(crate) fn init_biased(self, device: &Device) -> Conv2d {
        Conv2d {
            bias: Some(Initializer::Zeros.init([self.outputs], device)),
            ..self.init(device)
        }
    }

    /// The same, whose weights are drawn otherwise.
    pub(crate) fn init_drawn(self, weights: Initializer, device: &Device) -> Conv2d {
        let biased = self.init_biased(device);
        Conv2d {
            weight: weights.init(biased.weight.lazy_shape(), device),
            ..biased
        }
    }

    fn options(self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.side / 2; 2], [1; 2], self.groups)
    }
}

/// A convolution by the kernels of this workspace.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs / groups, side, side]`.
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    shape: ConvShape,
    #[module(skip)]
    kept: Kept,
}

impl Conv2d {
    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        let options = self.shape.options();
        convolution(input, self.weight.val(), bias, options, &self.kept)
    }

    /// The 1x1 convolution between two batch norms, each with a ReLU behind it.
    ///
    /// # Shapes
    /// The channels so far to `[B, outputs, H, W]`.
    pub(crate) fn bottleneck(
        &self,
        input: &Growing,
        before: &BatchNorm,
        behind: &BatchNorm,
    ) -> Tensor<4> {
        let weight = self.weight.val();
        input.bottleneck(before.known(), weight, behind.known(), &self.kept)
    }
}

/// He initialisation by fan-out as the reference and PyTorch write it: N(0, sqrt(2 / (side² x
/// outputs))).
///
/// Burn's `KaimingNormal` divides the outputs by the groups, they do not, hence the explicit
/// deviation.
fn he_fan_out(outputs: usize, side: usize) -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: (2.0 / (side * side * outputs) as f64).sqrt(),
    }
}

/// Convolution, then batch norm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: Conv2d,
    /// Its batch norm.
    pub norm: BatchNorm,
}

impl ConvNorm {
    /// A fresh pair; the convolution has no bias.
    pub(crate) fn new(shape: ConvShape, device: &Device) -> Self {
        Self {
            conv: shape.init(device),
            norm: BatchNorm::new(shape.outputs, device),
        }
    }

    /// A fresh pair whose convolution has a bias, as VGG's.
    pub(crate) fn biased(shape: ConvShape, device: &Device) -> Self {
        Self {
            conv: shape.init_biased(device),
            norm: BatchNorm::new(shape.outputs, device),
        }
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward_then(input, After::default())
    }

    /// The pair and what follows it.
    ///
    /// # Shapes
    /// Those of [`forward`](Self::forward).
    pub fn forward_then(&self, input: Tensor<4>, after: After) -> Tensor<4> {
        conv_norm(&self.conv, &self.norm, input, after)
    }
}

/// A convolution, its batch norm and what follows them.
///
/// # Shapes
/// Those of [`ConvNorm::forward`].
pub(crate) fn conv_norm(
    conv: &Conv2d,
    norm: &BatchNorm,
    input: Tensor<4>,
    after: After,
) -> Tensor<4> {
    if norm.uses_batch(&input) {
        return norm.forward_then(conv.forward(input), after);
    }
    if input.is_autodiff() && conv.weight.val().is_require_grad() {
        let bias = conv.bias.as_ref().map(Param::val);
        let (weight, bias) = folded(conv.weight.val(), bias, norm.known());
        let options = conv.shape.options();
        let output = conv2d(input, weight, Some(bias), options, &Kept::default());
        return after.apply(output);
    }
    normed(conv, norm).forward(input, Rounding::Folded, after)
}

/// The same, rounded as one pass after the other.
///
/// # Shapes
/// Those of [`ConvNorm::forward`].
pub(crate) fn conv_then_norm(
    conv: &Conv2d,
    norm: &BatchNorm,
    input: Tensor<4>,
    after: After,
) -> Tensor<4> {
    if input.is_autodiff() || !is_single() {
        return norm.forward_then(conv.forward(input), after);
    }
    normed(conv, norm).forward(input, Rounding::Apart, after)
}

/// Pairs one after the other, a ReLU between them, and what follows the last.
///
/// # Shapes
/// Those of [`ConvNorm::forward`], one after the other.
///
/// # Panics
/// There is no pair.
pub(crate) fn path(pairs: &[ConvNorm], input: Tensor<4>, after: After) -> Tensor<4> {
    if !input.is_autodiff() {
        let convs = pairs.iter().map(|pair| normed(&pair.conv, &pair.norm));
        return ops::path(input, convs.collect(), after);
    }
    let (last, before) = pairs.split_last().expect("a path has convolutions");
    let features = before.iter().fold(input, |features, pair| {
        pair.forward_then(features, After::relu())
    });
    last.forward_then(features, after)
}

/// A convolution and its batch norm by the running statistics.
fn normed<'a>(conv: &'a Conv2d, norm: &BatchNorm) -> NormedConv<'a> {
    NormedConv {
        weight: conv.weight.val(),
        bias: conv.bias.as_ref().map(Param::val),
        options: conv.shape.options(),
        norm: norm.known(),
        kept: &conv.kept,
    }
}

/// The convolution that is a convolution and a normalisation by known statistics: the weights can
/// still learn, and no values between the two are kept for them.
///
/// ```text
/// gamma (w * x + b - mean) / sqrt(variance + epsilon) + beta = (f w) * x + (f (b - mean) + beta)
/// ```
fn folded(
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    known: RunningNorm,
) -> (Tensor<4>, Tensor<1>) {
    let factor = known.gamma / (known.variance + known.epsilon).sqrt();
    let [outputs, ..] = weight.dims();
    let centred = match bias {
        Some(bias) => bias - known.mean,
        None => -known.mean,
    };
    let weight = weight * factor.clone().reshape([outputs, 1, 1, 1]);
    (weight, factor * centred + known.beta)
}
