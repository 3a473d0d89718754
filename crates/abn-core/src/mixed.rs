//! Mixed attention: channel attention, then spatial attention (MANet section 3.1, Fig. 3), and the
//! variants of MANet's Tables 1 to 3.
//!
//! ```text
//! Mc = sigmoid(MLP(avg F) + MLP(max F))            [B, C, 1, 1]
//! F' = Mc.F
//! Ms = sigmoid(conv7x7([avg over C; max over C]))  [B, 1, H, W]
//! F''= Ms.F'
//! ```

use std::fmt;

use abn_kernels::ops::{
    After, Mechanism, attend, excite, fork, global_average, global_maximum, sigmoid,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::conv::{Conv2d, ConvShape};
use crate::linear::apply;
use crate::norm::BatchNorm;

/// The largest side of a convolution that makes a map; the papers use 1, 3 and 7.
const LARGEST_KERNEL: usize = 31;

/// Which parts the module has and how they are joined. The default is the proposed module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct MixedAttentionConfig {
    /// Reduction ratio r of the hidden layer and of the convolutional squeeze (16 in the paper).
    pub reduction: usize,
    /// What to emphasise; Table 1.
    pub channel: Option<ChannelConfig>,
    /// Where to emphasise it; Table 2.
    pub spatial: Option<SpatialConfig>,
    /// Table 3.
    pub arrangement: Arrangement,
}

/// Channel attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct ChannelConfig {
    /// How a channel is summed up before the shared MLP.
    pub pools: Pools,
    /// Whether the MLP has biases (not in the formula; CBAM's code has them).
    pub mlp_bias: bool,
}

/// Spatial attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct SpatialConfig {
    /// How the channels are squeezed before the convolution.
    pub squeeze: Squeeze,
    /// Side of the convolution, odd (3 or 7 in Table 2).
    pub kernel: usize,
    /// Batch norm before the sigmoid (not in the formula; CBAM's code has one).
    pub norm: bool,
}

/// Global pooling of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Pools {
    /// Mean alone, as in squeeze-and-excitation.
    Average,
    /// Maximum alone.
    Maximum,
    /// Both through the same MLP, added.
    Both,
}

/// Reduction of the channels to a few planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Squeeze {
    /// Two planes: mean and maximum over the channels.
    Pool,
    /// C / r planes by a 1x1 convolution without bias (Fig. 4, bottom).
    Conv,
}

/// Order of the two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Arrangement {
    /// Channel, then spatial: the proposed order.
    ChannelSpatial,
    /// Spatial, then channel.
    SpatialChannel,
    /// (1 + sigmoid(mc + ms)).F, with mc and ms before their own sigmoid.
    Parallel,
    /// (1 + sigmoid(Mc + Ms)).F, the literal formula, where both already passed a sigmoid.
    ParallelDoubleSigmoid,
}

impl Default for MixedAttentionConfig {
    fn default() -> Self {
        Self {
            reduction: 16,
            channel: Some(ChannelConfig {
                pools: Pools::Both,
                mlp_bias: false,
            }),
            spatial: Some(SpatialConfig {
                squeeze: Squeeze::Pool,
                kernel: 7,
                norm: false,
            }),
            arrangement: Arrangement::ChannelSpatial,
        }
    }
}

impl MixedAttentionConfig {
    /// Squeeze-and-excitation (Hu et al. 2018), as SENet has it in every block: average pooling
    /// alone, an MLP with biases, no spatial part. Table 1's "AvgPool".
    pub fn squeeze_excite() -> Self {
        let channel = Some(ChannelConfig {
            pools: Pools::Average,
            mlp_bias: true,
        });
        Self {
            channel,
            spatial: None,
            ..Self::default()
        }
    }

    /// CBAM's module as its authors' code has it: the default with biases in the MLP and a batch
    /// norm before the spatial sigmoid.
    pub fn cbam() -> Self {
        Self {
            channel: Some(ChannelConfig {
                pools: Pools::Both,
                mlp_bias: true,
            }),
            spatial: Some(SpatialConfig {
                squeeze: Squeeze::Pool,
                kernel: 7,
                norm: true,
            }),
            ..Self::default()
        }
    }

