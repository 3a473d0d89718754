//! How well objects are found: COCO's figures and VOC's, on the images as they lie in the data set.
//!
//! What counts neither for nor against a detector, COCO's crowds and VOC's difficult objects, is
//! matched by COCO's figures as a crowd: by the part of the detection that it covers.

use abn_boxes::coco::{
    Annotation, Category, CategoryFigures, Detected, Evaluation, Image, Instances, Stats, evaluate,
};
use abn_boxes::voc::{IOU, VocCurve, VocDetection, VocObject};
use abn_boxes::{BoundingBox, CocoError, Detection};
use abn_data::{Counts, Labels, Source};
use serde::{Deserialize, Serialize};

/// The losses of a detector, as means over images or as sums of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionLosses {
    /// Cross-entropy of the classes of regions.
    #[serde(rename = "loss_classifier")]
    pub classes: f64,
    /// Smooth L1 of their offsets.
    #[serde(rename = "loss_box_reg")]
    pub boxes: f64,
    /// Binary cross-entropy of anchors.
    #[serde(rename = "loss_objectness")]
    pub objectness: f64,
    /// Smooth L1 of their offsets.
    #[serde(rename = "loss_rpn_box_reg")]
    pub proposals: f64,
    /// Cross-entropy of the classes of regions by their attention branch, weighted; absent without
    /// one.
    #[serde(
        default,
        rename = "loss_region_attention",
        skip_serializing_if = "Option::is_none"
    )]
    pub region_attention: Option<f64>,
}

impl DetectionLosses {
    /// All of them.
    pub fn total(&self) -> f64 {
        let four = self.classes + self.boxes + self.objectness + self.proposals;
        four + self.region_attention.unwrap_or(0.0)
    }

    /// Each by name, torchvision's four first.
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        let four = [
            ("loss_classifier", self.classes),
            ("loss_box_reg", self.boxes),
            ("loss_objectness", self.objectness),
            ("loss_rpn_box_reg", self.proposals),
        ];
        let fifth = self.region_attention;
        let fifth = fifth.map(|loss| ("loss_region_attention", loss));
        four.into_iter().chain(fifth).collect()
    }

    /// These and a multiple of others.
    #[must_use]
    pub(super) fn plus(&self, others: &Self, times: f64) -> Self {
        Self {
            classes: self.classes + times * others.classes,
            boxes: self.boxes + times * others.boxes,
            objectness: self.objectness + times * others.objectness,
            proposals: self.proposals + times * others.proposals,
            region_attention: match (self.region_attention, others.region_attention) {
                (None, None) => None,
                (own, other) => Some(own.unwrap_or(0.0) + times * other.unwrap_or(0.0)),
            },
        }
    }

    /// Each times a factor.
    #[must_use]
    pub(super) fn times(&self, factor: f64) -> Self {
        Self::default().plus(self, factor)
    }
}

/// How well the objects of a set of images are found, as fractions; -1 where no object counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectFigures {
    /// COCO's twelve figures.
    pub stats: Stats,
    /// VOC's figures.
    pub voc: VocFigures,
    /// Mean precision of the classes that occur, at recalls of 0 to 1 in steps of 0.05.
    pub precision: PrecisionByRecall,
    /// Class by class.
    pub categories: Vec<ClassFigures>,
}

/// VOC's figures at an overlap of one half, as means over the classes that occur.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VocFigures {
    /// Mean of the areas under the curves, as VOC has it since 2010.
    pub mean_ap: f64,
    /// Mean of the precisions at eleven recalls, as VOC had it until 2009.
    pub mean_ap_11_points: f64,
}

/// COCO's curves at two overlaps, each a precision for every [recall](PrecisionByRecall::RECALLS);
/// empty where no object counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PrecisionByRecall {
    /// At an overlap of one half.
    pub at50: Vec<f64>,
    /// At an overlap of three quarters.
    pub at75: Vec<f64>,
}

