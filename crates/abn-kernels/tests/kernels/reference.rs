//! What the tests share: random values and the comparison with double precision.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A generator of its own for every case.
pub(crate) fn generator(case: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(case)
}

/// Values in [-1, 1).
pub(crate) fn values(generator: &mut impl Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| generator.random_range(-1.0..1.0)).collect()
}

/// A value in double precision and the sum of the absolute values of its terms, to which rounding is relative.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exact {
    pub(crate) value: f64,
    pub(crate) magnitude: f64,
}

impl Exact {
    pub(crate) fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
    }
}

/// Every value lies within `bound` times its magnitude of the exact one.
pub(crate) fn assert_close(what: &str, computed: &[f32], exact: &[Exact], bound: f64) {
    assert_eq!(computed.len(), exact.len(), "{what}");
    for (index, (&computed, exact)) in computed.iter().zip(exact).enumerate() {
        let error = (f64::from(computed) - exact.value).abs();
        assert!(
            error <= bound * exact.magnitude.max(f64::from(f32::MIN_POSITIVE)),
            "{what}: value {index} is {computed}, exactly {}, off by {:.1e} of its terms",
            exact.value,
            error / exact.magnitude,
        );
    }
}
