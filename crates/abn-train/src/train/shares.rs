//! A step whose batch is computed in shares: one after the other, in threads, or among processes.
//!
//! Whoever computes a share, its numbers are the same: it is normalised by its own statistics, unless
//! all are normalised together, and its dropout is a function of (seed, epoch, batch, share). The running statistics are those of
//! the first share, as with PyTorch's `DistributedDataParallel`.

use std::panic::resume_unwind;
use std::rc::Rc;
use std::thread::{self, ScopedJoinHandle};

use abn_core::flat_gradients::FlatGradients;
use abn_core::loss_scale::scaling;
use abn_core::norm::aside;
use abn_core::precision::{Precision, in_precision};
use abn_data::{Batch, splitmix64};
use abn_kernels::ops::{Together, together};
use abn_run::measure::task::Task;
use abn_run::measure::totals::Totals;
use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use super::circle::{Left, Member, circle};
use super::replica::Replica;

/// What computing a share gave, but for its gradients.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Learned {
    pub(super) images: usize,
    /// `None` if the loss is not a number.
    pub(super) totals: Option<Totals>,
}

/// Gradients of shares on the way to their mean.
pub(super) enum Gradients {
    /// Of all shares of a batch.
    Mean(FlatGradients),
    /// Of the shares of one process among several, one by one.
    Apart(Vec<FlatGradients>),
}

/// How shares are computed in this process.
pub(super) struct Computer<'a, T: Task> {
    pub(super) task: &'a T,
    /// The network on each device; the first is the run's.
    pub(super) replicas: &'a [&'a Replica<T::Network>],
    pub(super) precision: Precision,
    /// What losses are multiplied by before they go backwards.
    pub(super) loss_factor: f32,
    /// Whether shares that are computed at the same time are normalised together.
    pub(super) normalized_together: bool,
    pub(super) seed: u64,
    /// Epoch and batch.
    pub(super) place: [usize; 2],
    /// Shares at the same time, on the devices by turns.
    pub(super) at_once: usize,
}

impl<T: Task> Computer<'_, T> {
    /// Computes shares, the first of which has that number: `all` those of a batch, or some.
    ///
    /// # Errors
    /// A batch has no such target.
    pub(super) fn compute(
        &self,
        shares: &[Batch],
        first: usize,
        all: bool,
    ) -> Result<(Vec<Learned>, Gradients)> {
        let weights = weights(shares.iter().map(Batch::len));
        let mut gradients = match all {
            true => Gradients::Mean(FlatGradients::none(&self.replicas[0].network)),
            false => Gradients::Apart(Vec::new()),
        };
        let mut learned = Vec::new();
        for wave in shares.chunks(self.at_once) {
            for computed in self.at_the_same_time(wave, first + learned.len()) {
                let (share, found) = computed?;
                match &mut gradients {
                    Gradients::Mean(mean) => mean.add(weights[learned.len()], &found),
                    Gradients::Apart(parts) => parts.push(found),
                }
                learned.push(share);
            }
        }
        Ok((learned, gradients))
    }

    /// Shares at the same time, each in a thread. If one fails, the error is among the results, and
    /// those that waited for it are not.
    fn at_the_same_time(
        &self,
        shares: &[Batch],
        first: usize,
    ) -> Vec<Result<(Learned, FlatGradients)>> {
        if let [share] = shares {
            return vec![self.share(share, first, self.replicas[0])];
        }
        let images: usize = shares.iter().map(Batch::len).sum();
        let members: Vec<Option<Member>> = match self.normalized_together {
            true => circle(shares.len()).into_iter().map(Some).collect(),
            false => shares.iter().map(|_| None).collect(),
        };
        thread::scope(|scope| {
            let begin = |(((share, number), replica), member): (_, Option<Member>)| {
                let weight = Batch::len(share) as f64 / images as f64;
                scope.spawn(move || {
                    let compute = || self.share(share, number, replica);
                    match member.map(Rc::new) {
                        Some(replicas) => together(Together { replicas, weight }, compute),
                        None => compute(),
                    }
                })
            };
            let numbered = shares.iter().zip(first..);
            let turns = self.replicas.iter().copied().cycle();
            let threads: Vec<_> = numbered.zip(turns).zip(members).map(begin).collect();
            let end = |thread: ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(computed) => Some(computed),
                Err(reason) if reason.is::<Left>() => None,
                Err(panic) => resume_unwind(panic),
            };
            let mut computed: Vec<_> = threads.into_iter().filter_map(end).collect();
            if computed.len() < shares.len() && computed.iter().all(Result::is_ok) {
                computed.push(Err(anyhow!("the parts of a batch lost each other")));
            }
            computed
        })
    }

    fn share(
        &self,
        share: &Batch,
        number: usize,
        replica: &Replica<T::Network>,
    ) -> Result<(Learned, FlatGradients)> {
        let (task, network) = (self.task, &replica.network);
        let device = replica.device.clone().autodiff();
        let mut totals = Totals::default();
        let learned = |totals| Learned {
            images: share.len(),
            totals,
        };
        if share.is_empty() {
            return Ok((learned(Some(totals)), FlatGradients::none(network)));
        }
        let [epoch, batch] = self.place;
        device.seed(step_seed(self.seed, &[epoch, batch, number]));
        let pass = || {
            in_precision(self.precision, || {
                let learn = || task.gradients(network, share, &device);
                scaling(self.loss_factor, learn)
            })
        };
        let (gradients, unread) = match number {
            0 => pass(),
            _ => aside(pass),
        }?;
        task.add(&mut totals, share, &task.read(unread)?);
        let finite = task.summary(&totals).loss.is_finite();
        let learned = learned(finite.then_some(totals));
        Ok((learned, FlatGradients::of(network, &gradients)))
    }
}

/// Mixes epoch, batch and share into the seed of the run.
pub(super) fn step_seed(seed: u64, place: &[usize]) -> u64 {
    let mixed = |state: u64, number: &usize| splitmix64(state.wrapping_add(*number as u64));
    place.iter().fold(seed, mixed)
}

/// Images of each share.
pub(super) fn images_of(shares: &[Learned]) -> impl Iterator<Item = usize> + Clone {
    shares.iter().map(|share| share.images)
}

/// The weight of each share in the mean over all images.
pub(super) fn weights(images: impl Iterator<Item = usize> + Clone) -> Vec<f32> {
    let all: usize = images.clone().sum();
    let weight = |own: usize| (own as f64 / all.max(1) as f64) as f32;
    images.map(weight).collect()
}
