//! The only source of randomness: generators and orders as pure functions of what they are for.
//!
//! Nothing here carries state from one sample to the next, so any sample of any epoch can be made
//! alone, by any thread, in any order, and a resumed run sees what the uninterrupted one would have
//! seen. PCG's output is fixed by its definition, and rand keeps the values of its distributions
//! within 0.10.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

use crate::Split;

/// What a stream of random numbers is for; different purposes never share a stream.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
enum Purpose {
    Order = 1,
    Augmentation = 2,
    ShapesTrain = 3,
    ShapesTest = 4,
    ShapeLabelsTrain = 5,
    ShapeLabelsTest = 6,
    HeldOut = 7,
    GroundsTrain = 8,
    GroundsTest = 9,
    MarksTrain = 10,
    MarksTest = 11,
    ScenesTrain = 12,
    ScenesTest = 13,
    SceneGroundsTrain = 14,
    SceneGroundsTest = 15,
}

impl Purpose {
    /// The first for training images, the second for all others.
    fn by_split(split: Split, [train, test]: [Self; 2]) -> Self {
        match split {
            Split::Train => train,
            Split::HeldOut | Split::Test | Split::All => test,
        }
    }
}

/// The numbers that augment one sample in one epoch.
pub(crate) fn augmentation(seed: u64, epoch: usize, index: usize) -> Pcg64 {
    generator(Purpose::Augmentation, [seed, epoch as u64, index as u64])
}

/// The order of `len` samples in one epoch.
pub(crate) fn permutation(seed: u64, epoch: usize, len: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut generator(Purpose::Order, [seed, epoch as u64, 0]));
    order
}

/// The numbers that draw one generated image.
pub(crate) fn shape(seed: u64, split: Split, index: usize) -> Pcg64 {
    let purpose = Purpose::by_split(split, [Purpose::ShapesTrain, Purpose::ShapesTest]);
    generator(purpose, [seed, index as u64, 0])
}

/// The numbers that change a generated image.
pub(crate) fn change(seed: u64, split: Split, index: usize) -> Pcg64 {
    let purpose = Purpose::by_split(split, [Purpose::GroundsTrain, Purpose::GroundsTest]);
    generator(purpose, [seed, index as u64, 0])
}

/// The numbers that draw one generated image of several objects.
pub(crate) fn scene(seed: u64, split: Split, index: usize) -> Pcg64 {
    let purpose = Purpose::by_split(split, [Purpose::ScenesTrain, Purpose::ScenesTest]);
    generator(purpose, [seed, index as u64, 0])
}

/// The numbers that change one for a label.
pub(crate) fn scene_change(seed: u64, split: Split, index: usize, label: usize) -> Pcg64 {
    let purposes = [Purpose::SceneGroundsTrain, Purpose::SceneGroundsTest];
    let purpose = Purpose::by_split(split, purposes);
    generator(purpose, [seed, index as u64, label as u64])
}

/// The numbers that plant a mark in a generated image.
pub(crate) fn mark(seed: u64, split: Split, index: usize) -> Pcg64 {
    let purpose = Purpose::by_split(split, [Purpose::MarksTrain, Purpose::MarksTest]);
    generator(purpose, [seed, index as u64, 0])
}

/// The label of one generated image: every block of `classes` indices holds each label once, in an
/// order of its own, so that any prefix is balanced to within one image a class.
pub(crate) fn shape_label(seed: u64, split: Split, index: usize, classes: usize) -> usize {
    let purpose = Purpose::by_split(split, [Purpose::ShapeLabelsTrain, Purpose::ShapeLabelsTest]);
    let mut labels: Vec<usize> = (0..classes).collect();
    labels.shuffle(&mut generator(purpose, [seed, (index / classes) as u64, 0]));
    labels[index % classes]
}

/// The rank of a name in a random order, the same wherever the name occurs.
pub(crate) fn rank(seed: u64, name: &str) -> u64 {
    let key = splitmix64(splitmix64(Purpose::HeldOut as u64) ^ seed);
    let mix = |key: u64, byte: u8| splitmix64(key ^ u64::from(byte));
    name.bytes().fold(key, mix)
}

fn generator(purpose: Purpose, words: [u64; 3]) -> Pcg64 {
    // Each word enters an already mixed key, so (1, 2) and (2, 1) differ.
    let key = words.iter().fold(splitmix64(purpose as u64), |key, word| {
        splitmix64(key ^ word)
    });
    Pcg64::seed_from_u64(key)
}

/// A bijection of 64-bit words that spreads every input bit over the whole output (Steele et al.
/// 2014).
pub fn splitmix64(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::Rng;

    use super::*;

    #[test]
    fn splitmix_gives_the_published_sequence() {
        // First outputs of the reference generator for seed 1234567: state advances by the golden
        // gamma.
        let gamma = 0x9e37_79b9_7f4a_7c15_u64;
        let outputs: Vec<u64> = (0..3)
            .map(|k| splitmix64(1_234_567_u64.wrapping_add(gamma.wrapping_mul(k))))
            .collect();
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn streams_of_different_keys_differ() {
        let mut firsts = HashSet::new();
        let mut streams = 0;
        for seed in 0..4 {
            for a in 0..8 {
                firsts.insert(shape(seed, Split::Train, a).next_u64());
                firsts.insert(shape(seed, Split::HeldOut, a).next_u64());
                streams += 2;
                for b in 0..8 {
                    firsts.insert(augmentation(seed, a, b).next_u64());
                    streams += 1;
                }
            }
        }
        assert_eq!(firsts.len(), streams);
    }

    #[test]
    fn permutations_hold_every_index_once_and_change_with_seed_and_epoch() {
        let order = permutation(1, 0, 100);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(order, sorted);
        assert_eq!(order, permutation(1, 0, 100));
        assert_ne!(order, permutation(1, 1, 100));
        assert_ne!(order, permutation(2, 0, 100));
    }

    #[test]
    fn values_stay_as_they_are() {
        // No right or wrong here, but other values would make interrupted runs continue
        // differently.
        assert_eq!(permutation(0, 0, 8), [0, 4, 6, 2, 1, 5, 3, 7]);
        assert_eq!(augmentation(0, 0, 0).next_u64(), 9_177_847_075_241_609_309);
        assert_eq!(rank(0, "cat/a.jpg"), 10_881_799_598_841_835_474);
    }

    #[test]
    fn labels_are_balanced_in_every_prefix() {
        let mut counts = [0_usize; 8];
        for index in 0..100 {
            counts[shape_label(7, Split::Train, index, 8)] += 1;
            let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
            assert!(spread <= 1, "{counts:?} after {index}");
        }
        let labels = |split| {
            (0..64)
                .map(|index| shape_label(7, split, index, 8))
                .collect::<Vec<_>>()
        };
        assert_ne!(labels(Split::Train), labels(Split::HeldOut));
        assert_ne!(labels(Split::Train)[..8], labels(Split::Train)[8..16]);
    }
}
