//! From the class maps to the attention map M: what it is made of, and how it comes to lie in
//! [0, 1].
//!
//! ```text
//! source --> mean over a window --> norm --> sigmoid --> M [B, 1, h, w]
//! ```
//!
//! In both papers the source is a convolution of the K class maps, whose weights have signs, and
//! the norm is a batch norm. Such a convolution can learn to darken the object for whole classes:
//! a network does as well with what is beside it. Evidence has no such freedom.

use std::ops::Range;

use abn_kernels::ops::{After, global_average, sigmoid, softmax};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer};
use burn::serde::{Deserialize, Serialize};
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};

use super::maps::Maps;
use crate::conv::{Conv2d, ConvShape, conv_norm};
use crate::mixed::{InvalidAttention, check_kernel};
// Added to the variance of a map, as to that of a batch, and to the range of one.
use crate::norm::{BatchNorm, EPSILON};
use crate::outputs::Outputs;

/// How the K class maps become the attention map M.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case", deny_unknown_fields)]
pub enum MapConfig {
    /// Between 0 and 1, by a sigmoid as in both papers, or as its norm says.
    Sigmoid(SigmoidMap),
    /// sum over k of log(1 + a_k): at least 0, without an upper bound (ABN's code for SENet).
    LogSum,
    /// What the branch's logit of the label is [pooled](super::Pool) from, of labels of two classes
    /// with a map each (ABN's code for facial attributes).
    Logit(LogitMap),
}

/// How the map of a label's logit re-weights the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum LogitMap {
    /// As it is: of either sign, without bounds.
    Raw,
    /// By its sigmoid.
    Sigmoid,
}

impl LogitMap {
    /// # Shapes
    /// `[B, G, h, w]` to the same.
    pub(super) fn of(self, raw: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Raw => raw,
            Self::Sigmoid => sigmoid(raw),
        }
    }
}

/// What is brought between 0 and 1, and how.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", try_from = "Stored", into = "Stored")]
pub struct SigmoidMap {
    /// What the map is made of.
    pub source: MapSource,
    /// Side of the window over which each value is a mean; 1 for none.
    pub smoothing: usize,
    /// What comes before the sigmoid, or in its place.
    pub norm: MapNorm,
    /// Scale behind the norm at the beginning of a training: 1 in the papers.
    pub gain: f64,
    /// Whether the weight decay reaches that scale, as it does in the papers' code.
    pub decayed: bool,
    /// Probability that an image's features are re-weighted by the mean of its map, in training:
    /// what lies behind cannot rely on the map alone.
    pub dropout: f64,
}

/// What the attention map is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum MapSource {
    /// A convolution of the class maps, its weights of either sign.
    Convolution {
        /// Side: 3 in ABN's code, 1 in both papers' text.
        kernel: usize,
    },
    /// The map whose mean is the branch's logit, of the class that the branch holds for the
    /// likeliest: CAM (Zhou et al. 2016) within the branch. Of several labels, their mean.
    Class,
    /// sum over k of log(1 + a_k): any class's evidence (ABN's code for SENet), before the norm.
    LogSum,
}

/// How the raw map is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum MapNorm {
    /// Batch norm, then the sigmoid, as in both papers: a whole image may be bright or dark.
    #[default]
    Batch,
    /// Mean 0 and variance 1 within each image, scale and shift, then the sigmoid (instance
    /// normalisation, Ulyanov et al. 2016): no map is flat.
    Image,
    /// From 0 to 1 within each image (LFI-CAM, Lee et al. 2021), without a sigmoid.
    MinMax,
    /// Softmax over the positions times half their number, without a sigmoid: the mean is 1/2 and
    /// there is no upper bound.
    Softmax,
    /// Scale and shift, then the sigmoid.
    None,
}

/// As it stands in a file: a kernel where the source is a convolution, whatever differs from the
/// papers after it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Evidence>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    smoothing: usize,
    #[serde(default, skip_serializing_if = "MapNorm::is_usual")]
    norm: MapNorm,
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    gain: f64,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    decayed: bool,
    #[serde(default, skip_serializing_if = "is_nothing")]
    dropout: f64,
}

/// The sources that have no kernel.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
enum Evidence {
    Class,
    LogSum,
}

fn one() -> usize {
    1
}

fn is_one(value: &usize) -> bool {
    *value == 1
}

fn whole() -> f64 {
    1.0
}

