//! The training objective: L = L_perception + w L_attention (ABN section 3.3, equation 3).

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor};

use crate::classifier::Output;

/// The parts of the objective, each the mean cross-entropy over the batch, `[1]`.
#[derive(Debug, Clone)]
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Cross-entropy of the perception logits.
    pub perception: Tensor<1>,
    /// Cross-entropy of the attention logits, unweighted.
    pub attention: Option<Tensor<1>>,
}

/// The loss of a batch; `attention_weight` is 1 in ABN.
///
/// # Shapes
/// `labels` `[B]`, each below the number of classes.
pub fn loss(output: &Output, labels: Tensor<1, Int>, attention_weight: f64) -> Loss {
    let cross_entropy = CrossEntropyLossConfig::new().init(&labels.device());
    let perception = cross_entropy.forward(output.logits.clone(), labels.clone());
    let attention =
        output.attention.as_ref().map(|branch| cross_entropy.forward(branch.logits.clone(), labels));
    let total = match &attention {
        Some(attention) => perception.clone() + attention.clone().mul_scalar(attention_weight),
        None => perception.clone(),
    };
    Loss { total, perception, attention }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::AttentionOutput;
    use burn::tensor::Device;

    #[test]
    fn sum_of_both_cross_entropies() {
        let device = Device::flex();
        let logits = Tensor::<2>::zeros([2, 4], &device);
        let sure = Tensor::<2>::from_floats([[100.0, 0.0, 0.0, 0.0], [0.0, 100.0, 0.0, 0.0]], &device);
        let output = Output {
            logits,
            attention: Some(AttentionOutput { logits: sure, map: Tensor::zeros([2, 1, 1, 1], &device) }),
        };
        let labels = Tensor::<1, Int>::from_ints([0, 2], &device);
        let loss = loss(&output, labels, 0.5);
        let scalar = |t: Tensor<1>| t.into_scalar::<f32>();
        assert!((scalar(loss.perception) - 4.0_f32.ln()).abs() < 1e-6);
        assert!((scalar(loss.attention.unwrap()) - 50.0).abs() < 1e-4); // (0 + 100) / 2
        assert!((scalar(loss.total) - (4.0_f32.ln() + 25.0)).abs() < 1e-4);
    }
}
