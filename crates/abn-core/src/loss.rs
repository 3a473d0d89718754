//! The training objective: L = L_perception + w L_attention (ABN section 3.3, equation 3).

use abn_kernels::ops::cross_entropy;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::activation::log_softmax;
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

    /// What the logits of one group cost, as its share of the mean over all that is known before it
    /// is divided by their [number](Self::shares), `[1]`; `None` if nothing of the group is known.
    ///
    /// # Shapes
    /// `logits` `[B, classes of the group]`.
    pub(crate) fn share(
        &self,
        group: usize,
        logits: Tensor<2>,
        penalty: &Penalty,
    ) -> Option<Tensor<1>> {
        let classes = self.classes.clone().narrow(1, group, 1).squeeze_dim(1);
        let Some(known) = &self.known else {
            return Some(penalty.mean(group, logits, classes));
        };
        let rows = known.get(group).filter(|rows| !rows.is_empty())?;
        let places = Tensor::<1, Int>::from_ints(rows.as_slice(), &logits.device());
        let own = logits.select(0, places.clone());
        let classes = classes.select(0, places);
        Some(penalty.mean(group, own, classes) * rows.len() as f64)
    }

    /// By what the sum of the groups' [shares](Self::share) is divided; at least 1.
    pub(crate) fn shares(&self) -> f64 {
        let [_, groups] = self.classes.dims();
        let count = match &self.known {
            Some(known) => known.iter().map(Vec::len).sum(),
            None => groups,
        };
        count.max(1) as f64
    }
}

/// What a wrong answer costs, where that is not the cross-entropy alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct Penalty {
    /// Exponent g of (1 - p)^g, p being the probability of the right class, by which each
    /// cross-entropy is multiplied: what is sure already counts less (focal loss, Lin et al. 2017,
    /// equation 4). 0 for none.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub focal: f64,
    /// Factor of the losses of images that show a label, label by label; 1 of every label where
    /// there are none. Only labels of two classes, absent and present, have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positive: Vec<f64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_nothing(value: &f64) -> bool {
    *value == 0.0
}

/// The largest exponent and factor that are taken: a label may be that rare.
const MOST: f64 = 1e6;

impl Penalty {
    /// Whether it is the cross-entropy alone.
    pub fn is_usual(&self) -> bool {
        is_nothing(&self.focal) && self.positive.is_empty()
    }

    /// Refuses what costs nothing, or too much.
    ///
    /// # Errors
    /// An exponent is negative, a factor is not positive, or either is not finite.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(0.0..=MOST).contains(&self.focal) {
            return Err("the exponent of the focal loss must be between 0 and 1000000");
        }
        let factor = |factor: &f64| *factor > 0.0 && *factor <= MOST;
        if !self.positive.iter().all(factor) {
            return Err("the factor of a label must be above 0 and at most 1000000");
        }
        Ok(())
    }

    /// Factor of the losses of a group's second class.
    fn positive_of(&self, group: usize) -> f64 {
        self.positive.get(group).copied().unwrap_or(1.0)
    }

    /// What the logits of a group cost an image of that class.
    pub fn of(&self, group: usize, class: usize, cross_entropy: f64) -> f64 {
        let factor = if class == 1 {
            self.positive_of(group)
        } else {
            1.0
        };
        factor * (1.0 - (-cross_entropy).exp()).powf(self.focal) * cross_entropy
    }

    /// The mean of what the logits of a group cost, `[1]`.
    ///
    /// # Shapes
    /// `logits` `[B, classes of the group]`, `classes` `[B]`.
    fn mean(&self, group: usize, logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
        if self.is_usual() {
            return cross_entropy(logits, classes);
        }
        let probabilities = log_softmax(logits, 1);
        let right = probabilities.gather(1, classes.clone().unsqueeze_dim(1));
        let mut costs = -right.squeeze_dim::<1>(1);
        if self.focal > 0.0 {
            let wrong = costs.clone().neg().exp().neg() + 1.0;
            // The power of 0 has no gradient.
            costs = costs * wrong.clamp_min(f32::MIN_POSITIVE).powf_scalar(self.focal);
        }
        let factor = self.positive_of(group);
        if factor != 1.0 {
            let present = classes.equal_elem(1).float();
            costs = costs * (present * (factor - 1.0) + 1.0);
        }
        costs.mean()
    }
}

