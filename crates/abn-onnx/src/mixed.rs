//! The mixed attention module and its variants, also as a gate in every block.

use abn_core::conv::ConvShape;
use abn_core::mixed::{
    Arrangement, ChannelConfig, MixedAttentionConfig, Pools, SpatialConfig, Squeeze,
};

use crate::conv::Bias;
use crate::error::OnnxError;
use crate::graph::{Graph, Value};

impl Graph {
    /// The module over features of that many channels, `[N, C, H, W]` to the same.
    pub(crate) fn mixed(
        &mut self,
        at: &str,
        config: &MixedAttentionConfig,
        channels: usize,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        match config.arrangement {
            Arrangement::ChannelSpatial => {
                let refined = self.by_channel(at, config, channels, x)?;
                self.by_position(at, config, channels, &refined)
            }
            Arrangement::SpatialChannel => {
                let refined = self.by_position(at, config, channels, x)?;
                self.by_channel(at, config, channels, &refined)
            }
            Arrangement::Parallel => self.parallel(at, config, channels, false, x),
            Arrangement::ParallelDoubleSigmoid => self.parallel(at, config, channels, true, x),
        }
    }

    fn by_channel(
        &mut self,
        at: &str,
        config: &MixedAttentionConfig,
        channels: usize,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let Some(part) = &config.channel else {
            return Ok(x.clone());
        };
        let at = format!("{at}.channel");
        let gate = self.channel(&at, part, channels, config.hidden(channels), x)?;
        let gate = self.sigmoid(&at, &gate);
        Ok(self.product(format!("{at}.attend"), x, &gate))
    }

    fn by_position(
        &mut self,
        at: &str,
        config: &MixedAttentionConfig,
        channels: usize,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let Some(part) = &config.spatial else {
            return Ok(x.clone());
        };
        let at = format!("{at}.spatial");
        let gate = self.spatial(&at, part, channels, config.hidden(channels), x)?;
        let gate = self.sigmoid(&at, &gate);
        Ok(self.product(format!("{at}.attend"), x, &gate))
    }

    /// (1 + sigmoid(sum of the gates)).F, where each gate may have passed a sigmoid already.
    fn parallel(
        &mut self,
        at: &str,
        config: &MixedAttentionConfig,
        channels: usize,
        double: bool,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let hidden = config.hidden(channels);
        let mut gates = Vec::new();
        if let Some(part) = &config.channel {
            let at = format!("{at}.channel");
            let gate = self.channel(&at, part, channels, hidden, x)?;
            gates.push(if double {
                self.sigmoid(&at, &gate)
            } else {
                gate
            });
        }
        if let Some(part) = &config.spatial {
            let at = format!("{at}.spatial");
            let gate = self.spatial(&at, part, channels, hidden, x)?;
            gates.push(if double {
                self.sigmoid(&at, &gate)
            } else {
                gate
            });
        }
        let gate = match &gates[..] {
            [channel, spatial] => self.sum(format!("{at}.add"), channel, spatial),
            [one] => one.clone(),
            _ => return Ok(x.clone()),
        };
        let gate = self.sigmoid(at, &gate);
        let gate = self.plus(format!("{at}.strengthen"), &gate, 1.0);
        Ok(self.product(format!("{at}.attend"), x, &gate))
    }

    /// The gate of the channels before its sigmoid, `[N, C, 1, 1]`.
    fn channel(
        &mut self,
        at: &str,
        config: &ChannelConfig,
        channels: usize,
        hidden: usize,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let bias = Bias::of(config.mlp_bias);
        let mlp = |graph: &mut Self, way: &str, pooled: &Value| {
            let sides = (channels, hidden);
            let wide = graph.linear(
                &format!("{way}.fc1"),
                &format!("{at}.fc1"),
                sides,
                bias,
                pooled,
            )?;
            let active = graph.relu(&format!("{way}.fc1"), &wide);
            let sides = (hidden, channels);
            graph.linear(
                &format!("{way}.fc2"),
                &format!("{at}.fc2"),
                sides,
                bias,
                &active,
            )
        };
        let (average, maximum) = (format!("{at}.average"), format!("{at}.maximum"));
        let gate = match config.pools {
            Pools::Average => {
                let pooled = self.global_average(at, x);
                mlp(self, at, &pooled)?
            }
            Pools::Maximum => {
                let pooled = self.global_maximum(at, x);
                mlp(self, at, &pooled)?
            }
            Pools::Both => {
                let pooled = self.global_average(&average, x);
                let of_average = mlp(self, &average, &pooled)?;
                let pooled = self.global_maximum(&maximum, x);
                let of_maximum = mlp(self, &maximum, &pooled)?;
                self.sum(format!("{at}.add"), &of_average, &of_maximum)
            }
        };
        let axes = self.integers(&[2, 3]);
        Ok(self.add(
            format!("{at}.unsqueeze"),
            "Unsqueeze",
            [&gate, &axes],
            vec![],
        ))
    }

    /// The gate of the positions before its sigmoid, `[N, 1, H, W]`.
    fn spatial(
        &mut self,
        at: &str,
        config: &SpatialConfig,
        channels: usize,
        hidden: usize,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let (planes, count) = match config.squeeze {
            Squeeze::Conv => {
                let squeeze = ConvShape::new(channels, hidden, 1);
                (self.conv(&format!("{at}.squeeze"), squeeze, x)?, hidden)
            }
            Squeeze::Pool => {
                let mean = self.reduce(format!("{at}.mean"), "ReduceMean", x, &[1]);
                let maximum = self.reduce(format!("{at}.maximum"), "ReduceMax", x, &[1]);
                (self.join(format!("{at}.join"), 1, &[mean, maximum]), 2)
            }
        };
        let shape = ConvShape::new(count, 1, config.kernel);
        let gate = self.conv(&format!("{at}.conv"), shape, &planes)?;
        if config.norm {
            return self.norm(&format!("{at}.norm"), 1, &gate);
        }
        Ok(gate)
    }
}