impl PrecisionByRecall {
    /// Recalls of the curves, in percent.
    pub const RECALLS: [usize; 21] = [
        0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100,
    ];
    /// Places of the two overlaps among COCO's ten.
    const OVERLAPS: [usize; 2] = [0, 5];

    fn of(evaluation: &Evaluation) -> Self {
        let curve = |overlap| {
            let curve = evaluation.mean_curve(overlap);
            curve.map_or(vec![], |curve| {
                Self::RECALLS.map(|place| curve[place]).to_vec()
            })
        };
        let [at50, at75] = Self::OVERLAPS.map(curve);
        Self { at50, at75 }
    }
}

/// The figures of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// COCO's.
    #[serde(flatten)]
    pub coco: CategoryFigures,
    /// The area under VOC's curve; -1 of a class that does not occur.
    pub voc_ap: f64,
}

/// Objects of images, and what was found.
#[derive(Debug, Clone)]
pub struct FoundObjects {
    classes: Vec<String>,
    images: Vec<Image>,
    objects: Vec<Annotation>,
    /// Of each object whether it counts for VOC's figures.
    difficult: Vec<bool>,
    found: Vec<Detected>,
}

impl FoundObjects {
    /// Nothing yet, of these classes.
    pub fn of(labels: &Labels) -> Self {
        Self {
            classes: labels.classes().cloned().collect(),
            images: vec![],
            objects: vec![],
            difficult: vec![],
            found: vec![],
        }
    }

    /// Adds an image with its objects, and what was found in it in the pixels that the network saw.
    pub fn add(&mut self, source: &Source, found: &[Detection]) {
        let image_id = self.images.len() as u64 + 1;
        self.images.push(Image {
            id: image_id,
            file_name: String::new(),
            size: Some(source.size),
        });
        for object in source.target.objects() {
            self.objects.push(Annotation {
                id: self.objects.len() as u64 + 1,
                image_id,
                category_id: object.class as u64 + 1,
                xywh: object.bounds.xywh(),
                area: object.area,
                crowd: object.counts != Counts::Fully,
            });
            self.difficult.push(object.counts != Counts::Fully);
        }
        let detected = found.iter().map(|detection| {
            let bounds = detection.bounds.resize(source.seen, source.size);
            Detected::of(image_id, detection.label as u64, &bounds, detection.score)
        });
        self.found.extend(detected);
    }

    /// What was found, image by image in the order in which they were added: their numbers count
    /// from 1, and those of classes, too.
    pub fn found(&self) -> &[Detected] {
        &self.found
    }

    /// How good it is.
    ///
    /// # Errors
    /// A box or a score is not finite.
    pub fn figures(&self) -> Result<ObjectFigures, CocoError> {
        let categories = self.classes.iter().zip(1..);
        let categories = categories.map(|(name, id)| Category {
            id,
            name: name.clone(),
        });
        let truth = Instances::new(
            self.images.clone(),
            categories.collect(),
            self.objects.clone(),
        )?;
        let evaluation = evaluate(&truth, &self.found)?;
        let coco = evaluation.figures();
        let curves: Vec<VocCurve> = (1..=self.classes.len() as u64)
            .map(|class| self.curve(class))
            .collect();
        let mean = |of: fn(&VocCurve) -> Option<f64>| {
            let known: Vec<f64> = curves.iter().filter_map(of).collect();
            match known.len() {
                0 => -1.0,
                count => known.iter().sum::<f64>() / count as f64,
            }
        };
        let voc = VocFigures {
            mean_ap: mean(VocCurve::area),
            mean_ap_11_points: mean(VocCurve::eleven_points),
        };
        let classes = coco.categories.into_iter().zip(&curves);
        let categories = classes.map(|(coco, curve)| ClassFigures {
            coco,
            voc_ap: curve.area().unwrap_or(-1.0),
        });
        Ok(ObjectFigures {
            stats: coco.stats,
            voc,
            precision: PrecisionByRecall::of(&evaluation),
            categories: categories.collect(),
        })
    }

