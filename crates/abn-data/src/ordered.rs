//! Values that threads make ahead of a consumer, which gets them in order.
//!
//! Worker w of W makes values w, w + W, ... into a short queue of its own and the consumer visits
//! the queues in turn. So values arrive in order, memory is bounded by the queues, and neither the
//! number of workers nor timing changes anything.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

/// Values a worker may be ahead of the consumer, besides the one that it is making.
pub(crate) const QUEUE: usize = 2;

/// How the value of a number is made. It must not panic.
type Make<T> = Arc<dyn Fn(usize) -> T + Send + Sync>;

/// The values of a range of numbers, in order. Dropping it ends its threads.
pub(crate) struct Ordered<T> {
    make: Make<T>,
    workers: Vec<Worker<T>>,
    first: usize,
    left: Range<usize>,
}

impl<T: Send + 'static> Ordered<T> {
    /// Begins to make the values with so many threads; with none, the thread that asks makes them.
    pub(crate) fn new(
        numbers: Range<usize>,
        workers: usize,
        make: impl Fn(usize) -> T + Send + Sync + 'static,
    ) -> Self {
        let make: Make<T> = Arc::new(make);
        let workers = workers.min(numbers.len());
        // Should the system refuse a thread, the calling thread makes the same values, only slower.
        let workers = (0..workers)
            .map(|worker| {
                let numbers = (numbers.start + worker..numbers.end).step_by(workers);
                Worker::start(Arc::clone(&make), numbers)
            })
            .collect::<io::Result<Vec<_>>>()
            .unwrap_or_default();
        Self {
            make,
            workers,
            first: numbers.start,
            left: numbers,
        }
    }
}

impl<T: Send + 'static> Iterator for Ordered<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let number = self.left.next()?;
        if self.workers.is_empty() {
            return Some((self.make)(number));
        }
        let worker = &self.workers[(number - self.first) % self.workers.len()];
        Some(worker.receive().unwrap_or_else(|| (self.make)(number)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<T: Send + 'static> ExactSizeIterator for Ordered<T> {}

/// A thread with its queue. Both fields are taken when it is dropped.
struct Worker<T> {
    queue: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Makes the values of these numbers until they or the consumer end.
    fn start(
        make: Make<T>,
        numbers: impl Iterator<Item = usize> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, queue) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("abn-data".into())
            .spawn(move || {
                for number in numbers {
                    if sender.send(make(number)).is_err() {
                        return; // the consumer has left
                    }
                }
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }
}

impl<T> Worker<T> {
    /// `None` if the thread has ended before its time.
    fn receive(&self) -> Option<T> {
        self.queue.as_ref()?.recv().ok()
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        // Without its queue, the thread's next `send` fails and it ends; at most one value is
        // waited for.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_order_from_any_number_of_threads() {
        for workers in [0, 1, 2, 3, 20] {
            let squares = Ordered::new(3..13, workers, |number| number * number);
            assert_eq!(squares.len(), 10);
            let expected: Vec<usize> = (3..13).map(|number| number * number).collect();
            assert_eq!(squares.collect::<Vec<_>>(), expected, "{workers} workers");
        }
    }
}
