//! Work on several batches at once, whose results come in order.

use std::sync::mpsc;
use std::thread;

use anyhow::Result;

/// Has every worker compute its share of the batches, the first the first, and takes the results
/// in the order of the batches.
///
/// A worker is at most one batch ahead of what is taken.
///
/// # Errors
/// The first that `take` gives; the workers then end after their batch.
///
/// # Panics
/// There is no worker, or one panics.
pub(super) fn side_by_side<B, W, R>(
    batches: &[B],
    workers: Vec<W>,
    mut take: impl FnMut(&B, R) -> Result<()>,
) -> Result<()>
where
    B: Sync,
    W: Fn(&B) -> R + Send,
    R: Send,
{
    let count = workers.len();
    thread::scope(|scope| {
        let mut results = Vec::new();
        for (first, work) in workers.into_iter().enumerate() {
            let (sender, receiver) = mpsc::sync_channel(1);
            results.push(receiver);
            scope.spawn(move || {
                let own = batches.iter().skip(first).step_by(count);
                // Nobody waits any more once an error has ended the command.
                own.map(work).try_for_each(|result| sender.send(result))
            });
        }
        for (number, batch) in batches.iter().enumerate() {
            match results[number % count].recv() {
                Ok(result) => take(batch, result)?,
                // The scope passes the worker's panic on.
                Err(mpsc::RecvError) => break,
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::{Result, bail};

    use super::*;

    #[test]
    fn results_come_in_order_whoever_is_first() {
        let batches = [30, 0, 20, 0, 10];
        let slow = |batch: &u64| {
            thread::sleep(Duration::from_millis(*batch));
            *batch + 1
        };
        for count in 1..=6 {
            let mut taken = Vec::new();
            let take = |batch: &u64, result| {
                taken.push((*batch, result));
                Ok(())
            };
            side_by_side(&batches, vec![slow; count], take).unwrap();
            assert_eq!(taken, batches.map(|batch| (batch, batch + 1)));
        }
    }

    #[test]
    fn an_error_ends_all() {
        let take = |batch: &usize, _: usize| -> Result<()> {
            match batch {
                2 => bail!("enough"),
                _ => Ok(()),
            }
        };
        let batches: Vec<usize> = (0..1000).collect();
        let error = side_by_side(&batches, vec![|batch: &usize| *batch; 2], take);
        assert_eq!(error.unwrap_err().to_string(), "enough");
    }
}
