//! torchvision's boxes, piece by piece.

use abn_boxes::{AnchorGenerator, Anchors, BoundingBox, BoxCoder, ByMode, DetectorConstants, Draw};
use abn_boxes::{Match, Matcher, Mode, Purpose, RoiLevels, Size};
use abn_boxes::{
    anchor_targets, detections, nms, nms_by_group, proposals, region_targets, roi_scale,
};
use serde::Deserialize;

/// Where an exponential or a logarithm is taken, which PyTorch computes by polynomials of its own.
const CLOSE: f64 = 1e-12;
/// Of everything that is matched, all is sampled.
const ALL: usize = 10_000;

#[derive(Deserialize)]
struct Fixture {
    anchors: Vec<AnchorsCase>,
    coder: Vec<CoderCase>,
    matcher: Vec<MatcherCase>,
    nms: Vec<NmsCase>,
    levels: LevelsCase,
    image: (usize, usize),
    padded: (usize, usize),
    grids: Vec<(usize, usize)>,
    sizes: Vec<Vec<f64>>,
    ratios: Vec<f64>,
    proposals: Vec<ProposalsCase>,
    anchor_targets: Vec<AnchorTargetsCase>,
    detections: Vec<DetectionsCase>,
    region_targets: Vec<RegionTargetsCase>,
}

impl Fixture {
    fn read() -> Self {
        crate::fixture("detection")
    }

    fn anchors(&self) -> Anchors {
        let generator = AnchorGenerator {
            sizes: self.sizes.clone(),
            ratios: self.ratios.clone(),
        };
        generator.anchors(size(self.padded), &sizes(&self.grids))
    }
}

fn size((height, width): (usize, usize)) -> Size {
    Size { height, width }
}

fn sizes(of: &[(usize, usize)]) -> Vec<Size> {
    of.iter().copied().map(size).collect()
}

fn draw(purpose: Purpose) -> Draw {
    Draw {
        seed: 0,
        epoch: 0,
        image: 0,
        purpose,
    }
}

#[track_caller]
fn close(found: &[[f64; 4]], expected: &[[f64; 4]]) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        // A corner is the difference of numbers of the size of all four.
        let scale = expected
            .iter()
            .fold(1.0, |most: f64, of| most.max(of.abs()));
        for (one, other) in found.iter().zip(expected) {
            let fits = (one - other).abs() <= CLOSE * scale;
            assert!(fits, "{place}: {found:?} is not {expected:?}");
        }
    }
}

fn corners(boxes: impl IntoIterator<Item = BoundingBox>) -> Vec<[f64; 4]> {
    boxes.into_iter().map(Into::into).collect()
}

#[derive(Deserialize)]
struct AnchorsCase {
    sizes: Vec<Vec<f64>>,
    ratios: Vec<f64>,
    padded: (usize, usize),
    grids: Vec<(usize, usize)>,
    boxes: Vec<BoundingBox>,
}

#[test]
fn anchors_are_equal() {
    for case in Fixture::read().anchors {
        let generator = AnchorGenerator {
            sizes: case.sizes,
            ratios: case.ratios,
        };
        let found = generator.anchors(size(case.padded), &sizes(&case.grids));
        assert_eq!(found.boxes, case.boxes);
        assert_eq!(found.levels.iter().sum::<usize>(), case.boxes.len());
    }
}

#[derive(Deserialize)]
struct CoderCase {
    weights: [f64; 4],
    start: Vec<BoundingBox>,
    goal: Vec<BoundingBox>,
    encoded: Vec<[f64; 4]>,
    offsets: Vec<[f64; 4]>,
    decoded: Vec<[f64; 4]>,
}

#[test]
fn coding_is_equal_but_for_exponentials_and_logarithms() {
    for case in Fixture::read().coder {
        let coder = BoxCoder {
            weights: case.weights,
        };
        let pairs = case.goal.iter().zip(&case.start);
        let encoded: Vec<_> = pairs
            .map(|(goal, start)| coder.encode(goal, start))
            .collect();
        for (found, expected) in encoded.iter().zip(&case.encoded) {
            assert_eq!(found[..2], expected[..2]);
        }
        close(&encoded, &case.encoded);
        let pairs = case.offsets.iter().zip(&case.start);
        let decoded = pairs.map(|(offsets, start)| coder.decode(*offsets, start));
        close(&corners(decoded), &case.decoded);
    }
}

#[derive(Deserialize)]
struct MatcherCase {
    foreground: f64,
    background: f64,
    low_quality: bool,
    objects: Vec<BoundingBox>,
    boxes: Vec<BoundingBox>,
    /// Of each object with the first boxes.
    overlaps: Vec<Vec<f64>>,
    /// -1 is background, -2 ignored.
    matches: Vec<i64>,
}

#[test]
fn overlaps_and_matches_are_equal() {
    for case in Fixture::read().matcher {
        for (object, overlaps) in case.objects.iter().zip(&case.overlaps) {
            for (bounds, overlap) in case.boxes.iter().zip(overlaps) {
                assert_eq!(object.iou(bounds), *overlap);
            }
        }
        let matcher = Matcher {
            foreground: case.foreground,
            background: case.background,
            low_quality: case.low_quality,
        };
        let found = matcher.matches(&case.objects, &case.boxes);
        let found: Vec<i64> = found
            .into_iter()
            .map(|of| match of {
                Match::Object(object) => object.into(),
                Match::Background => -1,
                Match::Ignored => -2,
            })
            .collect();
        assert_eq!(found, case.matches);
    }
}