/// What a network is to become: L = L_perception + w L_attention.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objective {
    /// w, which is 1 in ABN.
    pub attention_weight: f64,
    /// What a wrong answer of either branch costs.
    pub penalty: Penalty,
}

impl From<f64> for Objective {
    fn from(attention_weight: f64) -> Self {
        let penalty = Penalty::default();
        Self {
            attention_weight,
            penalty,
        }
    }
}

/// The objective of a batch, `[1]`: the mean cost of the perception logits, plus that of the
/// attention logits times their weight. Of several groups, the mean over all that is known; 0 if
/// nothing is.
pub fn loss(
    output: &Output,
    classes: impl Into<RightClasses>,
    outputs: &Outputs,
    objective: impl Into<Objective>,
) -> Tensor<1> {
    let Objective {
        attention_weight,
        penalty,
    } = objective.into();
    let classes = classes.into();
    let perception = mean_cost(&output.logits, &classes, outputs, &penalty);
    match &output.attention {
        Some(branch) => {
            let attention = mean_cost(&branch.logits, &classes, outputs, &penalty);
            perception + attention.mul_scalar(attention_weight)
        }
        None => perception,
    }
}

/// Mean over images and groups, `[1]`.
pub(crate) fn mean_cost(
    logits: &Tensor<2>,
    right: &RightClasses,
    outputs: &Outputs,
    penalty: &Penalty,
) -> Tensor<1> {
    let shares = outputs.spans().enumerate();
    let shares =
        shares.filter_map(|(group, span)| right.share(group, span_of(logits, span), penalty));
    let total = right.shares();
    if right.known.is_none() {
        let mut shares: Vec<Tensor<1>> = shares.collect();
        return match shares.len() {
            1 => shares.remove(0),
            _ => Tensor::cat(shares, 0).mean(),
        };
    }
    match shares.reduce(|sum, share| sum + share) {
        Some(sum) => sum / total,
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

    /// By hand: of one label, z = ln 3 for an image that shows it and one that does not.
    #[test]
    fn what_is_rare_or_unsure_may_cost_more() {
        let device = Device::flex().autodiff();
        let half = 3.0_f32.ln() / 2.0;
        let logits = Tensor::<2>::from_floats([[-half, half], [-half, half]], &device);
        let logits = logits.require_grad();
        let output = Output {
            logits: logits.clone(),
            attention: None,
        };
        let classes = Tensor::<2, Int>::from_ints([[1], [0]], &device);
        let outputs = Outputs::one(2);
        let check = |penalty: Penalty, expected: [f64; 2]| {
            let by_hand = [(1, (4.0_f64 / 3.0).ln()), (0, 4.0_f64.ln())];
            let costs = by_hand.map(|(class, entropy)| penalty.of(0, class, entropy));
            for (cost, expected) in costs.into_iter().zip(expected) {
                assert!((cost - expected).abs() < 1e-9, "{penalty:?} {cost}");
            }
            let objective = Objective {
                attention_weight: 1.0,
                penalty,
            };
            let found = loss(&output, classes.clone(), &outputs, objective);
            let gradients = found.backward();
            assert!(logits.grad(&gradients).is_some());
            let found = f64::from(found.into_scalar::<f32>());
            let mean = f64::midpoint(expected[0], expected[1]);
            assert!((found - mean).abs() < 1e-6, "{found} {mean}");
        };
        let [right, wrong] = [(4.0_f64 / 3.0).ln(), 4.0_f64.ln()];
        check(Penalty::default(), [right, wrong]);
        let positive = vec![5.0];
        let weighted = Penalty {
            positive,
            ..Penalty::default()
        };
        check(weighted.clone(), [5.0 * right, wrong]);
        let focal = Penalty {
            focal: 2.0,
            ..weighted
        };
        check(focal, [5.0 * right / 16.0, wrong * 9.0 / 16.0]);
        for (focal, positive) in [
            (-1.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, 0.0),
            (0.0, f64::INFINITY),
        ] {
            let positive = vec![positive];
            assert!(Penalty { focal, positive }.check().is_err());
        }
    }
}
