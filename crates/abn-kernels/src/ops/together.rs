//! Statistics of a batch of which several replicas of a network compute a share each, all at the same
//! time: what one process would have of the whole batch.
//!
//! With `m_r` values a channel in replica r, `M` of all, and `w_r` the share of the batch that its
//! images are:
//!
//! ```text
//! mean = sum_r m_r mean_r / M        variance = sum_r m_r (variance_r + (mean_r - mean)^2) / M
//! dL/dx = w_r (gamma / sigma) (dz - (dbeta + xhat dgamma) / m_r)
//! dbeta = m_r / (w_r M) sum_q w_q dbeta_q, and dgamma alike
//! ```
//!
//! where `dz`, `dbeta_q` and `dgamma_q` are of a replica's own loss, the mean over its images. The
//! factor `w_r` before all of it is left to whoever averages the gradients of the parameters.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use burn::tensor::{Device, Tensor};

/// How replicas talk to each other.
pub trait Replicas: Debug {
    /// What every replica says here, in their order. All of them say as many numbers.
    fn rows(&self, own: &[f32]) -> Vec<Vec<f32>>;
}

/// A replica among others, in one step.
#[derive(Debug, Clone)]
pub struct Together {
    /// The others, and this one.
    pub replicas: Rc<dyn Replicas>,
    /// Its images over those of the batch.
    pub weight: f64,
}

thread_local! {
    static IN_PASS: RefCell<Option<Together>> = const { RefCell::new(None) };
}

/// A forward and a backward pass in which every batch normalisation knows the batches of all
/// replicas. Each of them makes the same passes through the same layers at the same time.
///
/// Both passes happen on the calling thread, as all of this crate's do.
pub fn together<R>(step: Together, pass: impl FnOnce() -> R) -> R {
    /// Puts back what was, also after a panic.
    struct Before(Option<Together>);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_PASS.set(self.0.take());
        }
    }
    let _before = Before(IN_PASS.replace(Some(step)));
    pass()
}

/// Whether batch normalisations on this device can know the batches of other replicas: those of this
/// crate's kernels.
pub fn can_pass_together(device: &Device) -> bool {
    let any = Tensor::<1>::zeros([1], device);
    #[cfg(feature = "flex")]
    if super::flex::serves(&any) {
        return true;
    }
    #[cfg(gpu)]
    if super::cube::serves(&any) {
        return true;
    }
    let _ = any;
    false
}

/// What passes now.
pub(super) fn current() -> Option<Together> {
    IN_PASS.with_borrow(Clone::clone)
}

/// Mean and biased variance of each channel, and of how many values.
#[cfg_attr(not(any(feature = "flex", gpu)), allow(dead_code))]
pub(super) struct Pooled {
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) count: usize,
}

#[cfg_attr(not(any(feature = "flex", gpu)), allow(dead_code))]
impl Together {
    /// The statistics over all replicas, from those of `own.count` values here.
    pub(super) fn pool(&self, own: &Pooled) -> Pooled {
        let channels = own.mean.len();
        // As bits: a float has no place for so many.
        let count = f32::from_bits(own.count as u32);
        let row: Vec<f32> = [count]
            .iter()
            .chain(&own.mean)
            .chain(&own.variance)
            .copied()
            .collect();
        let rows = self.replicas.rows(&row);
        let counts: Vec<usize> = rows.iter().map(|row| row[0].to_bits() as usize).collect();
        let all: usize = counts.iter().sum();
        let share = |count: &usize| *count as f64 / all.max(1) as f64;
        let over = |of: &dyn Fn(&[f32]) -> f64| -> f64 {
            let shares = rows.iter().zip(&counts);
            shares.map(|(row, count)| share(count) * of(row)).sum()
        };
        let mean: Vec<f64> = (0..channels)
            .map(|channel| over(&|row| f64::from(row[1 + channel])))
            .collect();
        let variance = (0..channels).map(|channel| {
            over(&|row| {
                let apart = f64::from(row[1 + channel]) - mean[channel];
                f64::from(row[1 + channels + channel]) + apart * apart
            }) as f32
        });
        Pooled {
            variance: variance.collect(),
            mean: mean.iter().map(|&mean| mean as f32).collect(),
            count: all,
        }
    }

    /// The gradients of scale and shift by which the input's is made, from those of the `here` values
    /// of this replica among `all`.
    pub(super) fn pool_gradients(
        &self,
        own: [&[f64]; 2],
        here: usize,
        all: usize,
    ) -> [Vec<f64>; 2] {
        let channels = own[0].len();
        let weighted = |sum: &f64| (self.weight * sum) as f32;
        let row: Vec<f32> = own.into_iter().flatten().map(weighted).collect();
        let rows = self.replicas.rows(&row);
        let factor = here as f64 / (self.weight * all as f64);
        let sum = |place: usize| -> f64 {
            let of = rows.iter().map(|row| f64::from(row[place]));
            factor * of.sum::<f64>()
        };
        [0, channels].map(|first| (first..first + channels).map(sum).collect())
    }
}
