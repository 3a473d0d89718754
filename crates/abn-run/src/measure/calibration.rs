//! Whether a network is as sure as it is right (Guo et al., 2017).

use serde::Serialize;

/// Bins of equal width.
pub const BINS: usize = 15;

/// Predictions by how sure they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    bins: [Sums; BINS],
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    images: usize,
    right: usize,
    sure: f64,
}

/// The predictions whose probability lies above `from` and not above `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Images.
    pub images: usize,
    /// Their mean probability; none without images.
    pub confidence: Option<f64>,
    /// Share that is right; none without images.
    pub accuracy: Option<f64>,
}

impl Calibration {
    /// Adds a prediction with its probability.
    pub fn add(&mut self, probability: f64, is_right: bool) {
        let place = (probability * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[place.clamp(1, BINS) - 1];
        bin.images += 1;
        bin.right += usize::from(is_right);
        bin.sure += probability;
    }

    /// Expected calibration error: by how much probability and accuracy of a bin differ, as a mean
    /// over the images; none without images.
    pub fn expected_error(&self) -> Option<f64> {
        let images: usize = self.bins.iter().map(|bin| bin.images).sum();
        let off = self
            .bins
            .iter()
            .map(|bin| (bin.sure - bin.right as f64).abs());
        (images > 0).then(|| off.sum::<f64>() / images as f64)
    }

    /// All bins: the points of a reliability diagram.
    pub fn bins(&self) -> Vec<Bin> {
        let end = |place: usize| place as f64 / BINS as f64;
        let bin = |(place, sums): (usize, &Sums)| {
            let mean = |sum: f64| (sums.images > 0).then(|| sum / sums.images as f64);
            Bin {
                from: end(place),
                to: end(place + 1),
                images: sums.images,
                confidence: mean(sums.sure),
                accuracy: mean(sums.right as f64),
            }
        };
        self.bins.iter().enumerate().map(bin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two predictions of 0.9, one right: off by 0.4. One of 0.55, right: off by 0.45. Half of four
    /// images, then a quarter; the last is sure and right.
    #[test]
    fn four_images_by_hand() {
        let mut calibration = Calibration::default();
        for (probability, is_right) in [(0.9, true), (0.9, false), (0.55, true), (1.0, true)] {
            calibration.add(probability, is_right);
        }
        let error = calibration.expected_error().unwrap();
        assert!((error - (0.5 * 0.4 + 0.25 * 0.45)).abs() < 1e-12, "{error}");
        let filled: Vec<usize> = calibration.bins().iter().map(|bin| bin.images).collect();
        assert_eq!((filled[8], filled[13], filled[14]), (1, 2, 1));
        assert_eq!(calibration.bins()[13].accuracy, Some(0.5));
        assert_eq!(Calibration::default().expected_error(), None);
    }

    #[test]
    fn ends_belong_to_the_bin_below() {
        let mut calibration = Calibration::default();
        calibration.add(0.2, true);
        calibration.add(0.0, true);
        let filled: Vec<usize> = calibration.bins().iter().map(|bin| bin.images).collect();
        assert_eq!((filled[0], filled[2]), (1, 1));
    }
}
