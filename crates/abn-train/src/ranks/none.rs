//! A build without MPI: no process talks to another.

use anyhow::{Result, bail};

/// Nobody.
pub(super) enum World {}

impl World {
    pub(super) fn join(launched: usize) -> Result<Self> {
        bail!(
            "{launched} processes were started, and this build has no MPI: each would train the \
             whole run; build with --features mpi, or start one"
        )
    }

    pub(super) fn count(&self) -> usize {
        match *self {}
    }

    pub(super) fn rank(&self) -> usize {
        match *self {}
    }

    pub(super) fn exchange(&self, _own: &[u8]) -> Result<Vec<Vec<u8>>> {
        match *self {}
    }

    pub(super) fn values_of_first(&self, _values: &mut [f32]) {
        match *self {}
    }

    pub(super) fn sum(&self, _own: &[&[f32]], _weights: &[f32]) -> Result<Vec<f32>> {
        match *self {}
    }
}