fn is_whole(value: &f64) -> bool {
    *value == 1.0
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn is_nothing(value: &f64) -> bool {
    *value == 0.0
}

impl MapNorm {
    fn is_usual(&self) -> bool {
        *self == Self::Batch
    }
}

impl TryFrom<Stored> for SigmoidMap {
    type Error = InvalidAttention;

    fn try_from(stored: Stored) -> Result<Self, InvalidAttention> {
        let source = match (stored.source, stored.kernel) {
            (None, Some(kernel)) => MapSource::Convolution { kernel },
            (Some(Evidence::Class), None) => MapSource::Class,
            (Some(Evidence::LogSum), None) => MapSource::LogSum,
            (Some(_), Some(_)) => {
                return Err(InvalidAttention(
                    "a map has a kernel or another source, not both: set the kernel to null",
                ));
            }
            (None, None) => {
                return Err(InvalidAttention(
                    "a map needs a kernel, or the source class or log_sum",
                ));
            }
        };
        Ok(Self {
            source,
            smoothing: stored.smoothing,
            norm: stored.norm,
            gain: stored.gain,
            decayed: stored.decayed,
            dropout: stored.dropout,
        })
    }
}

impl From<SigmoidMap> for Stored {
    fn from(map: SigmoidMap) -> Self {
        let (kernel, source) = match map.source {
            MapSource::Convolution { kernel } => (Some(kernel), None),
            MapSource::Class => (None, Some(Evidence::Class)),
            MapSource::LogSum => (None, Some(Evidence::LogSum)),
        };
        Self {
            kernel,
            source,
            smoothing: map.smoothing,
            norm: map.norm,
            gain: map.gain,
            decayed: map.decayed,
            dropout: map.dropout,
        }
    }
}

impl SigmoidMap {
    /// As in the papers, whose kernels differ.
    pub fn convolution(kernel: usize) -> Self {
        Self::of(MapSource::Convolution { kernel })
    }

    /// A map of that source, otherwise as in the papers.
    pub fn of(source: MapSource) -> Self {
        Self {
            source,
            smoothing: 1,
            norm: MapNorm::Batch,
            gain: 1.0,
            decayed: true,
            dropout: 0.0,
        }
    }

    fn check(&self) -> Result<(), InvalidAttention> {
        if let MapSource::Convolution { kernel } = self.source {
            check_kernel(kernel)?;
        }
        check_kernel(self.smoothing)?;
        if !(1e-3..=1e3).contains(&self.gain) {
            return Err(InvalidAttention(
                "the gain of a map must be between 0.001 and 1000",
            ));
        }
        let scaled = !matches!(self.norm, MapNorm::MinMax | MapNorm::Softmax);
        if !scaled && (self.gain != 1.0 || !self.decayed) {
            return Err(InvalidAttention(
                "a map by min_max or softmax has no scale: leave gain and decayed out",
            ));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(InvalidAttention(
                "the dropout of a map must be at least 0 and below 1",
            ));
        }
        Ok(())
    }

    fn init(&self, maps: Maps, outputs: &Outputs, device: &Device) -> MapHead {
        let count = maps.count(outputs);
        let conv = match self.source {
            MapSource::Convolution { kernel } => {
                Some(ConvShape::new(outputs.learned().total(), count, kernel))
            }
            MapSource::Class | MapSource::LogSum => None,
        };
        let by_batch = self.norm == MapNorm::Batch;
        let by_image = matches!(self.norm, MapNorm::Image | MapNorm::None);
        let gain = Initializer::Constant { value: self.gain };
        MapHead {
            conv: conv.map(|shape| shape.init(device)),
            norm: by_batch.then(|| BatchNorm::of_gain(count, gain.clone(), device)),
            scale: by_image.then(|| Scale {
                gain: gain.init([count], device),
                shift: Initializer::Zeros.init([count], device),
            }),
            dropout: DropoutConfig::new(self.dropout).init(),
            config: *self,
            maps,
            spans: outputs.learned().spans().collect(),
        }
    }
}

/// Names in a [state](crate::state) of the scale behind the norm, of which a network has one.
pub(crate) const GAINS: [&str; 2] = ["branch.map.norm.gamma", "branch.map.scale.gain"];

impl MapConfig {
    /// The same without dropout.
    #[must_use]
    pub fn without_dropout(self) -> Self {
        match self {
            Self::Sigmoid(map) => Self::Sigmoid(SigmoidMap {
                dropout: 0.0,
                ..map
            }),
            Self::LogSum | Self::Logit(_) => self,
        }
    }

    /// The parameters that the weight decay does not reach.
    pub fn undecayed(self) -> &'static [&'static str] {
        match self {
            Self::Sigmoid(map) if !map.decayed => &GAINS,
            _ => &[],
        }
    }

    /// The map of a convolution as in the papers, whose kernels differ.
    pub fn convolution(kernel: usize) -> Self {
        Self::Sigmoid(SigmoidMap::convolution(kernel))
    }

    /// Whether its values lie in [0, 1], so that those of different images compare.
    pub fn is_bounded(self) -> bool {
        match self {
            Self::Sigmoid(map) => map.norm != MapNorm::Softmax,
            Self::LogSum => false,
            Self::Logit(map) => map == LogitMap::Sigmoid,
        }
    }

    /// Whether it is made of what the branch's own loss trains, without a convolution between.
    pub(super) fn is_evidence(self) -> bool {
        match self {
            Self::Sigmoid(map) => !matches!(map.source, MapSource::Convolution { .. }),
            Self::LogSum | Self::Logit(_) => true,
        }
    }

    /// Refuses what no map can be made of.
    pub(super) fn check(self) -> Result<(), InvalidAttention> {
        match self {
            Self::Sigmoid(map) => map.check(),
            Self::LogSum | Self::Logit(_) => Ok(()),
        }
    }

    /// The convolution of the class maps to the attention map, if there is one.
    pub fn conv(self, maps: Maps, outputs: &Outputs) -> Option<ConvShape> {
        match self {
            Self::Sigmoid(SigmoidMap {
                source: MapSource::Convolution { kernel },
                ..
            }) => {
                let classes = outputs.learned().total();
                Some(ConvShape::new(classes, maps.count(outputs), kernel))
            }
            _ => None,
        }
    }

    /// The layers, where there are some.
    pub(super) fn init(self, maps: Maps, outputs: &Outputs, device: &Device) -> Option<MapHead> {
        match self {
            Self::Sigmoid(map) => Some(map.init(maps, outputs, device)),
            Self::LogSum | Self::Logit(_) => None,
        }
    }
}

