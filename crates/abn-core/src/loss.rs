//! The training objective: L = L_perception + w L_attention (ABN section 3.3, equation 3).

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor};

use crate::classifier::Output;

/// The objective of a batch, `[1]`: the mean cross-entropy of the perception logits, plus that of
/// the attention logits times `attention_weight`, which is 1 in ABN.
///
/// # Shapes
/// `labels` `[B]`, each below the number of classes.
pub fn loss(output: &Output, labels: Tensor<1, Int>, attention_weight: f64) -> Tensor<1> {
    let cross_entropy = CrossEntropyLossConfig::new().init(&labels.device());
    let perception = cross_entropy.forward(output.logits.clone(), labels.clone());
    match &output.attention {
        Some(branch) => {
            perception
                + cross_entropy
                    .forward(branch.logits.clone(), labels)
                    .mul_scalar(attention_weight)
        }
        None => perception,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::AttentionOutput;
    use burn::tensor::Device;

    #[test]
    fn sum_of_both_cross_entropies() {
        let device = Device::flex();
        let undecided = Tensor::<2>::zeros([2, 4], &device);
        let sure =
            Tensor::<2>::from_floats([[100.0, 0.0, 0.0, 0.0], [0.0, 100.0, 0.0, 0.0]], &device);
        let branch = AttentionOutput {
            logits: sure,
            map: Tensor::zeros([2, 1, 1, 1], &device),
        };
        let labels = Tensor::<1, Int>::from_ints([0, 2], &device);
        let value =
            |output: &Output, weight| loss(output, labels.clone(), weight).into_scalar::<f32>();
        let mut output = Output {
            logits: undecided,
            attention: Some(branch),
        };
        // Perception ln 4; attention (0 + 100) / 2.
        assert!((value(&output, 0.5) - (4.0_f32.ln() + 25.0)).abs() < 1e-4);
        output.attention = None;
        assert!((value(&output, 0.5) - 4.0_f32.ln()).abs() < 1e-6);
    }
}
