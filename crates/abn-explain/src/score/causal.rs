//! Does the network use its map? Its answers under other maps than its own: the causal test that
//! an attention branch allows, and no other explanation does.

use abn_core::explain::{AttentionMap, ForwardPass};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::Examined;
use crate::bootstrap::{Interval, bootstrap};

/// Seed of the resamples.
const SEED: u64 = 2019;
/// Share of changed predictions below which a map does nothing.
const NOTHING: f64 = 0.01;

/// What stands in the place of the branch's map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Substitute {
    /// The same everywhere: the map's mean.
    Uniform,
    /// The map of another image.
    OtherImage,
    /// The map's values in random places.
    Shuffled,
    /// Bright where it was dark.
    Inverted,
}

impl Substitute {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Uniform,
        Self::OtherImage,
        Self::Shuffled,
        Self::Inverted,
    ];

    /// The substitute in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Uniform => "a uniform map",
            Self::OtherImage => "another image's map",
            Self::Shuffled => "its map shuffled",
            Self::Inverted => "its map inverted",
        }
    }

    /// In the place of the map of the image at `place`, whose number in the data set is `index`;
    /// `None` if there is no other image.
    fn of(self, maps: &[&AttentionMap], place: usize, index: usize) -> Option<Vec<f32>> {
        let own = &maps[place].values;
        Some(match self {
            Self::Uniform => {
                let mean =
                    own.iter().map(|value| f64::from(*value)).sum::<f64>() / own.len() as f64;
                vec![mean as f32; own.len()]
            }
            Self::OtherImage => {
                let other = (place + 1) % maps.len();
                if other == place {
                    return None;
                }
                maps[other].values.clone()
            }
            Self::Shuffled => {
                let mut values = own.clone();
                values.shuffle(&mut Pcg64::seed_from_u64(index as u64));
                values
            }
            Self::Inverted => {
                let (low, high) = maps[place].extent()?;
                own.iter().map(|value| low + high - value).collect()
            }
        })
    }
}

/// What the network says of an image under a substitute.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What stood in the place of the map.
    pub under: Substitute,
    /// Whether it is right.
    pub right: bool,
    /// Whether it is what the network says under its own map.
    pub same: bool,
    /// Probability of what it says under its own map.
    pub probability: f64,
}

/// The logits of each image under each substitute, images first; nothing for a network without a
/// branch or with a broken map.
pub(super) fn logits_under(
    pass: &ForwardPass,
    indices: &[usize],
) -> Vec<Vec<(Substitute, Vec<f32>)>> {
    let mut found = vec![Vec::new(); indices.len()];
    let Some(attention) = &pass.output().attention else {
        return found;
    };
    let [_, each, height, width] = attention.map.dims();
    let device = attention.map.device();
    let values: Vec<f32> = attention.map.clone().into_data().iter().collect();
    let maps: Vec<AttentionMap> = values
        .chunks_exact((height * width).max(1))
        .map(|values| AttentionMap {
            height,
            width,
            values: values.to_vec(),
        })
        .collect();
    if values.iter().any(|value| !value.is_finite()) {
        return found;
    }
    // Of several maps an image, all are replaced at once, each by one of its own kind.
    let kinds: Vec<Vec<&AttentionMap>> = (0..each)
        .map(|kind| maps.iter().skip(kind).step_by(each).collect())
        .collect();
    for substitute in Substitute::ALL {
        let places = indices.iter().enumerate();
        let others = places.flat_map(|(place, index)| {
            let kinds = kinds.iter();
            kinds.map(move |maps| substitute.of(maps, place, *index))
        });
        let others: Option<Vec<Vec<f32>>> = others.collect();
        let Some(others) = others else { continue };
        let others = TensorData::new(others.concat(), [indices.len(), each, height, width]);
        let Some(logits) = pass.under_map(Tensor::from_data(others, &device)) else {
            continue;
        };
        let [_, classes] = logits.dims();
        let logits: Vec<f32> = logits.into_data().iter().collect();
        let rows = found.iter_mut().zip(logits.chunks_exact(classes.max(1)));
        rows.for_each(|(found, row)| found.push((substitute, row.to_vec())));
    }
    found
}

/// What the answers say.
#[derive(Debug, Clone, Serialize)]
pub struct UsesMap {
    /// Share of right answers under the own map.
    pub accuracy: Interval,
    /// What each substitute does.
    pub under: Vec<Effect>,
    /// Whether any of them does anything.
    pub verdict: Use,
}

/// Whether a network uses its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Without it, it is right less often.
    ForAccuracy,
    /// Without it, it says something else, but is right as often.
    ForSomething,
    /// Whatever stands there, it says the same: the map is decoration.
    None,
}

