//! The training objective: L = L_perception + w L_attention (ABN section 3.3, equation 3).

use abn_kernels::ops::cross_entropy;
use burn::tensor::{Int, Tensor};

use crate::classifier::Output;
use crate::outputs::{Outputs, span_of};

/// The right class of each group in each image of a batch.
#[derive(Debug, Clone)]
pub struct RightClasses {
    /// `[B, G]`, counted within the group; anything where it is not known.
    classes: Tensor<2, Int>,
    /// Of each group the images of which it is known; `None` if of all.
    known: Option<Vec<Vec<i64>>>,
}

/// All of them are known.
impl From<Tensor<2, Int>> for RightClasses {
    fn from(classes: Tensor<2, Int>) -> Self {
        Self {
            classes,
            known: None,
        }
    }
}

impl RightClasses {
    /// Those of which some are known: of each of the G groups the rows of these images.
    ///
    /// # Shapes
    /// `classes` `[B, G]`, with any class of the group where it is not known.
    pub fn known(classes: Tensor<2, Int>, rows: Vec<Vec<i64>>) -> Self {
        Self {
            classes,
            known: Some(rows),
        }
    }
}

/// The objective of a batch, `[1]`: the mean cross-entropy of the perception logits, plus that of
/// the attention logits times `attention_weight`, which is 1 in ABN. Of several groups, the mean
/// over all that is known; 0 if nothing is.
pub fn loss(
    output: &Output,
    classes: impl Into<RightClasses>,
    outputs: &Outputs,
    attention_weight: f64,
) -> Tensor<1> {
    let classes = classes.into();
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
fn mean_cross_entropy(logits: &Tensor<2>, right: &RightClasses, outputs: &Outputs) -> Tensor<1> {
    let groups = outputs.groups().len();
    let classes_of = |group: usize| right.classes.clone().narrow(1, group, 1).squeeze_dim(1);
    if let Some(known) = &right.known {
        return mean_of_known(logits, classes_of, known, outputs);
    }
    if groups == 1 {
        return cross_entropy(logits.clone(), classes_of(0));
    }
    let losses = outputs.spans().enumerate();
    let losses =
        losses.map(|(group, span)| cross_entropy(span_of(logits, span), classes_of(group)));
    Tensor::cat(losses.collect(), 0).mean()
}

/// Mean over the images and groups that are known, `[1]`.
fn mean_of_known(
    logits: &Tensor<2>,
    classes_of: impl Fn(usize) -> Tensor<1, Int>,
    known: &[Vec<i64>],
    outputs: &Outputs,
) -> Tensor<1> {
    let of_group = |((group, span), rows): ((usize, _), &Vec<i64>)| {
        if rows.is_empty() {
            return None;
        }
        let places = Tensor::<1, Int>::from_ints(rows.as_slice(), &logits.device());
        let own = span_of(logits, span).select(0, places.clone());
        let classes = classes_of(group).select(0, places);
        Some(cross_entropy(own, classes) * rows.len() as f64)
    };
    let groups = outputs.spans().enumerate().zip(known);
    let sum = groups.filter_map(of_group).reduce(|sum, loss| sum + loss);
    let count: usize = known.iter().map(Vec::len).sum();
    match sum {
        Some(sum) => sum / count as f64,
        // Nothing is learned from it, and no weight is without a gradient.
        None => logits.clone().sum() * 0.0,
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

    /// Of two groups in two images, three of four classes are known.
    #[test]
    fn what_nobody_knows_counts_nowhere() {
        let device = Device::flex().autodiff();
        let logits = [
            [0.0, 0.0, 7.0, 7.0, 7.0, 7.0],
            [5.0, 5.0, 1.0, 2.0, 3.0, 4.0],
        ];
        let logits = Tensor::<2>::from_floats(logits, &device).require_grad();
        let output = Output {
            logits: logits.clone(),
            attention: None,
        };
        let classes = Tensor::<2, Int>::from_ints([[1, 3], [0, 0]], &device);
        let outputs = Outputs::of(vec![2, 4]);
        let known = RightClasses::known(classes.clone(), vec![vec![0, 1], vec![0]]);
        let found = loss(&output, known, &outputs, 1.0);
        let gradient = logits.grad(&found.backward()).unwrap();
        // ln 2 twice, and ln 4.
        let found = found.into_scalar::<f32>();
        assert!((found - 4.0 * 2.0_f32.ln() / 3.0).abs() < 1e-6, "{found}");
        let gradient: Vec<f32> = gradient.into_data().iter().collect();
        assert!(
            gradient[8..].iter().all(|value| *value == 0.0),
            "{gradient:?}"
        );
        // All known by name is all known.
        let all = RightClasses::known(classes.clone(), vec![vec![0, 1]; 2]);
        let by_name = loss(&output, all, &outputs, 1.0).into_scalar::<f32>();
        let usual = loss(&output, classes.clone(), &outputs, 1.0).into_scalar::<f32>();
        assert!((by_name - usual).abs() < 1e-6);
        let nothing = RightClasses::known(classes, vec![vec![]; 2]);
        assert_eq!(
            loss(&output, nothing, &outputs, 1.0).into_scalar::<f32>(),
            0.0
        );
    }
}
