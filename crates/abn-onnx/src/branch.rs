//! The attention branch: logits and maps.

use abn_core::attention::{AttentionConfig, MapConfig, Pool};
use abn_core::backbone::NetworkConfig;
use abn_core::conv::ConvShape;
use abn_core::outputs::Outputs;

use crate::error::OnnxError;
use crate::graph::{Graph, Value};
use crate::map::Sources;

/// Where the branch's weights lie.
const BRANCH: &str = "branch";

/// What the branch gives.
pub(crate) struct Attention {
    /// Logits of all classes, `[N, K]`.
    pub(crate) logits: Value,
    /// Maps, `[N, M, h, w]`.
    pub(crate) map: Value,
}

impl Graph {
    /// The branch over features F, `[N, C, h, w]`.
    pub(crate) fn attention(
        &mut self,
        config: &AttentionConfig,
        network: &NetworkConfig,
        outputs: &Outputs,
        features: &Value,
    ) -> Result<Attention, OnnxError> {
        let stage = network.branch_stage();
        let channels = config.channels(&stage);
        let mut seen = features.clone();
        if let Some(mixed) = &config.mixed {
            seen = self.mixed(&format!("{BRANCH}.mixed"), mixed, stage.inputs, &seen)?;
        }
        if config.stage {
            seen = self.stage(&format!("{BRANCH}.stage"), &stage, &seen)?;
        }
        if config.norm {
            seen = self.norm(&format!("{BRANCH}.norm"), channels, &seen)?;
        }
        let outputs = config.learned(outputs);
        let classes = outputs.learned().total();
        let at = format!("{BRANCH}.logits");
        let (evidence, map) = match config.map {
            MapConfig::Logit(map) => {
                let evidence = self.conv(&at, ConvShape::new(channels, classes, 1), &seen)?;
                let map = self.logit_map(map, &evidence);
                (evidence, map)
            }
            MapConfig::Sigmoid(_) | MapConfig::LogSum => {
                let own = format!("{BRANCH}.class_maps");
                let normed = self.conv_norm(&own, ConvShape::new(channels, classes, 1), &seen)?;
                let class_maps = self.relu(&own, &normed);
                let shape = ConvShape::new(classes, classes, 1);
                let evidence = self.conv(&at, shape, &class_maps)?;
                let sources = Sources {
                    classes: &class_maps,
                    evidence: &evidence,
                    maps: config.maps,
                    outputs: &outputs,
                };
                let map = match &config.map {
                    MapConfig::Sigmoid(map) => self.sigmoid_map(map, &sources)?,
                    MapConfig::LogSum | MapConfig::Logit(_) => self.log_sum(&sources),
                };
                (evidence, map)
            }
        };
        let learned = self.pooled(&at, config.pool, &evidence);
        let logits = self.tell(BRANCH, &outputs, &learned);
        Ok(Attention { logits, map })
    }

    /// `[N, K, h, w]` to `[N, K]`.
    fn pooled(&mut self, at: &str, pool: Pool, evidence: &Value) -> Value {
        match pool {
            Pool::Mean => self.global_average(at, evidence),
            Pool::Maximum => self.global_maximum(at, evidence),
        }
    }
}
