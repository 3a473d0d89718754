//! The twelve figures of COCO, and those of each category.

use serde::{Deserialize, Serialize};

use super::evaluate::{Curves, Evaluation, OfCategory};
use super::protocol::{Area, IOUS, RECALLS};

/// The place of 100 detections an image.
const ALL_DETECTIONS: usize = 2;
/// The places of the overlaps .5 and .75.
const HALF: usize = 0;
const THREE_QUARTERS: usize = 5;

/// COCO's twelve figures, from 0 to 1; -1 where no object of any category counts, as pycocotools has
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Mean average precision over overlaps .50 to .95.
    #[serde(rename = "AP")]
    pub ap: f64,
    /// At an overlap of .5.
    #[serde(rename = "AP50")]
    pub ap50: f64,
    /// At an overlap of .75.
    #[serde(rename = "AP75")]
    pub ap75: f64,
    /// Of small objects.
    #[serde(rename = "APs")]
    pub ap_small: f64,
    /// Of medium ones.
    #[serde(rename = "APm")]
    pub ap_medium: f64,
    /// Of large ones.
    #[serde(rename = "APl")]
    pub ap_large: f64,
    /// Mean recall over overlaps .50 to .95 of one detection an image and category.
    #[serde(rename = "AR1")]
    pub ar1: f64,
    /// Of 10.
    #[serde(rename = "AR10")]
    pub ar10: f64,
    /// Of 100.
    #[serde(rename = "AR100")]
    pub ar100: f64,
    /// Of 100, of small objects.
    #[serde(rename = "ARs")]
    pub ar_small: f64,
    /// Of 100, of medium ones.
    #[serde(rename = "ARm")]
    pub ar_medium: f64,
    /// Of 100, of large ones.
    #[serde(rename = "ARl")]
    pub ar_large: f64,
}

/// All figures, as programs read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Of all categories together.
    pub stats: Stats,
    /// Of each, by id.
    pub categories: Vec<CategoryFigures>,
}

/// Figures of one category; -1 where none of its objects counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategoryFigures {
    /// COCO's number of it.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// Objects that count.
    pub objects: usize,
    /// Detections that count.
    pub detections: usize,
    /// Its figures.
    #[serde(flatten)]
    pub stats: Stats,
}

impl Stats {
    /// All twelve, in pycocotools' order.
    #[must_use]
    pub fn values(&self) -> [f64; 12] {
        [
            self.ap,
            self.ap50,
            self.ap75,
            self.ap_small,
            self.ap_medium,
            self.ap_large,
            self.ar1,
            self.ar10,
            self.ar100,
            self.ar_small,
            self.ar_medium,
            self.ar_large,
        ]
    }

    fn of(categories: &[OfCategory]) -> Self {
        let precision = |area: Area, ious: &[usize]| {
            let of = |curves: &Curves| {
                let sums = ious.iter().map(|iou| {
                    let curve = curves.precision(*iou, ALL_DETECTIONS);
                    curve.iter().sum::<f64>()
                });
                sums.sum::<f64>()
            };
            mean(categories, area, ious.len() * RECALLS, of)
        };
        let recall = |area: Area, detections: usize| {
            let of = |curves: &Curves| (0..IOUS).map(|iou| curves.recall(iou, detections)).sum();
            mean(categories, area, IOUS, of)
        };
        let all: [usize; IOUS] = std::array::from_fn(|iou| iou);
        Self {
            ap: precision(Area::All, &all),
            ap50: precision(Area::All, &[HALF]),
            ap75: precision(Area::All, &[THREE_QUARTERS]),
            ap_small: precision(Area::Small, &all),
            ap_medium: precision(Area::Medium, &all),
            ap_large: precision(Area::Large, &all),
            ar1: recall(Area::All, 0),
            ar10: recall(Area::All, 1),
            ar100: recall(Area::All, ALL_DETECTIONS),
            ar_small: recall(Area::Small, ALL_DETECTIONS),
            ar_medium: recall(Area::Medium, ALL_DETECTIONS),
            ar_large: recall(Area::Large, ALL_DETECTIONS),
        }
    }
}