    /// Refuses what no module can be built of; a configuration may come from a file.
    ///
    /// # Errors
    /// The kernel is even or too large, or the reduction is 0.
    pub fn check(&self) -> Result<(), InvalidAttention> {
        if let Some(spatial) = &self.spatial {
            check_kernel(spatial.kernel)?;
        }
        if self.reduction == 0 {
            return Err(InvalidAttention("the reduction must be at least 1"));
        }
        Ok(())
    }

    /// Width of the hidden layer, at least 1.
    pub fn hidden(&self, channels: usize) -> usize {
        (channels / self.reduction).max(1)
    }

    /// A fresh module for features of that many channels.
    pub fn init(&self, channels: usize, device: &Device) -> MixedAttention {
        let hidden = self.hidden(channels);
        MixedAttention {
            channel: self
                .channel
                .as_ref()
                .map(|config| ChannelAttention::new(config, channels, hidden, device)),
            spatial: self
                .spatial
                .as_ref()
                .map(|config| SpatialAttention::new(config, channels, hidden, device)),
            arrangement: self.arrangement,
        }
    }
}

/// Refuses convolutions whose size or parity no map can have.
pub(crate) fn check_kernel(side: usize) -> Result<(), InvalidAttention> {
    if side % 2 == 1 && side <= LARGEST_KERNEL {
        return Ok(());
    }
    Err(InvalidAttention("kernels must be odd and at most 31"))
}

/// What is wrong with a [`MixedAttentionConfig`] or an
/// [`AttentionConfig`](crate::AttentionConfig).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAttention(pub(crate) &'static str);

impl fmt::Display for InvalidAttention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this attention cannot be built: {}", self.0)
    }
}

impl std::error::Error for InvalidAttention {}

/// Refines features by what (channels) and where (positions).
#[derive(Module, Debug)]
pub struct MixedAttention {
    /// Channel part, if any.
    pub channel: Option<ChannelAttention>,
    /// Spatial part, if any.
    pub spatial: Option<SpatialAttention>,
    #[module(skip)]
    arrangement: Arrangement,
}

impl MixedAttention {
    /// # Shapes
    /// `[B, C, H, W]` to the same.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        self.forward_then(features, After::default())
    }

    /// The refined features, and what follows in a block.
    pub(crate) fn forward_then(&self, features: Tensor<4>, after: After) -> Tensor<4> {
        match self.arrangement {
            Arrangement::ChannelSpatial if self.spatial.is_none() => {
                self.by_channel(features, after)
            }
            Arrangement::ChannelSpatial => {
                after.apply(self.by_position(self.by_channel(features, After::default())))
            }
            Arrangement::SpatialChannel => self.by_channel(self.by_position(features), after),
            Arrangement::Parallel => after.apply(self.parallel(features, |gate| gate)),
            Arrangement::ParallelDoubleSigmoid => after.apply(self.parallel(features, sigmoid)),
        }
    }

    fn by_channel(&self, features: Tensor<4>, after: After) -> Tensor<4> {
        match &self.channel {
            Some(channel) => {
                let [features, seen] = fork(features);
                excite(features, sigmoid(channel.forward(seen)), after)
            }
            None => after.apply(features),
        }
    }

    fn by_position(&self, features: Tensor<4>) -> Tensor<4> {
        match &self.spatial {
            Some(spatial) => {
                let [features, seen] = fork(features);
                let gate = sigmoid(spatial.forward(seen));
                attend(features, gate, Mechanism::Multiply)
            }
            None => features,
        }
    }

    fn parallel(&self, features: Tensor<4>, gate: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let channel = self
            .channel
            .as_ref()
            .map(|part| gate(part.forward(features.clone()))); // [B, C, 1, 1]
        let spatial = self
            .spatial
            .as_ref()
            .map(|part| gate(part.forward(features.clone()))); // [B, 1, H, W]
        match (channel, spatial) {
            (Some(channel), Some(spatial)) => (sigmoid(channel + spatial) + 1.0) * features,
            (Some(one), None) | (None, Some(one)) => (sigmoid(one) + 1.0) * features,
            (None, None) => features,
        }
    }
}

