//! The detector: trunk, branch, pyramid, proposals, heads.

use abn_boxes::{
    Anchors, BoundingBox, Detection, DetectorConstants, Draw, Mode, Purpose, RegionTargets, Size,
    anchor_targets, detections, proposals, region_targets,
};
use abn_kernels::ops::{fork, softmax};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::{DetectorConfig, Neck};
use super::head::{RegionHead, Regions};
use super::loss;
use super::pooling::{Pooled, Pooling};
use super::pyramid::Pyramid;
use super::rpn::{Objectness, RpnHead};
use super::trunk::Trunk;
use crate::attention::{AttentionBranch, AttentionOutput};
use crate::loss::{Penalty, RightClasses, mean_cost};
use crate::mechanism::Mechanism;
use crate::outputs::Outputs;
use crate::state::draw;

/// Rows and columns of a region, and samples of a bin: torchvision's for a pyramid, detectron2's
/// before the last stage, which halves them.
const OF_PYRAMID: Pooling = Pooling {
    side: 7,
    samples: 2,
};
const BEFORE_STAGE: Pooling = Pooling {
    side: 14,
    samples: 0,
};

/// Images padded to one size, and the size of each before.
#[derive(Debug, Clone)]
pub struct Images {
    /// `[B, 3, H, W]`, normalised, zeros to the right and below.
    pub pixels: Tensor<4>,
    /// Rows and columns of each image without them.
    pub sizes: Vec<Size>,
}

impl Images {
    /// Rows and columns with the padding.
    pub fn padded(&self) -> Size {
        let [_, _, height, width] = self.pixels.dims();
        Size { height, width }
    }

    /// The largest of the images.
    pub(super) fn largest(&self) -> Size {
        let most = |side: fn(&Size) -> usize| self.sizes.iter().map(side).max().unwrap_or(1);
        Size {
            height: most(|size| size.height),
            width: most(|size| size.width),
        }
    }
}

/// The objects of an image, in pixels of the image as the network sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Objects {
    /// Where each is.
    pub boxes: Vec<BoundingBox>,
    /// Its class, from 1 on.
    pub labels: Vec<usize>,
}

/// On what the drawing of anchors and regions depends.
#[derive(Debug, Clone, Copy)]
pub struct Lot<'a> {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, from 0 on.
    pub epoch: usize,
    /// The number of each image in its data set.
    pub images: &'a [usize],
}

/// What a detector learns from, each `[1]`: torchvision's four losses, and the branch's.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Cross-entropy of the classes of regions.
    pub classes: Tensor<1>,
    /// Smooth L1 of their offsets.
    pub boxes: Tensor<1>,
    /// Binary cross-entropy of anchors.
    pub objectness: Tensor<1>,
    /// Smooth L1 of their offsets.
    pub proposals: Tensor<1>,
    /// Mean binary cross-entropy of the classes that occur in an image.
    pub attention: Option<Tensor<1>>,
    /// What that is multiplied by.
    pub attention_weight: f64,
    /// Cross-entropy of the classes of regions by their branch.
    pub region_attention: Option<Tensor<1>>,
    /// What that is multiplied by.
    pub region_weight: f64,
}

impl Losses {
    /// Their sum, `[1]`: what a detector learns to make small.
    pub fn total(&self) -> Tensor<1> {
        let regions = self.classes.clone() + self.boxes.clone();
        let sum = regions + self.objectness.clone() + self.proposals.clone();
        let of_branches = [
            (&self.attention, self.attention_weight),
            (&self.region_attention, self.region_weight),
        ];
        let asked = of_branches.into_iter();
        asked.fold(sum, |sum, (loss, weight)| match loss {
            Some(loss) => sum + loss.clone() * weight,
            None => sum,
        })
    }
}

/// What the trunk, the branch and the pyramid make of images.
#[derive(Debug, Clone)]
pub struct Features {
    /// What proposals and regions are made from, the finest first, `[B, C, h, w]`.
    pub levels: Vec<Tensor<4>>,
    /// Attention logits and map; absent without a branch.
    pub attention: Option<AttentionOutput>,
}

/// What is found in a batch of images, in pixels of the images as the network sees them.
#[derive(Debug, Clone)]
pub struct FoundInImages {
    /// Of each image, the best first.
    pub found: Vec<Vec<Detection>>,
    /// The regions of each image, of which [each detection](Detection::region) is of one.
    pub regions: Vec<Vec<BoundingBox>>,
    /// The map of each region, those of one image after those of another, `[R, 1, side, side]`;
    /// absent without a branch of regions.
    pub maps: Option<Tensor<4>>,
}

