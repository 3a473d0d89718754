//! Functions of single values, and of rows of logits.

use burn::tensor::{Int, Tensor, activation};

#[cfg(feature = "flex")]
use super::flex;

/// `1 / (1 + exp(-input))`.
pub fn sigmoid<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::activation::sigmoid(input);
    }
    activation::sigmoid(input)
}

/// `ln(1 + input)`.
pub fn log1p<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if flex::serves(&input) {
        return flex::activation::log1p(input);
    }
    input.log1p()
}

/// The probabilities of each row of logits, `[B, K]`.
pub fn softmax(logits: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::serves(&logits) && !logits.is_autodiff() {
        return flex::activation::softmax(logits);
    }
    activation::softmax(logits, 1)
}

/// The mean over the images of `-ln softmax(logits)[class]`, `[1]`.
///
/// # Shapes
/// `logits` `[B, K]`, `classes` `[B]`, each below K.
pub fn cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if flex::serves(&logits) {
        return flex::activation::cross_entropy(logits, classes);
    }
    burn::nn::loss::CrossEntropyLossConfig::new()
        .init(&classes.device())
        .forward(logits, classes)
}
