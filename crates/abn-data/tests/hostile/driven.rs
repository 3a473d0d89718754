//! Cases that a test makes and judges itself, driven by number.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rand::{Rng, RngExt};
use rand_pcg::Pcg64;

use super::{LONGEST, generator, setting};

/// How the cases were taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Read and refused ones, by the way they were changed.
    pub(crate) ways: BTreeMap<&'static str, (usize, usize)>,
    /// The causes of refusal, without numbers and names.
    pub(crate) causes: BTreeMap<String, usize>,
    pub(crate) cases: u64,
}

/// Makes so many cases, or as many as `ABN_HOSTILE_CASES` says, and judges each: the way it was
/// changed, and the cause if it was refused.
pub(crate) fn drive<C>(
    cases: u64,
    make: impl Fn(&mut Pcg64) -> (&'static str, C),
    judge: impl Fn(&C) -> Result<(), String>,
) -> Taken {
    let (seed, first) = (
        setting("ABN_HOSTILE_SEED", 1),
        setting("ABN_HOSTILE_FIRST", 0),
    );
    let cases = setting("ABN_HOSTILE_CASES", cases);
    let started = Instant::now();
    let mut taken = Taken {
        cases,
        ..Taken::default()
    };
    for number in first..first + cases {
        let (way, case) = make(&mut generator(seed, number));
        let begun = Instant::now();
        let judged = catch_unwind(AssertUnwindSafe(|| judge(&case)));
        let judged = judged.unwrap_or_else(|_| panic!("seed {seed}, case {number} ({way})"));
        let lasted = begun.elapsed();
        assert!(
            lasted < LONGEST,
            "seed {seed}, case {number} took {lasted:?}"
        );
        let counts = taken.ways.entry(way).or_default();
        match judged {
            Ok(()) => counts.0 += 1,
            Err(cause) => {
                counts.1 += 1;
                *taken.causes.entry(kind(&cause)).or_default() += 1;
            }
        }
    }
    println!("seed {seed}: {:?}\n{taken:#?}", started.elapsed());
    taken
}

impl Taken {
    /// Of many cases, some stayed readable, each way has spoiled others, and each of these words
    /// stands in a cause.
    pub(crate) fn check(&self, ways: usize, words: &[&str]) {
        if self.cases < 10_000 {
            return;
        }
        let read: usize = self.ways.values().map(|(read, _)| read).sum();
        let spoils = |(_, refused): &(usize, usize)| *refused >= 5;
        assert!(
            self.ways.len() == ways
                && self.ways.values().all(spoils)
                && read as u64 > self.cases / 20,
            "{:?}",
            self.ways
        );
        for word in words {
            let found = self.causes.iter().filter(|(cause, _)| cause.contains(word));
            let found: usize = found.map(|(_, count)| count).sum();
            assert!(
                found >= 3,
                "{found} were refused with `{word}`: {:#?}",
                self.causes
            );
        }
    }
}

/// The start of a cause, its letters alone.
fn kind(cause: &str) -> String {
    let words = cause.split_whitespace().map(|word| {
        let letters = word.chars().filter(char::is_ascii_alphabetic);
        letters.collect::<String>()
    });
    let words = words.filter(|word| (1..12).contains(&word.len()));
    words.take(12).collect::<Vec<_>>().join(" ")
}

/// A message of an error is short, and no terminal takes it for a command.
pub(crate) fn is_fit_to_print(message: &str) {
    assert!(message.len() < 1500, "{} bytes: {message}", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// Ways to change bytes that know nothing of their meaning.
pub(crate) fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut impl Rng) -> &'static str {
    if bytes.is_empty() {
        bytes.extend(interesting(rng));
        return "insert";
    }
    let at = place(bytes, rng);
    match rng.random_range(0..7) {
        0 => {
            bytes.truncate(at);
            "truncate"
        }
        1 => {
            bytes[at] ^= 1 << rng.random_range(0..8_u32);
            "flip"
        }
        2 => {
            overwrite(bytes, at, &interesting(rng));
            "overwrite"
        }
        3 => {
            bytes.splice(at..at, interesting(rng));
            "insert"
        }
        4 => {
            let block = block(bytes, rng);
            let copies = bytes[block.clone()].repeat([1, 2, 20][rng.random_range(0..3)]);
            bytes.splice(block.end..block.end, copies);
            "duplicate"
        }
        5 => {
            let block = block(bytes, rng);
            bytes.drain(block);
            "remove"
        }
        _ => {
            let from = place(other, rng);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
            "splice"
        }
    }
}

fn place(bytes: &[u8], rng: &mut impl Rng) -> usize {
    rng.random_range(0..bytes.len().max(1))
}

fn block(bytes: &[u8], rng: &mut impl Rng) -> Range<usize> {
    let start = place(bytes, rng);
    start..(start + rng.random_range(1..100_usize)).min(bytes.len())
}

/// Values at which programs go wrong, as bytes of either order.
pub(crate) fn interesting(rng: &mut impl Rng) -> Vec<u8> {
    const NUMBERS: [u64; 11] = [
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 40,
        u64::MAX,
    ];
    let number = if rng.random() {
        NUMBERS[rng.random_range(0..NUMBERS.len())]
    } else {
        rng.random()
    };
    let length = [1, 2, 4, 8][rng.random_range(0..4)];
    let mut bytes = number.to_le_bytes()[..length].to_vec();
    if rng.random() {
        bytes.reverse();
    }
    bytes
}

pub(crate) fn overwrite(bytes: &mut [u8], at: usize, values: &[u8]) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(values) {
        *byte = *value;
    }
}
