//! How cost grows: ABN-ResNet-20 by batch, threads and size of the images, and the network of
//! facial attributes by the number of labels.

use crate::case::{Attention, Case, Mode, Place, by_labels};

const BATCHES: [usize; 5] = [1, 4, 16, 64, 256];
const SIZES: [usize; 5] = [32, 64, 128, 224, 448];
/// Pixels of a batch whose images grow: 64 of CIFAR's.
const PIXELS: usize = 64 * 32 * 32;

/// Batches of small images on one thread and on all, then larger and fewer images, then labels.
pub(crate) fn cases(threads: usize) -> Vec<Case> {
    let counts = if threads == 1 {
        vec![1]
    } else {
        vec![1, threads]
    };
    [Mode::Train, Mode::Infer]
        .into_iter()
        .flat_map(|mode| {
            let case = move |batch, size, threads| Case {
                arch: "resnet20".to_owned(),
                attention: Attention::Abn,
                mode,
                batch,
                size,
                classes: 10,
                place: Place::default(),
                threads,
            };
            let by_batch = counts
                .iter()
                .flat_map(move |count| BATCHES.map(|batch| case(batch, 32, *count)));
            // The first size is among the batches.
            let larger = SIZES.into_iter().skip(1);
            let by_size =
                larger.map(move |size| case((PIXELS / (size * size)).max(1), size, threads));
            by_batch.chain(by_size).collect::<Vec<_>>()
        })
        .chain(by_labels(threads))
        .collect()
}
