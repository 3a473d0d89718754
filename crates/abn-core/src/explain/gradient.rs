//! The gradient of class logits at a layer's features or at the image.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::Layer;
use crate::classifier::Classifier;

impl Classifier {
    /// The logits behind a layer. From F the attention branch looks once more, so that gradients
    /// there include the path through the map.
    fn logits_from(&self, layer: Layer, features: Tensor<4>) -> Tensor<2> {
        match layer {
            Layer::Features => self.answer(features).logits,
            Layer::Refined => self.classify(features),
        }
    }
}

/// The same network as in evaluation, yet on the autodiff device: running statistics, no dropout,
/// and gradients for what goes in but for no weight.
///
/// An autodiff device alone would mean training. `freeze` switches layers and weights off for good,
/// and `train`, which only restores what is switched on, then moves them to the autodiff device.
/// The detour over `valid` gives the copy running statistics of its own: a clone shares them, and
/// `freeze` writes to them.
fn differentiable(classifier: &Classifier) -> Classifier {
    classifier.valid().freeze().train()
}

/// The gradient at the features of a layer.
///
/// # Shapes
/// `[B, C, h, w]` to the same.
pub(super) fn feature_gradient(
    classifier: &Classifier,
    features: Tensor<4>,
    layer: Layer,
    classes: Tensor<1, Int>,
) -> Tensor<4> {
    gradient(features, classes, |leaf| {
        differentiable(classifier).logits_from(layer, leaf)
    })
}

/// The gradient at the image itself.
///
/// # Shapes
/// `[B, 3, H, W]` to the same.
pub(super) fn input_gradient(
    classifier: &Classifier,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
) -> Tensor<4> {
    gradient(images, classes, |leaf| {
        differentiable(classifier).forward(leaf).logits
    })
}

/// The gradient of each image's logit of its class. In evaluation no image depends on another, so
/// the sum over the batch has the gradient of each.
fn gradient(
    at: Tensor<4>,
    classes: Tensor<1, Int>,
    logits: impl FnOnce(Tensor<4>) -> Tensor<2>,
) -> Tensor<4> {
    let leaf = at.autodiff().require_grad();
    let target = logits(leaf.clone())
        .gather(1, classes.autodiff().unsqueeze_dim(1))
        .sum();
    let mut gradients = target.backward();
    leaf.grad_remove(&mut gradients)
        .expect("the logits depend on what goes in")
}