/// What to emphasise: a shared two-layer MLP over the pooled channels.
#[derive(Module, Debug)]
pub struct ChannelAttention {
    /// C to the hidden width.
    pub fc1: Linear,
    /// Hidden width to C.
    pub fc2: Linear,
    #[module(skip)]
    pools: Pools,
}

impl ChannelAttention {
    fn new(config: &ChannelConfig, channels: usize, hidden: usize, device: &Device) -> Self {
        let linear = |from, to| {
            LinearConfig::new(from, to)
                .with_bias(config.mlp_bias)
                .init(device)
        };
        Self {
            fc1: linear(channels, hidden),
            fc2: linear(hidden, channels),
            pools: config.pools,
        }
    }

    /// The gate before its sigmoid.
    ///
    /// # Shapes
    /// `[B, C, H, W]` to `[B, C, 1, 1]`.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let [batch, channels, ..] = features.dims();
        let mlp = |pooled: Tensor<2>| apply(&self.fc2, relu(apply(&self.fc1, pooled)));
        let gate = match self.pools {
            Pools::Average => mlp(global_average(features)),
            Pools::Maximum => mlp(global_maximum(features)),
            Pools::Both => {
                let [one, other] = fork(features);
                mlp(global_average(one)) + mlp(global_maximum(other))
            }
        };
        gate.reshape([batch, channels, 1, 1])
    }
}

/// Where to emphasise: one convolution over the squeezed channels.
#[derive(Module, Debug)]
pub struct SpatialAttention {
    /// The 1x1 convolution to C / r planes, for [`Squeeze::Conv`].
    pub squeeze: Option<Conv2d>,
    /// The k x k convolution to one plane.
    pub conv: Conv2d,
    /// Batch norm before the sigmoid, if configured.
    pub norm: Option<BatchNorm>,
}

impl SpatialAttention {
    fn new(config: &SpatialConfig, channels: usize, hidden: usize, device: &Device) -> Self {
        let planes = match config.squeeze {
            Squeeze::Pool => 2,
            Squeeze::Conv => hidden,
        };
        Self {
            squeeze: (config.squeeze == Squeeze::Conv)
                .then(|| ConvShape::new(channels, planes, 1).init(device)),
            conv: ConvShape::new(planes, 1, config.kernel).init(device),
            norm: config.norm.then(|| BatchNorm::of_gate(device)),
        }
    }