/// Scale and shift of each map, `[M]` both.
#[derive(Module, Debug)]
pub struct Scale {
    /// The scale.
    pub gain: Param<Tensor<1>>,
    /// The shift, initially 0.
    pub shift: Param<Tensor<1>>,
}

impl Scale {
    /// # Shapes
    /// `[B, M, h, w]` to the same.
    fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let [_, maps, ..] = map.dims();
        let [gain, shift] =
            [&self.gain, &self.shift].map(|param| param.val().reshape([1, maps, 1, 1]));
        map * gain + shift
    }
}

/// What lies between the class maps and M; see the module's picture.
#[derive(Module, Debug)]
pub struct MapHead {
    /// Convolution of the class maps, where it is the source.
    pub conv: Option<Conv2d>,
    /// The batch norm, where that is the norm.
    pub norm: Option<BatchNorm>,
    /// Scale and shift, where the norm has them without a batch norm.
    pub scale: Option<Scale>,
    dropout: Dropout,
    #[module(skip)]
    config: SigmoidMap,
    #[module(skip)]
    maps: Maps,
    /// The groups' classes.
    #[module(skip)]
    spans: Vec<Range<usize>>,
}

impl MapHead {
    /// # Shapes
    /// Class maps `[B, K, h, w]` and evidence, whose mean is the logits, `[B, K, h, w]`; returns M,
    /// `[B, M, h, w]`.
    pub(super) fn forward(&self, classes: Tensor<4>, evidence: Tensor<4>) -> Tensor<4> {
        if let (Some(conv), Some(norm), 1) = (&self.conv, &self.norm, self.config.smoothing) {
            return sigmoid(conv_norm(conv, norm, classes, After::default()));
        }
        let raw = match (&self.conv, self.config.source) {
            (Some(conv), _) => conv.forward(classes),
            (None, MapSource::Class) => likeliest(evidence, self.maps, &self.spans),
            (None, _) => self.maps.log_sum(classes, &self.spans),
        };
        self.normalised(smoothed(raw, self.config.smoothing))
    }

    /// The scale behind the norm, where there is one; the mean of several maps'.
    pub fn gain(&self) -> Option<f64> {
        let of_norm = self.norm.as_ref().map(|norm| &norm.gamma);
        let gain = of_norm.or(self.scale.as_ref().map(|scale| &scale.gain))?;
        Some(f64::from(gain.val().mean().into_scalar::<f32>()))
    }

    /// Whether the evidence of the classes is looked at.
    pub(super) fn reads_evidence(&self) -> bool {
        self.config.source == MapSource::Class
    }

