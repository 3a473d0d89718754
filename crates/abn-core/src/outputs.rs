//! The outputs of a network: groups of classes, of each of which one is right, side by side in one
//! vector of logits.
//!
//! ```text
//! logits [B, 120]   | 100 fine classes | 20 coarse classes |
//! ```
//!
//! One label an image is one group. A loss, a softmax or a rank is always of one group's span.

use std::ops::Range;

use abn_kernels::ops::softmax;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Tensor;

/// How a group of two classes is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Binary {
    /// A logit for each of its classes, as for a group of any size
    #[default]
    Softmax,
    /// One logit z for the second class, told as (-z/2, z/2): their softmax is the sigmoid of z,
    /// and their cross-entropy is z's binary cross-entropy
    Sigmoid,
}

impl Binary {
    /// Whether it is as usual.
    pub fn is_usual(&self) -> bool {
        *self == Self::Softmax
    }
}

/// Numbers of classes, group by group, and how those of two are learned. Stored as a number where
/// there is one group, as a list where there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", from = "Stored", into = "Stored")]
pub struct Outputs {
    groups: Vec<usize>,
    binary: Binary,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "burn::serde", untagged)]
enum Stored {
    One(usize),
    Several(Vec<usize>),
    Learned { groups: Vec<usize>, binary: Binary },
}

impl From<Stored> for Outputs {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::One(classes) => Self::one(classes),
            Stored::Several(groups) => Self::of(groups),
            Stored::Learned { groups, binary } => Self { groups, binary },
        }
    }
}

impl From<Outputs> for Stored {
    fn from(Outputs { groups, binary }: Outputs) -> Self {
        match groups[..] {
            _ if !binary.is_usual() => Self::Learned { groups, binary },
            [classes] => Self::One(classes),
            _ => Self::Several(groups),
        }
    }
}

impl Outputs {
    /// One label an image, of that many classes.
    pub fn one(classes: usize) -> Self {
        Self::of(vec![classes])
    }

    /// A label an image of each of these numbers of classes.
    pub fn of(groups: Vec<usize>) -> Self {
        let binary = Binary::Softmax;
        Self { groups, binary }
    }

    /// The same, whose groups of two classes are learned in that way.
    pub fn with(self, binary: Binary) -> Self {
        Self { binary, ..self }
    }

    /// Number of classes of each group.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Whether every group has two classes.
    pub fn is_binary(&self) -> bool {
        self.groups.iter().all(|classes| *classes == 2)
    }

    /// Length of the vector of logits, K.
    pub fn total(&self) -> usize {
        self.groups.iter().copied().fold(0, usize::saturating_add)
    }

    /// Where each group lies in the vector.
    pub fn spans(&self) -> impl Iterator<Item = Range<usize>> {
        self.groups.iter().scan(0, |start, classes| {
            let span = *start..*start + classes;
            *start = span.end;
            Some(span)
        })
    }

    /// What a head has outputs for: fewer than K where two classes are learned as one logit.
    pub fn learned(&self) -> Self {
        let learned = |classes: &usize| match (self.binary, classes) {
            (Binary::Sigmoid, 2) => 1,
            (_, classes) => *classes,
        };
        Self::of(self.groups.iter().map(learned).collect())
    }

    /// The logits of all classes, from what a head gives.
    ///
    /// # Shapes
    /// `[B, learned]` to `[B, K]`.
    pub fn tell(&self, learned: Tensor<2>) -> Tensor<2> {
        if self.binary.is_usual() {
            return learned;
        }
        if self.is_binary() {
            return halves(learned);
        }
        let spans = self.learned();
        let of_group = |(span, classes): (Range<usize>, &usize)| {
            let own = span_of(&learned, span);
            if *classes == 2 { halves(own) } else { own }
        };
        Tensor::cat(spans.spans().zip(&self.groups).map(of_group).collect(), 1)
    }

    /// The softmax of each group's logits.
    ///
    /// # Shapes
    /// `[B, K]` to the same.
    pub fn softmax(&self, logits: Tensor<2>) -> Tensor<2> {
        if self.groups.len() == 1 {
            return softmax(logits);
        }
        let of_group = |span: Range<usize>| softmax(span_of(&logits, span));
        Tensor::cat(self.spans().map(of_group).collect(), 1)
    }
}

/// (-z/2, z/2) of every z.
///
/// # Shapes
/// `[B, G]` to `[B, 2 G]`.
fn halves(logits: Tensor<2>) -> Tensor<2> {
    let [batch, groups] = logits.dims();
    let half = (logits * 0.5).reshape([batch, groups, 1]);
    Tensor::cat(vec![-half.clone(), half], 2).reshape([batch, 2 * groups])
}

/// The logits of one group.
///
/// # Shapes
/// `[B, K]` to `[B, span]`.
pub(crate) fn span_of(logits: &Tensor<2>, span: Range<usize>) -> Tensor<2> {
    logits.clone().narrow(1, span.start, span.len())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn groups_lie_one_behind_the_other() {
        let outputs = Outputs::of(vec![3, 1, 2]);
        assert_eq!(outputs.spans().collect::<Vec<_>>(), [0..3, 3..4, 4..6]);
        assert_eq!(outputs.total(), 6);
        assert_eq!(Outputs::one(4).spans().next(), Some(0..4));
    }

    #[test]
    fn every_group_has_a_softmax_of_its_own() {
        let logits = Tensor::<2>::from_floats([[0.0, 0.0, 5.0, 1.0, 1.0]], &Device::flex());
        let found = Outputs::of(vec![2, 1, 2]).softmax(logits);
        let found: Vec<f32> = found.into_data().iter().collect();
        assert_eq!(found, [0.5, 0.5, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn two_classes_may_be_learned_as_one_logit() {
        let outputs = Outputs::of(vec![2, 3, 2]).with(Binary::Sigmoid);
        assert_eq!(outputs.learned(), Outputs::of(vec![1, 3, 1]));
        let device = Device::flex();
        let learned = Tensor::<2>::from_floats([[4.0, 1.0, 2.0, 3.0, -2.0]], &device);
        let told: Vec<f32> = outputs.tell(learned).into_data().iter().collect();
        assert_eq!(told, [-2.0, 2.0, 1.0, 2.0, 3.0, 1.0, -1.0]);
        let binary = Outputs::of(vec![2, 2]).with(Binary::Sigmoid);
        let learned = Tensor::<2>::from_floats([[0.0, 4.0], [2.0, 0.0]], &device);
        let told = binary.tell(learned);
        let found: Vec<f32> = told.clone().into_data().iter().collect();
        assert_eq!(found, [0.0, 0.0, -2.0, 2.0, -1.0, 1.0, 0.0, 0.0]);
        let found: Vec<f32> = binary.softmax(told).into_data().iter().collect();
        assert!((found[3] - 1.0 / (1.0 + (-4.0_f32).exp())).abs() < 1e-6);
    }
}
