//! The whole network: backbone, optional attention branch, mechanism.

use abn_kernels::ops::{fork, join_batches, serves};
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Device, Tensor};

use crate::attention::{AttentionBranch, AttentionConfig, AttentionOutput, MapConfig, Maps};
use crate::backbone::{Network, NetworkConfig};
use crate::mechanism::Mechanism;
use crate::mixed::InvalidAttention;
use crate::outputs::{Outputs, span_of};
use crate::state::{draw, drawn};

/// A classifier as data. `attention: None` is the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields)]
pub struct ClassifierConfig {
    /// The backbone.
    pub network: NetworkConfig,
    /// The attention branch, if any.
    pub attention: Option<AttentionConfig>,
    /// The classes, by groups of which one is right.
    #[serde(rename = "classes")]
    pub outputs: Outputs,
}

impl ClassifierConfig {
    /// Refuses what no network can be built of; a configuration may come from a file.
    ///
    /// # Errors
    /// The branch cannot be built, or its maps need labels of two classes and there are others.
    pub fn check(&self) -> Result<(), InvalidAttention> {
        let Some(attention) = &self.attention else {
            return Ok(());
        };
        attention.check()?;
        if matches!(attention.map, MapConfig::Logit(_)) && !self.outputs.is_binary() {
            return Err(InvalidAttention(
                "a map that is the label's own logit needs labels of two classes, as those of \
                 scenes or attributes",
            ));
        }
        Ok(())
    }

    /// The same without dropout.
    #[must_use]
    pub fn without_dropout(self) -> Self {
        Self {
            network: self.network.with_dropout(0.0),
            attention: self.attention.map(AttentionConfig::without_dropout),
            outputs: self.outputs,
        }
    }

    /// A classifier whose weights are drawn at first use.
    pub fn init(&self, device: &Device) -> Classifier {
        let attention = self.attention.as_ref();
        Classifier {
            network: self.network.init(self.outputs.learned().total(), device),
            branch: attention.map(|config| config.init(&self.network, &self.outputs, device)),
            outputs: self.outputs.clone(),
            mechanism: attention.map_or(Mechanism::Identity, |config| config.mechanism),
        }
    }

    /// A classifier whose weights are all drawn now, from that seed, in the order in which a
    /// forward pass meets them: the same seed gives the same weights [on every
    /// device](abn_kernels::ops::drawn_on). The generator is global, so nothing else may draw
    /// meanwhile.
    pub fn init_seeded(&self, seed: u64, device: &Device) -> Classifier {
        drawn(seed, device, |device| self.init(device), Classifier::draw)
    }
}

/// What a forward pass gives.
#[derive(Debug, Clone)]
pub struct Output {
    /// Perception logits, `[B, K]`: the prediction.
    pub logits: Tensor<2>,
    /// Attention logits and map; absent in a baseline.
    pub attention: Option<AttentionOutput>,
}

impl Output {
    /// The outputs of so many images, the first ones.
    #[must_use]
    pub fn of_first(self, images: usize) -> Self {
        if self.logits.dims()[0] == images {
            return self;
        }
        Self {
            logits: self.logits.narrow(0, 0, images),
            attention: self.attention.map(|attention| AttentionOutput {
                logits: attention.logits.narrow(0, 0, images),
                map: attention.map.narrow(0, 0, images),
            }),
        }
    }

    /// The outputs of all images, part by part.
    ///
    /// # Panics
    /// There are no parts.
    fn cat(parts: Vec<Self>) -> Self {
        let (logits, attention): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| (part.logits, part.attention))
            .unzip();
        Self {
            logits: Tensor::cat(logits, 0),
            attention: attention
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .map(AttentionOutput::cat),
        }
    }
}

/// Pixels of the images that a CPU answers together. No image's answer depends on its neighbours,
/// features of fewer stay in the caches, and memory does not grow with the batch.
const TOGETHER: usize = 8 * 224 * 224;

/// The images in parts, each of which is answered together.
fn parts(images: Tensor<4>) -> Vec<Tensor<4>> {
    let [batch, _, height, width] = images.dims();
    let together = (TOGETHER / (height * width).max(1)).max(1);
    if batch <= together || images.is_autodiff() || !serves(&images) {
        vec![images]
    } else {
        images.split(together, 0)
    }
}

/// What the parts gave, as it is if there is one.
fn joined<T>(mut parts: Vec<T>, cat: impl FnOnce(Vec<T>) -> T) -> T {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        cat(parts)
    }
}

