//! The causal effect of the attention maps: what a network says under a uniform map instead.
//!
//! A short form, after every epoch, of the test that `abn score` makes of a finished run.

use abn_core::explain::ForwardPass;
use abn_core::{Classifier, Outputs};
use burn::tensor::Tensor;

use super::readback::probabilities;

/// For each of the images, `[B, 3, H, W]`, the total variation distance between the class
/// probabilities under its own map and under a uniform one of the same mean: the share of the
/// probability that goes elsewhere, 0 to 1. Of several labels the mean, of several maps all at once. Images with a broken map or
/// broken logits are left out; a network without a branch has none.
pub fn effects(network: &Classifier, images: Tensor<4>) -> Vec<f64> {
    let pass = ForwardPass::new(network, images);
    let Some(attention) = &pass.output().attention else {
        return Vec::new();
    };
    let [batch, maps, height, width] = attention.map.dims();
    let means = attention
        .map
        .clone()
        .reshape([batch * maps, height * width]);
    let means = means.mean_dim(1).reshape([batch, maps, 1, 1]);
    let uniform = means.expand([batch, maps, height, width]);
    let Some(other) = pass.under_map(uniform) else {
        return Vec::new();
    };
    let outputs = network.outputs();
    let rows = |logits: Tensor<2>| -> Vec<f32> { logits.into_data().iter().collect() };
    let (own, other) = (rows(pass.output().logits.clone()), rows(other));
    let total = outputs.total().max(1);
    let pairs = own.chunks_exact(total).zip(other.chunks_exact(total));
    let distances = pairs.map(|(own, other)| distance(own, other, outputs));
    distances.filter(|distance| distance.is_finite()).collect()
}

/// Half the sum of the absolute differences, as a mean over the labels.
fn distance(own: &[f32], other: &[f32], outputs: &Outputs) -> f64 {
    let pairs = probabilities(own, outputs)
        .into_iter()
        .zip(probabilities(other, outputs));
    let sum: f64 = pairs.map(|(own, other)| (own - other).abs()).sum();
    sum / 2.0 / outputs.groups().len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use abn_core::attention::{MapConfig, MapNorm, MapSource, SigmoidMap};
    use abn_core::mechanism::Mechanism;
    use abn_core::{Architecture, AttentionConfig, ClassifierConfig};
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn distances_by_hand() {
        let logits = |odds: f64| [odds.ln() as f32, 0.0];
        // 3/4 against 1/2.
        let found = distance(&logits(3.0), &logits(1.0), &Outputs::one(2));
        assert!((found - 0.25).abs() < 1e-6);
        // The second label says the same.
        let rows = [3.0, 1.0].map(|odds| [logits(odds), [0.0, 0.0]].concat());
        let found = distance(&rows[0], &rows[1], &Outputs::of(vec![2, 2]));
        assert!((found - 0.125).abs() < 1e-6);
    }

    #[test]
    fn a_map_that_is_not_used_has_no_effect() {
        let device = Device::flex();
        let config = |mechanism| ClassifierConfig {
            network: Architecture::parse("resnet8").unwrap().network,
            attention: Some(AttentionConfig {
                mechanism,
                map: MapConfig::Sigmoid(SigmoidMap {
                    norm: MapNorm::Image,
                    ..SigmoidMap::of(MapSource::Class)
                }),
                ..AttentionConfig::abn()
            }),
            outputs: Outputs::one(3),
        };
        let images = Tensor::random([3, 3, 32, 32], Distribution::Normal(0.0, 1.0), &device);
        let found = |mechanism| {
            let network = config(mechanism).init_seeded(2, &device);
            effects(&network, images.clone())
        };
        assert_eq!(found(Mechanism::Identity), [0.0; 3]);
        assert!(
            found(Mechanism::Multiply)
                .iter()
                .all(|effect| *effect > 0.0)
        );
        let plain = ClassifierConfig {
            attention: None,
            ..config(Mechanism::Identity)
        };
        assert!(effects(&plain.init_seeded(2, &device), images).is_empty());
    }
}
