//! COCO's evaluation of boxes, as pycocotools computes it: precision at 101 recalls, for ten
//! overlaps, four ranges of areas and three numbers of detections an image.
//!
//! ```text
//! precision [area][detections][overlap][recall]       recall [area][detections][overlap]
//! ```

use rayon::prelude::*;

use super::detected::Detected;
use super::instances::{Annotation, Instances};
use super::matching::{Outcome, matched};
use super::protocol::{AREAS, Area, IOUS, MAX_DETECTIONS, RECALLS};
use super::protocol::{iou_thresholds, recall_thresholds};
use crate::error::CocoError;

const MOST: usize = MAX_DETECTIONS.len();

/// What was measured of all categories.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// By id.
    pub categories: Vec<OfCategory>,
    /// Images of the truth.
    pub images: usize,
    /// Detections of categories that the truth does not have: they do not count, as in pycocotools.
    pub unknown: usize,
}

/// What was measured of one category.
#[derive(Debug, Clone, PartialEq)]
pub struct OfCategory {
    /// Its id.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// Objects of all areas that count.
    pub objects: usize,
    /// Detections that count: at most a hundred an image.
    pub detections: usize,
    /// For each of [`Area::ALL`]; nothing where there is no object that counts.
    pub areas: [Option<Curves>; AREAS],
}

/// Precision and recall of a category and a range of areas.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    precision: Vec<f64>,
    recall: [[f64; IOUS]; MOST],
}

impl Curves {
    /// Precision at [`recall_thresholds`], for the overlap and the number of detections of these
    /// places in [`iou_thresholds`] and [`MAX_DETECTIONS`]: the best at that recall or beyond; 0
    /// where it is not reached.
    ///
    /// # Panics
    /// There is no such place.
    #[must_use]
    pub fn precision(&self, iou: usize, detections: usize) -> &[f64] {
        &self.precision[(detections * IOUS + iou) * RECALLS..][..RECALLS]
    }

    /// The share of objects that were found, likewise.
    ///
    /// # Panics
    /// There is no such place.
    #[must_use]
    pub fn recall(&self, iou: usize, detections: usize) -> f64 {
        self.recall[detections][iou]
    }
}

/// Measures detections against the truth. The result does not depend on the number of threads.
///
/// # Errors
/// A detection is of an image that the truth does not have, or has a box or a score that is none.
pub fn evaluate(truth: &Instances, detections: &[Detected]) -> Result<Evaluation, CocoError> {
    let mut found: Vec<Place> = Vec::with_capacity(detections.len());
    let mut unknown = 0;
    for (index, detected) in detections.iter().enumerate() {
        if let Some(fault) = detected.fault(index + 1) {
            return Err(CocoError::Contradiction(fault));
        }
        let Some(image) = truth.image_place(detected.image_id) else {
            return Err(CocoError::Contradiction(format!(
                "the detection {} of the list is of the image with the id {}, which the truth does \
                 not have: measure with the truth of the same images",
                index + 1,
                detected.image_id
            )));
        };
        match truth.category_place(detected.category_id) {
            Some(category) => found.push(Place::of(category, image, index)),
            None => unknown += 1,
        }
    }
    let mut there: Vec<Place> = Vec::with_capacity(truth.annotations().len());
    let mut index = 0;
    for image in 0..truth.images().len() {
        for annotation in truth.annotations_of(image) {
            if let Some(category) = truth.category_place(annotation.category_id) {
                there.push(Place::of(category, image, index));
            }
            index += 1;
        }
    }
    // Within an image, the order of the file remains.
    found.sort_unstable();
    there.sort_unstable();
    let categories = truth.categories().par_iter().enumerate();
    let categories = categories.map(|(category, of)| {
        let objects = Place::within(&there, category);
        let found = Place::within(&found, category);
        let (outcomes, counts) = outcomes(truth.annotations(), objects, detections, found);
        OfCategory {
            id: of.id,
            name: of.name.clone(),
            objects: counts[0],
            detections: outcomes.len(),
            areas: Area::ALL.map(|area| curves(&outcomes, area, counts[area as usize])),
        }
    });
    Ok(Evaluation {
        categories: categories.collect(),
        images: truth.images().len(),
        unknown,
    })
}

/// Where an annotation or a detection belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    category: u32,
    image: u32,
    index: u32,
}

impl Place {
    /// Readers bound all three far below what fits.
    fn of(category: usize, image: usize, index: usize) -> Self {
        Self {
            category: category as u32,
            image: image as u32,
            index: index as u32,
        }
    }