/// What lies between the parts of a network in one forward pass.
#[derive(Debug)]
pub(crate) struct Features {
    /// Those before the last stage, which an attention branch sees, `[B, C, h, w]`.
    pub(crate) extracted: Tensor<4>,
    /// The last ones, which the head sees, `[B, C', h', w']`. With a map a group there are as many
    /// as groups, and none is kept.
    pub(crate) refined: Option<Tensor<4>>,
}

impl Features {
    fn cat(parts: Vec<Self>) -> Self {
        let (extracted, refined): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| (part.extracted, part.refined))
            .unzip();
        let refined: Option<Vec<_>> = refined.into_iter().collect();
        Self {
            extracted: join_batches(extracted),
            refined: refined.map(join_batches),
        }
    }
}

/// Backbone, attention branch and mechanism.
#[derive(Module, Debug)]
pub struct Classifier {
    /// The backbone, cut before its last stage.
    pub network: Network,
    /// The attention branch; absent in a baseline.
    pub branch: Option<AttentionBranch>,
    #[module(skip)]
    outputs: Outputs,
    #[module(skip)]
    mechanism: Mechanism,
}

impl Classifier {
    /// Its classes, by groups of which one is right.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The scale before the sigmoid of the attention map: near 0 the map is flat. `None` without a
    /// branch, or where its map has no such scale.
    pub fn map_gain(&self) -> Option<f64> {
        self.branch.as_ref()?.map.as_ref()?.gain()
    }

    /// Draws what is not drawn yet. Burn draws a parameter when it is first looked at, and its
    /// `materialize` does not look.
    fn draw(&self) {
        let Network {
            stem,
            stages,
            norm,
            head,
        } = &self.network;
        let (last, extractor) = stages
            .split_last()
            .expect("a network has at least one stage");
        draw(stem);
        extractor.iter().for_each(draw);
        draw(&self.branch);
        draw(last);
        draw(norm);
        draw(head);
    }

    /// # Shapes
    /// Images `[B, 3, H, W]`, any H and W, to logits `[B, K]` and, with a branch, attention logits
    /// `[B, K]` and maps `[B, M, h, w]`, M being 1 or the number of groups.
    ///
    /// # Panics
    /// H or W is below [`NetworkConfig::smallest_side`]: 4 for DenseNet, 32 for VGG, 1 for the
    /// others.
    pub fn forward(&self, images: Tensor<4>) -> Output {
        let parts = parts(images).into_iter();
        let outputs: Vec<Output> = parts.map(|part| self.forward_together(part)).collect();
        joined(outputs, Output::cat)
    }

    /// A [forward](Self::forward) pass that keeps the features.
    pub(crate) fn forward_with_features(&self, images: Tensor<4>) -> (Output, Features) {
        let parts = parts(images).into_iter();
        let (outputs, features): (Vec<Output>, Vec<Features>) =
            parts.map(|part| self.features_together(part)).unzip();
        (
            joined(outputs, Output::cat),
            joined(features, Features::cat),
        )
    }

    fn features_together(&self, images: Tensor<4>) -> (Output, Features) {
        let extracted = self.network.extract(images);
        if self.maps() == Maps::PerGroup {
            let output = self.answer(extracted.clone());
            let refined = None;
            return (output, Features { extracted, refined });
        }
        let (attended, attention) = self.reweigh(extracted.clone());
        let refined = self.network.refine(attended);
        let logits = self.classify(refined.clone());
        let refined = Some(refined);
        (
            Output { logits, attention },
            Features { extracted, refined },
        )
    }

    fn forward_together(&self, images: Tensor<4>) -> Output {
        self.answer(self.network.extract(images))
    }

    /// What both branches say of the features F, `[B, C, h, w]`.
    pub(crate) fn answer(&self, features: Tensor<4>) -> Output {
        match &self.branch {
            Some(branch) if branch.maps() == Maps::PerGroup => {
                let attention = branch.forward(features.clone());
                let maps = self.dropped(branch, attention.map.clone());
                Output {
                    logits: self.perceive_under(features, maps),
                    attention: Some(attention),
                }
            }
            _ => {
                let (attended, attention) = self.reweigh(features);
                Output {
                    logits: self.perceive(attended),
                    attention,
                }
            }
        }
    }

