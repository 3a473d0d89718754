//! What the heads are to say of which regions (Girshick 2015, section 2.3; torchvision's
//! `select_training_samples`).

use crate::constants::RegionConstants;
use crate::matcher::Match;
use crate::{BoundingBox, Draw};

/// The regions of one image that enter the losses, in the order of the proposals.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionTargets {
    /// What is pooled.
    pub regions: Vec<BoundingBox>,
    /// The class of each region, 0 for the background.
    pub labels: Vec<usize>,
    /// Which regions are objects, by their place in `regions`.
    pub positives: Vec<usize>,
    /// The object of each of them.
    pub objects: Vec<usize>,
    /// The offsets of each of them, for the outputs of its class.
    pub offsets: Vec<[f64; 4]>,
}

/// Adds the objects of an image to its proposals, matches them, and draws those that are learned
/// from.
///
/// Objects have to be [valid](BoundingBox::is_valid), their labels count from 1. Without any, all
/// proposals are background.
///
/// # Panics
/// There are other than one label an object.
#[must_use]
pub fn region_targets(
    constants: &RegionConstants,
    draw: Draw,
    proposals: &[BoundingBox],
    objects: &[BoundingBox],
    labels: &[usize],
) -> RegionTargets {
    assert_eq!(objects.len(), labels.len(), "a label for each object");
    let regions = [proposals, objects].concat();
    let matches = constants.matcher().matches(objects, &regions);
    let sampled = constants.sampler().sample(draw, &matches);
    let coder = constants.coder();
    let mut targets = RegionTargets {
        regions: vec![],
        labels: vec![],
        positives: vec![],
        objects: vec![],
        offsets: vec![],
    };
    for (place, index) in sampled.all().into_iter().enumerate() {
        let region = regions[index];
        let label = match matches[index] {
            Match::Object(object) => {
                let object = object as usize;
                targets.positives.push(place);
                targets.objects.push(object);
                targets
                    .offsets
                    .push(coder.encode(&objects[object], &region));
                labels[object]
            }
            Match::Background | Match::Ignored => 0,
        };
        targets.regions.push(region);
        targets.labels.push(label);
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DetectorConstants, Purpose};

    const DRAW: Draw = Draw {
        seed: 0,
        epoch: 0,
        image: 0,
        purpose: Purpose::Regions,
    };

    #[test]
    fn by_hand() {
        let at = |x: f64| BoundingBox::new(x, 0.0, x + 10.0, 10.0);
        let heads = DetectorConstants::fpn().regions;
        let proposals = [at(0.0), at(50.0), at(21.0)];
        let objects = [at(20.0), at(1.0)];
        let targets = region_targets(&heads, DRAW, &proposals, &objects, &[7, 3]);
        let [first, second, third] = proposals;
        let regions = [first, second, third, objects[0], objects[1]];
        assert_eq!(targets.regions, regions);
        assert_eq!(targets.labels, [3, 0, 7, 7, 3]);
        assert_eq!(targets.positives, [0, 2, 3, 4]);
        assert_eq!(targets.objects, [1, 0, 0, 1]);
        // A tenth of the width, by the weight of 10.
        let [right, left] = [[1.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0]];
        assert_eq!(targets.offsets, [right, left, [0.0; 4], [0.0; 4]]);
    }

    #[test]
    fn a_quarter_at_most_are_objects() {
        let heads = DetectorConstants::fpn().regions;
        let objects = [BoundingBox::new(0.0, 0.0, 10.0, 10.0)];
        let far = BoundingBox::new(50.0, 50.0, 60.0, 60.0);
        let proposals = [vec![objects[0]; 1000], vec![far; 1000]].concat();
        let targets = region_targets(&heads, DRAW, &proposals, &objects, &[5]);
        assert_eq!(targets.regions.len(), 512);
        assert_eq!(targets.positives, (0..128).collect::<Vec<_>>());
        assert!(targets.labels[..128].iter().all(|label| *label == 5));
        assert!(targets.labels[128..].iter().all(|label| *label == 0));
    }

    #[test]
    fn without_objects_all_is_background() {
        let heads = DetectorConstants::fpn().regions;
        let proposals = [BoundingBox::new(0.0, 0.0, 10.0, 10.0); 3];
        let targets = region_targets(&heads, DRAW, &proposals, &[], &[]);
        assert_eq!(targets.labels, [0; 3]);
        assert!(targets.positives.is_empty());
    }
}
