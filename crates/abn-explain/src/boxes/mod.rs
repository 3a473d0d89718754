//! How good the explanations of single boxes are.
//!
//! What is explained are objects that are found: of each object of an image the surest detection of
//! its class that overlaps it by half or more and has a score of half or more. Whatever is measured
//! of them stands in [`Measures`].
//!
//! Two controls know nothing of the network's reasons: a Gaussian in the detected box, which points at
//! the middle of nearly every object, and a map that is the same everywhere. A method is of use where
//! it is better than the first.

mod measure;

#[cfg(feature = "files")]
use std::path::Path;

use abn_boxes::{BoundingBox, Detection};
use abn_core::detect::Images;
use abn_core::explain::AttentionMap;
use abn_data::{Counts, Object, Sample, splitmix64};
use abn_run::RunError;
use abn_run::detector_session::{DetectorSession, DetectorView};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

pub use self::measure::{Region, energy, points_at, ranking};
#[cfg(feature = "files")]
use crate::AnalysisError;
use crate::bootstrap::{Interval, bootstrap};
#[cfg(feature = "files")]
use crate::store::Store;

/// Overlap and score from which on an object counts as found.
const FOUND: f64 = 0.5;
const SEED: u64 = 2023;

/// What is measured of a map of a box. All are shares from 0 to 1; `None` where a map says nothing,
/// or nobody knows the mask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Whether the highest value lies in the object's box.
    pub pointing_box: Option<f64>,
    /// Whether it lies on the object.
    pub pointing_mask: Option<f64>,
    /// Share of the map in the object's box.
    pub energy_box: Option<f64>,
    /// Share of the map on the object.
    pub energy_mask: Option<f64>,
    /// Share of the map on other objects (object discrimination index, Zhao & Chan 2023): less is
    /// better.
    pub odi: Option<f64>,
    /// What is left of the detection while the highest pixels become random colours, as a mean over
    /// the steps: less is better.
    pub deletion: Option<f64>,
    /// What there is of it while the highest pixels come back: more is better.
    pub insertion: Option<f64>,
}

impl Measures {
    /// Names of all, in their order.
    pub const NAMES: [&'static str; 7] = [
        "pointing_box",
        "pointing_mask",
        "energy_box",
        "energy_mask",
        "odi",
        "deletion",
        "insertion",
    ];

    /// All, in the order of their names.
    pub fn values(&self) -> [Option<f64>; 7] {
        [
            self.pointing_box,
            self.pointing_mask,
            self.energy_box,
            self.energy_mask,
            self.odi,
            self.deletion,
            self.insertion,
        ]
    }
}

/// What was measured of one method on one box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoxRow {
    /// Number of the image in the data set.
    pub image: usize,
    /// Number of the object in the image.
    pub object: usize,
    /// Its class.
    pub class: String,
    /// Score of the detection.
    pub score: f64,
    /// Its overlap with the object.
    pub overlap: f64,
    /// The method.
    pub method: String,
    /// What was measured.
    #[serde(flatten)]
    pub measures: Measures,
}

/// A measure of a method over all images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodFigures {
    /// The method.
    pub method: String,
    /// Each measure by name with its 95 % interval over images, the boxes of an image counting as
    /// one; `None` where it was measured nowhere.
    pub measures: Vec<(&'static str, Option<Interval>)>,
}

/// How boxes are examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BoxPlan {
    /// Steps of deletion and insertion, a forward pass each; 0 for neither.
    pub steps: usize,
    /// Masks of D-RISE; 0 for none.
    pub masks: usize,
}

/// An object with the detection that finds it.
struct FoundObject {
    number: usize,
    detection: Detection,
    overlap: f64,
}

