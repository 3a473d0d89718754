//! The networks of the papers by name: a family and its numbers.

use std::fmt;

use super::residual::Block;
use super::{NetworkConfig, StageConfig};

/// Widths of the three stages of a CIFAR ResNet, after a stem of 16.
const CIFAR_WIDTHS: [usize; 3] = [16, 32, 64];

/// The family's name for the messages.
const CIFAR_RESNET: &str = "resnetD with D = 6n + 2, or resnetD-basic";

/// A named network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// The name, normalised.
    pub name: String,
    /// The network.
    pub network: NetworkConfig,
    /// Side of the square images it was published for.
    pub input: usize,
}

/// Why a name is not an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchitectureError {
    /// No family of that name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A family that exists, with a depth that it cannot have.
    Depth {
        /// What was asked for.
        name: String,
        /// The rule of the family.
        rule: &'static str,
        /// The closest name that exists.
        nearest: String,
    },
}

impl fmt::Display for ArchitectureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "unknown architecture `{name}`"),
            Self::Depth { name, rule, nearest } => {
                write!(f, "`{name}` does not exist: this family is {rule}; the nearest is `{nearest}`")
            }
        }
    }
}

impl std::error::Error for ArchitectureError {}

impl Architecture {
    /// The architecture of that name, for any numbers its family allows.
    ///
    /// - `resnetD`, D = 6n + 2: the reference's CIFAR ResNet. From depth 44 on it is made of bottlenecks and so
    ///   deeper than its name (`resnet110` has 164 layers).
    /// - `resnetD-basic`: the CIFAR ResNet of the literature, basic blocks at any depth.
    ///
    /// # Errors
    /// The name belongs to no family, or its depth does not fit the family.
    pub fn parse(name: &str) -> Result<Self, ArchitectureError> {
        let name = name.trim().to_ascii_lowercase();
        let unknown = || ArchitectureError::Unknown { name: name.clone() };
        let numbers = name.strip_prefix("resnet").ok_or_else(unknown)?;
        let (depth, basic) = match numbers.strip_suffix("-basic") {
            Some(depth) => (depth, true),
            None => (numbers, false),
        };
        // Four digits are deeper than any network that was ever trained and keep the sizes far from overflow.
        let plain =
            depth.len() <= 4 && !depth.starts_with('0') && depth.bytes().all(|digit| digit.is_ascii_digit());
        let depth: usize = depth.parse().ok().filter(|_| plain).ok_or_else(unknown)?;
        if depth < 8 || !(depth - 2).is_multiple_of(6) {
            let nearest = (depth.saturating_sub(2) + 3) / 6 * 6 + 2;
            let nearest = format!("resnet{}{}", nearest.max(8), if basic { "-basic" } else { "" });
            return Err(ArchitectureError::Depth { name, rule: CIFAR_RESNET, nearest });
        }
        let block = if depth >= 44 && !basic { Block::Bottleneck } else { Block::Basic };
        Ok(Self { name, network: cifar_resnet(block, (depth - 2) / 6), input: 32 })
    }

    /// The networks that the papers report, for listings and suggestions.
    pub fn published() -> Vec<Self> {
        [
            "resnet20",
            "resnet32",
            "resnet44",
            "resnet56",
            "resnet110",
            "resnet44-basic",
            "resnet56-basic",
            "resnet110-basic",
        ]
        .into_iter()
        .map(|name| Self::parse(name).expect("every published name parses"))
        .collect()
    }

    /// Layers with weights on the longest path without the shortcuts: stem, block convolutions, head.
    pub fn depth(&self) -> usize {
        let convs = |stage: &StageConfig| stage.blocks * stage.block.convs(1, 1, 1).len();
        2 + self.network.stages.iter().map(convs).sum::<usize>()
    }
}

/// Three stages of `blocks` blocks; the second and third halve the resolution.
fn cifar_resnet(block: Block, blocks: usize) -> NetworkConfig {
    let stem = CIFAR_WIDTHS[0];
    let mut inputs = stem;
    let stages = CIFAR_WIDTHS
        .into_iter()
        .enumerate()
        .map(|(index, width)| {
            let stage = StageConfig { block, blocks, inputs, width, stride: if index == 0 { 1 } else { 2 } };
            inputs = stage.outputs();
            stage
        })
        .collect();
    NetworkConfig { stem, stages }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_depths() {
        let depth = |name| Architecture::parse(name).unwrap().depth();
        assert_eq!(
            ["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"].map(depth),
            [20, 32, 65, 83, 164]
        );
        assert_eq!(["resnet8", "resnet110-basic", "ResNet14 "].map(depth), [8, 110, 14]);
    }

    #[test]
    fn a_wrong_depth_names_the_nearest() {
        let nearest = |name| match Architecture::parse(name) {
            Err(ArchitectureError::Depth { nearest, .. }) => nearest,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            ["resnet21", "resnet1", "resnet55", "resnet111-basic"].map(nearest),
            ["resnet20", "resnet8", "resnet56", "resnet110-basic"]
        );
    }

    #[test]
    fn other_names_are_unknown() {
        for name in
            ["", "resnet", "resnet-20", "resnet99999", "vgg", "resnet20-bottleneck", "resnet+20", "resnet020"]
        {
            let parsed = Architecture::parse(name);
            assert!(matches!(parsed, Err(ArchitectureError::Unknown { .. })), "{name}: {parsed:?}");
        }
    }
}