/// Faster R-CNN with an attention branch.
#[derive(Module, Debug)]
pub struct Detector {
    /// The backbone.
    pub network: Trunk,
    /// The attention branch; absent in a baseline.
    pub branch: Option<AttentionBranch>,
    /// The pyramid; absent where regions go through the last stage.
    pub pyramid: Option<Pyramid>,
    /// The region proposal network.
    pub rpn: RpnHead,
    /// An attention branch that looks at every region before the last stage does; absent unless it
    /// is asked for.
    pub region_branch: Option<AttentionBranch>,
    /// The head of regions.
    pub head: RegionHead,
    #[module(skip)]
    mechanism: Mechanism,
    #[module(skip)]
    attention_weight: f64,
    #[module(skip)]
    region_mechanism: Mechanism,
    #[module(skip)]
    region_weight: f64,
    #[module(skip)]
    occurrences: Outputs,
    #[module(skip)]
    constants: DetectorConstants,
}

impl Detector {
    pub(super) fn new(config: &DetectorConfig, device: &Device) -> Self {
        let stages = &config.network.stages;
        let widths: Vec<usize> = stages.iter().map(|stage| stage.outputs()).collect();
        let last = config.network.last_stage();
        let (pyramid, level, inputs, hidden) = match config.neck {
            Neck::Pyramid { channels, hidden } => {
                let pyramid = Pyramid::new(&widths, channels, device);
                let inputs = channels * OF_PYRAMID.side * OF_PYRAMID.side;
                (Some(pyramid), channels, inputs, vec![hidden; 2])
            }
            Neck::LastStage => (None, last.inputs, last.outputs(), vec![]),
        };
        let attention = config.attention.as_ref();
        let regional = config.region_attention.as_ref();
        let of_region = Outputs::one(config.classes + 1);
        let occurrences = config.occurrences();
        let anchors = config.constants.anchors.per_cell(0);
        Self {
            network: Trunk::new(&config.network, config.frozen, device),
            branch: attention.map(|branch| branch.init(&config.network, &occurrences, device)),
            pyramid,
            rpn: RpnHead::new(level, anchors, device),
            region_branch: regional.map(|branch| branch.init(&config.network, &of_region, device)),
            head: RegionHead::new(inputs, &hidden, config.classes + 1, device),
            mechanism: attention.map_or(Mechanism::Identity, |branch| branch.mechanism),
            attention_weight: attention.map_or(0.0, |branch| branch.loss_weight),
            region_mechanism: regional.map_or(Mechanism::Identity, |branch| branch.mechanism),
            region_weight: regional.map_or(0.0, |branch| branch.loss_weight),
            occurrences,
            constants: config.constants.clone(),
        }
    }

    /// Draws what is not drawn yet.
    pub(super) fn draw(&self) {
        self.network.draw();
        draw(&self.branch);
        draw(&self.pyramid);
        draw(&self.rpn);
        draw(&self.region_branch);
        self.head.draw();
    }

    /// # Shapes
    /// Images `[B, 3, H, W]`, of which the sides are multiples of the coarsest level's stride.
    pub fn features(&self, images: Tensor<4>) -> Features {
        let before = self.network.stages.len() - 1;
        let mut levels = self.network.levels(images, before);
        let extracted = levels.pop().expect("a trunk has two stages or more");
        let (attended, attention) = self.reweigh(extracted);
        let Some(pyramid) = &self.pyramid else {
            return Features {
                levels: vec![attended],
                attention,
            };
        };
        let last = self.network.stages.last().expect("a trunk has stages");
        let [attended, onward] = fork(attended);
        levels.push(attended);
        levels.push(last.forward(onward));
        Features {
            levels: pyramid.forward(&levels),
            attention,
        }
    }

    /// The features under the branch's map, and what the branch says.
    fn reweigh(&self, features: Tensor<4>) -> (Tensor<4>, Option<AttentionOutput>) {
        match &self.branch {
            Some(branch) => {
                let (features, attention) = reweighed(branch, self.mechanism, features);
                (features, Some(attention))
            }
            None => (features, None),
        }
    }

    /// What the head says of regions, those of one image after those of another.
    pub fn regions(
        &self,
        features: &Features,
        regions: &[Vec<BoundingBox>],
        images: &Images,
    ) -> Regions {
        self.regions_of(self.region_levels(&features.levels), regions, images)
    }