/// What every method says of the objects that are found in an image.
///
/// # Errors
/// The image cannot be seen, or a map has no values.
pub fn examine(
    session: &DetectorSession,
    plan: &BoxPlan,
    image: usize,
    sample: &Sample,
) -> Result<Vec<BoxRow>, RunError> {
    let view = session.view_of(sample.image.clone())?;
    let (detector, images) = (&session.detector, &view.images);
    let features = detector.features(images.pixels.clone());
    let all = detector.detect_in(&features, images);
    let objects = sample.target.objects();
    let found = found_objects(objects, &all.found[0], &view);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let regions = Regions::of(sample);
    let detections: Vec<Detection> = found.iter().map(|found| found.detection).collect();
    let masked = (plan.masks > 0).then(|| detector.drise(images, &detections, plan.masks));
    let reasons = detector.reasons(images, &features, &all);
    let mut rows = Vec::new();
    for (place, found) in found.iter().enumerate() {
        let own = reasons.maps(&found.detection)?.into_iter();
        let mut maps: Vec<_> = own.map(|(method, map)| (method.name(), map)).collect();
        maps.extend(
            masked
                .iter()
                .map(|masked| ("d-rise", masked[place].clone())),
        );
        let size = view.size();
        let bounds = found.detection.bounds.resize(view.seen(), size);
        maps.push(("box", gaussian(&bounds, size.width, size.height)));
        maps.push(("uniform", uniform(size.width, size.height)));
        for (method, map) in maps {
            let map = map.resize_to(size.width, size.height);
            let of_map = regions.measures(found.number, &map);
            let seed = splitmix64(SEED ^ splitmix64(image as u64)).wrapping_add(place as u64);
            let (deletion, insertion) = match plan.steps {
                0 => (None, None),
                steps => curves(session, &view, &found.detection, &map, steps, seed),
            };
            rows.push(BoxRow {
                image,
                object: found.number,
                class: session.class(&found.detection).to_owned(),
                score: found.detection.score,
                overlap: found.overlap,
                method: method.to_owned(),
                measures: Measures {
                    deletion,
                    insertion,
                    ..of_map
                },
            });
        }
    }
    Ok(rows)
}

/// Of each object that counts the surest detection that finds it.
fn found_objects(objects: &[Object], found: &[Detection], view: &DetectorView) -> Vec<FoundObject> {
    let counting = objects.iter().enumerate();
    let counting = counting.filter(|(_, object)| object.counts == Counts::Fully);
    let of_object = |(number, object): (usize, &Object)| {
        let overlap = |detection: &Detection| {
            let bounds = detection.bounds.resize(view.seen(), view.size());
            bounds.iou(&object.bounds)
        };
        let sure = found.iter().filter(|detection| detection.score >= FOUND);
        let mut right = sure
            .filter(|detection| detection.label == object.class + 1 && overlap(detection) >= FOUND);
        // They come surest first.
        right.next().map(|detection| FoundObject {
            number,
            detection: *detection,
            overlap: overlap(detection),
        })
    };
    counting.filter_map(of_object).collect()
}

/// Where each object of an image is.
struct Regions {
    boxes: Vec<Region>,
    masks: Vec<Option<Region>>,
}

impl Regions {
    fn of(sample: &Sample) -> Self {
        let (width, height) = sample.image.dimensions();
        let objects = sample.target.objects();
        let of_box =
            |object: &Object| Region::of_box(&object.bounds, width as usize, height as usize);
        let mask = |number: usize| {
            let mask = sample.masks.of(number)?;
            (mask.dimensions() == (width, height)).then(|| Region::of_mask(mask))
        };
        Self {
            boxes: objects.iter().map(of_box).collect(),
            masks: (0..objects.len()).map(mask).collect(),
        }
    }

    /// The measures of a map of an object that need no network.
    fn measures(&self, number: usize, map: &AttentionMap) -> Measures {
        let (bounds, mask) = (&self.boxes[number], self.masks[number].as_ref());
        let own = mask.unwrap_or(bounds);
        let others = (0..self.boxes.len()).filter(|other| *other != number);
        let others = others.map(|other| self.masks[other].as_ref().unwrap_or(&self.boxes[other]));
        let others = own.others(&others.collect::<Vec<_>>());
        Measures {
            pointing_box: points_at(map, bounds),
            pointing_mask: mask.and_then(|mask| points_at(map, mask)),
            energy_box: energy(map, bounds),
            energy_mask: mask.and_then(|mask| energy(map, mask)),
            // Where there is no other object, none can be looked at.
            odi: (!others.is_empty()).then(|| energy(map, &others)).flatten(),
            deletion: None,
            insertion: None,
        }
    }
}

