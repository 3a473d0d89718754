//! Ordered parallel loading: batches whose content depends on (seed, epoch, index) alone.
//!
//! Batches are made by threads and arrive in order, see `ordered.rs`. No number of workers, no
//! restart in the middle of an epoch and no timing changes what they hold.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use abn_boxes::Size;
use burn_dataset::Dataset;
use image::RgbImage;

use crate::canvas::{self, Canvas, Padding};
use crate::ordered::{Ordered, QUEUE};
use crate::pixels::{Pixels, Shelf};
use crate::{
    DataError, ImageDataset, ObjectMasks, Sample, Shares, Skips, Target, Transform, random,
};

/// How a data set becomes batches.
#[derive(Clone)]
pub struct Loader {
    /// The images.
    pub dataset: ImageDataset,
    /// What each image goes through.
    pub transform: Transform,
    /// Images a batch; 0 counts as 1. The last batch of an epoch may be smaller, unless it is
    /// [left out](Self::drop_last).
    pub batch_size: usize,
    /// Threads that make batches; 0 makes them in the thread that asks.
    pub workers: usize,
    /// Decides order and augmentation.
    pub seed: u64,
    /// Whether each epoch has an order of its own; otherwise it is the data set's.
    pub shuffled: bool,
    /// Whether batches carry the objects' masks. Only evaluation looks at them, so training leaves
    /// this off.
    pub masks: bool,
    /// The images that no batch has. A batch of nothing but them is empty.
    pub skips: Arc<Skips>,
    /// How the images of a batch come to one size.
    pub canvas: Canvas,
    /// Whether the last batch of an epoch is left out where it would be smaller.
    pub drop_last: bool,
}

/// Images that enter a network together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Pixels, which its normalisation makes `[B, 3, H, W]`.
    pub pixels: Pixels,
    /// What is right for each image. `[B]`
    pub targets: Vec<Target>,
    /// Index of each image in the data set. `[B]`
    pub indices: Vec<usize>,
    /// The epoch that it is of.
    pub epoch: usize,
    /// Where the objects of each image lie after the same transform; empty if not asked for.
    pub masks: Vec<ObjectMasks>,
    /// Height of every image, with what is padded.
    pub height: usize,
    /// Width of every image, with what is padded.
    pub width: usize,
    /// What each image was before it was changed in any way; of images that are padded alone, else
    /// empty.
    pub sources: Vec<Source>,
}

/// An image that is padded in its batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its size in the batch, without what is padded.
    pub seen: Size,
    /// Its size in the data set.
    pub size: Size,
    /// What is right for it there, in its pixels there.
    pub target: Target,
}

impl Loader {
    /// Batches an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        let (images, size) = (self.dataset.len(), self.batch_size.max(1));
        match self.drop_last {
            true => images / size,
            false => images.div_ceil(size),
        }
    }

    /// The batches of an epoch from number `first_batch` on; nothing before it is decoded.
    ///
    /// Each item is an error of its own: the batches after it are as if it had not happened.
    #[must_use]
    pub fn epoch(&self, epoch: usize, first_batch: usize) -> Batches {
        self.epoch_in_shares(epoch, first_batch, Shares::whole())
    }

    /// The same batches in the wanted shares, each a batch of its own: first those of the first
    /// batch, then those of the second. No other image is decoded.
    #[must_use]
    pub fn epoch_in_shares(&self, epoch: usize, first_batch: usize, shares: Shares) -> Batches {
        // Those that are made or wait, and with the consumer one or two whole batches.
        let own = shares.own().len();
        let batches = self.workers * (QUEUE + 1) + 2 * own;
        let first = first_batch.min(self.batches());
        let numbers = first * own..self.batches() * own;
        let plan = Plan {
            order: self.order(epoch),
            loader: self.clone(),
            epoch,
            shares,
            shelf: Arc::new(Shelf::new(batches)),
        };
        let make = move |number| plan.make(number);
        Batches(Ordered::new(numbers, self.workers, make))
    }

    fn order(&self, epoch: usize) -> Vec<usize> {
        let len = self.dataset.len();
        let order = match self.shuffled {
            true => random::permutation(self.seed, epoch, len),
            false => (0..len).collect(),
        };
        match &self.canvas {
            Canvas::Padded(padding) if self.shuffled => padding.grouped(order, self.batch_size),
            _ => order,
        }
    }
}