    /// The levels that regions are pooled from, the finest first: the coarsest of a pyramid is for
    /// anchors alone.
    pub(super) fn region_levels<'a>(&self, levels: &'a [Tensor<4>]) -> &'a [Tensor<4>] {
        match (&self.pyramid, levels.split_last()) {
            (Some(_), Some((_, finer))) => finer,
            _ => levels,
        }
    }

    /// The same from those levels alone.
    pub(super) fn regions_of(
        &self,
        levels: &[Tensor<4>],
        regions: &[Vec<BoundingBox>],
        images: &Images,
    ) -> Regions {
        let largest = images.largest();
        if self.pyramid.is_some() {
            let Pooled { features, rows } = OF_PYRAMID.forward(levels, regions, largest);
            let said = self.head.forward(features);
            return Regions {
                logits: Pooled::in_order(rows.as_ref(), said.logits),
                offsets: Pooled::in_order(rows.as_ref(), said.offsets),
                attention: None,
            };
        }
        let Pooled { features, .. } = BEFORE_STAGE.forward(levels, regions, largest);
        let (features, attention) = match &self.region_branch {
            Some(branch) => {
                let (features, attention) = reweighed(branch, self.region_mechanism, features);
                (features, Some(attention))
            }
            None => (features, None),
        };
        let last = self.network.stages.last().expect("a trunk has stages");
        Regions {
            attention,
            ..self.head.forward(last.forward(features))
        }
    }

    /// The regions that are worth a look, of each image the best first.
    fn proposals(
        &self,
        mode: Mode,
        objectness: &Objectness,
        images: &Images,
    ) -> (Anchors, Vec<Vec<BoundingBox>>) {
        let generator = &self.constants.anchors;
        let anchors = generator.anchors(images.padded(), &objectness.grids);
        let logits = numbers(objectness.logits.clone().into_data());
        let offsets = fours(objectness.offsets.clone().into_data());
        let count = anchors.boxes.len().max(1);
        let each = logits.chunks(count).zip(offsets.chunks(count));
        let of_image = |((logits, offsets), size): ((&[_], &[_]), &Size)| {
            let found = proposals(&self.constants.rpn, mode, &anchors, logits, offsets, *size);
            found.into_iter().map(|proposal| proposal.bounds).collect()
        };
        let found = each.zip(&images.sizes).map(of_image).collect();
        (anchors, found)
    }

    /// The losses of a batch.
    ///
    /// # Panics
    /// There are not as many objects and numbers as images.
    pub fn losses(&self, images: &Images, objects: &[Objects], lot: Lot) -> Losses {
        let features = self.features(images.pixels.clone());
        self.losses_of(features, images, objects, lot)
    }

    /// The [losses](Self::losses) of the features of a batch.
    ///
    /// # Panics
    /// There are not as many objects and numbers as images.
    pub fn losses_of(
        &self,
        features: Features,
        images: &Images,
        objects: &[Objects],
        lot: Lot,
    ) -> Losses {
        let objectness = self.rpn.forward(&features.levels);
        let (anchors, found) = self.proposals(Mode::Training, &objectness, images);
        let [objectness, proposals] = self.of_anchors(objectness, &anchors, objects, lot);
        let targets: Vec<RegionTargets> = found
            .iter()
            .zip(objects)
            .zip(lot.images)
            .map(|((found, objects), image)| {
                let draw = lot.draw(*image, Purpose::Regions);
                let Objects { boxes, labels } = objects;
                region_targets(&self.constants.regions, draw, found, boxes, labels)
            })
            .collect();
        let ([classes, boxes], region_attention) = self.of_regions(&features, targets, images);
        let attention = features.attention.map(|attention| {
            let occurring = self.occurring(objects, &attention.logits.device());
            let penalty = Penalty::default();
            mean_cost(&attention.logits, &occurring, &self.occurrences, &penalty)
        });
        Losses {
            classes,
            boxes,
            objectness,
            proposals,
            attention,
            attention_weight: self.attention_weight,
            region_attention,
            region_weight: self.region_weight,
        }
    }

    /// Objectness and offsets of the anchors that are drawn.
    fn of_anchors(
        &self,
        objectness: Objectness,
        anchors: &Anchors,
        objects: &[Objects],
        lot: Lot,
    ) -> [Tensor<1>; 2] {
        let rpn = &self.constants.rpn;
        let count = anchors.boxes.len();
        let (mut drawn, mut labels) = (Vec::new(), Vec::new());
        let (mut positives, mut offsets) = (Vec::new(), Vec::new());
        for (number, (objects, image)) in objects.iter().zip(lot.images).enumerate() {
            let draw = lot.draw(*image, Purpose::Anchors);
            let targets = anchor_targets(rpn, draw, &anchors.boxes, &objects.boxes);
            let at = |anchor: &usize| (number * count + anchor) as i64;
            let [objects, others] = [&targets.sampled.positives, &targets.sampled.negatives];
            drawn.extend(objects.iter().chain(others).map(at));
            labels.extend(
                objects
                    .iter()
                    .map(|_| true)
                    .chain(others.iter().map(|_| false)),
            );
            positives.extend(objects.iter().map(at));
            offsets.extend(&targets.offsets);
        }
        let [batch, anchors] = objectness.logits.dims();
        let logits = objectness.logits.reshape([batch * anchors]);
        let found = objectness.offsets.reshape([batch * anchors, 4]);
        let costs = loss::binary(select(logits, &drawn), &labels);
        let beta = rpn.smooth_l1_beta;
        let distance = loss::smooth_l1(select(found, &positives), &offsets, beta);
        [costs, distance * share(drawn.len())]
    }

    /// Classes and offsets of the regions that are drawn, and what their branch says of their
    /// classes.
    fn of_regions(
        &self,
        features: &Features,
        targets: Vec<RegionTargets>,
        images: &Images,
    ) -> ([Tensor<1>; 2], Option<Tensor<1>>) {
        let (mut labels, mut places, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        let classes = self.occurrences.groups().len() + 1;
        for targets in &targets {
            for (positive, wanted) in targets.positives.iter().zip(&targets.offsets) {
                let region = labels.len() + positive;
                places.push((region * classes + targets.labels[*positive]) as i64);
                offsets.push(*wanted);
            }
            labels.extend(&targets.labels);
        }
        let regions: Vec<Vec<BoundingBox>> =
            targets.into_iter().map(|targets| targets.regions).collect();
        let Regions {
            logits,
            offsets: found,
            attention,
        } = self.regions(features, &regions, images);
        let count = labels.len();
        let found = select(found.reshape([count * classes, 4]), &places);
        let beta = self.constants.regions.smooth_l1_beta;
        let distance = loss::smooth_l1(found, &offsets, beta);
        let attention = attention.map(|attention| loss::classes(attention.logits, &labels));
        let losses = [loss::classes(logits, &labels), distance * share(count)];
        (losses, attention)
    }

    /// Of each image the classes that occur in it.
    fn occurring(&self, objects: &[Objects], device: &Device) -> RightClasses {
        let classes = self.occurrences.groups().len();
        let occurs = |objects: &Objects| {
            let mut occurs = vec![0_i64; classes];
            for label in &objects.labels {
                occurs[label - 1] = 1;
            }
            occurs
        };
        let values: Vec<i64> = objects.iter().flat_map(occurs).collect();
        let values = TensorData::new(values, [objects.len(), classes]);
        Tensor::<2, Int>::from_data(values, device).into()
    }

    /// What is found in images, in pixels of the images as the network sees them, the best first;
    /// and what the attention branch says.
    pub fn detect(&self, images: &Images) -> (Vec<Vec<Detection>>, Option<AttentionOutput>) {
        let features = self.features(images.pixels.clone());
        let found = self.detect_in(&features, images).found;
        (found, features.attention)
    }

    /// What is found in images of which these are the features.
    pub fn detect_in(&self, features: &Features, images: &Images) -> FoundInImages {
        let objectness = self.rpn.forward(&features.levels);
        let (_, found) = self.proposals(Mode::Testing, &objectness, images);
        let Regions {
            logits,
            offsets,
            attention,
        } = self.regions(features, &found, images);
        let [_, classes] = logits.dims();
        let probabilities = numbers(softmax(logits).into_data());
        let offsets = fours(offsets.into_data());
        let mut start = 0;
        let of_image = |(regions, size): (&Vec<BoundingBox>, &Size)| {
            let own = start..start + regions.len() * classes;
            start = own.end;
            let (probabilities, offsets) = (&probabilities[own.clone()], &offsets[own]);
            detections(
                &self.constants.regions,
                regions,
                probabilities,
                offsets,
                *size,
            )
        };
        FoundInImages {
            found: found.iter().zip(&images.sizes).map(of_image).collect(),
            regions: found,
            maps: attention.map(|attention| attention.map),
        }
    }
}