/// A Gaussian in a box, with a quarter of its sides as deviations.
fn gaussian(bounds: &BoundingBox, width: usize, height: usize) -> AttentionMap {
    let along = |at: usize, from: f64, to: f64| {
        let deviation = ((to - from) / 4.0).max(0.5);
        let distance = (at as f64 + 0.5 - (from + to) / 2.0) / deviation;
        (-distance * distance / 2.0).exp()
    };
    let row = |y: usize| {
        let down = along(y, bounds.y1, bounds.y2);
        (0..width).map(move |x| (down * along(x, bounds.x1, bounds.x2)) as f32)
    };
    AttentionMap {
        height,
        width,
        values: (0..height).flat_map(row).collect(),
    }
}

fn uniform(width: usize, height: usize) -> AttentionMap {
    AttentionMap {
        height,
        width,
        values: vec![1.0; width * height],
    }
}

/// Deletion and insertion: in steps of equal shares of the detected box's area, the pixels of the
/// highest values become random colours, or come back onto an image of the mean colour. Each step's
/// value is the highest score of what is found of the class with half an overlap or more.
fn curves(
    session: &DetectorSession,
    view: &DetectorView,
    detection: &Detection,
    map: &AttentionMap,
    steps: usize,
    seed: u64,
) -> (Option<f64>, Option<f64>) {
    // Where no pixel comes before another, there is no order to follow.
    if map.extent().is_none_or(|(low, high)| low >= high) {
        return (None, None);
    }
    let seen = view.seen();
    let on_seen = map.resize_to(seen.width, seen.height);
    let order = ranking(&on_seen);
    let area = Region::of_box(&detection.bounds, seen.width, seen.height)
        .pixels()
        .max(1);
    let padded = view.images.padded();
    let plane = padded.height * padded.width;
    let original: Vec<f32> = view.images.pixels.clone().into_data().iter().collect();
    let mut random = Pcg64::seed_from_u64(seed);
    let normalization = session.normalization();
    let colours: Vec<f32> = (0..3 * plane)
        .map(|place| {
            let channel = place / plane;
            let value: f32 = random.random();
            (value - normalization.mean[channel]) / normalization.std[channel]
        })
        .collect();
    let left = |pixels: Vec<f32>| {
        let shape = [1, 3, padded.height, padded.width];
        let images = Images {
            pixels: Tensor::from_data(TensorData::new(pixels, shape), &session.device),
            sizes: view.images.sizes.clone(),
        };
        let (found, _) = session.detector.detect(&images);
        let alike = found[0].iter().filter(|found| {
            found.label == detection.label && found.bounds.iou(&detection.bounds) > FOUND
        });
        alike.map(|found| found.score).fold(0.0, f64::max)
    };
    let (mut deleted, mut inserted) = (original.clone(), vec![0.0; 3 * plane]);
    let (mut deletion, mut insertion, mut done) = (0.0, 0.0, 0);
    for step in 1..=steps {
        let until = (area * step / steps).min(order.len());
        for place in &order[done..until] {
            let (y, x) = (place / seen.width, place % seen.width);
            for channel in 0..3 {
                let at = channel * plane + y * padded.width + x;
                deleted[at] = colours[at];
                inserted[at] = original[at];
            }
        }
        done = until;
        deletion += left(deleted.clone());
        insertion += left(inserted.clone());
    }
    let mean = |sum: f64| Some(sum / steps as f64);
    (mean(deletion), mean(insertion))
}