    fn normalised(&self, raw: Tensor<4>) -> Tensor<4> {
        let scaled = |map: Tensor<4>| match &self.scale {
            Some(scale) => scale.forward(map),
            None => map,
        };
        match (self.config.norm, &self.norm) {
            (_, Some(norm)) => sigmoid(norm.forward(raw)),
            (MapNorm::Image, _) => sigmoid(scaled(standardised(raw))),
            (MapNorm::MinMax, _) => {
                let [batch, maps, ..] = raw.dims();
                let flat = flat(raw.clone());
                let of_map = |value: Tensor<2>| value.reshape([batch, maps, 1, 1]);
                let low = of_map(flat.clone().min_dim(1));
                let range = of_map(flat.clone().max_dim(1)) - low.clone();
                (raw - low) / (range + EPSILON)
            }
            (MapNorm::Softmax, _) => {
                let shares = softmax(flat(raw.clone()));
                let [_, positions] = shares.dims();
                shares.reshape(raw.shape()) * (positions as f64 / 2.0)
            }
            (MapNorm::Batch | MapNorm::None, _) => sigmoid(scaled(raw)),
        }
    }

    /// The map by which the features are re-weighted: in training, some images have the mean of
    /// theirs in its place.
    ///
    /// # Shapes
    /// `[B, M, h, w]` to the same.
    pub(crate) fn dropped(&self, map: Tensor<4>) -> Tensor<4> {
        if self.config.dropout == 0.0 {
            return map;
        }
        let [batch, ..] = map.dims();
        let kept = Tensor::<4>::ones([batch, 1, 1, 1], &map.device());
        let gone = self.dropout.forward(kept).equal_elem(0.0);
        let flat = global(map.clone()).expand(map.shape());
        map.clone().mask_where(gone.expand(map.shape()), flat)
    }
}

/// The mean of each map, `[B, M, h, w]` to `[B, M, 1, 1]`.
fn global(map: Tensor<4>) -> Tensor<4> {
    let [batch, maps, ..] = map.dims();
    global_average(map).reshape([batch, maps, 1, 1])
}

/// The positions of each map in a row, `[B, M, h, w]` to `[B M, h w]`.
fn flat(map: Tensor<4>) -> Tensor<2> {
    let [batch, maps, height, width] = map.dims();
    map.reshape([batch * maps, height * width])
}

/// Each map with mean 0 and variance 1.
fn standardised(map: Tensor<4>) -> Tensor<4> {
    let centred = map.clone() - global(map);
    let variance = global(centred.clone() * centred.clone());
    centred / (variance + EPSILON).sqrt()
}

/// The mean over a window; at the borders of what lies within the map.
fn smoothed(map: Tensor<4>, window: usize) -> Tensor<4> {
    if window == 1 {
        return map;
    }
    let border = window / 2;
    let options = AvgPoolOptions {
        kernel_size: [window; 2],
        stride: [1; 2],
        padding: [(border, border); 2],
        count_include_pad: false,
        ceil_mode: false,
    };
    avg_pool2d(map, options)
}

