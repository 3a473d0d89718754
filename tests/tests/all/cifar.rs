//! CIFAR-10 files of any content, small enough for tests.

use std::fs;
use std::path::Path;

/// Bytes of a record: a label and 32 x 32 pixels of three colours.
pub(crate) const RECORD: usize = 3073;

/// Five training files and a test file of so many records each, in `folder/cifar-10-batches-bin`.
/// The colour of an image tells its class, so that a network learns something in a few steps.
pub(crate) fn write(folder: &Path, records: usize) {
    let folder = folder.join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).unwrap();
    let names = (1..=5)
        .map(|batch| format!("data_batch_{batch}.bin"))
        .chain(["test_batch.bin".to_owned()]);
    for (file, name) in names.enumerate() {
        fs::write(
            folder.join(name),
            (0..records)
                .flat_map(|index| record(file * records + index))
                .collect::<Vec<u8>>(),
        )
        .unwrap();
    }
}

fn record(index: usize) -> Vec<u8> {
    let label = index % 10;
    let pixel = |place: usize| ((place * 31 + index * 7) % 64 + label * 19) as u8;
    std::iter::once(label as u8)
        .chain((1..RECORD).map(pixel))
        .collect()
}
