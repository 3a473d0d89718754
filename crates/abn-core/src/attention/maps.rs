//! How many attention maps an image has.

use std::ops::Range;

use abn_kernels::ops::log1p;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Tensor;

use crate::outputs::Outputs;

/// One map for all that is told of an image, or one for each group of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Maps {
    /// One, as in both papers on classification.
    #[default]
    One,
    /// One a group, under which the shared last stage perceives that group alone (ABN section 4.4,
    /// facial attributes).
    PerGroup,
}

impl Maps {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::One
    }

    /// Maps an image, M.
    pub fn count(self, outputs: &Outputs) -> usize {
        match self {
            Self::One => 1,
            Self::PerGroup => outputs.groups().len(),
        }
    }

    /// sum over k of log(1 + a_k), over all classes or those of each group.
    ///
    /// # Shapes
    /// `[B, K, h, w]` to `[B, M, h, w]`.
    pub(super) fn log_sum(self, classes: Tensor<4>, spans: &[Range<usize>]) -> Tensor<4> {
        let logarithms = log1p(classes);
        match self {
            Self::One => logarithms.sum_dim(1),
            Self::PerGroup => {
                let of_group = |span: &Range<usize>| {
                    let own = logarithms.clone().narrow(1, span.start, span.len());
                    own.sum_dim(1)
                };
                Tensor::cat(spans.iter().map(of_group).collect(), 1)
            }
        }
    }
}
