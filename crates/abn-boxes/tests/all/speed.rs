//! How long the pieces take that run at every step of a training.

use std::time::{Duration, Instant};

use abn_boxes::{BoundingBox, DetectorConstants, Draw, Mode, Purpose, Size};
use abn_boxes::{anchor_targets, nms_by_group, proposals};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

fn shortest(mut function: impl FnMut()) -> Duration {
    let once = || {
        let started = Instant::now();
        function();
        started.elapsed()
    };
    std::iter::repeat_with(once).take(15).min().unwrap()
}

#[test]
#[ignore = "needs a quiet machine: it prints times"]
fn of_an_image_of_coco() {
    let mut random = Pcg64::seed_from_u64(0);
    let mut boxes = |count: usize| -> Vec<BoundingBox> {
        let one = |_| {
            let [x, y]: [f64; 2] = [
                random.random::<f64>() * 1100.0,
                random.random::<f64>() * 700.0,
            ];
            let side = 20.0 + 100.0 * random.random::<f64>();
            BoundingBox::new(x, y, x + side, y + side)
        };
        (0..count).map(one).collect()
    };
    let (found, objects) = (boxes(10_000), boxes(20));
    let scores: Vec<f64> = (0..10_000).map(|_| random.random()).collect();
    let levels: Vec<usize> = (0..10_000).map(|index| index / 2_000).collect();
    let time = shortest(|| {
        let kept = nms_by_group(&found, &scores, &levels, 0.7);
        assert!(kept.len() > 1_000);
    });
    println!("suppression among 2,000 boxes of 5 levels: {time:?}");

    let constants = DetectorConstants::fpn();
    let grids = [(200, 304), (100, 152), (50, 76), (25, 38), (13, 19)];
    let grids = grids.map(|(height, width)| Size { height, width });
    let anchors = constants.anchors.anchors(Size::new(800, 1216), &grids);
    let all = anchors.boxes.len();
    let mut normal = || (0..6).map(|_| random.random::<f64>() - 0.5).sum::<f64>();
    let logits: Vec<f64> = (0..all).map(|_| normal()).collect();
    let offsets: Vec<[f64; 4]> = (0..all).map(|_| [0.0; 4].map(|_| 0.3 * normal())).collect();
    let image = Size::new(800, 1200);
    let time = shortest(|| {
        let mode = Mode::Training;
        let found = proposals(&constants.rpn, mode, &anchors, &logits, &offsets, image);
        assert!(found.len() > 500);
    });
    println!("proposals of {all} anchors: {time:?}");
    let draw = Draw {
        seed: 0,
        epoch: 0,
        image: 0,
        purpose: Purpose::Anchors,
    };
    let time = shortest(|| {
        let targets = anchor_targets(&constants.rpn, draw, &anchors.boxes, &objects);
        assert_eq!(targets.sampled.all().len(), 256);
    });
    println!("targets of {all} anchors and 20 objects: {time:?}");
}
