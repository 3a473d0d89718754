//! Detection: everything of some classes is to be found in an image, by Faster R-CNN.

use abn_boxes::{BoundingBox, Detection as Found, Size};
use abn_core::attention::AttentionOutput;
use abn_core::detect::{Detector, DetectorConfig, Images, Losses, Lot, Objects, map_of_image};
use abn_core::explain::AttentionMap;
use abn_core::loss_scale::scaled;
use abn_data::{Batch, Counts, Labels, Loader, Object};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, Transaction};

use super::drift::PROBES;
use super::evaluate::images_of;
use super::health::HealthMeter;
use super::objects::{DetectionLosses, FoundObjects};
use super::records::{Figures, MapHealth, Summary};
use super::task::{Measured, Task};
use super::totals::Totals;
use crate::RunError;
use crate::recipe::RunConfig;

/// Trains a detector by the four losses of Faster R-CNN and that of its attention branch; the best
/// epoch is that of the highest AP.
#[derive(Debug, Clone)]
pub struct Detection {
    model: DetectorConfig,
    labels: Labels,
    undecayed: &'static [&'static str],
    seed: u64,
}

/// The losses of a batch, on the host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostLosses {
    losses: DetectionLosses,
    /// That of the branch, unweighted; absent without one.
    attention: Option<f64>,
}

/// A batch on its way through a detector that is not being trained.
pub struct DetectedBatch {
    /// What is found in each image, in pixels of the image as the network sees it.
    pub found: Vec<Vec<Found>>,
    /// The map of each image without its padding, if there is a branch.
    pub maps: Vec<AttentionMap>,
}

impl Detection {
    /// The task of a run; `None` if it is one of a classifier.
    pub fn of(config: &RunConfig) -> Option<Self> {
        let attention = config.recipe.attention.as_ref();
        Some(Self {
            model: config.detector()?,
            labels: config.labels.clone(),
            undecayed: attention.map_or(&[], |attention| attention.map.undecayed()),
            seed: config.recipe.seed,
        })
    }

    fn losses(&self, network: &Detector, batch: &Batch, images: &Images) -> Losses {
        network.losses(images, &objects_of(batch), self.lot(batch))
    }

    fn lot<'a>(&self, batch: &'a Batch) -> Lot<'a> {
        Lot {
            seed: self.seed,
            epoch: batch.epoch,
            images: &batch.indices,
        }
    }
}

/// The losses of a batch that are still on their device.
#[derive(Debug)]
pub struct UnreadLosses {
    /// Those that every detector has, in the order of [`DetectionLosses`].
    all: [Tensor<1>; 4],
    region_attention: Option<Tensor<1>>,
    region_weight: f64,
    attention: Option<Tensor<1>>,
}

impl UnreadLosses {
    /// Those losses, without gradients.
    fn of(losses: &Losses) -> Self {
        let own = |loss: &Tensor<1>| match loss.device().is_autodiff() {
            true => loss.clone().inner(),
            false => loss.clone(),
        };
        let all = [
            &losses.classes,
            &losses.boxes,
            &losses.objectness,
            &losses.proposals,
        ];
        Self {
            all: all.map(own),
            region_attention: losses.region_attention.as_ref().map(own),
            region_weight: losses.region_weight,
            attention: losses.attention.as_ref().map(own),
        }
    }

    /// Reads them in one go.
    fn read(self) -> HostLosses {
        let has = [&self.region_attention, &self.attention].map(Option::is_some);
        let all = self.all.into_iter();
        let all = all.chain(self.region_attention).chain(self.attention);
        let asked = all.fold(Transaction::default(), Transaction::register);
        let mut read = asked.execute().into_iter();
        let mut next = || -> f64 {
            let number = read.next().and_then(|data| data.iter::<f64>().next());
            number.unwrap_or(f64::NAN)
        };
        HostLosses {
            losses: DetectionLosses {
                classes: next(),
                boxes: next(),
                objectness: next(),
                proposals: next(),
                region_attention: has[0].then(&mut next).map(|loss| loss * self.region_weight),
            },
            attention: has[1].then(next),
        }
    }
}

impl Task for Detection {
    type Network = Detector;
    type Unread = UnreadLosses;
    type Outcome = HostLosses;

    fn init(&self, device: &Device) -> Detector {
        self.model.init(device)
    }

    fn init_seeded(&self, seed: u64, device: &Device) -> Detector {
        self.model.init_seeded(seed, device)
    }

    fn gradients(
        &self,
        network: &Detector,
        batch: &Batch,
        device: &Device,
    ) -> Result<(GradientsParams, UnreadLosses), RunError> {
        let losses = self.losses(network, batch, &padded_images(batch, device));
        let unread = UnreadLosses::of(&losses);
        let gradients = scaled(losses.total()).backward();
        Ok((GradientsParams::from_grads(gradients, network), unread))
    }

    fn read(&self, unread: UnreadLosses) -> Result<HostLosses, RunError> {
        Ok(unread.read())
    }

