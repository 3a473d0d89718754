//! How a convolution is cut into tasks for the threads. Every output value is computed by one task
//! in one order, so the cut changes no result.

use std::ops::Range;

use rayon::prelude::*;

/// Values that a task reads and writes at most: those of the input stay in the second-level cache
/// for all output channels.
const VALUES: usize = 128 * 1024;

/// Positions below which a task wastes a part of its last tile.
const POSITIONS: usize = 112;

/// Tasks for each thread, so that none waits long for the last.
pub(crate) const PER_THREAD: usize = 3;
/// The same where the weights are larger than the caches: fewer read them less often.
const PER_THREAD_OF_WIDE: usize = 2;

/// Some images by some rows by some panels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tasks {
    total: [usize; 3],
    step: [usize; 3],
}

impl Tasks {
    /// Cuts images, rows of `width` positions each and panels; `values` tells how many some rows of
    /// an image read and write.
    pub(crate) fn of(total: [usize; 3], width: usize, values: impl Fn(usize) -> usize) -> Self {
        let [images, rows, panels] = total;
        let threads = rayon::current_num_threads();
        let wanted = PER_THREAD * threads;
        let mut step = [1, rows, panels];
        // Large images are cut into rows, small ones taken together.
        while step[1] > 1 && values(step[1]) > VALUES && step[1] * width > POSITIONS {
            step[1] = step[1].div_ceil(2);
        }
        if step[1] == rows {
            let together = (VALUES / values(rows).max(1)).max(POSITIONS.div_ceil(rows * width));
            let most = together.min(images / wanted).max(1);
            // As many tasks for each thread.
            step[0] = images.div_ceil(images.div_ceil(most).next_multiple_of(threads));
        }
        Self { total, step }.at_least(wanted)
    }

    /// The same where the weights are larger than the caches: every task has about so many positions
    /// at least for a weight that it reads. `beside` as many convolutions like it run at once.
    pub(crate) fn of_wide(total: [usize; 3], beside: usize, width: usize, least: usize) -> Self {
        let [images, rows, panels] = total;
        // In parts of about the same size.
        let even = |total: usize, least: usize| total.div_ceil(total.div_ceil(least));
        let step = if (rows - 1) * width >= least {
            [1, even(rows, least.div_ceil(width)), panels]
        } else {
            [even(images, least.div_ceil(rows * width)), rows, panels]
        };
        let wanted = PER_THREAD_OF_WIDE * rayon::current_num_threads();
        Self { total, step }.at_least(wanted.div_ceil(beside))
    }

    /// Gives panels, then rows, to different tasks where there are too few.
    fn at_least(mut self, wanted: usize) -> Self {
        for axis in [2, 1, 0] {
            while self.count() < wanted && self.step[axis] > 1 {
                self.step[axis] = self.step[axis].div_ceil(2);
            }
        }
        self
    }

    fn count(&self) -> usize {
        self.counts().iter().product()
    }

    fn counts(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.total[axis].div_ceil(self.step[axis]))
    }

    /// Calls `task(images, rows, panels)` for every task on all threads.
    pub(crate) fn run(&self, task: impl Fn(Range<usize>, Range<usize>, Range<usize>) + Sync) {
        let [_, rows, panels] = self.counts();
        (0..self.count()).into_par_iter().for_each(|index| {
            let part = |axis: usize, at: usize| {
                let start = at * self.step[axis];
                start..(start + self.step[axis]).min(self.total[axis])
            };
            task(
                part(0, index / panels / rows),
                part(1, index / panels % rows),
                part(2, index % panels),
            );
        });
    }
}