#[derive(Deserialize)]
struct NmsCase {
    threshold: f64,
    boxes: Vec<BoundingBox>,
    scores: Vec<f64>,
    groups: Vec<usize>,
    kept: Vec<usize>,
    kept_by_group: Vec<usize>,
}

#[test]
fn suppression_is_equal() {
    for case in Fixture::read().nms {
        let kept = nms(&case.boxes, &case.scores, case.threshold);
        assert_eq!(kept, case.kept);
        let kept = nms_by_group(&case.boxes, &case.scores, &case.groups, case.threshold);
        assert_eq!(kept, case.kept_by_group);
    }
}

#[derive(Deserialize)]
struct LevelsCase {
    boxes: Vec<BoundingBox>,
    levels: Vec<usize>,
    /// Height of the features and of the image.
    scales: Vec<(usize, usize, f64)>,
}

#[test]
fn levels_and_scales_are_equal() {
    let case = Fixture::read().levels;
    let levels = RoiLevels::new(2, 5);
    let found: Vec<usize> = case.boxes.iter().map(|of| levels.level(of)).collect();
    assert_eq!(found, case.levels);
    for (features, image, scale) in case.scales {
        let found = roi_scale(Size::new(features, 1), Size::new(image, 1));
        assert_eq!(found, scale, "{features} of {image}");
    }
}

#[derive(Deserialize)]
struct ProposalsCase {
    before: usize,
    after: usize,
    nms: f64,
    logits: Vec<f64>,
    offsets: Vec<[f64; 4]>,
    boxes: Vec<[f64; 4]>,
    scores: Vec<f64>,
}

#[test]
fn proposals_are_the_same() {
    let fixture = Fixture::read();
    let anchors = fixture.anchors();
    for case in &fixture.proposals {
        let mut constants = DetectorConstants::fpn().rpn;
        let both = |count| ByMode {
            training: count,
            testing: count,
        };
        constants.before_nms = both(case.before);
        constants.after_nms = both(case.after);
        constants.nms = case.nms;
        let found = proposals(
            &constants,
            Mode::Testing,
            &anchors,
            &case.logits,
            &case.offsets,
            size(fixture.image),
        );
        close(&corners(found.iter().map(|of| of.bounds)), &case.boxes);
        for (found, score) in found.iter().zip(&case.scores) {
            assert!((found.score - score).abs() < CLOSE);
        }
    }
}

#[derive(Deserialize)]
struct AnchorTargetsCase {
    objects: Vec<BoundingBox>,
    positives: Vec<usize>,
    negatives: usize,
    negatives_sum: usize,
    offsets: Vec<[f64; 4]>,
}

#[test]
fn targets_of_anchors_are_the_same() {
    let fixture = Fixture::read();
    let anchors = fixture.anchors().boxes;
    let mut constants = DetectorConstants::fpn().rpn;
    (constants.sampled, constants.positive_fraction) = (ALL, 1.0);
    for case in &fixture.anchor_targets {
        let draw = draw(Purpose::Anchors);
        let found = anchor_targets(&constants, draw, &anchors, &case.objects);
        assert_eq!(found.sampled.positives, case.positives);
        assert_eq!(found.sampled.negatives.len(), case.negatives);
        let sum: usize = found.sampled.negatives.iter().sum();
        assert_eq!(sum, case.negatives_sum);
        close(&found.offsets, &case.offsets);
    }
}

#[derive(Deserialize)]
struct DetectionsCase {
    score_threshold: f64,
    nms: f64,
    most: usize,
    regions: Vec<BoundingBox>,
    probabilities: Vec<Vec<f64>>,
    offsets: Vec<[f64; 4]>,
    boxes: Vec<[f64; 4]>,
    scores: Vec<f64>,
    labels: Vec<usize>,
}

#[test]
fn detections_are_the_same() {
    let fixture = Fixture::read();
    for case in &fixture.detections {
        let mut constants = DetectorConstants::fpn().regions;
        constants.score_threshold = case.score_threshold;
        constants.nms = case.nms;
        constants.most = case.most;
        let found = detections(
            &constants,
            &case.regions,
            &case.probabilities.concat(),
            &case.offsets,
            size(fixture.image),
        );
        close(&corners(found.iter().map(|of| of.bounds)), &case.boxes);
        let scores: Vec<f64> = found.iter().map(|of| of.score).collect();
        assert_eq!(scores, case.scores);
        let labels: Vec<usize> = found.iter().map(|of| of.label).collect();
        assert_eq!(labels, case.labels);
    }
}

#[derive(Deserialize)]
struct RegionTargetsCase {
    proposals: Vec<BoundingBox>,
    objects: Vec<BoundingBox>,
    names: Vec<usize>,
    regions: Vec<BoundingBox>,
    labels: Vec<usize>,
    positives: Vec<usize>,
    matched: Vec<usize>,
    offsets: Vec<[f64; 4]>,
}

#[test]
fn targets_of_regions_are_the_same() {
    let mut constants = DetectorConstants::fpn().regions;
    (constants.sampled, constants.positive_fraction) = (ALL, 1.0);
    for case in &Fixture::read().region_targets {
        let draw = draw(Purpose::Regions);
        let found = region_targets(
            &constants,
            draw,
            &case.proposals,
            &case.objects,
            &case.names,
        );
        assert_eq!(found.regions, case.regions);
        assert_eq!(found.labels, case.labels);
        assert_eq!(found.positives, case.positives);
        assert_eq!(found.objects, case.matched);
        close(&found.offsets, &case.offsets);
    }
}