/// What a substitute does.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Effect {
    /// What stood in the place of the map.
    pub under: Substitute,
    /// Share of right answers.
    pub accuracy: Interval,
    /// How much of the accuracy it costs, image by image.
    pub lost: Interval,
    /// Share of answers that it changes.
    pub changed: Interval,
    /// Mean change of the probability of what was predicted.
    pub moved: Interval,
}

impl UsesMap {
    /// Sums up the answers; `None` without any.
    pub fn of(images: &[Examined]) -> Option<Self> {
        let own = |image: &Examined| image.rows.first().map(|row| row.predicted == row.label);
        let effect = |under: Substitute| -> Option<Effect> {
            let answers = images.iter().filter_map(|image| {
                let answer = image.under.iter().find(|answer| answer.under == under)?;
                Some((own(image)?, image.confidence?, answer))
            });
            let answers: Vec<_> = answers.collect();
            let mean = |value: &dyn Fn(bool, f64, &Answer) -> f64| {
                let values: Vec<f64> = answers
                    .iter()
                    .map(|(own, confidence, answer)| value(*own, *confidence, answer))
                    .collect();
                bootstrap(&values, SEED)
            };
            let number = |yes: bool| f64::from(u8::from(yes));
            Some(Effect {
                under,
                accuracy: mean(&|_, _, answer| number(answer.right))?,
                lost: mean(&|own, _, answer| number(own) - number(answer.right))?,
                changed: mean(&|_, _, answer| number(!answer.same))?,
                moved: mean(&|_, confidence, answer| (confidence - answer.probability).abs())?,
            })
        };
        let under: Vec<Effect> = Substitute::ALL.into_iter().filter_map(effect).collect();
        let right: Vec<f64> = images
            .iter()
            .filter(|image| !image.under.is_empty())
            .filter_map(own)
            .map(|right| f64::from(u8::from(right)))
            .collect();
        let costs = |effect: &Effect| effect.lost.low > 0.0;
        let changes = |effect: &Effect| effect.changed.mean >= NOTHING;
        let verdict = if under.iter().any(costs) {
            Use::ForAccuracy
        } else if under.iter().any(changes) {
            Use::ForSomething
        } else {
            Use::None
        };
        (!under.is_empty()).then_some(())?;
        Some(Self {
            accuracy: bootstrap(&right, SEED)?,
            under,
            verdict,
        })
    }

    /// What it means, in a sentence.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let cost = |effect: &Effect| {
            let Interval { mean, low, high } = effect.lost;
            format!(
                "{} costs {} points of accuracy ({} to {})",
                effect.under.words(),
                percent(mean),
                percent(low),
                percent(high)
            )
        };
        let worst = |of: fn(&Effect) -> f64| {
            let mut sorted: Vec<&Effect> = self.under.iter().collect();
            sorted.sort_by(|a, b| of(b).total_cmp(&of(a)));
            sorted.first().copied()
        };
        let costs: Vec<String> = self
            .under
            .iter()
            .filter(|effect| effect.lost.low > 0.0)
            .map(cost)
            .collect();
        match (self.verdict, worst(|effect| effect.changed.mean)) {
            (Use::ForAccuracy, _) => format!("The network uses its map: {}.", costs.join(", ")),
            (Use::ForSomething, Some(most)) => format!(
                "The network heeds its map without gain: {} changes {} % of the predictions, but \
                 no substitute costs accuracy for certain.",
                most.under.words(),
                percent(most.changed.mean)
            ),
            _ => "The map is decoration: whatever stands in its place, the network says the same."
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32]) -> AttentionMap {
        AttentionMap::new(1, values.len(), values.to_vec()).unwrap()
    }

    #[test]
    fn substitutes_by_hand() {
        let maps = [map(&[0.25, 0.5, 0.75, 0.0]), map(&[1.0, 0.0, 0.0, 0.0])];
        let maps = maps.each_ref();
        let of = |substitute: Substitute| substitute.of(&maps, 0, 3).unwrap();
        assert_eq!(of(Substitute::Uniform), [0.375; 4]);
        assert_eq!(of(Substitute::OtherImage), maps[1].values);
        assert_eq!(of(Substitute::Inverted), [0.5, 0.25, 0.0, 0.75]);
        let mut shuffled = of(Substitute::Shuffled);
        assert_eq!(shuffled, of(Substitute::Shuffled));
        shuffled.sort_by(f32::total_cmp);
        assert_eq!(shuffled, [0.0, 0.25, 0.5, 0.75]);
        assert_eq!(Substitute::OtherImage.of(&maps[..1], 0, 0), None);
    }
}
