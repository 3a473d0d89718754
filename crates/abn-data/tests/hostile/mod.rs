//! What all tests with damaged files share: an allocator that counts, cases by number, and ways to
//! change bytes.
//!
//! Another run: `ABN_HOSTILE_SEED=7 ABN_HOSTILE_CASES=1000000 cargo test -p abn-data --test NAME`;
//! one case of it again: `ABN_HOSTILE_FIRST=1234 ABN_HOSTILE_CASES=1`.
#![allow(dead_code)] // Not every binary needs all of it.

pub(crate) mod driven;
pub(crate) mod mutation;

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use cap::Cap;
use peak_alloc::PeakAlloc;
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// Counts what is allocated; more than this at once ends the process, before the machine suffers.
#[global_allocator]
static MEMORY: Cap<PeakAlloc> = Cap::new(PeakAlloc, 1 << 30);

/// No file may take longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);

/// Allocations of other tests would be counted too.
static ALONE: Mutex<()> = Mutex::new(());

/// Held while memory is counted.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A number from outside.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// The result of a function, and how far memory rose above where it was.
pub(crate) fn watched<T>(function: impl FnOnce() -> T) -> (T, usize) {
    PeakAlloc.reset_peak_usage();
    let before = PeakAlloc.current_usage();
    let result = function();
    (result, PeakAlloc.peak_usage().saturating_sub(before))
}

/// What decides the case of that number: the same for the same seed, whatever was made before.
pub(crate) fn generator(seed: u64, number: u64) -> Pcg64 {
    Pcg64::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