/// The batches of one epoch, in order. Dropping it ends its threads.
pub struct Batches(Ordered<Result<Batch, DataError>>);

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Batches {}

/// Everything a thread needs to make any batch of one epoch.
struct Plan {
    loader: Loader,
    order: Vec<usize>,
    epoch: usize,
    shares: Shares,
    /// Memory of batches that are done with.
    shelf: Arc<Shelf>,
}

impl Plan {
    /// Wanted share `number` of all batches; a panic on the way is an error like any other.
    fn make(&self, number: usize) -> Result<Batch, DataError> {
        // Nothing of the plan is changed by making a batch, so a panic leaves nothing half done.
        catch_unwind(AssertUnwindSafe(|| self.batch(number))).unwrap_or_else(|panic| {
            Err(DataError::Panic {
                batch: number,
                message: message_of(panic.as_ref()),
            })
        })
    }

    fn batch(&self, number: usize) -> Result<Batch, DataError> {
        let indices = self.indices(number);
        let mut batch = Batch::of(self.epoch, indices.len());
        match &self.loader.canvas {
            Canvas::Equal => {
                let mut bytes = Vec::new();
                for &index in indices {
                    if let Some((sample, _)) = self.sample(index)? {
                        batch.push(index, sample, &self.loader, &mut bytes)?;
                    }
                }
                let positions = batch.width * batch.height;
                let normalization = self.loader.transform.normalization;
                batch.pixels = Pixels::of_bytes(bytes, positions, normalization);
            }
            Canvas::Padded(padding) => {
                let mut images = Vec::new();
                for &index in indices {
                    if let Some((sample, source)) = self.sample(index)? {
                        batch.push_source(index, &sample, source, &self.loader, padding);
                        images.push(sample.image);
                    }
                }
                let mut pixels = self.shelf.take();
                batch.pad(&images, &self.loader, padding, &mut pixels)?;
                pixels.truncate(3 * batch.len() * batch.width * batch.height);
                batch.pixels = Pixels::of_planes(pixels, &self.shelf);
            }
        }
        Ok(batch)
    }

    /// What the wanted share `number` of all batches is made of.
    fn indices(&self, number: usize) -> &[usize] {
        let own = self.shares.own();
        let (whole, share) = (number / own.len(), own.start + number % own.len());
        let size = self.loader.batch_size.max(1);
        let batch = self.order.chunks(size).nth(whole).unwrap_or_default();
        &batch[self.shares.images(share, batch.len())]
    }

    /// The sample of that index as a network sees it, and what it was; `None` if it is skipped.
    fn sample(&self, index: usize) -> Result<Option<(Sample, Option<Source>)>, DataError> {
        self.read(index).map_err(|error| error.at(index))
    }

    fn read(&self, index: usize) -> Result<Option<(Sample, Option<Source>)>, DataError> {
        let Loader {
            dataset,
            transform,
            seed,
            masks,
            skips,
            ..
        } = &self.loader;
        let Some(mut sample) = skips.read(index, || dataset.get(index))? else {
            return Ok(None);
        };
        if !masks {
            sample.masks = ObjectMasks::Unknown;
        }
        let source = (self.loader.canvas != Canvas::Equal).then(|| Source {
            seen: size_of(&sample.image),
            size: size_of(&sample.image),
            target: sample.target.clone(),
        });
        let mut rng = random::augmentation(*seed, self.epoch, index);
        let sample = transform.sample(sample, &mut rng)?;
        Ok(Some((sample, source)))
    }
}

fn size_of(image: &RgbImage) -> Size {
    let (width, height) = image.dimensions();
    Size::new(height as usize, width as usize)
}