impl Lot<'_> {
    fn draw(&self, image: usize, purpose: Purpose) -> Draw {
        Draw {
            seed: self.seed,
            epoch: self.epoch,
            image,
            purpose,
        }
    }
}

/// The features under the map of a branch, and what the branch says.
fn reweighed(
    branch: &AttentionBranch,
    mechanism: Mechanism,
    features: Tensor<4>,
) -> (Tensor<4>, AttentionOutput) {
    let [features, looked_at] = fork(features);
    let attention = branch.forward(looked_at);
    let map = match &branch.map {
        Some(head) => head.dropped(attention.map.clone()),
        None => attention.map.clone(),
    };
    (mechanism.apply(features, map), attention)
}

/// Of so many, one's; a factor, since the gradient of Burn's division is of single precision.
fn share(count: usize) -> f64 {
    (count.max(1) as f64).recip()
}

/// The rows of these numbers.
fn select<const D: usize>(rows: Tensor<D>, numbers: &[i64]) -> Tensor<D> {
    let device = rows.device();
    rows.select(0, Tensor::<1, Int>::from_ints(numbers, &device))
}

fn numbers(data: TensorData) -> Vec<f64> {
    data.iter().collect()
}

fn fours(data: TensorData) -> Vec<[f64; 4]> {
    let values = numbers(data);
    let (fours, _) = values.as_chunks();
    fours.to_vec()
}
