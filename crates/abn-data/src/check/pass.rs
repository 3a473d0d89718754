//! One pass over many images in several threads, for whoever asked to see it and to stop it.
//!
//! Images are handed out one by one, so that a slow one holds up nobody, and what is found of each
//! goes to the calling thread at once: a thread holds one image and no more.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::DataError;
use crate::loader::message_of;

/// What looks at a pass: it is told how many images are done and how many there are, and says
/// whether to go on. It is called in the calling thread: at the start, after every image and, with
/// threads, a few times a second while none is done.
pub type Watch<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

/// How long to wait for an image before the watch is asked again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Does `look` for every index below `all` in `workers` threads, or in the calling one if there are
/// none, and gives what it found to `take` in the calling thread, in no certain order.
///
/// # Errors
/// That of `take` which has the lowest index, however many threads there are; few images after it
/// are looked at. Or the watch ended the pass.
pub(super) fn pass<T: Send>(
    all: usize,
    workers: usize,
    watch: &mut Watch,
    look: impl Fn(usize) -> T + Sync,
    take: impl FnMut(usize, T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut caller = Caller {
        all,
        done: 0,
        failed: None,
        stop: &stop,
        watch,
        take,
    };
    caller.ask();
    // The flag is read before an index is taken, and what is taken is looked at: all indices below
    // one that failed arrive.
    let look_next = || {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let index = next.fetch_add(1, Ordering::Relaxed);
        (index < all).then(|| (index, look(index)))
    };
    let workers = workers.min(all);
    thread::scope(|scope| {
        let (sender, queue) = sync_channel(2 * workers);
        let mut started = 0;
        for _ in 0..workers {
            let sender = sender.clone();
            let work = || {
                let sender = sender;
                while let Some(found) = look_next() {
                    if sender.send(found).is_err() {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new().name("abn-check".into());
            started += usize::from(thread.spawn_scoped(scope, work).is_ok());
        }
        drop(sender);
        if started == 0 {
            // None was asked for, or the system refuses them: slower, and the same.
            while let Some((index, found)) = look_next() {
                caller.receive(index, found);
            }
            return;
        }
        loop {
            match queue.recv_timeout(PATIENCE) {
                Ok((index, found)) => caller.receive(index, found),
                Err(RecvTimeoutError::Timeout) => caller.ask(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
    caller.end()
}

/// The side of the calling thread.
struct Caller<'a, 'b, Take> {
    all: usize,
    done: usize,
    /// The error of the lowest index.
    failed: Option<(usize, DataError)>,
    stop: &'a AtomicBool,
    watch: &'a mut Watch<'b>,
    take: Take,
}

impl<Take> Caller<'_, '_, Take> {
    fn ask(&mut self) {
        if (self.watch)(self.done, self.all).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn receive<T>(&mut self, index: usize, found: T)
    where
        Take: FnMut(usize, T) -> Result<(), DataError>,
    {
        self.done += 1;
        if let Err(error) = (self.take)(index, found) {
            self.stop.store(true, Ordering::Relaxed);
            if self.failed.as_ref().is_none_or(|(first, _)| index < *first) {
                self.failed = Some((index, error));
            }
        }
        self.ask();
    }

    fn end(self) -> Result<(), DataError> {
        let (done, all) = (self.done, self.all);
        match self.failed {
            Some((_, error)) => Err(error),
            None if done < all => Err(DataError::Stopped { done, all }),
            None => Ok(()),
        }
    }
}

/// What `read` gives for the image of that index; a panic on the way is an error like any other.
pub(super) fn caught<T>(
    index: usize,
    read: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    // Nothing that is shared is changed by reading an image, so a panic leaves nothing half done.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        Err(DataError::Defect {
            index,
            message: message_of(panic.as_ref()),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;

    const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

    fn wrong(index: usize) -> DataError {
        DataError::Defect {
            index,
            message: "a test".into(),
        }
    }

    #[test]
    fn every_image_is_looked_at_once_and_told_of() {
        for workers in [0, 1, 2, 5, 200] {
            let looked = Mutex::new(vec![0; 100]);
            let (mut taken, mut told) = (BTreeSet::new(), vec![]);
            let look = |index: usize| {
                looked.lock().unwrap()[index] += 1;
                index * index
            };
            let take = |index, square| {
                assert!(square == index * index && taken.insert(index));
                Ok(())
            };
            let mut watch = |done, all| {
                told.push((done, all));
                GO_ON
            };
            pass(100, workers, &mut watch, look, take).unwrap();
            assert_eq!(*looked.lock().unwrap(), [1; 100], "{workers} workers");
            assert_eq!(taken.len(), 100);
            told.dedup();
            let expected: Vec<_> = (0..=100).map(|done| (done, 100)).collect();
            assert_eq!(told, expected);
        }
        let nothing = |_: usize| panic!("there is nothing to look at");
        pass(0, 3, &mut |_, _| GO_ON, nothing, |_, ()| Ok(())).unwrap();
    }

    #[test]
    fn the_watch_ends_it() {
        for workers in [0, 1, 3] {
            let looked = AtomicUsize::new(0);
            let look = |_| looked.fetch_add(1, Ordering::SeqCst);
            let mut watch = |done, _| match done {
                10 => ControlFlow::Break(()),
                _ => GO_ON,
            };
            let error = pass(1000, workers, &mut watch, look, |_, _| Ok(())).unwrap_err();
            assert!(
                matches!(
                    error,
                    DataError::Stopped {
                        done: 10..,
                        all: 1000
                    }
                ),
                "{error}"
            );
            // Those done, and for each thread its queue and one in its hands.
            let looked = looked.into_inner();
            assert!((10..=11 + 3 * workers).contains(&looked), "{looked}");
        }
        let nothing = |_: usize| panic!("it was stopped before");
        let mut never = |_, _| ControlFlow::Break(());
        let error = pass(5, 2, &mut never, nothing, |_, ()| Ok(())).unwrap_err();
        assert!(matches!(error, DataError::Stopped { done: 0, all: 5 }));
    }

    #[test]
    fn the_first_error_by_index_counts() {
        for workers in [0, 1, 2, 4, 9] {
            let look = |index: usize| {
                // The first is slow: others fail before it.
                if index == 20 {
                    thread::sleep(Duration::from_millis(30));
                }
                index
            };
            let take = |index, _| match index {
                20.. => Err(wrong(index)),
                _ => Ok(()),
            };
            let error = pass(500, workers, &mut |_, _| GO_ON, look, take).unwrap_err();
            assert!(
                matches!(error, DataError::Defect { index: 20, .. }),
                "{workers} workers: {error}"
            );
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = caught(7, || -> Result<(), _> { panic!("seven") }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "reading image 7 failed unexpectedly: seven; this is a defect of the code that reads \
             it: report it"
        );
        assert_eq!(caught(7, || Ok(3)).unwrap(), 3);
    }
}
