//! A batch of boxes of both kinds, of at most a share of objects (Ren et al. 2015, section 3.1.3).

use rand::RngExt;
use rand_pcg::Pcg64;

use crate::Draw;
use crate::matcher::Match;

/// How many boxes of an image enter a loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Boxes an image, at most.
    pub boxes: usize,
    /// The largest share of them that are objects; fewer objects leave their places to background.
    pub positive_fraction: f64,
}

/// The boxes that were drawn, by their index, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Those of objects.
    pub positives: Vec<usize>,
    /// Those of the background.
    pub negatives: Vec<usize>,
}

impl Sampled {
    /// Both together, in ascending order.
    #[must_use]
    pub fn all(&self) -> Vec<usize> {
        let mut all = [&self.positives[..], &self.negatives[..]].concat();
        all.sort_unstable();
        all
    }
}

impl Sampler {
    /// Draws from boxes that were matched. Boxes that are ignored are never drawn; if there are too
    /// few of the background, the sample is smaller.
    #[must_use]
    pub fn sample(&self, draw: Draw, matches: &[Match]) -> Sampled {
        let (mut positives, mut negatives) = (Vec::new(), Vec::new());
        for (index, is) in matches.iter().enumerate() {
            match is {
                Match::Object(_) => positives.push(index),
                Match::Background => negatives.push(index),
                Match::Ignored => {}
            }
        }
        let mut random = draw.generator();
        let most = (self.boxes as f64 * self.positive_fraction) as usize;
        keep(&mut positives, most, &mut random);
        keep(&mut negatives, self.boxes - positives.len(), &mut random);
        Sampled {
            positives,
            negatives,
        }
    }
}

/// Leaves so many of ascending indices, each with the same chance, in ascending order.
fn keep(indices: &mut Vec<usize>, most: usize, random: &mut Pcg64) {
    if indices.len() <= most {
        return;
    }
    for place in 0..most {
        let other = random.random_range(place as u64..indices.len() as u64);
        indices.swap(place, other as usize);
    }
    indices.truncate(most);
    indices.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Purpose;

    const DRAW: Draw = Draw {
        seed: 3,
        epoch: 1,
        image: 5,
        purpose: Purpose::Anchors,
    };
    const SAMPLER: Sampler = Sampler {
        boxes: 8,
        positive_fraction: 0.25,
    };

    /// So many of each kind by turns.
    fn matches(objects: usize, background: usize) -> Vec<Match> {
        let mut matches = Vec::new();
        for index in 0..objects.max(background) {
            matches.extend((index < objects).then_some(Match::Object(0)));
            matches.extend((index < background).then_some(Match::Background));
            matches.push(Match::Ignored);
        }
        matches
    }

    #[track_caller]
    fn check(objects: usize, background: usize, expected: (usize, usize)) {
        let matches = matches(objects, background);
        let sampled = SAMPLER.sample(DRAW, &matches);
        assert_eq!((sampled.positives.len(), sampled.negatives.len()), expected);
        let is_object = |index: &usize| matches!(matches[*index], Match::Object(_));
        assert!(sampled.positives.iter().all(is_object));
        let is_background = |index: &usize| matches[*index] == Match::Background;
        assert!(sampled.negatives.iter().all(is_background));
        let all = sampled.all();
        assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
        assert_eq!(all.len(), expected.0 + expected.1);
    }

    #[test]
    fn shares() {
        check(100, 100, (2, 6));
        check(1, 100, (1, 7));
        check(0, 100, (0, 8));
        check(100, 3, (2, 3));
        check(0, 0, (0, 0));
    }

    #[test]
    fn a_function_of_the_draw() {
        let matches = matches(50, 200);
        let sample = |draw| SAMPLER.sample(draw, &matches);
        assert_eq!(sample(DRAW), sample(DRAW));
        let others = [
            Draw { seed: 4, ..DRAW },
            Draw { epoch: 2, ..DRAW },
            Draw { image: 6, ..DRAW },
            Draw {
                purpose: Purpose::Regions,
                ..DRAW
            },
        ];
        for other in others {
            assert_ne!(sample(other), sample(DRAW), "{other:?}");
        }
    }

    #[test]
    fn values_stay_as_they_are() {
        // No right or wrong here, but other values would make interrupted runs continue
        // differently.
        let sampled = SAMPLER.sample(DRAW, &matches(50, 200));
        assert_eq!(sampled.positives, [21, 60]);
        assert_eq!(sampled.negatives, [67, 200, 316, 352, 396, 432]);
    }

    #[test]
    fn every_box_has_the_same_chance() {
        let matches = vec![Match::Background; 20];
        let mut drawn = [0_u32; 20];
        for image in 0..5_000 {
            let sampled = SAMPLER.sample(Draw { image, ..DRAW }, &matches);
            sampled
                .negatives
                .iter()
                .for_each(|index| drawn[*index] += 1);
        }
        // 8 of 20 in 5,000 images: 2,000, of standard deviation 35.
        let far = drawn.iter().find(|count| !(1_840..=2_160).contains(*count));
        assert_eq!(far, None, "{drawn:?}");
    }
}
