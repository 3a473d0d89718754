//! The kernels against plain references in double precision, with every instruction set of the
//! machine.

mod bits;
mod conv;
mod gate;
mod layout;
mod linear;
mod norm;
mod pool;
mod roi_align;

use std::sync::LazyLock;

use abn_kernels::InstructionSet;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Channels that fill vectors, that leave a tail, and that are fewer than a vector has lanes.
const CHANNELS: [usize; 9] = [1, 3, 7, 16, 17, 48, 100, 130, 512];

/// One position, up to several parts of work.
const POSITIONS: [usize; 6] = [1, 2, 9, 49, 300, 5000];

/// Normal enough: mean 0, deviation 1, both signs.
fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Pcg64::seed_from_u64(seed);
    (0..len)
        .map(|_| (0..3).map(|_| rng.random_range(-1.0..1.0_f32)).sum())
        .collect()
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Channels and positions, with a text that tells them.
fn shapes() -> impl Iterator<Item = (usize, usize, String)> {
    CHANNELS.into_iter().flat_map(|channels| {
        let positions = POSITIONS
            .into_iter()
            .filter(move |positions| positions * channels <= 600_000);
        positions.map(move |positions| (channels, positions, format!("{positions} x {channels}")))
    })
}

/// Computes with every instruction set and with 1, 3 and 8 threads, which must not differ in a
/// single bit; only without fused multiply-add a set may.
fn everywhere(
    compute: impl Fn(InstructionSet) -> Vec<Vec<f32>> + Sync,
    check: impl Fn(&[Vec<f32>]),
) {
    static POOLS: LazyLock<[ThreadPool; 3]> = LazyLock::new(|| {
        [1, 3, 8].map(|threads| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("threads")
        })
    });
    let bits = |results: &[Vec<f32>]| -> Vec<Vec<u32>> {
        results
            .iter()
            .map(|values| values.iter().map(|value| value.to_bits()).collect())
            .collect()
    };
    let mut fused: Option<(InstructionSet, Vec<Vec<u32>>)> = None;
    for set in InstructionSet::available() {
        let [one, three, eight] = POOLS.each_ref().map(|pool| pool.install(|| compute(set)));
        assert!(
            [three, eight].iter().all(|other| bits(other) == bits(&one)),
            "{set}: threads matter"
        );
        check(&one);
        if set.is_fused() {
            match &fused {
                Some((other, known)) => {
                    assert!(bits(&one) == *known, "{set} and {other} differ");
                }
                None => fused = Some((set, bits(&one))),
            }
        }
    }
}

/// Every value within `bound(index)` of what it should be.
#[track_caller]
fn assert_near(actual: &[f32], expected: &[f64], bound: impl Fn(usize) -> f64, context: &str) {
    assert_eq!(actual.len(), expected.len(), "{context}");
    for (index, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let (error, bound) = ((f64::from(actual) - expected).abs(), bound(index));
        assert!(
            error <= bound,
            "{context}, {index}: {actual} is not {expected}: {error:e} > {bound:e}"
        );
    }
}

/// A rounding of single precision.
const EPSILON: f64 = f32::EPSILON as f64;
