//! Processes that talk by MPI.

use std::ops::Range;

use abn_core::flat_gradients::add_weighted;
use abn_data::Shares;
use anyhow::{Context, Result};
use mpi::Count;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::{Threading, Universe};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};

/// All processes. MPI ends with it.
pub(super) struct World {
    all: SimpleCommunicator,
    _universe: Universe,
}

impl World {
    pub(super) fn join(processes: usize, _variable: &str) -> Result<Self> {
        // Threads compute, and the one that trains talks.
        let begun = mpi::initialize_with_threading(Threading::Funneled);
        let (universe, _) =
            begun.with_context(|| format!("MPI of {processes} processes does not begin"))?;
        Ok(Self {
            all: universe.world(),
            _universe: universe,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.all.size() as usize
    }

    pub(super) fn rank(&self) -> usize {
        self.all.rank() as usize
    }

    /// Ends all of them at once, this one too.
    pub(super) fn abort(&self) -> ! {
        self.all.abort(1)
    }

    /// Returns when all of them are here.
    pub(super) fn await_all(&self) {
        self.all.barrier();
    }

    /// What every process says.
    pub(super) fn exchange(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut counts: Vec<Count> = vec![0; self.count()];
        self.all
            .all_gather_into(&count(own.len())?, &mut counts[..]);
        let places = places(&counts)?;
        let mut said = vec![0_u8; total(&counts)];
        let mut parts = PartitionMut::new(&mut said[..], &counts[..], &places[..]);
        self.all.all_gather_varcount_into(own, &mut parts);
        let said = counts.iter().zip(places).map(|(count, place)| {
            let place = place as usize;
            said[place..place + *count as usize].to_vec()
        });
        Ok(said.collect())
    }

    /// The rows of all processes, which are equally long.
    pub(super) fn rows(&self, own: &[f32]) -> Vec<Vec<f32>> {
        let mut rows = vec![0.0_f32; self.count() * own.len()];
        self.all.all_gather_into(own, &mut rows[..]);
        rows.chunks(own.len().max(1)).map(<[f32]>::to_vec).collect()
    }

    /// The values of the first process, in the place of the own.
    pub(super) fn values_of_first(&self, values: &mut [f32]) {
        self.all.process_at_rank(0).broadcast_into(values);
    }

    /// The sum of the rows of all processes, each with its weight, in their order. Each process sums
    /// a part of the columns.
    pub(super) fn sum(&self, own: &[&[f32]], weights: &[f32]) -> Result<Vec<f32>> {
        let columns = own.first().map_or(0, |row| row.len());
        let ranks = self.count();
        let part =
            |rank: usize| -> Range<usize> { rank * columns / ranks..(rank + 1) * columns / ranks };
        let rows = |rank| Shares::of_rank(weights.len(), rank, ranks).own().len();
        let mine = part(self.rank());
        let mut sent = Vec::with_capacity(own.len() * columns);
        let mut sent_counts = Vec::with_capacity(ranks);
        for rank in 0..ranks {
            own.iter()
                .for_each(|row| sent.extend_from_slice(&row[part(rank)]));
            sent_counts.push(count(own.len() * part(rank).len())?);
        }
        let got_counts = (0..ranks).map(|rank| count(rows(rank) * mine.len()));
        let got_counts: Vec<Count> = got_counts.collect::<Result<_>>()?;
        let mut got = vec![0.0_f32; total(&got_counts)];
        let (sent_places, got_places) = (places(&sent_counts)?, places(&got_counts)?);
        let sent = Partition::new(&sent[..], &sent_counts[..], &sent_places[..]);
        let mut parts = PartitionMut::new(&mut got[..], &got_counts[..], &got_places[..]);
        self.all.all_to_all_varcount_into(&sent, &mut parts);
        let mut summed = vec![0.0_f32; mine.len()];
        for (row, weight) in got.chunks_exact(mine.len().max(1)).zip(weights) {
            add_weighted(&mut summed, *weight, row);
        }
        let counts = (0..ranks).map(|rank| count(part(rank).len()));
        let counts: Vec<Count> = counts.collect::<Result<_>>()?;
        let places = places(&counts)?;
        let mut sum = vec![0.0_f32; columns];
        let mut parts = PartitionMut::new(&mut sum[..], &counts[..], &places[..]);
        self.all.all_gather_varcount_into(&summed[..], &mut parts);
        Ok(sum)
    }
}

/// A number of things as MPI counts them.
fn count(things: usize) -> Result<Count> {
    Count::try_from(things).with_context(|| format!("{things} values are more than MPI counts"))
}

/// Where each part begins, if they lie one behind the other.
fn places(counts: &[Count]) -> Result<Vec<Count>> {
    let mut places = Vec::with_capacity(counts.len());
    let mut next = 0_usize;
    for own in counts {
        places.push(count(next)?);
        next += *own as usize;
    }
    Ok(places)
}

fn total(counts: &[Count]) -> usize {
    counts.iter().map(|count| *count as usize).sum()
}
