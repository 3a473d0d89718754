//! Processes that train one run together, each a part of every batch.
//!
//! They are started by MPI's launcher, `mpirun` or Slurm's `srun`. The first one, rank 0, has the
//! folder of the run; all have the images, and hold the same weights at every step.

#[cfg(feature = "mpi")]
mod mpi;
#[cfg(not(feature = "mpi"))]
mod none;

use std::fmt;
use std::rc::Rc;

use abn_core::flat_gradients::{FlatGradients, add_weighted};
use abn_core::state::State;
use abn_data::Shares;
use abn_kernels::ops::Replicas;
use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::tensor::TensorData;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[cfg(feature = "mpi")]
use self::mpi::World;
#[cfg(not(feature = "mpi"))]
use self::none::World;
use crate::tell;

/// How launchers tell each process how many there are: OpenMPI's, those of MPICH's kind, Slurm's.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// This process among those that train a run together.
pub struct Ranks(Option<Rc<World>>);

/// All processes as replicas that normalise a batch together.
struct Processes(Rc<World>);

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} processes", self.0.count())
    }
}

impl Replicas for Processes {
    fn rows(&self, own: &[f32]) -> Vec<Vec<f32>> {
        self.0.rows(own)
    }
}

/// Another process ended the training, and says why itself.
#[derive(Debug, thiserror::Error)]
#[error("process {rank} ended the training: {reason}")]
pub struct EndedElsewhere {
    /// Which one.
    pub rank: usize,
    /// Its error.
    pub reason: String,
}

/// An error that has been told already.
#[derive(Debug, thiserror::Error)]
#[error("the training ended")]
pub struct Told;

/// An error of this process, which all know of.
#[derive(Debug, thiserror::Error)]
#[error("process {0}")]
struct OfProcess(usize);

impl Ranks {
    /// One process that trains alone.
    pub fn alone() -> Self {
        Self(None)
    }

    /// The processes that a launcher started together with this one.
    ///
    /// # Errors
    /// There are several, and this build cannot talk to them.
    pub fn join() -> Result<Self> {
        let Some((variable, processes)) = launched() else {
            return Ok(Self::alone());
        };
        let world = World::join(processes, variable)?;
        ensure!(
            world.count() == processes,
            "{processes} processes were started, and MPI knows of {}: let its launcher start them \
             (with Slurm, srun --mpi=pmix), or unset {variable} to train a run in each",
            world.count()
        );
        Ok(Self(Some(Rc::new(world))))
    }

