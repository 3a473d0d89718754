//! Threads of this process that normalise a batch together, of which each computes a share.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use abn_kernels::ops::Replicas;

/// A thread among those that say something to each other, time after time.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// To every thread, this one too.
    to: Vec<Sender<Arc<[f32]>>>,
    /// From every thread, in their order.
    from: Vec<Receiver<Arc<[f32]>>>,
}

/// What ends a thread that waits for one which has ended: the error to tell is that one's.
pub(super) struct Left;

/// The members of a circle of so many threads.
pub(super) fn circle(threads: usize) -> Vec<Member> {
    let mut members: Vec<Member> = (0..threads).map(|_| Member::default()).collect();
    for speaker in 0..threads {
        for listener in 0..threads {
            let (to, from) = channel();
            members[speaker].to.push(to);
            members[listener].from.push(from);
        }
    }
    members
}

impl Replicas for Member {
    fn rows(&self, own: &[f32]) -> Vec<Vec<f32>> {
        let own: Arc<[f32]> = own.into();
        for other in &self.to {
            // One that has ended is missed below.
            let _ = other.send(own.clone());
        }
        let said = self.from.iter().map(|other| match other.recv() {
            Ok(row) => row.to_vec(),
            Err(_) => resume_unwind(Box::new(Left)),
        });
        said.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_hear_all_in_their_order() {
        let threads: Vec<_> = circle(3)
            .into_iter()
            .zip([1.0, 2.0, 3.0])
            .map(|(member, own)| {
                thread::spawn(move || {
                    let first = member.rows(&[own]);
                    let second = member.rows(&[10.0 * own, own]);
                    (first, second)
                })
            })
            .collect();
        for thread in threads {
            let (first, second) = thread.join().expect("a thread that has heard all");
            assert_eq!(first, [[1.0], [2.0], [3.0]]);
            assert_eq!(second, [[10.0, 1.0], [20.0, 2.0], [30.0, 3.0]]);
        }
    }

    #[test]
    fn who_waits_for_one_that_ended_ends() {
        let mut members = circle(2).into_iter();
        let waits = members.next().expect("two members");
        let waits = thread::spawn(move || waits.rows(&[1.0]));
        drop(members);
        let ended = waits.join().expect_err("nobody answers");
        assert!(ended.is::<Left>());
    }
}
