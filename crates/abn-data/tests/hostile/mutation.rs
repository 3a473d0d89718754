//! Ways to change files of numbers, which have all that matters at their beginning.

use std::ops::Range;

use rand::{Rng, RngExt};

/// Ways to change bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mutation {
    Truncate,
    FlipBits,
    /// Bytes by values at which programs go wrong.
    Overwrite,
    Insert,
    Duplicate,
    SwapBlocks,
    Splice,
    /// A word before the numbers, where types, sizes and dimensions are.
    Words,
}

impl Mutation {
    pub(crate) const ALL: [Self; 8] = [
        Self::Truncate,
        Self::FlipBits,
        Self::Overwrite,
        Self::Insert,
        Self::Duplicate,
        Self::SwapBlocks,
        Self::Splice,
        Self::Words,
    ];

    pub(crate) fn apply(self, bytes: &mut Vec<u8>, other: &[u8], rng: &mut impl Rng) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Truncate => bytes.truncate(at(bytes, rng)),
            Self::FlipBits => {
                let at = at(bytes, rng);
                bytes[at] ^= 1 << rng.random_range(0..8_u32);
            }
            Self::Overwrite => {
                let at = at(bytes, rng);
                overwrite(bytes, at, rng);
            }
            Self::Insert => {
                let at = at(bytes, rng);
                let value = interesting(rng);
                bytes.splice(at..at, value);
            }
            Self::Duplicate => {
                let block = block(bytes, rng);
                let copies = bytes[block.clone()].repeat([1, 2, 20][rng.random_range(0..3)]);
                bytes.splice(block.end..block.end, copies);
            }
            Self::SwapBlocks => {
                let (one, two) = (block(bytes, rng), block(bytes, rng));
                for (a, b) in one.zip(two) {
                    bytes.swap(a, b);
                }
            }
            Self::Splice => {
                let (from, to) = (at(other, rng), at(bytes, rng));
                bytes.truncate(to);
                bytes.extend_from_slice(&other[from..]);
            }
            Self::Words => {
                let at = 4 * rng.random_range(0..20_usize);
                if rng.random() {
                    // A small number, as types and dimensions are.
                    if let Some(byte) = bytes.get_mut(at + [0, 0, 2, 3][rng.random_range(0..4)]) {
                        *byte = rng.random_range(0..40);
                    }
                } else {
                    overwrite(bytes, at, rng);
                }
            }
        }
    }
}

/// Any place in them; half of the time one near the start, where all but the numbers is.
fn at(bytes: &[u8], rng: &mut impl Rng) -> usize {
    let end = if rng.random() { 200 } else { bytes.len() };
    rng.random_range(0..end.min(bytes.len()).max(1))
}

fn block(bytes: &[u8], rng: &mut impl Rng) -> Range<usize> {
    let start = at(bytes, rng);
    start..(start + rng.random_range(1..100_usize)).min(bytes.len())
}

fn interesting(rng: &mut impl Rng) -> Vec<u8> {
    const NUMBERS: [u64; 12] = [
        0,
        1,
        0x7f,
        0xff,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x0004_0001,
        1 << 40,
        0x7ff8 << 48, // no number, as a double
        u64::MAX,
    ];
    let number = if rng.random() {
        NUMBERS[rng.random_range(0..NUMBERS.len())]
    } else {
        rng.random()
    };
    number.to_le_bytes()[..[1, 2, 4, 8][rng.random_range(0..4)]].to_vec()
}

fn overwrite(bytes: &mut [u8], at: usize, rng: &mut impl Rng) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(interesting(rng)) {
        *byte = value;
    }
}
