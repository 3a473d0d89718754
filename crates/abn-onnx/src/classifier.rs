//! The whole network: backbone, attention branch and mechanism.

use abn_core::ClassifierConfig;
use abn_core::attention::AttentionConfig;
use abn_core::mechanism::Mechanism;

use crate::branch::Attention;
use crate::error::OnnxError;
use crate::graph::{Graph, Value};

/// Where what lies between the parts is called.
const ATTEND: &str = "attend";
const PERCEPTION: &str = "perception";

/// What a network gives.
pub(crate) struct Answer {
    /// Perception logits, `[N, K]`.
    pub(crate) logits: Value,
    /// What the branch gives, if there is one.
    pub(crate) attention: Option<Attention>,
}

impl Graph {
    /// The network over normalised images, `[N, 3, H, W]`.
    pub(crate) fn classifier(
        &mut self,
        config: &ClassifierConfig,
        images: &Value,
    ) -> Result<Answer, OnnxError> {
        let features = self.extract(&config.network, images)?;
        let Some(branch) = &config.attention else {
            let logits = self.perceive(config, &features)?;
            let attention = None;
            return Ok(Answer { logits, attention });
        };
        let attention = self.attention(branch, &config.network, &config.outputs, &features)?;
        let maps = branch.maps.count(&config.outputs);
        let logits = if maps > 1 && branch.mechanism != Mechanism::Identity {
            self.perceive_under(config, branch, &features, &attention.map)?
        } else {
            let attended = self.attend(branch.mechanism, &features, &attention.map);
            self.perceive(config, &attended)?
        };
        let attention = Some(attention);
        Ok(Answer { logits, attention })
    }

    /// Attended features `[N, C, h, w]` to logits `[N, K]`.
    fn perceive(
        &mut self,
        config: &ClassifierConfig,
        attended: &Value,
    ) -> Result<Value, OnnxError> {
        let refined = self.refine(&config.network, attended)?;
        let classes = config.outputs.learned().total();
        let learned = self.classify(&config.network, classes, &refined)?;
        Ok(self.tell(PERCEPTION, &config.outputs, &learned))
    }

    /// F, M.F or (1 + M).F, for maps that fit the features as they are or by one axis of length 1.
    fn attend(&mut self, mechanism: Mechanism, features: &Value, map: &Value) -> Value {
        let name = |part: &str| format!("{ATTEND}.{part}");
        match mechanism {
            Mechanism::Identity => features.clone(),
            Mechanism::Multiply => self.product(name("multiply"), map, features),
            Mechanism::Residual => {
                let stronger = self.plus(name("strengthen"), map, 1.0);
                self.product(name("multiply"), &stronger, features)
            }
        }
    }

    /// Group by group under the map of each: features `[N, C, h, w]` and maps `[N, M, h, w]` to
    /// logits `[N, K]`. The last stage sees all M of an image side by side in the batch, so that its
    /// nodes stand in the graph once; its memory is that of M images.
    fn perceive_under(
        &mut self,
        config: &ClassifierConfig,
        branch: &AttentionConfig,
        features: &Value,
        maps: &Value,
    ) -> Result<Value, OnnxError> {
        let name = |part: &str| format!("{ATTEND}.{part}");
        let each = self.unsqueeze(name("features"), features, 1); // [N, 1, C, h, w]
        let under = self.unsqueeze(name("maps"), maps, 2); // [N, M, 1, h, w]
        let attended = self.attend(branch.mechanism, &each, &under); // [N, M, C, h, w]
        let channels = config.network.last_stage().inputs as i64;
        let first = self.integers(&[-1, channels]);
        let size = self.shape(name("size"), features, 2, 4);
        let shape = self.join(name("shape"), 0, &[first, size]);
        let attended = self.reshape(name("in_batch"), &attended, &shape); // [N M, C, h, w]
        let logits = self.perceive(config, &attended)?;
        Ok(self.own(PERCEPTION, &config.outputs, &logits))
    }
}