    /// How many maps an image has; [`Maps::One`] for a baseline, which has none.
    pub fn maps(&self) -> Maps {
        self.branch
            .as_ref()
            .map_or(Maps::One, AttentionBranch::maps)
    }

    /// The maps by which the features are re-weighted, in training not always the branch's own.
    pub(crate) fn dropped(&self, branch: &AttentionBranch, maps: Tensor<4>) -> Tensor<4> {
        match &branch.map {
            Some(head) => head.dropped(maps),
            None => maps,
        }
    }

    /// The perception branch under one map, or, group by group, under that of each: the last stage
    /// is shared, the head's classes of the group are what is asked. In training each group has
    /// batch statistics of its own, as in the code for facial attributes. The groups are perceived
    /// one after the other, so that memory without gradients is that of one group. With gradients
    /// the last stage keeps something of all of them; [`gradients`](crate::gradients::gradients)
    /// does not.
    ///
    /// # Shapes
    /// `features` `[B, C, h, w]`, `maps` `[B, M, h, w]`; logits `[B, K]`.
    pub(crate) fn perceive_under(&self, features: Tensor<4>, maps: Tensor<4>) -> Tensor<2> {
        let [_, count, ..] = maps.dims();
        if count == 1 {
            return self.perceive(self.attend(features, maps));
        }
        let of_group = |(group, span)| {
            let own = maps.clone().narrow(1, group, 1);
            let logits = self.perceive(self.attend(features.clone(), own));
            span_of(&logits, span)
        };
        let groups = self.outputs.spans().enumerate();
        Tensor::cat(groups.map(of_group).collect(), 1)
    }