/// The evidence for the class whose mean evidence is greatest, group by group or as a mean over
/// them. Which class that is has no gradient.
///
/// # Shapes
/// `[B, K, h, w]` to `[B, M, h, w]`.
fn likeliest(evidence: Tensor<4>, maps: Maps, spans: &[Range<usize>]) -> Tensor<4> {
    let [batch, _, height, width] = evidence.dims();
    let logits = global_average(evidence.clone().detach());
    let of_group = |span: &Range<usize>| {
        let logits = logits.clone().narrow(1, span.start, span.len());
        let class = logits.argmax(1).reshape([batch, 1, 1, 1]);
        let group = evidence.clone().narrow(1, span.start, span.len());
        group.gather(1, class.expand([batch, 1, height, width]))
    };
    if maps == Maps::PerGroup {
        return Tensor::cat(spans.iter().map(of_group).collect(), 1);
    }
    let (first, others) = spans.split_first().expect("a network has classes");
    let sum = others
        .iter()
        .fold(of_group(first), |sum, span| sum + of_group(span));
    match spans.len() {
        1 => sum,
        groups => sum / groups as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(map: SigmoidMap) -> MapHead {
        map.init(Maps::One, &Outputs::one(2), &Device::flex())
    }

    /// Class maps (1, 0, 3, 0) and (0, 0, 1, 0) of 2 x 2 positions; the evidence is as large, with
    /// its sign turned.
    fn inputs() -> [Tensor<4>; 2] {
        let values = [1.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let classes = Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 2, 2, 2]);
        [classes.clone(), -classes]
    }

    fn map_of(map: SigmoidMap) -> Vec<f32> {
        let [classes, evidence] = inputs();
        head(map)
            .forward(classes, evidence)
            .into_data()
            .iter()
            .collect()
    }

    #[track_caller]
    fn check(found: &[f32], expected: [f32; 4]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
        }
    }

    fn logistic(value: f32) -> f32 {
        1.0 / (1.0 + (-value).exp())
    }

    #[test]
    fn maps_by_hand() {
        let of = |source, norm| SigmoidMap {
            norm,
            ..SigmoidMap::of(source)
        };
        // The evidence of the second class has the higher mean: 0, 0, -1, 0.
        let class = map_of(of(MapSource::Class, MapNorm::None));
        check(&class, [0.0, 0.0, -1.0, 0.0].map(logistic));
        // ln 2 + 0, 0, ln 4 + ln 2, 0.
        let one = 2.0_f32.ln();
        let raw = [one, 0.0, 3.0 * one, 0.0];
        check(
            &map_of(of(MapSource::LogSum, MapNorm::None)),
            raw.map(logistic),
        );
        check(
            &map_of(of(MapSource::LogSum, MapNorm::MinMax)),
            [1.0 / 3.0, 0.0, 1.0, 0.0],
        );
        // exp: 2, 1, 8, 1; by their mean, 3, and halved.
        check(
            &map_of(of(MapSource::LogSum, MapNorm::Softmax)),
            [2.0, 1.0, 8.0, 1.0].map(|value| value / 6.0),
        );
        // Mean 1 and variance 1.5, in units of ln 2.
        let normed = [0.0, -1.0, 2.0, -1.0].map(|value: f32| logistic(value / 1.5_f32.sqrt()));
        check(&map_of(of(MapSource::LogSum, MapNorm::Image)), normed);
        // A window of 3 x 3 holds all four positions.
        let smoothed = SigmoidMap {
            smoothing: 3,
            ..of(MapSource::LogSum, MapNorm::None)
        };
        check(&map_of(smoothed), [logistic(one); 4]);
    }

    #[test]
    fn dropped_maps_are_their_means_in_training_alone() {
        let map = SigmoidMap {
            dropout: 0.5,
            ..SigmoidMap::of(MapSource::LogSum)
        };
        let device = Device::flex().autodiff();
        let head = map.init(Maps::One, &Outputs::one(2), &device);
        let row = Tensor::<1>::from_floats([0.0, 1.0], &device).reshape([1, 1, 1, 2]);
        let maps = row.expand([200, 1, 1, 2]);
        device.seed(3);
        let found: Vec<f32> = head.dropped(maps.clone()).into_data().iter().collect();
        let dropped = found
            .chunks_exact(2)
            .filter(|map| *map == [0.5, 0.5])
            .count();
        let kept = found
            .chunks_exact(2)
            .filter(|map| *map == [0.0, 1.0])
            .count();
        assert!(
            dropped + kept == 200 && (60..140).contains(&dropped),
            "{dropped} {kept}"
        );
        let evaluated = head.valid().dropped(maps.without_autodiff());
        let evaluated: Vec<f32> = evaluated.into_data().iter().collect();
        assert!(evaluated.chunks_exact(2).all(|map| map == [0.0, 1.0]));
    }

    #[test]
    fn files_hold_what_differs_from_the_papers() {
        let stored = |text: &str| -> Result<MapConfig, String> {
            serde_json::from_str(text).map_err(|error| error.to_string())
        };
        let usual = r#"{"sigmoid":{"kernel":3}}"#;
        assert_eq!(stored(usual).unwrap(), MapConfig::convolution(3));
        assert_eq!(
            serde_json::to_string(&MapConfig::convolution(3)).unwrap(),
            usual
        );
        assert_eq!(stored(r#""log_sum""#).unwrap(), MapConfig::LogSum);
        let evidence = r#"{"sigmoid":{"source":"class","smoothing":3,"norm":"image"}}"#;
        let found = stored(evidence).unwrap();
        assert_eq!(serde_json::to_string(&found).unwrap(), evidence);
        assert!(
            stored(r#"{"sigmoid":{}}"#)
                .unwrap_err()
                .contains("needs a kernel")
        );
        let both = r#"{"sigmoid":{"kernel":3,"source":"class"}}"#;
        assert!(stored(both).unwrap_err().contains("not both"));
        let without_scale = r#""norm":"min_max","gain":2.0"#;
        let wrong = [
            r#""smoothing":2"#,
            r#""gain":0.0"#,
            r#""dropout":1.0"#,
            without_scale,
        ];
        for wrong in wrong {
            let text = format!(r#"{{"sigmoid":{{"kernel":3,{wrong}}}}}"#);
            assert!(stored(&text).unwrap().check().is_err(), "{text}");
        }
    }
}
