//! Which images of a collection cannot be read.

use super::pass::{Watch, caught, pass};
use crate::{Collection, DataError};

/// All images of a collection that cannot be read, by index, with what is wrong with each: one pass
/// over everything in `workers` threads, 0 for the calling one. An image whose mask cannot be read
/// is among them.
///
/// # Errors
/// What is no [damage](DataError::is_damage) of one image, with the image's index; the lowest,
/// however many threads there are. Or the watch ended the pass.
pub fn unreadable(
    collection: &Collection,
    workers: usize,
    watch: &mut Watch,
) -> Result<Vec<(usize, DataError)>, DataError> {
    let samples = &collection.samples;
    let look = |index| caught(index, || samples.get(index)).err();
    let mut found = Vec::new();
    pass(
        samples.len(),
        workers,
        watch,
        look,
        |index, error| match error {
            None => Ok(()),
            Some(error) if error.is_damage() => {
                found.push((index, error));
                Ok(())
            }
            Some(error) => Err(error.at(index)),
        },
    )?;
    found.sort_unstable_by_key(|(index, _)| *index);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use burn_dataset::Dataset;
    use image::RgbImage;

    use super::*;
    use crate::{Labels, ObjectMasks, Sample, Target};

    /// Of its images, those divisible by 5 are truncated, and one is worse.
    struct Damaged {
        len: usize,
        worse: Option<(usize, fn() -> DataError)>,
    }

    impl Dataset<Sample, DataError> for Damaged {
        fn get(&self, index: usize) -> Result<Sample, DataError> {
            if let Some((_, error)) = self.worse.filter(|(worse, _)| *worse == index) {
                return Err(error());
            }
            if index.is_multiple_of(5) {
                let path = format!("{index}.jpg").into();
                return Err(DataError::Truncated { path, size: index });
            }
            Ok(Sample {
                image: RgbImage::new(1, 1),
                target: Target::class(0),
                masks: ObjectMasks::Unknown,
            })
        }

        fn len(&self) -> usize {
            self.len
        }
    }

    fn collection(len: usize, worse: Option<(usize, fn() -> DataError)>) -> Collection {
        Collection {
            samples: Arc::new(Damaged { len, worse }),
            labels: Labels::one(vec!["a".into(), "b".into()]),
            masked: false,
            notes: vec![],
            files: None,
            interventions: None,
        }
    }

    fn go_on(_: usize, _: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn all_damaged_images_are_named_in_order() {
        for workers in [0, 1, 2, 7] {
            let found = unreadable(&collection(42, None), workers, &mut go_on).unwrap();
            let indices: Vec<usize> = found.iter().map(|(index, _)| *index).collect();
            assert_eq!(indices, [0, 5, 10, 15, 20, 25, 30, 35, 40]);
            assert!(found[8].1.to_string().starts_with("40.jpg is a truncated"));
        }
        let none = unreadable(&collection(0, None), 2, &mut go_on).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn what_is_no_damage_is_an_error() {
        let table: fn() -> DataError = || DataError::Table {
            path: "boxes.tsv".into(),
            line: 2,
            reason: "no number".into(),
        };
        let trap: fn() -> DataError = || panic!("a trap");
        for (worse, cause) in [(table, "boxes.tsv, line 2"), (trap, "unexpectedly: a trap")] {
            for workers in [0, 3] {
                let images = collection(42, Some((13, worse)));
                let error = unreadable(&images, workers, &mut go_on).unwrap_err();
                let DataError::Sample { index: 13, source } = error else {
                    panic!("{error}");
                };
                assert!(source.to_string().contains(cause), "{source}");
            }
        }
    }

    #[test]
    fn it_can_be_stopped() {
        let mut watch = |done, _| match done {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let error = unreadable(&collection(42, None), 0, &mut watch).unwrap_err();
        assert!(matches!(error, DataError::Stopped { done: 3, all: 42 }));
    }
}