    /// Processes.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |world| world.count())
    }

    /// The number of this one, from 0 on.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |world| world.rank())
    }

    /// Whether this one keeps the run.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// All of them as replicas, if there are several.
    pub fn replicas(&self) -> Option<Rc<dyn Replicas>> {
        let world = self.0.clone()?;
        Some(Rc::new(Processes(world)))
    }

    /// What this process computes of batches of so many shares.
    pub fn shares(&self, count: usize) -> Shares {
        Shares::of_rank(count, self.rank(), self.count())
    }

    /// What every process says, in their order.
    ///
    /// # Errors
    /// It cannot be sent or understood.
    pub fn exchange<V: Serialize + DeserializeOwned>(&self, own: V) -> Result<Vec<V>> {
        let Some(world) = &self.0 else {
            return Ok(vec![own]);
        };
        let sent = world.exchange(&serde_json::to_vec(&own)?)?;
        let understood = sent.iter().map(|bytes| serde_json::from_slice(bytes));
        understood
            .collect::<Result<_, _>>()
            .context("another process says what this one does not understand")
    }

    /// What the first process finds, for all.
    ///
    /// # Errors
    /// It cannot find it.
    pub fn from_first<V: Serialize + DeserializeOwned>(
        &self,
        find: impl FnOnce() -> Result<V>,
    ) -> Result<V> {
        if self.0.is_none() {
            return find();
        }
        let own = self.is_first().then(find).transpose();
        let own = self.agree(own)?;
        let first = self.exchange(own)?.into_iter().next().flatten();
        first.context("the first process said nothing")
    }

    /// The result of this process, if all have one.
    ///
    /// # Errors
    /// Its own, or [that of another](EndedElsewhere).
    pub fn agree<V>(&self, own: Result<V>) -> Result<V> {
        if self.0.is_none() {
            return own;
        }
        let said = own.as_ref().err().map(|error| format!("{error:#}"));
        let all = self.exchange(said.clone())?;
        let failed = all.into_iter().enumerate();
        let failed = failed.filter_map(|(rank, failed)| Some((rank, failed?)));
        let failed: Vec<(usize, String)> = failed.collect();
        // What is wrong with all is told once.
        let mut others = failed.into_iter().filter(|(rank, reason)| match &said {
            Some(said) => *rank < self.rank() && reason == said,
            None => true,
        });
        match others.next() {
            Some((rank, reason)) => bail!(EndedElsewhere { rank, reason }),
            None => own.with_context(|| OfProcess(self.rank())),
        }
    }

    /// Tells the error that ends this run, once, before any process ends for it: the launcher ends
    /// all as soon as one has failed, and what another had still to say would be lost. If the others
    /// do not know of it, and would wait for this one, they are ended.
    pub fn end_for(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(world) = &self.0 else {
            return error;
        };
        let elsewhere = error.is::<EndedElsewhere>();
        if !elsewhere {
            tell(&error);
        }
        if !elsewhere && !error.is::<OfProcess>() {
            world.abort();
        }
        world.await_all();
        error.context(Told)
    }

    /// Whether all say the same.
    ///
    /// # Errors
    /// One says something else than the first: `what` it is about is told.
    pub fn same(&self, what: &str, own: &str) -> Result<()> {
        let first = self.from_first(|| Ok(own.to_owned()))?;
        self.agree(match first == own {
            true => Ok(()),
            false => Err(anyhow!("{what} is not that of process 0")),
        })
    }

    /// The tensors of the first process, for all.
    ///
    /// # Errors
    /// They are not of 32 bits.
    pub fn state_of_first(&self, own: State) -> Result<State> {
        let Some(world) = &self.0 else {
            return Ok(own);
        };
        let described = own.iter().map(|(name, data)| Described {
            name: name.clone(),
            shape: data.shape().to_vec(),
        });
        let described: Vec<Described> = described.collect();
        let described = self.from_first(|| Ok(described))?;
        let mut state = State::new();
        for Described { name, shape } in described {
            let mut values = vec![0.0; shape.iter().product()];
            if let Some(data) = own.get(&name).filter(|_| self.is_first()) {
                let tensor = data.try_to_vec::<f32>();
                values = tensor.context("a tensor is not of 32 bits")?;
            }
            world.values_of_first(&mut values);
            state.insert(name, TensorData::new(values, shape));
        }
        Ok(state)
    }

    /// The sum of all shares, each with its weight, in their order: see [`FlatGradients`]. `own` are
    /// those of this process.
    ///
    /// # Errors
    /// There are more numbers than MPI counts.
    pub fn sum(&self, own: &[FlatGradients], weights: &[f32]) -> Result<FlatGradients> {
        let mut present = vec![false; own.first().map_or(0, |share| share.present.len())];
        for share in own {
            for (present, own) in present.iter_mut().zip(&share.present) {
                *present |= own;
            }
        }
        for other in self.exchange(present.clone())? {
            ensure!(
                other.len() == present.len(),
                "another process trains another network"
            );
            for (present, other) in present.iter_mut().zip(other) {
                *present |= other;
            }
        }
        let rows: Vec<&[f32]> = own.iter().map(|share| &share.values[..]).collect();
        let values = match &self.0 {
            Some(world) => world.sum(&rows, weights)?,
            None => sum_of_rows(&rows, weights),
        };
        Ok(FlatGradients { values, present })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Described {
    name: String,
    shape: Vec<usize>,
}

/// Several processes that were started together, and who says so.
fn launched() -> Option<(&'static str, usize)> {
    let told = |name| Some((name, std::env::var(name).ok()?.parse().ok()?));
    let told = SIZES.into_iter().find_map(told);
    told.filter(|(_, processes)| *processes > 1)
}

fn sum_of_rows(rows: &[&[f32]], weights: &[f32]) -> Vec<f32> {
    let mut sum = vec![0.0; rows.first().map_or(0, |row| row.len())];
    for (row, weight) in rows.iter().zip(weights) {
        add_weighted(&mut sum, *weight, row);
    }
    sum
}