impl Batch {
    fn of(epoch: usize, size: usize) -> Self {
        Self {
            epoch,
            pixels: Vec::new().into(),
            targets: Vec::with_capacity(size),
            indices: Vec::with_capacity(size),
            masks: Vec::new(),
            height: 0,
            width: 0,
            sources: Vec::new(),
        }
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no image: all that belong here are skipped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Normalised values of the image at a place. `[3, H, W]`
    #[must_use]
    pub fn planes(&self, place: usize) -> Vec<f32> {
        self.pixels.only(&[place], self.len()).values()
    }

    /// The images with such a target alone.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Target) -> bool) -> Self {
        let places = (0..self.len()).filter(|place| wanted(&self.targets[*place]));
        let places: Vec<usize> = places.collect();
        Self {
            epoch: self.epoch,
            pixels: self.pixels.only(&places, self.len()),
            targets: places
                .iter()
                .map(|place| self.targets[*place].clone())
                .collect(),
            indices: places.iter().map(|place| self.indices[*place]).collect(),
            masks: places
                .iter()
                .filter_map(|place| self.masks.get(*place).cloned())
                .collect(),
            height: self.height,
            width: self.width,
            sources: places
                .iter()
                .filter_map(|place| self.sources.get(*place).cloned())
                .collect(),
        }
    }

    /// Adds what is told of an image that is to be padded. Objects go where its pixels go.
    fn push_source(
        &mut self,
        index: usize,
        sample: &Sample,
        source: Option<Source>,
        loader: &Loader,
        padding: &Padding,
    ) {
        let size = size_of(&sample.image);
        let seen = padding.within.resized(size);
        self.targets.push(sample.target.resized(size, seen));
        self.indices.push(index);
        if loader.masks {
            self.masks.push(sample.masks.clone());
        }
        self.sources
            .extend(source.map(|source| Source { seen, ..source }));
    }

    /// Gives the images their place and size. Masks stay as large as the images were before.
    fn pad(
        &mut self,
        images: &[RgbImage],
        loader: &Loader,
        padding: &Padding,
        pixels: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        let sizes: Vec<Size> = self.sources.iter().map(|source| source.seen).collect();
        let padded = padding.padded(&sizes);
        let padded = padded.ok_or(DataError::TooManyPixels {
            images: images.len(),
        })?;
        (self.height, self.width) = (padded.height, padded.width);
        let values = 3 * padded.height * padded.width;
        if pixels.len() < images.len() * values {
            pixels.resize(images.len() * values, 0.0);
        }
        let normalization = &loader.transform.normalization;
        let places = pixels.chunks_exact_mut(values.max(1));
        for ((image, size), place) in images.iter().zip(sizes).zip(places) {
            canvas::write(image, normalization, size, padded, place);
        }
        Ok(())
    }

    /// Adds an image, whose bytes go behind those of the others.
    fn push(
        &mut self,
        index: usize,
        sample: Sample,
        loader: &Loader,
        bytes: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let (width, height) = sample.image.dimensions();
        if self.is_empty() {
            (self.width, self.height) = (width as usize, height as usize);
        }
        let expected = (self.width as u32, self.height as u32);
        if (width, height) != expected {
            return Err(DataError::UnequalSizes {
                index,
                expected,
                found: (width, height),
            });
        }
        // Grows with the images: the first one's size, which a damaged file may claim, is not
        // multiplied.
        bytes.extend_from_slice(sample.image.as_raw());
        self.targets.push(sample.target);
        self.indices.push(index);
        if loader.masks {
            self.masks.push(sample.masks);
        }
        Ok(())
    }
}

