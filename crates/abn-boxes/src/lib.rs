//! The geometry of object detection by Faster R-CNN (Ren et al. 2015), and the figures about it.
//!
//! A detector meets these pieces in this order:
//!
//! 1. [`AnchorGenerator`]: boxes to start from, a few at each cell of each level of features (section
//!    3.1.1).
//! 2. [`BoxCoder`]: boxes as offsets from others, which is what a network predicts (equation 2).
//! 3. [`anchor_targets`]: which anchors are to say what, by [`Matcher`] and [`Sampler`] (sections
//!    3.1.2 and 3.1.3).
//! 4. [`proposals`]: from logits and offsets of anchors to regions worth a look, by [`nms`] (section
//!    3.3).
//! 5. [`RoiLevels`]: which level of a pyramid a region is pooled from (Lin et al. 2017).
//! 6. [`region_targets`]: which regions are to say what (Girshick 2015, section 2.3).
//! 7. [`detections`]: from probabilities and offsets of regions to detections.
//! 8. [`coco`] and [`voc`]: how good these are.
//!
//! Every number of it stands in [`DetectorConstants`], with the values of torchvision's
//! `fasterrcnn_resnet50_fpn`, whose results these are: bit by bit where only sums, products and
//! roots are taken, to the last digit where an exponential or a logarithm is.
//!
//! One decision shapes the crate: **it knows no tensors**. Logits and offsets of an image are read
//! from the device once, as slices; boxes, indices and offsets go back. All of it is a function of
//! its arguments. What is drawn depends on a [`Draw`], which is (seed, epoch, image, purpose), and
//! nothing on the number of threads.
//!
//! ```
//! use abn_boxes::{BoundingBox, DetectorConstants, Draw, Mode, Purpose, Size};
//! use abn_boxes::{anchor_targets, proposals};
//!
//! let constants = DetectorConstants::fpn();
//! let grids = [64, 32, 16, 8, 4].map(|side| Size::new(side, side));
//! let anchors = constants.anchors.anchors(Size::new(256, 256), &grids);
//!
//! // What the network is to learn of this image ...
//! let object = BoundingBox::new(30.0, 40.0, 100.0, 110.0);
//! let draw = Draw { seed: 0, epoch: 0, image: 0, purpose: Purpose::Anchors };
//! let targets = anchor_targets(&constants.rpn, draw, &anchors.boxes, &[object]);
//! assert_eq!(targets.offsets.len(), targets.sampled.positives.len());
//!
//! // ... and what follows if it has learned it.
//! let mut logits = vec![-9.0; anchors.boxes.len()];
//! let mut offsets = vec![[0.0; 4]; anchors.boxes.len()];
//! for (anchor, wanted) in targets.sampled.positives.iter().zip(&targets.offsets) {
//!     logits[*anchor] = 9.0;
//!     offsets[*anchor] = *wanted;
//! }
//! let image = Size::new(250, 256);
//! let found = proposals(&constants.rpn, Mode::Testing, &anchors, &logits, &offsets, image);
//! assert!(found[0].bounds.iou(&object) > 0.999);
//! ```

mod anchor_targets;
mod anchors;
mod bounding_box;
pub mod coco;
mod coder;
mod constants;
mod detections;
mod error;
mod matcher;
mod nms;
mod proposals;
mod random;
mod region_targets;
mod roi_levels;
mod sampler;
mod size;
pub mod voc;

pub use anchor_targets::{AnchorTargets, anchor_targets};
pub use anchors::{AnchorGenerator, Anchors};
pub use bounding_box::BoundingBox;
pub use coder::{BoxCoder, LARGEST_LOG};
pub use constants::{ByMode, DetectorConstants, Mode, RegionConstants, RpnConstants};
pub use detections::{Detection, detections};
pub use error::{CocoError, ConstantsError};
pub use matcher::{Match, Matcher};
pub use nms::{nms, nms_by_group};
pub use proposals::{Proposal, proposals};
pub use random::{Draw, Purpose};
pub use region_targets::{RegionTargets, region_targets};
pub use roi_levels::{CANONICAL_LEVEL, CANONICAL_SIDE, RoiLevels, roi_scale};
pub use sampler::{Sampled, Sampler};
pub use size::Size;
