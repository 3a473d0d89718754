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

/// Numbers of classes, group by group. Stored as a number where there is one group, as a list where
/// there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", from = "Stored", into = "Stored")]
pub struct Outputs(Vec<usize>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "burn::serde", untagged)]
enum Stored {
    One(usize),
    Several(Vec<usize>),
}

impl From<Stored> for Outputs {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::One(classes) => Self(vec![classes]),
            Stored::Several(groups) => Self(groups),
        }
    }
}

impl From<Outputs> for Stored {
    fn from(Outputs(groups): Outputs) -> Self {
        match groups[..] {
            [classes] => Self::One(classes),
            _ => Self::Several(groups),
        }
    }
}

impl Outputs {
    /// One label an image, of that many classes.
    pub fn one(classes: usize) -> Self {
        Self(vec![classes])
    }

    /// A label an image of each of these numbers of classes.
    pub fn of(groups: Vec<usize>) -> Self {
        Self(groups)
    }

    /// Number of classes of each group.
    pub fn groups(&self) -> &[usize] {
        &self.0
    }

    /// Length of the vector of logits, K.
    pub fn total(&self) -> usize {
        self.0.iter().copied().fold(0, usize::saturating_add)
    }

    /// Where each group lies in the vector.
    pub fn spans(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.iter().scan(0, |start, classes| {
            let span = *start..*start + classes;
            *start = span.end;
            Some(span)
        })
    }

    /// The softmax of each group's logits.
    ///
    /// # Shapes
    /// `[B, K]` to the same.
    pub fn softmax(&self, logits: Tensor<2>) -> Tensor<2> {
        if self.0.len() == 1 {
            return softmax(logits);
        }
        let of_group = |span: Range<usize>| softmax(span_of(&logits, span));
        Tensor::cat(self.spans().map(of_group).collect(), 1)
    }
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
}
