//! The training objective: L = L_perception + w L_attention (ABN section 3.3, equation 3).

use abn_kernels::ops::cross_entropy;
use burn::tensor::{Int, Tensor};

use crate::classifier::Output;
use crate::outputs::{Outputs, span_of};

/// The objective of a batch, `[1]`: the mean cross-entropy of the perception logits, plus that of
/// the attention logits times `attention_weight`, which is 1 in ABN. Of several groups, the mean.
///
/// # Shapes
/// `classes` `[B, G]`: the right class of each of the G groups, counted within the group.
pub fn loss(
    output: &Output,
    classes: Tensor<2, Int>,
    outputs: &Outputs,
    attention_weight: f64,
) -> Tensor<1> {
    let perception = mean_cross_entropy(&output.logits, &classes, outputs);
    match &output.attention {
        Some(branch) => {
            let attention = mean_cross_entropy(&branch.logits, &classes, outputs);
            perception + attention.mul_scalar(attention_weight)
        }
        None => perception,
    }
}

/// Mean over images and groups, `[1]`.
fn mean_cross_entropy(
    logits: &Tensor<2>,
    classes: &Tensor<2, Int>,
    outputs: &Outputs,
) -> Tensor<1> {
    let groups = outputs.groups().len();
    let of_group = |group: usize, logits: Tensor<2>| {
        let classes = classes.clone().narrow(1, group, 1).squeeze_dim(1);
        cross_entropy(logits, classes)
    };
    if groups == 1 {
        return of_group(0, logits.clone());
    }
    let losses = outputs.spans().enumerate();
    let losses = losses.map(|(group, span)| of_group(group, span_of(logits, span)));
    Tensor::cat(losses.collect(), 0).mean()
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
        let classes = Tensor::<2, Int>::from_ints([[0], [2]], &device);
        let value = |output: &Output, weight| {
            loss(output, classes.clone(), &Outputs::one(4), weight).into_scalar::<f32>()
        };
        let mut output = Output {
            logits: undecided,
            attention: Some(branch),
        };
        // Perception ln 4; attention (0 + 100) / 2.
        assert!((value(&output, 0.5) - (4.0_f32.ln() + 25.0)).abs() < 1e-4);
        output.attention = None;
        assert!((value(&output, 0.5) - 4.0_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn groups_share_a_vector_and_their_losses_are_averaged() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[0.0, 0.0, 7.0, 7.0, 7.0, 7.0]], &device);
        let output = Output {
            logits,
            attention: None,
        };
        let classes = Tensor::<2, Int>::from_ints([[1, 3]], &device);
        let found = loss(&output, classes, &Outputs::of(vec![2, 4]), 1.0).into_scalar::<f32>();
        // ln 2 of the first two, ln 4 of the other four.
        assert!((found - 1.5 * 2.0_f32.ln()).abs() < 1e-6, "{found}");
    }
}