    /// The gate before its sigmoid.
    ///
    /// # Shapes
    /// `[B, C, H, W]` to `[B, 1, H, W]`.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let planes = match &self.squeeze {
            Some(squeeze) => squeeze.forward(features),
            None => Tensor::cat(vec![features.clone().mean_dim(1), features.max_dim(1)], 1), // [B, 2, H, W]
        };
        let gate = self.conv.forward(planes);
        match &self.norm {
            Some(norm) => norm.forward(gate),
            None => gate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{State, with_state};
    use burn::tensor::TensorData;

    /// Two channels over two positions.
    const FEATURES: [[f32; 2]; 2] = [[1.0, 3.0], [2.0, 0.0]];

    fn sigma(x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The module with hidden width 1, fc1 = (1, -1), fc2 = (1, 2), and a 1x1 convolution average -
    /// maximum.
    fn module(pools: Pools, arrangement: Arrangement) -> MixedAttention {
        let config = MixedAttentionConfig {
            channel: Some(ChannelConfig {
                pools,
                mlp_bias: false,
            }),
            spatial: Some(SpatialConfig {
                squeeze: Squeeze::Pool,
                kernel: 1,
                norm: false,
            }),
            arrangement,
            ..MixedAttentionConfig::default()
        };
        let tensor =
            |values: [f32; 2], shape: &[usize]| TensorData::new(values.to_vec(), shape.to_vec());
        let state = State::from([
            (
                "channel.fc1.weight".to_owned(),
                tensor([1.0, -1.0], &[2, 1]),
            ),
            ("channel.fc2.weight".to_owned(), tensor([1.0, 2.0], &[1, 2])),
            (
                "spatial.conv.weight".to_owned(),
                tensor([1.0, -1.0], &[1, 2, 1, 1]),
            ),
        ]);
        with_state(config.init(2, &Device::flex()), state).unwrap()
    }

    #[track_caller]
    fn check(pools: Pools, arrangement: Arrangement, expected: [[f32; 2]; 2]) {
        let features = Tensor::<2>::from_floats(FEATURES, &Device::flex()).reshape([1, 2, 1, 2]);
        let found: Vec<f32> = module(pools, arrangement)
            .forward(features)
            .into_data()
            .iter()
            .collect();
        let off = found
            .iter()
            .zip(expected.as_flattened())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(off < 1e-6, "{found:?} instead of {expected:?}");
    }

    /// F scaled by channel.
    fn scaled([a, b]: [f32; 2], [first, second]: [[f32; 2]; 2]) -> [[f32; 2]; 2] {
        [first.map(|x| a * x), second.map(|x| b * x)]
    }

    /// Multiplied at each position by the sigmoid of average - maximum over the channels there.
    fn gated([first, second]: [[f32; 2]; 2]) -> [[f32; 2]; 2] {
        let gate = |i: usize| sigma((first[i] + second[i]) / 2.0 - first[i].max(second[i]));
        [
            [gate(0) * first[0], gate(1) * first[1]],
            [gate(0) * second[0], gate(1) * second[1]],
        ]
    }

    /// Averages (2, 1) and maxima (3, 2) of the channels both give 1 in the hidden layer, so (1, 2)
    /// after fc2.
    #[test]
    fn channel_then_spatial_by_hand() {
        for (pools, gate) in [
            (Pools::Average, [1.0, 2.0]),
            (Pools::Maximum, [1.0, 2.0]),
            (Pools::Both, [2.0, 4.0]),
        ] {
            let refined = scaled(gate.map(sigma), FEATURES);
            check(pools, Arrangement::ChannelSpatial, gated(refined));
        }
    }

    #[test]
    fn spatial_then_channel_by_hand() {
        let [first, second] = gated(FEATURES);
        let hidden = |pool: fn([f32; 2]) -> f32| (pool(first) - pool(second)).max(0.0);
        let sum = hidden(|[a, b]| (a + b) / 2.0) + hidden(|[a, b]| a.max(b));
        check(
            Pools::Both,
            Arrangement::SpatialChannel,
            scaled([sigma(sum), sigma(2.0 * sum)], [first, second]),
        );
    }

    /// Raw gates: channels (2, 4); positions -0.5 and -1.5.
    #[test]
    fn parallel_by_hand() {
        let expected = |gate: fn(f32) -> f32| {
            let factor = |channel: f32, position: f32| 1.0 + sigma(gate(channel) + gate(position));
            let row = |channel: f32, values: [f32; 2]| {
                [
                    factor(channel, -0.5) * values[0],
                    factor(channel, -1.5) * values[1],
                ]
            };
            [row(2.0, FEATURES[0]), row(4.0, FEATURES[1])]
        };
        check(Pools::Both, Arrangement::Parallel, expected(|gate| gate));
        check(
            Pools::Both,
            Arrangement::ParallelDoubleSigmoid,
            expected(sigma),
        );
    }

    #[test]
    fn without_parts_nothing_changes() {
        let config = MixedAttentionConfig {
            channel: None,
            spatial: None,
            ..MixedAttentionConfig::default()
        };
        let features = Tensor::<4>::ones([1, 3, 2, 2], &Device::flex());
        for arrangement in [Arrangement::ChannelSpatial, Arrangement::Parallel] {
            let module = MixedAttentionConfig {
                arrangement,
                ..config.clone()
            }
            .init(3, &Device::flex());
            assert_eq!(
                module.forward(features.clone()).into_data(),
                features.clone().into_data()
            );
        }
    }
}
