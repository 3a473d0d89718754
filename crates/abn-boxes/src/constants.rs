//! Every number of a Faster R-CNN that is no weight, in one place.
//!
//! The values of [`DetectorConstants::fpn`] are those of torchvision 0.29's
//! `fasterrcnn_resnet50_fpn`; those of [`DetectorConstants::c4`] are detectron2's where it differs. A
//! run stores them.

use serde::{Deserialize, Serialize};

use crate::anchors::AnchorGenerator;
use crate::coder::BoxCoder;
use crate::error::ConstantsError;
use crate::matcher::Matcher;
use crate::sampler::Sampler;

/// The smooth L1 loss of offsets is quadratic below this.
const BETA: f64 = 1.0 / 9.0;
/// What a check admits: beyond it lies no detector, and memory would run out.
const MOST: usize = 1_000_000;

/// Whether a network learns or is used: it looks at more proposals while it learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It learns.
    Training,
    /// It is used.
    Testing,
}

/// A number for each [`Mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByMode {
    /// While it learns.
    pub training: usize,
    /// While it is used.
    pub testing: usize,
}

impl ByMode {
    /// The number of a mode.
    #[must_use]
    pub fn of(&self, mode: Mode) -> usize {
        match mode {
            Mode::Training => self.training,
            Mode::Testing => self.testing,
        }
    }
}

/// A detector's numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorConstants {
    /// The boxes to start from.
    pub anchors: AnchorGenerator,
    /// The region proposal network.
    pub rpn: RpnConstants,
    /// The heads of regions.
    pub regions: RegionConstants,
}

/// Numbers of a region proposal network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpnConstants {
    /// Weights of the offsets.
    pub weights: [f64; 4],
    /// Overlap from which on an anchor is an object's.
    pub foreground: f64,
    /// Overlap below which it is background.
    pub background: f64,
    /// Anchors an image in the losses.
    pub sampled: usize,
    /// The largest share of them that are objects.
    pub positive_fraction: f64,
    /// Where the loss of offsets turns from quadratic to linear.
    pub smooth_l1_beta: f64,
    /// Proposals of each level before suppression.
    pub before_nms: ByMode,
    /// Proposals of all levels after it.
    pub after_nms: ByMode,
    /// Shortest side of a proposal, in pixels.
    pub smallest: f64,
    /// Lowest score of a proposal.
    pub score_threshold: f64,
    /// Overlap above which a better proposal suppresses another.
    pub nms: f64,
}

/// Numbers of the heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionConstants {
    /// Weights of the offsets.
    pub weights: [f64; 4],
    /// Overlap from which on a region is an object's.
    pub foreground: f64,
    /// Overlap below which it is background.
    pub background: f64,
    /// Regions an image in the losses.
    pub sampled: usize,
    /// The largest share of them that are objects.
    pub positive_fraction: f64,
    /// Where the loss of offsets turns from quadratic to linear.
    pub smooth_l1_beta: f64,
    /// A detection has a higher score.
    pub score_threshold: f64,
    /// Shortest side of a detection, in pixels.
    pub smallest: f64,
    /// Overlap above which a better detection suppresses another of its class.
    pub nms: f64,
    /// Detections an image.
    pub most: usize,
}

impl RpnConstants {
    /// Between anchors and offsets.
    #[must_use]
    pub fn coder(&self) -> BoxCoder {
        BoxCoder {
            weights: self.weights,
        }
    }

    /// Between anchors and objects.
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        Matcher {
            foreground: self.foreground,
            background: self.background,
            low_quality: true,
        }
    }

    /// Which anchors are learned from.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        Sampler {
            boxes: self.sampled,
            positive_fraction: self.positive_fraction,
        }
    }
}

impl RegionConstants {
    /// Between regions and offsets.
    #[must_use]
    pub fn coder(&self) -> BoxCoder {
        BoxCoder {
            weights: self.weights,
        }
    }

    /// Between regions and objects.
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        Matcher {
            foreground: self.foreground,
            background: self.background,
            low_quality: false,
        }
    }

    /// Which regions are learned from.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        Sampler {
            boxes: self.sampled,
            positive_fraction: self.positive_fraction,
        }
    }
}

impl DetectorConstants {
    /// A feature pyramid: five levels, one size of anchors each.
    #[must_use]
    pub fn fpn() -> Self {
        Self {
            anchors: AnchorGenerator {
                sizes: [32.0, 64.0, 128.0, 256.0, 512.0]
                    .map(|size| vec![size])
                    .into(),
                ratios: vec![0.5, 1.0, 2.0],
            },
            rpn: RpnConstants {
                weights: [1.0; 4],
                foreground: 0.7,
                background: 0.3,
                sampled: 256,
                positive_fraction: 0.5,
                smooth_l1_beta: BETA,
                before_nms: ByMode {
                    training: 2000,
                    testing: 1000,
                },
                after_nms: ByMode {
                    training: 2000,
                    testing: 1000,
                },
                smallest: 1e-3,
                score_threshold: 0.0,
                nms: 0.7,
            },
            regions: RegionConstants {
                weights: [10.0, 10.0, 5.0, 5.0],
                foreground: 0.5,
                background: 0.5,
                sampled: 512,
                positive_fraction: 0.25,
                smooth_l1_beta: BETA,
                score_threshold: 0.05,
                smallest: 1e-2,
                nms: 0.5,
                most: 100,
            },
        }
    }