    /// Those of a category, of places in order.
    fn within(places: &[Self], category: usize) -> &[Self] {
        let start = places.partition_point(|place| (place.category as usize) < category);
        let end = places.partition_point(|place| place.category as usize <= category);
        &places[start..end]
    }
}

/// The detections of a category by descending score, the first of equal ones first, and how many
/// objects count for each area.
fn outcomes(
    annotations: &[Annotation],
    mut there: &[Place],
    detections: &[Detected],
    mut found: &[Place],
) -> (Vec<Outcome>, [usize; AREAS]) {
    let thresholds = iou_thresholds();
    let (mut outcomes, mut counts) = (Vec::new(), [0; AREAS]);
    loop {
        let first = |places: &[Place]| places.first().map(|place| place.image);
        let Some(image) = first(there).into_iter().chain(first(found)).min() else {
            break;
        };
        let objects: Vec<&Annotation> = of_image(&mut there, image)
            .map(|index| &annotations[index])
            .collect();
        let mut of_image: Vec<&Detected> = of_image(&mut found, image)
            .map(|index| &detections[index])
            .collect();
        of_image.sort_by(|one, other| by_score(one.score, other.score));
        of_image.truncate(MAX_DETECTIONS[MOST - 1]);
        let (matched, of_areas) = matched(&objects, &of_image, &thresholds);
        outcomes.extend(matched);
        (counts.iter_mut().zip(of_areas)).for_each(|(count, more)| *count += more);
    }
    outcomes.sort_by(|one, other| by_score(one.score, other.score));
    (outcomes, counts)
}

/// Takes the places of an image off the front.
fn of_image<'a>(places: &mut &'a [Place], image: u32) -> impl Iterator<Item = usize> + use<'a> {
    let length = places.partition_point(|place| place.image <= image);
    let (taken, rest) = places.split_at(length);
    *places = rest;
    taken.iter().map(|place| place.index as usize)
}

/// Scores are finite.
fn by_score(one: f64, other: f64) -> std::cmp::Ordering {
    other.partial_cmp(&one).unwrap_or(std::cmp::Ordering::Equal)
}

fn curves(outcomes: &[Outcome], area: Area, objects: usize) -> Option<Curves> {
    if objects == 0 {
        return None;
    }
    let mut curves = Curves {
        precision: vec![0.0; MOST * IOUS * RECALLS],
        recall: [[0.0; IOUS]; MOST],
    };
    let recalls = recall_thresholds();
    for (place, most) in MAX_DETECTIONS.into_iter().enumerate() {
        let counted = outcomes.iter().filter(|outcome| outcome.rank < most);
        for bit in 0..IOUS {
            let of_bit = |outcome: &Outcome| {
                let [matched, ignored] = [outcome.matched, outcome.ignored]
                    .map(|words| words[area as usize] >> bit & 1 == 1);
                (!ignored).then_some(matched)
            };
            let told = counted.clone().map(of_bit);
            let sampled = &mut curves.precision[(place * IOUS + bit) * RECALLS..][..RECALLS];
            curves.recall[place][bit] = sample(told, objects, &recalls, sampled);
        }
    }
    Some(curves)
}

/// Reads precision at recalls, and tells the recall of all detections.
///
/// `told` says of each detection, by descending score, whether it is right, or nothing where it is
/// ignored; such a one repeats the point before it.
fn sample(
    told: impl Iterator<Item = Option<bool>>,
    objects: usize,
    recalls: &[f64; RECALLS],
    sampled: &mut [f64],
) -> f64 {
    let (mut right, mut wrong) = (0_usize, 0_usize);
    let mut points: Vec<(f64, f64)> = told
        .map(|told| {
            match told {
                Some(true) => right += 1,
                Some(false) => wrong += 1,
                None => {}
            }
            let (right, wrong) = (right as f64, wrong as f64);
            // NumPy's spacing(1).
            (
                right / objects as f64,
                right / (wrong + right + f64::EPSILON),
            )
        })
        .collect();
    for place in (1..points.len()).rev() {
        if points[place].1 > points[place - 1].1 {
            points[place - 1].1 = points[place].1;
        }
    }
    let mut reached = points.iter().peekable();
    for (recall, sampled) in recalls.iter().zip(sampled) {
        while reached.next_if(|(at, _)| at < recall).is_some() {}
        *sampled = reached.peek().map_or(0.0, |(_, precision)| *precision);
    }
    points.last().map_or(0.0, |(recall, _)| *recall)
}

