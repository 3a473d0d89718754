//! The sanity check of Adebayo et al. (2018, section 3): a map that stays as it was while the
//! weights are drawn anew, from the top of the network down, does not explain the network.

use std::fmt;

use burn::tensor::Device;

use crate::classifier::{Classifier, ClassifierConfig};
use crate::state::{State, StateMismatch, state_of, with_state};

/// A part of a network whose weights are drawn anew together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The classifier of the perception branch.
    Head,
    /// The attention branch, which stands beside the last stage.
    Branch,
    /// A stage, numbered from 0, with the batch norm behind the last one where there is one.
    Stage(usize),
    /// The first layers.
    Stem,
}

impl Part {
    /// The part that a tensor of a classifier's [state](crate::state) belongs to.
    fn of(name: &str, stages: usize) -> Self {
        let mut path = name.split('.');
        match (path.next(), path.next()) {
            (Some("branch"), _) => Self::Branch,
            (_, Some("stem")) => Self::Stem,
            (_, Some("norm")) => Self::Stage(stages - 1),
            (_, Some("stages")) => Self::Stage(
                path.next()
                    .and_then(|stage| stage.parse().ok())
                    .unwrap_or(0),
            ),
            _ => Self::Head,
        }
    }

    /// Parts nearer to the prediction come first.
    fn depth(self, stages: usize) -> usize {
        match self {
            Self::Head => 0,
            Self::Branch => 1,
            Self::Stage(stage) => 1 + stages - stage,
            Self::Stem => 2 + stages,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Branch => f.write_str("attention branch"),
            Self::Stage(stage) => write!(f, "stage {}", stage + 1),
            Self::Stem => f.write_str("stem"),
        }
    }
}

/// A trained network beside one of fresh weights, to be mixed.
pub struct Cascade {
    config: ClassifierConfig,
    trained: State,
    fresh: State,
    parts: Vec<Part>,
    device: Device,
}

impl Cascade {
    /// The fresh weights are drawn from that seed; [`ClassifierConfig::init_seeded`] says how.
    pub fn new(
        config: &ClassifierConfig,
        trained: &Classifier,
        seed: u64,
        device: &Device,
    ) -> Self {
        let (trained, fresh) = (
            state_of(trained),
            state_of(&config.init_seeded(seed, device)),
        );
        let stages = stages_in(&trained);
        let mut parts: Vec<Part> = trained.keys().map(|name| Part::of(name, stages)).collect();
        parts.sort_by_key(|part| part.depth(stages));
        parts.dedup();
        Self {
            config: config.clone(),
            trained,
            fresh,
            parts,
            device: device.clone(),
        }
    }

    /// The parts of the network that have weights, from the prediction down to the image.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The trained network with its first `count` [parts](Self::parts) drawn anew, running
    /// statistics included.
    ///
    /// # Errors
    /// The trained network is not of the configuration given.
    pub fn randomised(&self, count: usize) -> Result<Classifier, StateMismatch> {
        let stages = stages_in(&self.trained);
        let anew = &self.parts[..count.min(self.parts.len())];
        let mixed = self.trained.iter().map(|(name, trained)| {
            let fresh = self
                .fresh
                .get(name)
                .filter(|_| anew.contains(&Part::of(name, stages)));
            (name.clone(), fresh.unwrap_or(trained).clone())
        });
        with_state(self.config.init(&self.device), mixed.collect())
    }
}

/// How many stages the tensors belong to.
fn stages_in(state: &State) -> usize {
    let stage = |name: &String| match Part::of(name, 1) {
        Part::Stage(stage) => stage + 1,
        _ => 1,
    };
    state.keys().map(stage).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use crate::AttentionConfig;
    use crate::Outputs;

    fn cascade(name: &str, attention: Option<AttentionConfig>) -> (Classifier, Cascade) {
        let network = Architecture::parse(name).unwrap().network;
        let config = ClassifierConfig {
            network,
            attention,
            outputs: Outputs::one(4),
        };
        let device = Device::flex();
        let trained = config.init_seeded(1, &device);
        let cascade = Cascade::new(&config, &trained, 2, &device);
        (trained, cascade)
    }

    #[test]
    fn parts_come_from_the_prediction_down() {
        let (_, abn) = cascade("resnet8", Some(AttentionConfig::abn()));
        let stages = [Part::Stage(2), Part::Stage(1), Part::Stage(0), Part::Stem];
        assert_eq!(
            abn.parts(),
            [[Part::Head, Part::Branch].as_slice(), &stages].concat()
        );
        let (_, baseline) = cascade("wrn-10-1", None);
        assert_eq!(
            baseline.parts(),
            [[Part::Head].as_slice(), &stages].concat()
        );
        let (_, vgg) = cascade("vgg11-bn", None);
        assert_eq!(vgg.parts().last(), Some(&Part::Stage(0)), "VGG has no stem");
    }

    #[test]
    fn each_step_changes_one_part_more() {
        let (trained, cascade) = cascade("resnet8", Some(AttentionConfig::abn()));
        let trained = state_of(&trained);
        for count in 0..=cascade.parts().len() {
            let mixed = state_of(&cascade.randomised(count).unwrap());
            let differing = trained
                .iter()
                .filter(|(name, tensor)| mixed[*name] != **tensor);
            let mut parts: Vec<Part> = differing.map(|(name, _)| Part::of(name, 3)).collect();
            parts.sort_by_key(|part| part.depth(3));
            parts.dedup();
            assert_eq!(parts, cascade.parts()[..count]);
        }
    }
}