    fn has_dropout(&self) -> bool {
        self.model != self.model.clone().without_dropout()
    }

    fn without_dropout(&self) -> Self {
        let model = self.model.clone().without_dropout();
        Self {
            model,
            ..self.clone()
        }
    }

    /// What is dense, and what the head says of four fixed regions of each image. Which regions a
    /// detector proposes is a choice.
    fn numbers(
        &self,
        network: &Detector,
        batch: &Batch,
        device: &Device,
    ) -> Vec<(&'static str, Tensor<1>)> {
        let images = padded_images(batch, device);
        let features = network.features(images.pixels.clone());
        let objectness = network.rpn.forward(&features.levels);
        let quarters: Vec<_> = images.sizes.iter().map(|size| quarters(*size)).collect();
        let regions = network.regions(&features, &quarters, &images);
        let mut numbers = vec![
            ("objectness", objectness.logits.flatten(0, 1)),
            ("offsets of anchors", objectness.offsets.flatten(0, 2)),
            ("logits of regions", regions.logits.flatten(0, 1)),
            ("offsets of regions", regions.offsets.flatten(0, 2)),
        ];
        let branches = [
            (features.attention, "attention logits", "maps"),
            (
                regions.attention,
                "attention logits of regions",
                "maps of regions",
            ),
        ];
        for (attention, logits, map) in branches {
            if let Some(attention) = attention {
                numbers.push((logits, attention.logits.flatten(0, 1)));
                numbers.push((map, attention.map.flatten(0, 3)));
            }
        }
        numbers
    }

    /// Those of the mean squares of all [numbers](Task::numbers).
    fn smooth_gradients(
        &self,
        network: &Detector,
        batch: &Batch,
        device: &Device,
    ) -> Result<GradientsParams, RunError> {
        let numbers = self.numbers(network, batch, device).into_iter();
        let squares = numbers.map(|(_, numbers)| numbers.square().mean());
        let gradients = squares
            .reduce(|sum, square| sum + square)
            .map(|sum| sum.backward());
        let Some(gradients) = gradients else {
            return Ok(GradientsParams::new());
        };
        Ok(GradientsParams::from_grads(gradients, network))
    }

    fn undecayed(&self) -> &'static [&'static str] {
        self.undecayed
    }

    fn add(&self, totals: &mut Totals, batch: &Batch, outcome: &HostLosses) {
        // The losses of a batch are means over its regions: each image has its share of them.
        let images = batch.len() as f64;
        totals.images += batch.len();
        let before = totals.detection.unwrap_or_default();
        totals.detection = Some(before.plus(&outcome.losses, images));
        if let Some(attention) = outcome.attention {
            *totals.attention.get_or_insert(0.0) += attention * images;
        }
    }

    fn summary(&self, totals: &Totals) -> Summary {
        let images = totals.images.max(1) as f64;
        let losses = totals.detection.unwrap_or_default().times(images.recip());
        let attention_loss = totals.attention.map(|sum| sum / images);
        let attention = self.model.attention.as_ref();
        let weight = attention.map_or(0.0, |attention| attention.loss_weight);
        Summary {
            images: totals.images,
            loss: losses.total() + weight * attention_loss.unwrap_or(0.0),
            perception_loss: losses.total(),
            attention_loss,
            map_loss: None,
            figures: Figures::Objects {
                losses,
                found: None,
            },
        }
    }

    fn measure(
        &self,
        network: &Detector,
        loader: &Loader,
        device: &Device,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Measured>, RunError> {
        let mut found = FoundObjects::of(&self.labels);
        let measured = self.look(network, loader, device, go_on, &mut |batch, detected| {
            for (source, detections) in batch.sources.iter().zip(&detected.found) {
                found.add(source, detections);
            }
        })?;
        let Some(mut measured) = measured else {
            return Ok(None);
        };
        if let Figures::Objects { found: figures, .. } = &mut measured.summary.figures {
            *figures = Some(Box::new(found.figures().map_err(RunError::NotFinite)?));
        }
        Ok(Some(measured))
    }
}

impl Detection {
    /// Passes a data set through a detector that is not being trained, hands on what it finds in
    /// each batch, and measures all but that; `None` if `go_on` asked to stop.
    ///
    /// # Errors
    /// A sample cannot be read, or a map has no values.
    pub fn look(
        &self,
        network: &Detector,
        loader: &Loader,
        device: &Device,
        go_on: &mut dyn FnMut(usize) -> bool,
        seen: &mut dyn FnMut(&Batch, &DetectedBatch),
    ) -> Result<Option<Measured>, RunError> {
        let (mut totals, mut health) = (Totals::default(), HealthMeter::default());
        let mut probes: Vec<AttentionMap> = Vec::new();
        for batch in loader.epoch(0, 0) {
            let batch = batch?;
            if batch.is_empty() {
                continue;
            }
            let images = padded_images(&batch, device);
            let features = network.features(images.pixels.clone());
            let detected = DetectedBatch {
                found: network.detect_in(&features, &images).found,
                maps: maps_of(features.attention.as_ref(), &images)?,
            };
            let losses =
                network.losses_of(features, &images, &objects_of(&batch), self.lot(&batch));
            self.add(&mut totals, &batch, &UnreadLosses::of(&losses).read());
            detected.maps.iter().for_each(|map| health.add(map));
            let maps = detected.maps.iter().zip(&batch.indices);
            let first = maps.filter(|(_, index)| **index < PROBES);
            probes.extend(first.map(|(map, _)| map.clone()));
            seen(&batch, &detected);
            if !go_on(totals.images()) {
                return Ok(None);
            }
        }
        Ok(Some(Measured {
            summary: self.summary(&totals),
            maps: health.health().map(|maps| MapHealth {
                gain: gain_of(network),
                ..maps
            }),
            probes: of_one_size(probes),
            scores: vec![],
            right: vec![],
            told: None,
        }))
    }
}