#[cfg(test)]
mod tests {
    use super::super::instances::{Category, Image};
    use super::*;

    fn truth(objects: &[(u64, [f64; 4])]) -> Instances {
        let image = |id| Image {
            id,
            file_name: String::new(),
            size: None,
        };
        let category = |id: u64| Category {
            id,
            name: format!("c{id}"),
        };
        let annotation = |(id, (image_id, xywh)): (usize, &(u64, [f64; 4]))| Annotation {
            id: id as u64,
            image_id: *image_id,
            category_id: 5,
            xywh: *xywh,
            area: xywh[2] * xywh[3],
            crowd: false,
        };
        Instances::new(
            vec![image(8), image(2)],
            vec![category(5), category(9)],
            objects.iter().enumerate().map(annotation).collect(),
        )
        .unwrap()
    }

    fn found(image_id: u64, xywh: [f64; 4], score: f64) -> Detected {
        Detected {
            image_id,
            category_id: 5,
            xywh,
            score,
        }
    }

    const HERE: [f64; 4] = [0.0, 0.0, 10.0, 10.0];
    const THERE: [f64; 4] = [50.0, 0.0, 10.0, 10.0];

    #[test]
    fn a_curve_by_hand() {
        // Right, wrong, right, of three objects: recalls 1/3, 1/3, 2/3, precisions 1, 1/2, 2/3.
        let truth = truth(&[(2, HERE), (2, THERE), (8, HERE)]);
        let detections = [
            found(2, HERE, 0.9),
            found(8, THERE, 0.8),
            found(2, THERE, 0.7),
        ];
        let evaluation = evaluate(&truth, &detections).unwrap();
        let of = &evaluation.categories[0];
        assert_eq!((of.id, of.objects, of.detections), (5, 3, 3));
        let curves = of.areas[0].as_ref().unwrap();
        let precision = curves.precision(0, 2);
        assert_eq!(curves.recall(0, 2), 2.0 / 3.0);
        assert!(precision[..=33].iter().all(|at| (at - 1.0).abs() < 1e-12));
        let beyond = &precision[34..=66];
        assert!(beyond.iter().all(|at| (at - 2.0 / 3.0).abs() < 1e-12));
        assert!(precision[67..].iter().all(|at| *at == 0.0));
        // Of one detection an image, the third is left out.
        assert_eq!(curves.recall(9, 0), 1.0 / 3.0);
        // No object of the other category, none of a large area.
        assert_eq!(evaluation.categories[1].areas, [None, None, None, None]);
        assert!(of.areas[1].is_some() && of.areas[2].is_none());
    }

    #[test]
    fn an_object_of_id_zero_can_be_found() {
        let truth = truth(&[(2, HERE)]);
        assert_eq!(truth.annotations()[0].id, 0);
        let evaluation = evaluate(&truth, &[found(2, HERE, 0.5)]).unwrap();
        let curves = evaluation.categories[0].areas[0].as_ref().unwrap();
        assert_eq!(curves.recall(9, 0), 1.0);
    }

    #[test]
    fn only_a_hundred_an_image() {
        let truth = truth(&[(2, HERE)]);
        let mut detections = vec![found(2, THERE, 0.5); 100];
        detections.push(found(2, HERE, 0.5));
        let evaluation = evaluate(&truth, &detections).unwrap();
        assert_eq!(evaluation.categories[0].detections, 100);
        let curves = evaluation.categories[0].areas[0].as_ref().unwrap();
        assert_eq!(curves.recall(0, 2), 0.0);
        // A higher score comes first, wherever it stands.
        detections[100].score = 0.6;
        let evaluation = evaluate(&truth, &detections).unwrap();
        let curves = evaluation.categories[0].areas[0].as_ref().unwrap();
        assert_eq!(curves.recall(0, 0), 1.0);
    }

    #[test]
    fn what_does_not_fit_the_truth() {
        let truth = truth(&[(2, HERE)]);
        let error = evaluate(&truth, &[found(3, HERE, 0.5)]).unwrap_err();
        assert!(error.to_string().contains("the detection 1 of the list"));
        assert!(error.to_string().contains("the id 3"), "{error}");
        assert!(evaluate(&truth, &[found(2, HERE, f64::NAN)]).is_err());
        let other = Detected {
            category_id: 6,
            ..found(2, HERE, 0.5)
        };
        assert_eq!(evaluate(&truth, &[other]).unwrap().unknown, 1);
    }
}