    /// What the attention branch alone gives for the images; `None` for a baseline.
    ///
    /// # Shapes
    /// Images `[B, 3, H, W]` to logits `[B, K]` and maps `[B, M, h, w]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn look(&self, images: Tensor<4>) -> Option<AttentionOutput> {
        let branch = self.branch.as_ref()?;
        Some(branch.forward(self.network.extract(images)))
    }

    /// The prediction under a map from outside in place of the branch's own, by the same mechanism:
    /// what the network says when it is told where to look (Mitsuhara et al. 2019). `None` for a
    /// baseline, which has no place for a map.
    ///
    /// # Shapes
    /// `images` `[B, 3, H, W]`, `map` `[B, M, h, w]` of the size of the branch's maps; logits `[B,
    /// K]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward), or the maps are of another size or number.
    pub fn forward_with_map(&self, images: Tensor<4>, map: Tensor<4>) -> Option<Tensor<2>> {
        self.branch.as_ref()?;
        let features = self.network.extract(images);
        Some(self.perceive_under(features, map))
    }

    /// What the perception branch sees of the features under one map, and what the attention branch
    /// gave for it.
    ///
    /// # Shapes
    /// `[B, C, h, w]` to the same.
    pub(crate) fn reweigh(&self, features: Tensor<4>) -> (Tensor<4>, Option<AttentionOutput>) {
        let Some(branch) = &self.branch else {
            return (features, None);
        };
        let [features, looked_at] = fork(features);
        let attention = branch.forward(looked_at);
        let map = self.dropped(branch, attention.map.clone());
        let attended = self.attend(features, map);
        (attended, Some(attention))
    }

    /// The features under a map, by the configured mechanism.
    ///
    /// # Shapes
    /// `features` `[B, C, h, w]`, `map` `[B, 1, h, w]`; returns `[B, C, h, w]`.
    pub fn attend(&self, features: Tensor<4>, map: Tensor<4>) -> Tensor<4> {
        self.mechanism.apply(features, map)
    }

    /// The perception branch.
    ///
    /// # Shapes
    /// Attended features `[B, C, h, w]` to logits `[B, K]`.
    pub fn perceive(&self, attended: Tensor<4>) -> Tensor<2> {
        self.classify(self.network.refine(attended))
    }

    /// The head.
    ///
    /// # Shapes
    /// The last features `[B, C', h', w']` to logits `[B, K]`.
    pub(crate) fn classify(&self, refined: Tensor<4>) -> Tensor<2> {
        self.outputs.tell(self.network.classify(refined))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::{Distribution, Int};

    use super::*;
    use crate::Architecture;
    use crate::attention::{MapNorm, MapSource, SigmoidMap};
    use crate::loss::loss;

    /// Counts the parameters that nobody has looked at yet.
    struct Undrawn(usize);

    impl ModuleVisitor for Undrawn {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += usize::from(!param.is_initialized());
        }
    }

    fn undrawn(classifier: &Classifier) -> usize {
        let mut visitor = Undrawn(0);
        classifier.visit(&mut visitor);
        visitor.0
    }

    fn classifier(attention: Option<AttentionConfig>) -> Classifier {
        let network = Architecture::parse("resnet8").unwrap().network;
        ClassifierConfig {
            network,
            attention,
            outputs: Outputs::one(3),
        }
        .init_seeded(2, &Device::flex())
    }

    /// More pixels than are answered together.
    #[test]
    fn images_are_answered_by_themselves_however_many_come_together() {
        let classifier = classifier(Some(AttentionConfig::abn()));
        let side = 224;
        let images = Tensor::random([10, 3, side, side], Distribution::Default, &Device::flex());
        let together = classifier.forward(images.clone());
        let alone = classifier.forward(images.narrow(0, 9, 1));
        let [together, alone] = [together, alone].map(|output| {
            let [batch, _] = output.logits.dims();
            let attention = output.attention.unwrap();
            let last = [
                output.logits.narrow(0, batch - 1, 1),
                attention.logits.narrow(0, batch - 1, 1),
                attention.map.narrow(0, batch - 1, 1).flatten(0, 2),
            ];
            last.map(Tensor::into_data)
        });
        assert_eq!(together, alone);
    }

    #[test]
    fn features_come_with_the_same_output_however_many_images_come_together() {
        let classifier = classifier(Some(AttentionConfig::abn()));
        let images = Tensor::random([10, 3, 224, 224], Distribution::Default, &Device::flex());
        let (output, features) = classifier.forward_with_features(images.clone());
        let plain = classifier.forward(images.clone());
        let [kept, plain] = [output, plain].map(|output| {
            let map = output.attention.unwrap().map.into_data();
            (output.logits.into_data(), map)
        });
        assert_eq!(kept, plain);
        let extracted = classifier.network.extract(images.narrow(0, 9, 1));
        let of_last = features.extracted.narrow(0, 9, 1);
        assert_eq!(of_last.into_data(), extracted.into_data());
        let logits = classifier.network.classify(features.refined.unwrap());
        assert_eq!(logits.into_data(), plain.0);
    }

    fn logits(logits: Tensor<2>) -> Vec<f32> {
        logits.into_data().iter().collect()
    }

    #[test]
    fn the_branchs_own_map_given_back_changes_nothing() {
        let device = Device::flex();
        let images = Tensor::<1, Int>::arange(0..2 * 3 * 64, &device)
            .float()
            .div_scalar(100.0)
            .reshape([2, 3, 8, 8]);
        for mechanism in [
            Mechanism::Identity,
            Mechanism::Multiply,
            Mechanism::Residual,
        ] {
            let network = classifier(Some(AttentionConfig {
                mechanism,
                ..AttentionConfig::manet()
            }));
            let output = network.forward(images.clone());
            let map = output.attention.unwrap().map;
            let again = network.forward_with_map(images.clone(), map).unwrap();
            assert_eq!(logits(again), logits(output.logits), "{mechanism:?}");
        }
    }

    /// (1 + 0).F is F.
    #[test]
    fn under_a_map_of_zeros_the_features_go_unweighted() {
        let device = Device::flex();
        let network = classifier(Some(AttentionConfig::abn()));
        let images = Tensor::ones([2, 3, 8, 8], &device);
        let blind = network
            .forward_with_map(images.clone(), Tensor::zeros([2, 1, 4, 4], &device))
            .unwrap();
        let unweighted = network.perceive(network.network.extract(images.clone()));
        assert_eq!(logits(blind.clone()), logits(unweighted));
        assert_ne!(
            logits(blind),
            logits(network.forward(images).logits),
            "the network's own map weights"
        );
    }

    #[test]
    fn only_a_map_that_weighs_something_is_trained() {
        let device = Device::flex().autodiff();
        let network = Architecture::parse("resnet8").unwrap().network;
        for mechanism in [
            Mechanism::Identity,
            Mechanism::Multiply,
            Mechanism::Residual,
        ] {
            for map in [MapConfig::convolution(3), MapConfig::LogSum] {
                let attention = AttentionConfig {
                    mechanism,
                    map,
                    ..AttentionConfig::abn()
                };
                let trains_map = attention.trains_map();
                let config = ClassifierConfig {
                    network: network.clone(),
                    attention: Some(attention),
                    outputs: Outputs::one(3),
                };
                let classifier = config.init_seeded(2, &device);
                let output = classifier.forward(Tensor::ones([2, 3, 8, 8], &device));
                let labels = Tensor::<2, Int>::from_ints([[0], [2]], &device);
                let gradients = loss(&output, labels, &config.outputs, 1.0).backward();
                let branch = classifier.branch.unwrap();
                // The convolution that the map comes from.
                let own = branch.map.and_then(|map| map.conv);
                let last = own.unwrap_or(branch.class_maps.unwrap().conv);
                assert_eq!(
                    last.weight.grad(&gradients).is_some(),
                    trains_map,
                    "{mechanism:?} {map:?}"
                );
            }
        }
    }

    /// A network with a map for each of three groups.
    fn by_group(device: &Device, map: MapConfig) -> Classifier {
        ClassifierConfig {
            network: Architecture::parse("resnet8").unwrap().network,
            attention: Some(AttentionConfig {
                maps: Maps::PerGroup,
                mechanism: Mechanism::Multiply,
                map,
                ..AttentionConfig::abn()
            }),
            outputs: Outputs::of(vec![2, 3, 2]),
        }
        .init_seeded(2, device)
    }

    /// Group by group, what a network of one map says under that map.
    #[test]
    fn each_group_is_perceived_under_its_own_map() {
        let device = Device::flex();
        let images = Tensor::random([2, 3, 16, 16], Distribution::Default, &device);
        let evidence = SigmoidMap {
            norm: MapNorm::Image,
            ..SigmoidMap::of(MapSource::Class)
        };
        for map in [
            MapConfig::convolution(3),
            MapConfig::Sigmoid(evidence),
            MapConfig::LogSum,
        ] {
            let network = by_group(&device, map);
            let output = network.forward(images.clone());
            let maps = output.attention.unwrap().map;
            assert_eq!(maps.dims(), [2, 3, 8, 8]);
            let features = network.network.extract(images.clone());
            for (group, span) in network.outputs().clone().spans().enumerate() {
                let own = maps.clone().narrow(1, group, 1);
                let attended = network.attend(features.clone(), own);
                let alone = span_of(&network.perceive(attended), span.clone());
                let found = span_of(&output.logits, span);
                assert_eq!(alone.into_data(), found.into_data(), "{map:?}");
            }
            let again = network.forward_with_map(images.clone(), maps).unwrap();
            assert_eq!(again.into_data(), output.logits.into_data());
        }
    }

    /// The logits of a group depend on the weights of its own map alone, and on the shared stage.
    #[test]
    fn the_gradient_of_a_group_reaches_its_own_map() {
        let device = Device::flex().autodiff();
        let network = by_group(&device, MapConfig::convolution(1));
        let images = Tensor::random([2, 3, 16, 16], Distribution::Default, &device);
        let logits = network.forward(images).logits;
        let gradients = span_of(&logits, 2..5).sum().backward();
        let head = network.branch.unwrap().map.unwrap();
        let gradient = head.conv.unwrap().weight.grad(&gradients).unwrap();
        let of_map: Vec<f32> = gradient.abs().sum_dim(1).into_data().iter().collect();
        let [first, second, third] = of_map[..] else {
            panic!("three maps")
        };
        // The batch norm before the sigmoid is of each map alone.
        assert!(first == 0.0 && third == 0.0 && second > 0.0, "{of_map:?}");
    }

    #[test]
    fn a_baseline_has_no_place_for_a_map() {
        let device = Device::flex();
        let images = Tensor::ones([1, 3, 8, 8], &device);
        assert!(
            classifier(None)
                .forward_with_map(images, Tensor::ones([1, 1, 4, 4], &device))
                .is_none()
        );
    }

    #[test]
    fn a_seeded_network_leaves_nothing_to_draw() {
        for name in ["cbam-resnet8", "wrn-10-1", "densenet-bc-10-4"] {
            let network = Architecture::parse(name).unwrap().network;
            let config = ClassifierConfig {
                network,
                attention: Some(AttentionConfig::manet()),
                outputs: Outputs::one(3),
            };
            for device in [Device::flex(), Device::flex().autodiff()] {
                assert!(undrawn(&config.init(&device)) > 0, "{name}");
                assert_eq!(undrawn(&config.init_seeded(1, &device)), 0, "{name}");
            }
        }
    }
}
