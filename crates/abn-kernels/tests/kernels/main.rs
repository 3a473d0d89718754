//! The kernels against plain references in double precision, with every instruction set of the machine.

mod conv;
mod gate;
mod layout;
mod norm;
mod pool;
mod reference;

use abn_kernels::InstructionSet;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Channels that fill vectors, that leave a tail, and that are fewer than a vector has lanes.
const CHANNELS: [usize; 9] = [1, 3, 7, 16, 17, 48, 100, 130, 512];

/// From one position to several parts of work.
const POSITIONS: [usize; 6] = [1, 2, 9, 49, 300, 5000];

/// Normal enough: mean 0, deviation 1, both signs.
fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Pcg64::seed_from_u64(seed);
    (0..len).map(|_| (0..3).map(|_| rng.random_range(-1.0..1.0_f32)).sum()).collect()
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Computes with every instruction set and with 1, 2 and 3 threads, which must not differ in a single bit.
fn everywhere(compute: impl Fn(InstructionSet) -> Vec<Vec<f32>> + Sync, check: impl Fn(&[Vec<f32>])) {
    for set in InstructionSet::available() {
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| compute(set))
        });
        for other in [two, three] {
            for (one, other) in one.iter().zip(&other) {
                assert!(
                    one.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{set:?}: threads matter"
                );
            }
        }
        check(&one);
    }
}

/// Every value within `bound(index)` of what it should be.
#[track_caller]
fn assert_near(actual: &[f32], expected: &[f64], bound: impl Fn(usize) -> f64, context: &str) {
    assert_eq!(actual.len(), expected.len(), "{context}");
    for (index, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let (error, bound) = ((f64::from(actual) - expected).abs(), bound(index));
        assert!(error <= bound, "{context}, {index}: {actual} is not {expected}: {error:e} > {bound:e}");
    }
}

/// A rounding of single precision.
const EPSILON: f64 = f32::EPSILON as f64;
