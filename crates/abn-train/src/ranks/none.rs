//! A build without MPI: no process talks to another.

use anyhow::{Result, bail};

/// Nobody.
pub(super) enum World {}

impl World {
    pub(super) fn join(processes: usize, variable: &str) -> Result<Self> {
        bail!(
            "{processes} processes were started, and this build has no MPI to train one run: build \
             with --features mpi, or unset {variable} to train a run in each"
        )
    }

    pub(super) fn count(&self) -> usize {
        match *self {}
    }

    pub(super) fn rank(&self) -> usize {
        match *self {}
    }

    pub(super) fn abort(&self) -> ! {
        match *self {}
    }

    pub(super) fn await_all(&self) {
        match *self {}
    }

    pub(super) fn exchange(&self, _own: &[u8]) -> Result<Vec<Vec<u8>>> {
        match *self {}
    }

    pub(super) fn rows(&self, _own: &[f32]) -> Vec<Vec<f32>> {
        match *self {}
    }

    pub(super) fn values_of_first(&self, _values: &mut [f32]) {
        match *self {}
    }

    pub(super) fn sum(&self, _own: &[&[f32]], _weights: &[f32]) -> Result<Vec<f32>> {
        match *self {}
    }
}