    /// One level of features of stride 16 with anchors of all sizes. It takes more proposals before
    /// suppression (detectron2's Base-RCNN-C4) and looks at 300 when it is used, as the first codes
    /// did: a region costs a whole stage of the network.
    #[must_use]
    pub fn c4() -> Self {
        let mut constants = Self::fpn();
        constants.anchors.sizes = vec![constants.anchors.sizes.concat()];
        constants.rpn.before_nms = ByMode {
            training: 12_000,
            testing: 6_000,
        };
        constants.rpn.after_nms.testing = 300;
        constants
    }

    /// Refuses what no detector can have, as a file may say it.
    ///
    /// # Errors
    /// A size, a share, a threshold or a count is out of bounds; the error names it.
    pub fn check(&self) -> Result<(), ConstantsError> {
        let Self {
            anchors,
            rpn,
            regions,
        } = self;
        let levels = &anchors.sizes;
        let is_list = !levels.is_empty() && levels.iter().all(|sizes| !sizes.is_empty());
        let fits = is_list && levels.len() <= 64 && levels.iter().all(|sizes| sizes.len() <= 64);
        expect(
            fits,
            "anchors.sizes",
            "lists of 1 to 64 sizes, a list a level",
        )?;
        let sizes = levels.iter().flatten();
        positive("anchors.sizes", sizes)?;
        let fits = (1..=64).contains(&anchors.ratios.len());
        expect(fits, "anchors.ratios", "1 to 64 ratios")?;
        positive("anchors.ratios", &anchors.ratios)?;
        positive("rpn.weights", &rpn.weights)?;
        positive("regions.weights", &regions.weights)?;
        thresholds("rpn", rpn.background, rpn.foreground)?;
        thresholds("regions", regions.background, regions.foreground)?;
        for (name, share) in [
            ("rpn.positive_fraction", rpn.positive_fraction),
            ("regions.positive_fraction", regions.positive_fraction),
            ("rpn.nms", rpn.nms),
            ("regions.nms", regions.nms),
            ("rpn.score_threshold", rpn.score_threshold),
            ("regions.score_threshold", regions.score_threshold),
        ] {
            expect((0.0..=1.0).contains(&share), name, "a number from 0 to 1")?;
        }
        for (name, value) in [
            ("rpn.smooth_l1_beta", rpn.smooth_l1_beta),
            ("regions.smooth_l1_beta", regions.smooth_l1_beta),
            ("rpn.smallest", rpn.smallest),
            ("regions.smallest", regions.smallest),
        ] {
            let fits = value.is_finite() && value >= 0.0;
            expect(fits, name, "a number that is not negative")?;
        }
        for (name, count) in [
            ("rpn.sampled", rpn.sampled),
            ("rpn.before_nms.training", rpn.before_nms.training),
            ("rpn.before_nms.testing", rpn.before_nms.testing),
            ("rpn.after_nms.training", rpn.after_nms.training),
            ("rpn.after_nms.testing", rpn.after_nms.testing),
            ("regions.sampled", regions.sampled),
            ("regions.most", regions.most),
        ] {
            expect((1..=MOST).contains(&count), name, "1 to 1,000,000")?;
        }
        Ok(())
    }
}

fn positive<'a>(
    name: &'static str,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), ConstantsError> {
    let fits = |value: &f64| value.is_finite() && *value > 0.0;
    expect(
        values.into_iter().all(fits),
        name,
        "positive numbers that are finite",
    )
}

fn thresholds(of: &'static str, background: f64, foreground: f64) -> Result<(), ConstantsError> {
    let fits = 0.0 <= background && background <= foreground && foreground <= 1.0;
    expect(fits, of, "0 <= background <= foreground <= 1")
}

fn expect(fits: bool, name: &'static str, expected: &'static str) -> Result<(), ConstantsError> {
    if fits {
        Ok(())
    } else {
        Err(ConstantsError { name, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_fit_and_read_back() {
        for constants in [DetectorConstants::fpn(), DetectorConstants::c4()] {
            constants.check().unwrap();
            let text = serde_json::to_string(&constants).unwrap();
            let back: DetectorConstants = serde_json::from_str(&text).unwrap();
            assert_eq!(back, constants);
        }
        assert_eq!(DetectorConstants::fpn().anchors.per_cell(4), 3);
        assert_eq!(DetectorConstants::c4().anchors.per_cell(0), 15);
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut DetectorConstants), name: &str) {
        let mut constants = DetectorConstants::fpn();
        change(&mut constants);
        let error = constants.check().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }

    #[test]
    fn what_no_detector_has_is_refused_by_name() {
        refused(|of| of.anchors.sizes.clear(), "anchors.sizes");
        refused(|of| of.anchors.sizes[1].clear(), "anchors.sizes");
        refused(|of| of.anchors.sizes[1][0] = -1.0, "anchors.sizes");
        refused(|of| of.anchors.ratios[0] = f64::NAN, "anchors.ratios");
        refused(|of| of.rpn.weights[3] = 0.0, "rpn.weights");
        refused(|of| of.rpn.foreground = 0.2, "rpn");
        refused(|of| of.regions.background = 0.6, "regions");
        refused(|of| of.rpn.nms = f64::NAN, "rpn.nms");
        refused(
            |of| of.regions.score_threshold = 1.5,
            "regions.score_threshold",
        );
        refused(|of| of.rpn.smooth_l1_beta = -1.0, "rpn.smooth_l1_beta");
        refused(|of| of.rpn.after_nms.testing = 0, "rpn.after_nms.testing");
        refused(|of| of.regions.most = usize::MAX, "regions.most");
        let text = serde_json::to_string(&DetectorConstants::fpn()).unwrap();
        let text = text.replace("\"most\"", "\"mots\"");
        assert!(serde_json::from_str::<DetectorConstants>(&text).is_err());
    }
}