    /// VOC's curve of a class, counted from 1.
    pub fn curve(&self, class: u64) -> VocCurve {
        let objects = self.objects.iter().zip(&self.difficult);
        let objects: Vec<VocObject> = objects
            .filter(|(object, _)| object.category_id == class)
            .map(|(object, difficult)| VocObject {
                image: object.image_id as usize,
                bounds: object.bounds(),
                difficult: *difficult,
            })
            .collect();
        let found = self.found.iter().filter(|found| found.category_id == class);
        let found: Vec<VocDetection> = found
            .map(|found| VocDetection {
                image: found.image_id as usize,
                bounds: BoundingBox::from_xywh(found.xywh),
                score: found.score,
            })
            .collect();
        VocCurve::new(&objects, &found, IOU)
    }
}

#[cfg(test)]
mod tests {
    use abn_boxes::Size;
    use abn_data::{Object, Target};

    use super::*;

    fn object(class: usize, bounds: [f64; 4], counts: Counts) -> Object {
        let bounds = BoundingBox::from(bounds);
        Object {
            class,
            bounds,
            area: bounds.area(),
            counts,
        }
    }

    fn detection(label: usize, bounds: [f64; 4], score: f64) -> Detection {
        Detection {
            bounds: bounds.into(),
            label,
            score,
            region: 0,
        }
    }

    /// Of three cats in images that the network saw at half their size one is found, one is not,
    /// and one is difficult; the dog is found, and once more beside it.
    #[test]
    fn what_is_found_is_measured_on_the_image_as_it_was() {
        let labels = Labels::one(["cat", "dog", "cow"].map(str::to_owned).to_vec());
        let mut found = FoundObjects::of(&labels);
        let source = |objects: Vec<Object>| Source {
            seen: Size::new(50, 50),
            size: Size::new(100, 100),
            target: Target::Objects(objects),
        };
        let first = source(vec![
            object(0, [0.0, 0.0, 20.0, 20.0], Counts::Fully),
            object(1, [40.0, 40.0, 90.0, 90.0], Counts::Fully),
        ]);
        let seen = [
            detection(1, [0.0, 0.0, 10.0, 10.0], 0.9),
            detection(2, [0.0, 30.0, 10.0, 40.0], 0.8),
            detection(2, [20.0, 20.0, 45.0, 45.0], 0.7),
        ];
        found.add(&first, &seen);
        let second = source(vec![
            object(0, [0.0, 0.0, 20.0, 20.0], Counts::Difficult),
            object(0, [50.0, 50.0, 70.0, 70.0], Counts::Fully),
        ]);
        found.add(&second, &[detection(1, [0.0, 0.0, 10.0, 10.0], 0.6)]);
        let figures = found.figures().unwrap();
        let [cat, dog, cow] = &figures.categories[..] else {
            panic!("three classes");
        };
        assert_eq!((cat.voc_ap, dog.voc_ap, cow.voc_ap), (0.5, 0.5, -1.0));
        assert_eq!(figures.voc.mean_ap, 0.5);
        // Of two cats that count one is found: 51 of 101 recalls.
        assert!((cat.coco.stats.ap50 - 51.0 / 101.0).abs() < 1e-9);
        assert!((dog.coco.stats.ap50 - 0.5).abs() < 1e-9);
        assert_eq!(cow.coco.stats.ap, -1.0);
        // Up to half of the cats all that is found is right, and half of it up to all dogs.
        let curve = &figures.precision.at50;
        assert_eq!(curve.len(), 21);
        assert!((curve[9] - 0.75).abs() < 1e-9 && (curve[11] - 0.25).abs() < 1e-9);
        let nothing = FoundObjects::of(&labels).figures().unwrap();
        assert_eq!((nothing.stats.ap, nothing.voc.mean_ap), (-1.0, -1.0));
    }
}
