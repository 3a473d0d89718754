//! D-RISE (Petsiuk et al. 2021): random masks, each by how much of a detection is left under it.

use abn_boxes::{BoundingBox, Detection, Size};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::detector::{Detector, Images};
use crate::explain::{AttentionMap, mask, masked};

/// Cells of a mask a side, as the paper's masks have; that so many stay is RISE's half.
const CELLS: usize = 16;
const SEED: u64 = 2006;
/// Masked images of one forward pass.
const BATCH: usize = 4;

impl Detector {
    /// The mean of so many random masks, each by the largest product of overlap and score of what is
    /// found under it of the detection's class; for each of these detections in an image that is
    /// alone in its batch. All meet the same masks, and so do all images of that size.
    ///
    /// The paper compares the whole vector of class probabilities; here the probability of the class
    /// itself counts, as in its authors' later code.
    pub fn drise(
        &self,
        images: &Images,
        detections: &[Detection],
        masks: usize,
    ) -> Vec<AttentionMap> {
        let Size { height, width } = images.sizes[0];
        let mut random = Pcg64::seed_from_u64(SEED);
        let mut sums = vec![vec![0.0_f64; height * width]; detections.len()];
        let seen = images
            .pixels
            .clone()
            .narrow(2, 0, height)
            .narrow(3, 0, width);
        let padded = images.padded();
        for start in (0..masks).step_by(BATCH) {
            let count = BATCH.min(masks - start);
            let drawn: Vec<AttentionMap> = (0..count)
                .map(|_| mask(height, width, CELLS, &mut random))
                .collect();
            let [down, right] = [padded.height - height, padded.width - width];
            let under = Images {
                pixels: masked(&seen, &drawn).pad((0, right, 0, down), 0.0),
                sizes: vec![images.sizes[0]; count],
            };
            let (found, _) = self.detect(&under);
            for (mask, found) in drawn.iter().zip(found) {
                for (detection, sum) in detections.iter().zip(&mut sums) {
                    let left = similarity(&detection.bounds, detection.label, &found);
                    let values = sum.iter_mut().zip(&mask.values);
                    values.for_each(|(sum, value)| *sum += left * f64::from(*value));
                }
            }
        }
        let scale = 2.0 / masks.max(1) as f64;
        let of_sum = |sum: Vec<f64>| AttentionMap {
            height,
            width,
            values: sum.iter().map(|value| (value * scale) as f32).collect(),
        };
        sums.into_iter().map(of_sum).collect()
    }
}

/// How much is left of a detection among others: the largest product of overlap and score.
fn similarity(bounds: &BoundingBox, label: usize, found: &[Detection]) -> f64 {
    let alike = found.iter().filter(|found| found.label == label);
    let alike = alike.map(|found| found.bounds.iou(bounds) * found.score);
    alike.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_overlap_by_score() {
        let detection = |label, bounds: [f64; 4], score| Detection {
            bounds: bounds.into(),
            label,
            score,
            region: 0,
        };
        let bounds = BoundingBox::new(0.0, 0.0, 10.0, 10.0);
        let found = [
            detection(2, [0.0, 0.0, 10.0, 10.0], 0.9),
            detection(1, [0.0, 0.0, 10.0, 5.0], 0.8),
            detection(1, [0.0, 0.0, 10.0, 10.0], 0.3),
        ];
        assert_eq!(similarity(&bounds, 1, &found), 0.4);
        assert_eq!(similarity(&bounds, 3, &found), 0.0);
    }
}