/// The figures of each method over all images, in the order in which methods first come.
pub fn figures(rows: &[BoxRow]) -> Vec<MethodFigures> {
    let mut methods: Vec<&str> = Vec::new();
    for row in rows {
        if !methods.contains(&row.method.as_str()) {
            methods.push(&row.method);
        }
    }
    let of_method = |method: &str| {
        let own: Vec<&BoxRow> = rows.iter().filter(|row| row.method == method).collect();
        let measures = Measures::NAMES.iter().enumerate().map(|(place, name)| {
            let means: Vec<f64> = own
                .chunk_by(|one, other| one.image == other.image)
                .filter_map(|boxes| {
                    let values = boxes.iter().filter_map(|row| row.measures.values()[place]);
                    let values: Vec<f64> = values.collect();
                    let count = values.len();
                    (count > 0).then(|| values.iter().sum::<f64>() / count as f64)
                })
                .collect();
            (*name, bootstrap(&means, SEED))
        });
        MethodFigures {
            method: method.to_owned(),
            measures: measures.collect(),
        }
    };
    methods.into_iter().map(of_method).collect()
}

/// Everything that decides what is measured of an image.
#[cfg(feature = "files")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoxHeader<'a> {
    /// Digest of the weights.
    pub weights: &'a str,
    /// Digest of the images.
    pub images: &'a str,
    /// Digest of the objects in them, if they are known.
    pub objects: Option<String>,
    /// How they are examined.
    #[serde(flatten)]
    pub plan: BoxPlan,
    /// What is measured.
    pub measures: [&'static str; 7],
}

#[cfg(feature = "files")]
impl Store<Vec<BoxRow>> {
    /// Opens what is measured so far of that many images, or begins it.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn of_boxes(
        folder: &Path,
        header: &BoxHeader,
        images: usize,
    ) -> Result<Self, AnalysisError> {
        Self::open(folder, &serde_json::to_string(header)?, 1, images)
    }
}

#[cfg(test)]
mod tests {
    use abn_data::{ObjectMasks, Target};
    use image::RgbImage;

    use super::*;

    #[test]
    fn what_lies_on_others_is_told_apart() {
        let object = |x: f64| Object {
            class: 0,
            bounds: BoundingBox::new(x, 0.0, x + 2.0, 2.0),
            area: 4.0,
            counts: Counts::Fully,
        };
        let sample = Sample {
            image: RgbImage::new(6, 2),
            target: Target::Objects(vec![object(0.0), object(4.0)]),
            masks: ObjectMasks::Unknown,
        };
        // A half on the object, a quarter between, a quarter on the other.
        let row = [1.0, 1.0, 0.5, 0.5, 0.0, 1.0];
        let map = AttentionMap {
            height: 2,
            width: 6,
            values: [row, row].concat(),
        };
        let found = Regions::of(&sample).measures(0, &map);
        assert_eq!(found.energy_box, Some(0.5));
        assert_eq!(found.odi, Some(0.25));
        assert_eq!((found.energy_mask, found.pointing_mask), (None, None));
        assert!((found.pointing_box.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn boxes_of_an_image_count_as_one() {
        let row = |image, energy| BoxRow {
            image,
            object: 0,
            class: "cat".to_owned(),
            score: 0.9,
            overlap: 0.8,
            method: "odam".to_owned(),
            measures: Measures {
                energy_box: energy,
                ..Measures::default()
            },
        };
        let rows = [
            row(0, Some(0.0)),
            row(0, Some(0.5)),
            row(3, Some(0.75)),
            row(4, None),
        ];
        let figures = figures(&rows);
        assert_eq!(figures.len(), 1);
        let (name, interval) = &figures[0].measures[2];
        assert_eq!((*name, interval.unwrap().mean), ("energy_box", 0.5));
        assert_eq!(figures[0].measures[5].1, None);
    }

    #[test]
    fn the_control_points_at_the_middle_of_its_box() {
        let bounds = BoundingBox::new(2.0, 1.0, 5.0, 4.0);
        let map = gaussian(&bounds, 8, 6);
        let region = Region::of_box(&BoundingBox::new(3.0, 2.0, 4.0, 3.0), 8, 6);
        assert_eq!(points_at(&map, &region), Some(1.0));
        assert_eq!(points_at(&uniform(8, 6), &region), None);
    }
}
