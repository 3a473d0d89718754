//! What a region proposal network is to say of which anchors (Ren et al. 2015, section 3.1.2).

use crate::constants::RpnConstants;
use crate::matcher::Match;
use crate::sampler::Sampled;
use crate::{BoundingBox, Draw};

/// The anchors of one image that enter the losses.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorTargets {
    /// By their number over all levels: the objectness of positives is 1, that of negatives 0.
    pub sampled: Sampled,
    /// The object of each positive anchor.
    pub objects: Vec<usize>,
    /// The offsets of each positive anchor.
    pub offsets: Vec<[f64; 4]>,
}

/// Matches anchors with the objects of an image and draws those that are learned from.
///
/// Objects have to be [valid](BoundingBox::is_valid). Without any, all anchors are background.
#[must_use]
pub fn anchor_targets(
    constants: &RpnConstants,
    draw: Draw,
    anchors: &[BoundingBox],
    objects: &[BoundingBox],
) -> AnchorTargets {
    let matches = constants.matcher().matches(objects, anchors);
    let sampled = constants.sampler().sample(draw, &matches);
    let coder = constants.coder();
    let (mut of, mut offsets) = (Vec::new(), Vec::new());
    for anchor in &sampled.positives {
        if let Match::Object(object) = matches[*anchor] {
            let object = object as usize;
            of.push(object);
            offsets.push(coder.encode(&objects[object], &anchors[*anchor]));
        }
    }
    AnchorTargets {
        sampled,
        objects: of,
        offsets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DetectorConstants, Purpose};

    const DRAW: Draw = Draw {
        seed: 0,
        epoch: 0,
        image: 0,
        purpose: Purpose::Anchors,
    };

    #[test]
    fn by_hand() {
        let at = |x: f64| BoundingBox::new(x, 0.0, x + 10.0, 10.0);
        let anchors = [at(0.0), at(5.0), at(40.0), at(20.0)];
        let objects = [at(1.0), BoundingBox::new(20.0, 0.0, 40.0, 10.0)];
        let rpn = DetectorConstants::fpn().rpn;
        let targets = anchor_targets(&rpn, DRAW, &anchors, &objects);
        // 9/11, 6/14 which is between, nothing, and the best of the second object.
        assert_eq!(targets.sampled.positives, [0, 3]);
        assert_eq!(targets.sampled.negatives, [2]);
        assert_eq!(targets.objects, [0, 1]);
        let offsets = [[0.1, 0.0, 0.0, 0.0], [0.5, 0.0, 2_f64.ln(), 0.0]];
        assert_eq!(targets.offsets, offsets);
    }

    #[test]
    fn without_objects_all_is_background() {
        let anchors = [BoundingBox::new(0.0, 0.0, 1.0, 1.0); 300];
        let rpn = DetectorConstants::fpn().rpn;
        let targets = anchor_targets(&rpn, DRAW, &anchors, &[]);
        assert!(targets.sampled.positives.is_empty());
        assert_eq!(targets.sampled.negatives.len(), 256);
        assert!(targets.offsets.is_empty());
    }
}
