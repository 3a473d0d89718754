//! pycocotools' figures and curves of forty random sets.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;

use abn_boxes::coco::{Area, Curves, Detected, Evaluation, IOUS, Instances, MAX_DETECTIONS};
use abn_boxes::coco::{evaluate, read_results};
use serde::Deserialize;

const CLOSE: f64 = 1e-12;

#[derive(Deserialize)]
struct Fixture {
    sets: Vec<Set>,
}

/// Id, image, category, box, area, crowd.
type Object = (u64, u64, u64, f64, f64, f64, f64, f64, u64);

#[derive(Deserialize)]
struct Set {
    images: Vec<u64>,
    categories: Vec<u64>,
    objects: Vec<Object>,
    /// Image, category, box, score.
    detections: Vec<(u64, u64, f64, f64, f64, f64, f64)>,
    stats: [f64; 12],
    precision: Vec<f64>,
    recall: Vec<f64>,
    curves: Option<Vec<Vec<f64>>>,
}

impl Set {
    /// As files, whose lists are in another order than ids, with fields that are passed over.
    fn evaluate(&self) -> Evaluation {
        let mut annotations = String::new();
        for (id, image, category, x, y, width, height, area, crowd) in &self.objects {
            write!(
                annotations,
                r#"{}{{"segmentation": [[{x}, {y}]], "bbox": [{x}, {y}, {width}, {height}],
                "id": {id}, "image_id": {image}, "category_id": {category}, "area": {area},
                "iscrowd": {crowd}}}"#,
                if annotations.is_empty() { "" } else { ", " }
            )
            .unwrap();
        }
        let list = |ids: &[u64], more: &dyn Fn(u64) -> String| {
            let entries = ids.iter().rev();
            let entries: Vec<String> = entries
                .map(|id| format!(r#"{{"id": {id}{}}}"#, more(*id)))
                .collect();
            entries.join(", ")
        };
        let images = list(&self.images, &|_| String::new());
        let categories = list(&self.categories, &|id| format!(r#", "name": "{id}""#));
        let truth = format!(
            r#"{{"annotations": [{annotations}], "categories": [{categories}], "licenses": [{{}}],
            "images": [{images}]}}"#
        );
        let truth = Instances::read(truth.as_bytes()).unwrap();
        let detections = self.detections.iter();
        let detections: Vec<String> = detections
            .map(|(image, category, x, y, width, height, score)| {
                format!(
                    r#"{{"image_id": {image}, "category_id": {category},
                    "bbox": [{x}, {y}, {width}, {height}], "score": {score}}}"#
                )
            })
            .collect();
        let detections = read_results(format!("[{}]", detections.join(",")).as_bytes()).unwrap();
        evaluate(&truth, &detections).unwrap()
    }
}

/// As the fixture's script weighs values.
fn weighted(values: impl Iterator<Item = f64>) -> f64 {
    let weight = |place: usize| (place * 7919 % 1013 + 1) as f64 / 1013.0;
    let each = values.enumerate();
    each.map(|(place, value)| value * weight(place)).sum()
}

#[track_caller]
fn check(what: &str, found: f64, expected: f64, scale: f64) {
    let difference = (found - expected).abs();
    assert!(
        difference <= CLOSE * scale,
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn figures_and_curves_are_those_of_pycocotools() {
    let fixture: Fixture = crate::fixture("coco_eval");
    assert_eq!(fixture.sets.len(), 40);
    let mut curves = 0;
    for (number, set) in fixture.sets.iter().enumerate() {
        let evaluation = set.evaluate();
        let stats = evaluation.stats().values();
        for (place, (found, expected)) in stats.into_iter().zip(set.stats).enumerate() {
            check(
                &format!("set {number}, figure {place}"),
                found,
                expected,
                1.0,
            );
        }
        assert_eq!(evaluation.categories.len(), set.categories.len());
        let mut expected = set.precision.iter().zip(&set.recall);
        for category in &evaluation.categories {
            for area in Area::ALL {
                let of = category.areas[area as usize].as_ref();
                for most in 0..MAX_DETECTIONS.len() {
                    let what = format!("set {number}, category {}, {area:?}, {most}", category.id);
                    let (precision, recall) = expected.next().unwrap();
                    // A sum of a thousand values.
                    check(&what, sum_of_precision(of, most), *precision, 500.0);
                    check(&what, sum_of_recall(of, most), *recall, 5.0);
                    curves += 1;
                }
            }
        }
        assert_eq!(expected.next(), None);
        if let Some(expected) = &set.curves {
            let of = evaluation.categories[0].areas[0].as_ref();
            for (iou, curve) in expected.iter().enumerate() {
                let found = of.map_or([-1.0; 101].as_slice(), |of| of.precision(iou, 2));
                assert_eq!(found.len(), curve.len());
                for (found, expected) in found.iter().zip(curve) {
                    check(
                        &format!("set {number}, curve {iou}"),
                        *found,
                        *expected,
                        1.0,
                    );
                }
            }
        }
    }
    assert!(curves > 1000, "{curves}");
}

/// -1 at every place where no object counts, as pycocotools has it.
fn sum_of_precision(of: Option<&Curves>, most: usize) -> f64 {
    match of {
        Some(of) => weighted((0..IOUS).flat_map(|iou| of.precision(iou, most)).copied()),
        None => weighted([-1.0; 1010].into_iter()),
    }
}

fn sum_of_recall(of: Option<&Curves>, most: usize) -> f64 {
    match of {
        Some(of) => weighted((0..IOUS).map(|iou| of.recall(iou, most))),
        None => weighted([-1.0; IOUS].into_iter()),
    }
}

#[test]
fn threads_do_not_matter() {
    let fixture: Fixture = crate::fixture("coco_eval");
    let all = || {
        let sets = fixture.sets.iter();
        sets.map(Set::evaluate).collect::<Vec<_>>()
    };
    let pool = rayon::ThreadPoolBuilder::new();
    let alone = pool.num_threads(1).build().unwrap().install(all);
    let pool = rayon::ThreadPoolBuilder::new();
    assert!(pool.num_threads(7).build().unwrap().install(all) == alone);
}

#[test]
#[ignore = "needs ../shared/datasets"]
fn the_truth_finds_itself() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets/coco-sample");
    let file = File::open(folder.join("annotations/instances_val2017.json")).unwrap();
    let truth = Instances::read(file).unwrap();
    let counts = (truth.images().len(), truth.categories().len());
    assert_eq!((counts, truth.annotations().len()), ((16, 80), 182));
    let objects = truth.annotations().iter();
    assert_eq!(objects.clone().filter(|object| object.crowd).count(), 3);
    let objects = objects.filter(|object| !object.crowd);
    let found: Vec<Detected> = objects
        .map(|object| Detected {
            image_id: object.image_id,
            category_id: object.category_id,
            xywh: object.xywh,
            score: 0.5,
        })
        .collect();
    let stats = evaluate(&truth, &found).unwrap().stats();
    assert!(
        (stats.ap - 1.0).abs() < 1e-9 && stats.ar100 == 1.0,
        "{stats:?}"
    );
}