/// What a caught panic said.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use image::Rgb;

    use super::*;
    use crate::{Normalization, Shapes, Split, Step};

    fn augmented() -> Transform {
        let steps = vec![Step::PadCrop { padding: 4 }, Step::Flip];
        Transform {
            steps,
            normalization: Normalization::CIFAR,
        }
    }

    fn loader(workers: usize) -> Loader {
        Loader {
            dataset: Shapes::new(1, Split::Train, 50).collection().samples,
            transform: augmented(),
            batch_size: 8,
            workers,
            seed: 11,
            shuffled: true,
            masks: true,
            skips: Arc::default(),
            canvas: Canvas::Equal,
            drop_last: false,
        }
    }

    fn collect(batches: Batches) -> Vec<Batch> {
        batches.map(Result::unwrap).collect()
    }

    /// Images of 2x2, where index 5 is 3x2 and index 6 panics; counts what is asked of it.
    #[derive(Default)]
    struct Traps(AtomicUsize);

    impl Dataset<Sample, DataError> for Traps {
        fn get(&self, index: usize) -> Result<Sample, DataError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            assert!(index != 6, "index six is a trap");
            let width = if index == 5 { 3 } else { 2 };
            let image = RgbImage::from_pixel(width, 2, Rgb([index as u8; 3]));
            Ok(Sample {
                image,
                target: Target::class(index),
                masks: ObjectMasks::Unknown,
            })
        }

        fn len(&self) -> usize {
            64
        }
    }

    fn trapped(workers: usize) -> (Arc<Traps>, Loader) {
        let traps = Arc::new(Traps::default());
        let transform = Transform {
            steps: vec![],
            normalization: Normalization {
                mean: [0.0; 3],
                std: [1.0; 3],
            },
        };
        let dataset: ImageDataset = traps.clone();
        (
            traps,
            Loader {
                dataset,
                transform,
                batch_size: 2,
                workers,
                seed: 0,
                shuffled: false,
                masks: false,
                skips: Arc::default(),
                canvas: Canvas::Equal,
                drop_last: false,
            },
        )
    }

    #[test]
    fn shares_are_the_batches_in_parts() {
        let images = |batches: Batches| -> Vec<Batch> { batches.map(Result::unwrap).collect() };
        for workers in [0, 2] {
            let loader = loader(workers);
            let whole = images(loader.epoch(1, 1));
            let parts = images(loader.epoch_in_shares(1, 1, Shares::all_of(2)));
            assert_eq!(parts.len(), 2 * whole.len());
            for (whole, parts) in whole.iter().zip(parts.chunks(2)) {
                let joined = |of: fn(&Batch) -> Vec<usize>| parts.iter().flat_map(of).collect();
                let indices: Vec<usize> = joined(|part| part.indices.clone());
                assert_eq!(indices, whole.indices);
                let pixels: Vec<f32> = parts.iter().flat_map(|part| part.pixels.values()).collect();
                assert_eq!(pixels, whole.pixels.values());
            }
            let second = images(loader.epoch_in_shares(1, 1, Shares::of_rank(2, 1, 2)));
            let of_second: Vec<&Batch> = parts.iter().skip(1).step_by(2).collect();
            assert_eq!(second.iter().collect::<Vec<_>>(), of_second);
        }
    }

    #[test]
    fn batches_do_not_depend_on_the_number_of_workers() {
        let expected = collect(loader(0).epoch(3, 0));
        assert_eq!(expected.len(), 7);
        for workers in [1, 2, 3, 20] {
            assert_eq!(
                collect(loader(workers).epoch(3, 0)),
                expected,
                "{workers} workers"
            );
        }
    }

    #[test]
    fn an_epoch_can_be_entered_anywhere() {
        let whole = collect(loader(2).epoch(1, 0));
        for first in 0..=8 {
            let part = loader(2).epoch(1, first);
            assert_eq!(part.len(), 7_usize.saturating_sub(first));
            assert_eq!(collect(part), whole[first.min(7)..], "from {first}");
        }
        let (traps, loader) = trapped(0);
        assert_eq!(collect(loader.epoch(0, 30)).len(), 2);
        assert_eq!(
            traps.0.load(Ordering::SeqCst),
            4,
            "nothing before batch 30 is decoded"
        );
    }

    #[test]
    fn an_epoch_holds_every_image_once_and_differs_from_the_next() {
        let (first, second) = (
            collect(loader(2).epoch(0, 0)),
            collect(loader(2).epoch(1, 0)),
        );
        let indices = |batches: &[Batch]| {
            batches
                .iter()
                .flat_map(|b| b.indices.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            indices(&first).into_iter().collect::<HashSet<_>>(),
            (0..50).collect()
        );
        assert_eq!(
            first.iter().map(Batch::len).collect::<Vec<_>>(),
            [8, 8, 8, 8, 8, 8, 2]
        );
        assert_ne!(indices(&first), indices(&second));
        // In the same order, the augmentation alone still differs between epochs.
        let fixed = Loader {
            shuffled: false,
            ..loader(0)
        };
        let (first, second) = (collect(fixed.epoch(0, 0)), collect(fixed.epoch(1, 0)));
        assert_eq!(indices(&first), (0..50).collect::<Vec<_>>());
        assert!(
            first
                .iter()
                .zip(&second)
                .all(|(a, b)| a.targets == b.targets && a.pixels != b.pixels)
        );
    }

    #[test]
    fn the_last_batch_is_left_out_where_it_would_be_smaller() {
        let sizes = |batch_size| {
            let loader = Loader {
                drop_last: true,
                batch_size,
                ..loader(0)
            };
            let batches = collect(loader.epoch(1, 0));
            assert_eq!(batches.len(), loader.batches());
            batches.iter().map(Batch::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(8), [8; 6]);
        assert_eq!(sizes(25), [25; 2]);
        // Another epoch leaves out other images.
        let left = |epoch| {
            let whole = collect(loader(0).epoch(epoch, 0));
            let last = whole.into_iter().next_back();
            last.unwrap().indices
        };
        assert_ne!(left(0), left(1));
    }

    #[test]
    fn augmentation_of_an_image_does_not_depend_on_its_place() {
        let fixed = collect(
            Loader {
                shuffled: false,
                batch_size: 50,
                ..loader(0)
            }
            .epoch(2, 0),
        );
        let image = 3 * 32 * 32;
        for batch in collect(loader(2).epoch(2, 0)) {
            for (place, &index) in batch.indices.iter().enumerate() {
                assert_eq!(
                    batch.pixels.values()[place * image..][..image],
                    fixed[0].pixels.values()[index * image..][..image]
                );
                assert_eq!(batch.masks[place], fixed[0].masks[index]);
                assert_eq!(batch.targets[place], fixed[0].targets[index]);
            }
        }
    }

    #[test]
    fn a_part_of_a_batch_has_all_of_its_images() {
        let whole = &collect(loader(0).epoch(0, 0))[0];
        let part = whole.only(|target| target.of(0) != whole.targets[1].of(0));
        let left: Vec<usize> = (0..whole.len())
            .filter(|place| whole.targets[*place] != whole.targets[1])
            .collect();
        assert!(left.len() < whole.len() && part.len() == left.len());
        let values = 3 * whole.width * whole.height;
        for (place, from) in left.into_iter().enumerate() {
            assert_eq!(part.indices[place], whole.indices[from]);
            assert_eq!(part.masks[place], whole.masks[from]);
            assert_eq!(
                part.pixels.values()[place * values..][..values],
                whole.pixels.values()[from * values..][..values]
            );
        }
    }

    #[test]
    fn masks_cost_nothing_unless_asked_for() {
        let with = collect(loader(0).epoch(0, 0));
        let without = collect(
            Loader {
                masks: false,
                ..loader(0)
            }
            .epoch(0, 0),
        );
        assert!(
            with.iter()
                .all(|batch| batch.masks.len() == batch.len() && batch.masks[0].of(0).is_some())
        );
        for (with, without) in with.iter().zip(&without) {
            assert!(without.masks.is_empty());
            assert_eq!(with.pixels, without.pixels);
        }
    }

    #[test]
    fn planes_lie_one_after_the_other() {
        let (_, loader) = trapped(0);
        let batch = loader.epoch(0, 0).next().unwrap().unwrap();
        assert_eq!(
            (batch.height, batch.width, batch.targets),
            (2, 2, [0, 1].map(Target::class).to_vec())
        );
        let expected: Vec<f32> = [[0.0; 12], [1.0 / 255.0; 12]].concat();
        assert_eq!(batch.pixels.values(), expected);
    }

    #[test]
    fn failures_belong_to_their_batch() {
        for workers in [0, 1, 3] {
            let results: Vec<_> = trapped(workers).1.epoch(0, 0).collect();
            assert_eq!(results.len(), 32);
            for (number, result) in results.iter().enumerate() {
                match (number, result) {
                    (2, Err(error)) => {
                        assert!(
                            error.to_string().starts_with("sample 5 has 3x2 pixels"),
                            "{error}"
                        )
                    }
                    (3, Err(error)) => {
                        assert!(
                            error
                                .to_string()
                                .contains("making batch 3 failed unexpectedly: index six"),
                            "{error}"
                        );
                    }
                    (_, result) => assert_eq!(
                        result.as_ref().unwrap().targets,
                        [2 * number, 2 * number + 1].map(Target::class)
                    ),
                }
            }
        }
    }

    /// Images of one pixel that is their index, of which some cannot be read.
    struct Damaged(BTreeSet<usize>);

    impl Dataset<Sample, DataError> for Damaged {
        fn get(&self, index: usize) -> Result<Sample, DataError> {
            if self.0.contains(&index) {
                return Err(DataError::Truncated {
                    path: format!("{index}.jpg").into(),
                    size: index,
                });
            }
            Ok(Sample {
                image: RgbImage::from_pixel(1, 1, Rgb([index as u8; 3])),
                target: Target::class(0),
                masks: ObjectMasks::Unknown,
            })
        }

        fn len(&self) -> usize {
            40
        }
    }

    #[test]
    fn skipped_images_leave_the_others_where_they_are() {
        let loader = |damaged: &[usize], skips: Skips| Loader {
            dataset: Arc::new(Damaged(damaged.iter().copied().collect())),
            transform: trapped(0).1.transform,
            batch_size: 4,
            seed: 5,
            shuffled: true,
            skips: Arc::new(skips),
            ..trapped(0).1
        };
        let whole: Vec<Vec<usize>> = collect(loader(&[], Skips::default()).epoch(1, 0))
            .into_iter()
            .map(|batch| batch.indices)
            .collect();
        // A whole batch, and one image of another.
        let damaged = [&whole[3][..], &whole[6][1..2]].concat();
        let expected: Vec<Vec<usize>> = whole
            .iter()
            .map(|batch| {
                let read = batch.iter().filter(|index| !damaged.contains(index));
                read.copied().collect()
            })
            .collect();
        for workers in [0, 1, 2, 8] {
            let found = Loader {
                workers,
                ..loader(&damaged, Skips::up_to(5, BTreeMap::new()))
            };
            let batches = collect(found.epoch(1, 0));
            let indices: Vec<_> = batches.iter().map(|batch| batch.indices.clone()).collect();
            assert_eq!(indices, expected, "{workers} workers");
            assert!(batches[3].is_empty());
            // Known from the beginning, with the files there or not.
            for damaged in [&damaged[..], &[]] {
                let known = loader(damaged, Skips::known(found.skips.all()));
                assert_eq!(collect(known.epoch(1, 0)), batches);
            }
        }
        let few = loader(&damaged, Skips::up_to(4, BTreeMap::new()));
        let failed = few.epoch(1, 0).filter(Result::is_err).count();
        assert_eq!(failed, 1, "the fifth is one too many");
    }

    #[test]
    fn batches_that_are_kept_stay_as_they_are() {
        // Whoever keeps all, and who gives each back before the next, sees the same values.
        let kept = collect(loader(2).epoch(4, 0));
        for (batch, kept) in loader(0).epoch(4, 0).zip(&kept) {
            assert_eq!(batch.unwrap(), *kept);
        }
    }

    #[test]
    fn leaving_early_ends_the_threads() {
        let (traps, loader) = trapped(3);
        let mut batches = loader.epoch(0, 0);
        batches.next().unwrap().unwrap();
        drop((batches, loader));
        assert_eq!(
            Arc::strong_count(&traps),
            1,
            "no thread holds the data set any more"
        );
        // One consumed, and for each thread a full queue and one in the making.
        assert!(traps.0.load(Ordering::SeqCst) <= 2 * (1 + 3 * (QUEUE + 1)));
    }

    #[test]
    fn an_empty_data_set_has_no_batches() {
        let dataset = Shapes::new(1, Split::Train, 0).collection().samples;
        let loader = Loader {
            dataset,
            ..loader(2)
        };
        assert_eq!((loader.batches(), loader.epoch(0, 0).count()), (0, 0));
    }
}
