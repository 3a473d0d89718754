//! In which numbers the convolutions of a network compute while it learns.
//!
//! Parameters, batch norms, losses, maps and the optimiser stay in 32 bits. What goes into a
//! convolution and what comes out are rounded to eight bits of mantissa in bfloat16 and to eleven in
//! half precision, forwards and backwards, as PyTorch's `autocast` has it, which rounds batch norms as
//! well:
//!
//! ```text
//! y = r(conv(r(x), r(W)))        dx = r(conv'(r(dy), r(W)))        dW = r(conv''(r(dy), r(x)))
//! ```
//!
//! Devices that have such numbers multiply them and sum in 32 bits. The kernels of a CPU get rounded
//! values of 32 bits, of which every product is exact: the same numerics, and not faster.

use std::cell::Cell;

use abn_kernels::ops::{Kept, conv2d, serves};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{FloatDType, Tensor};

use crate::loss_scale::LossScale;

/// The numbers of convolutions in training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Precision {
    /// Single precision
    #[default]
    F32,
    /// bfloat16: the range of single precision, two to three decimal digits
    Bf16,
    /// Half precision: three decimal digits from 6e-8 to 65504; losses are scaled
    F16,
}

impl Precision {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// Whether it is what nobody has to ask for.
    pub fn is_usual(&self) -> bool {
        *self == Self::F32
    }

    /// What Burn calls it.
    pub fn kind(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::Bf16 => FloatDType::BF16,
            Self::F16 => FloatDType::F16,
        }
    }

    /// How losses are scaled at the beginning, where small gradients would vanish.
    pub fn loss_scale(self) -> Option<LossScale> {
        (self == Self::F16).then(LossScale::default)
    }
}

thread_local! {
    static IN_USE: Cell<Precision> = const { Cell::new(Precision::F32) };
}

/// A pass whose convolutions compute in these numbers, and so does the backward pass of what it makes.
/// It happens on the calling thread, as all of this crate's do.
pub fn in_precision<R>(precision: Precision, pass: impl FnOnce() -> R) -> R {
    /// Puts back what was, also after a panic.
    struct Before(Precision);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_USE.set(self.0);
        }
    }
    let _before = Before(IN_USE.replace(precision));
    pass()
}

/// Whether convolutions compute in single precision now.
pub(crate) fn is_single() -> bool {
    IN_USE.get() == Precision::F32
}

/// A convolution in the numbers in use.
pub(crate) fn convolution(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    kept: &Kept,
) -> Tensor<4> {
    if is_single() {
        return conv2d(input, weight, bias, options, kept);
    }
    let kind = IN_USE.get().kind();
    let emulated = serves(&input);
    let into = |tensor: Tensor<4>| match emulated {
        true => tensor.cast(kind).cast(FloatDType::F32),
        false => tensor.cast(kind),
    };
    let bias = bias.map(|bias| match emulated {
        true => bias.cast(kind).cast(FloatDType::F32),
        false => bias.cast(kind),
    });
    // What is kept of weights is of those in 32 bits.
    let output = conv2d(into(input), into(weight), bias, options, &Kept::default());
    match emulated {
        true => into(output),
        false => output.cast(FloatDType::F32),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn convolved(weight: f32, precision: Precision) -> [f32; 3] {
        let device = Device::flex().autodiff();
        let tensor = |value: f32| Tensor::<4>::full([1, 1, 1, 1], value, &device).require_grad();
        // From 1 on, numbers of bfloat16 are 1/128 apart, from 2 on 1/64.
        let (input, weight) = (tensor(1.0 + 1.0 / 512.0), tensor(weight));
        let options = ConvOptions::new([1; 2], [0; 2], [1; 2], 1);
        let output = in_precision(precision, || {
            convolution(
                input.clone(),
                weight.clone(),
                None,
                options,
                &Kept::default(),
            )
        });
        let gradients = (output.clone() * (1.0 + 1.0 / 64.0 + 1.0 / 1024.0))
            .sum()
            .backward();
        let found = [
            output.into_data(),
            input.grad(&gradients).unwrap().into_data(),
            weight.grad(&gradients).unwrap().into_data(),
        ];
        found.map(|data| data.iter::<f32>().next().unwrap())
    }

    #[test]
    fn what_goes_in_and_comes_out_is_rounded_forwards_and_backwards() {
        let single = convolved(3.0, Precision::F32);
        let slope = 1.0 + 1.0 / 64.0 + 1.0 / 1024.0;
        assert_eq!(
            single,
            [3.0 + 3.0 / 512.0, 3.0 * slope, slope * (1.0 + 1.0 / 512.0)]
        );
        // The input becomes 1, the gradient 1 + 1/64.
        let rounded = 1.0 + 1.0 / 64.0;
        assert_eq!(
            convolved(3.0, Precision::Bf16),
            [3.0, 3.0 * rounded, rounded]
        );
        // From 1 on, numbers in half precision are 1/1024 apart, from 2 on 1/512, from 65520 on
        // infinite.
        assert_eq!(
            convolved(3.0, Precision::F16),
            [3.0 + 3.0 / 512.0, 1562.0 / 512.0, 1.0 + 19.0 / 1024.0]
        );
        assert_eq!(convolved(65_535.0, Precision::F16)[0], f32::INFINITY);
        // After the pass all is as before.
        assert_eq!(convolved(3.0, Precision::F32), single);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            let text = serde_json::to_string(&precision).unwrap();
            assert_eq!(text, format!("\"{}\"", precision.name()));
            assert_eq!(serde_json::from_str::<Precision>(&text).unwrap(), precision);
        }
        assert!(serde_json::from_str::<Precision>("\"f64\"").is_err());
    }
}