/// The scale of the map before its sigmoid, if it has one.
fn gain_of(network: &Detector) -> Option<f64> {
    let map = network.branch.as_ref()?.map.as_ref()?;
    map.gain().filter(|gain| gain.is_finite())
}

/// Maps that a checkpoint can keep as one tensor: those of the size of the first.
fn of_one_size(mut maps: Vec<AttentionMap>) -> Vec<AttentionMap> {
    let size = maps.first().map(|map| (map.height, map.width));
    maps.retain(|map| Some((map.height, map.width)) == size);
    maps
}

/// The four quarters of an image.
fn quarters(size: Size) -> Vec<BoundingBox> {
    let (width, height) = (size.width as f64, size.height as f64);
    let (middle, centre) = (width / 2.0, height / 2.0);
    let corners = [
        [0.0, 0.0, middle, centre],
        [middle, 0.0, width, centre],
        [0.0, centre, middle, height],
        [middle, centre, width, height],
    ];
    corners.map(BoundingBox::from).to_vec()
}

/// A padded batch as a detector sees it.
pub fn padded_images(batch: &Batch, device: &Device) -> Images {
    let sizes = batch.sources.iter().map(|source| source.seen);
    Images {
        pixels: images_of(batch, device),
        sizes: sizes.collect(),
    }
}

/// What a detector learns of each image of a padded batch: of its objects all but crowds, as far as
/// they lie in the image and have an inside there.
pub fn objects_of(batch: &Batch) -> Vec<Objects> {
    let each = batch.targets.iter().zip(&batch.sources);
    each.map(|(target, source)| {
        let learned = |object: &Object| {
            let bounds = object.bounds.clip(source.seen);
            let counts = object.counts != Counts::Crowd && bounds.is_valid();
            counts.then_some((bounds, object.class + 1))
        };
        let (boxes, labels) = target.objects().iter().filter_map(learned).unzip();
        Objects { boxes, labels }
    })
    .collect()
}

/// The map of each image of a padded batch, without what lies over its padding.
///
/// # Errors
/// A map has no values.
pub fn maps_of(
    attention: Option<&AttentionOutput>,
    images: &Images,
) -> Result<Vec<AttentionMap>, RunError> {
    let Some(attention) = attention else {
        return Ok(Vec::new());
    };
    let [_, maps, height, width] = attention.map.dims();
    let values: Vec<f32> = attention.map.clone().into_data().iter().collect();
    let padded = images.padded();
    let of_images = values.chunks_exact((maps * height * width).max(1));
    let each = of_images.zip(&images.sizes);
    each.map(|(values, size)| Ok(map_of_image(values, [height, width], padded, *size)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use abn_data::{Source, Target};

    use super::*;

    #[test]
    fn crowds_and_what_lies_outside_are_not_learned() {
        let object = |class, bounds: [f64; 4], counts| Object {
            class,
            bounds: bounds.into(),
            area: 1.0,
            counts,
        };
        let size = Size::new(20, 30);
        let target = Target::Objects(vec![
            object(2, [-5.0, 1.0, 4.0, 9.0], Counts::Fully),
            object(1, [3.0, 3.0, 9.0, 9.0], Counts::Crowd),
            object(0, [30.0, 3.0, 40.0, 9.0], Counts::Fully),
            object(0, [5.0, 5.0, 5.0, 9.0], Counts::Fully),
            object(1, [1.0, 2.0, 3.0, 4.0], Counts::Difficult),
        ]);
        let source = Source {
            seen: size,
            size,
            target: target.clone(),
        };
        let batch = Batch {
            pixels: vec![0.0; 3 * 32 * 32].into(),
            targets: vec![target],
            indices: vec![4],
            epoch: 0,
            masks: vec![],
            height: 32,
            width: 32,
            sources: vec![source],
        };
        let boxes = [[0.0, 1.0, 4.0, 9.0], [1.0, 2.0, 3.0, 4.0]].map(BoundingBox::from);
        let expected = Objects {
            boxes: boxes.to_vec(),
            labels: vec![3, 2],
        };
        assert_eq!(objects_of(&batch), [expected]);
    }
}
