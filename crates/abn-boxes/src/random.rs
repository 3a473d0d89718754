//! Random numbers as a function of what they are for, by the scheme of abn-data's `random.rs`.

use rand::SeedableRng;
use rand_pcg::Pcg64;

/// What is sampled; different purposes never share a stream.
///
/// The numbers lie beyond those of abn-data, which mixes the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Anchors for the losses of the region proposal network.
    Anchors = 1001,
    /// Proposals for the losses of the heads.
    Regions = 1002,
}

/// Which sample is drawn: the same for the same values, whatever was drawn before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The run's.
    pub seed: u64,
    /// 0-based.
    pub epoch: usize,
    /// The number of the image in its data set, not in its batch.
    pub image: usize,
    /// What for.
    pub purpose: Purpose,
}

impl Draw {
    pub(crate) fn generator(&self) -> Pcg64 {
        let words = [self.seed, self.epoch as u64, self.image as u64];
        // Each word enters an already mixed key, so (1, 2) and (2, 1) differ.
        let mix = |key, word: &u64| splitmix64(key ^ word);
        let key = words.iter().fold(splitmix64(self.purpose as u64), mix);
        Pcg64::seed_from_u64(key)
    }
}

/// Steele et al. 2014.
fn splitmix64(word: u64) -> u64 {
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
        let outputs = [0, 1, 2].map(|k| {
            splitmix64(1_234_567_u64.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(k)))
        });
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(outputs, published);
    }

    #[test]
    fn streams_of_different_draws_differ() {
        let mut firsts = HashSet::new();
        for purpose in [Purpose::Anchors, Purpose::Regions] {
            for number in 0..512 {
                let draw = Draw {
                    seed: number / 64,
                    epoch: (number / 8 % 8) as usize,
                    image: (number % 8) as usize,
                    purpose,
                };
                firsts.insert(draw.generator().next_u64());
            }
        }
        assert_eq!(firsts.len(), 1024);
    }
}
