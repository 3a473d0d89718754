//! Detection by Faster R-CNN (Ren et al. 2015) on the backbones of this crate, with the attention
//! branch before the last stage.
//!
//! ```text
//! image --trunk--> F --[branch: (1+M).F]--> last stage --pyramid--> levels --rpn--> proposals
//!                   \--> which classes occur                           \--RoIAlign--> head --> boxes
//! ```
//!
//! MANet (Bai & Kawahara, 2024, section 5.2) says no more of its detector than that the attention
//! network is part of its backbone. This is the reading that is a classifier's own: the branch sees
//! the features before the last stage, its map re-weights what goes on, and its loss asks which
//! classes occur in the image. The weight of that loss is a setting, since section 3.3 names the
//! perception loss alone.
//!
//! In a detector whose last stage sees every region, a second branch may look at each of these
//! before (`region_attention`): the classifier's own cut once more, which gives a trained map of
//! every detection. The paper does not decide between the two.
//!
//! What is done with boxes, and every constant, stands in [`abn_boxes`].

mod config;
mod detector;
mod drise;
mod explain;
mod head;
mod loss;
mod map;
mod pooling;
mod pyramid;
mod rpn;
mod trunk;

pub use config::{DetectorConfig, InvalidDetector, Neck};
pub use detector::{Detector, Features, FoundInImages, Images, Losses, Lot, Objects};
pub use explain::{BoxMethod, Reasons};
pub use head::{RegionHead, Regions};
pub use map::map_of_image;
pub use pooling::{Pooled, Pooling};
pub use pyramid::Pyramid;
pub use rpn::{Objectness, RpnHead};
pub use trunk::{Frozen, Trunk};