/// Mean over the categories with an object that counts, of sums of so many values.
fn mean(categories: &[OfCategory], area: Area, values: usize, sum: impl Fn(&Curves) -> f64) -> f64 {
    let there = categories.iter();
    let there = there.filter_map(|of| of.areas[area as usize].as_ref());
    let (count, total) = there.fold((0, 0.0), |(count, total), curves| {
        (count + 1, total + sum(curves))
    });
    if count == 0 {
        -1.0
    } else {
        total / (count * values) as f64
    }
}

impl Evaluation {
    /// COCO's twelve figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.categories)
    }

    /// These and those of each category.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let of = |category: &OfCategory| CategoryFigures {
            id: category.id,
            name: category.name.clone(),
            objects: category.objects,
            detections: category.detections,
            stats: Stats::of(std::slice::from_ref(category)),
        };
        Figures {
            stats: self.stats(),
            categories: self.categories.iter().map(of).collect(),
        }
    }

    /// The mean precision over categories at the recalls, for the overlap of that place; nothing where
    /// no object counts.
    ///
    /// # Panics
    /// There is no such overlap.
    #[must_use]
    pub fn mean_curve(&self, iou: usize) -> Option<[f64; RECALLS]> {
        let there = self.categories.iter();
        let there: Vec<&[f64]> = there
            .filter_map(|of| of.areas[0].as_ref())
            .map(|curves| curves.precision(iou, ALL_DETECTIONS))
            .collect();
        let mean = |recall: usize| {
            let sum: f64 = there.iter().map(|curve| curve[recall]).sum();
            sum / there.len() as f64
        };
        (!there.is_empty()).then(|| std::array::from_fn(mean))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Detected, Instances, evaluate};
    use super::*;

    const TRUTH: &str = r#"{"images": [{"id": 1}], "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 10, 10], "area": 2000}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]}"#;

    fn figures() -> (Evaluation, Figures) {
        let truth = Instances::read(TRUTH.as_bytes()).unwrap();
        // 8 of 10: found at .5 to .8.
        let detected = Detected {
            image_id: 1,
            category_id: 1,
            xywh: [0.0, 0.0, 10.0, 8.0],
            score: 0.5,
        };
        let evaluation = evaluate(&truth, &[detected]).unwrap();
        let figures = evaluation.figures();
        (evaluation, figures)
    }

    #[test]
    fn by_hand() {
        let (evaluation, figures) = figures();
        let expected = [
            0.35, 0.5, 0.5, 0.7, 0.0, -1.0, 0.35, 0.35, 0.35, 0.7, 0.0, -1.0,
        ];
        for (value, expected) in figures.stats.values().into_iter().zip(expected) {
            assert!(
                (value - expected).abs() < 1e-12,
                "{value} is not {expected}"
            );
        }
        let of: Vec<f64> = figures.categories.iter().map(|of| of.stats.ap).collect();
        assert!((of[0] - 0.7).abs() < 1e-12);
        assert_eq!(of[1..], [0.0, -1.0]);
        let curve = evaluation.mean_curve(0).unwrap();
        assert!(curve.iter().all(|at| (at - 0.5).abs() < 1e-12));
    }

    #[test]
    fn names_are_cocos() {
        let (_, figures) = figures();
        let text = serde_json::to_string(&figures).unwrap();
        let names = [
            "\"stats\":{\"AP\":",
            "\"AP50\":0.4",
            "\"ARl\":-1.0",
            "\"name\":\"b\"",
        ];
        for name in names {
            assert!(text.contains(name), "{text} lacks {name}");
        }
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
    }

    #[test]
    fn nothing_counts() {
        let text = r#"{"images": [], "annotations": [], "categories": []}"#;
        let truth = Instances::read(text.as_bytes()).unwrap();
        let evaluation = evaluate(&truth, &[]).unwrap();
        assert_eq!(evaluation.stats().values(), [-1.0; 12]);
        assert_eq!(evaluation.mean_curve(0), None);
    }
}
