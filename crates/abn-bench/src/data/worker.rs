//! Our side: a process that makes batches when it is asked to, by a line on stdin, and answers by a
//! line of JSON on stdout.
//!
//! | line | does | answer |
//! |---|---|---|
//! | | opens the images | [`Ready`] |
//! | `go SECONDS` | makes batches for that long | [`Repetition`] |
//! | `check N` | | the values of the first images, by class and name |
//! | `memory` | | peak resident memory in bytes, or `null` |

use std::hint::black_box;
use std::time::Instant;

use abn_data::{Batches, Canvas, Collection, Loader, Normalization, Split, Step, Transform};
use abn_run::datasets::{FOLDER, Request};
use anyhow::{Context, Result, bail};

use super::{Case, Ready, View};
use crate::machine;
use crate::process::{Repetition, answer, each_line};

/// Decides order and augmentation; the time does not depend on it.
const SEED: u64 = 0;

/// Runs until stdin ends.
///
/// # Errors
/// The images cannot be opened, or a line not be answered.
pub(crate) fn run(case: &Case) -> Result<()> {
    let images = FOLDER.open(&Request::of(Split::All, Some(&case.data)))?;
    answer(&Ready {
        engine: machine::version(),
    })?;
    let loader = Loader {
        dataset: images.samples.clone(),
        transform: transform(case.view),
        batch_size: case.batch,
        // The thread that asks makes them itself, as the peers' does.
        workers: if case.threads == 1 { 0 } else { case.threads },
        seed: SEED,
        shuffled: true,
        masks: false,
        skips: Default::default(),
        canvas: Canvas::Equal,
        drop_last: false,
    };
    let mut work = Work {
        batches: loader.epoch(0, 0),
        epoch: 0,
        loader,
    };
    each_line(|request, argument| match request {
        "go" => answer(&work.go(argument.parse().context("`go` without its seconds")?)?),
        "check" => answer(&first(
            &images,
            &work.loader,
            argument.parse().context("`check` without its number")?,
        )?),
        "memory" => answer(&machine::peak_memory()),
        _ => bail!("`{request}` is no request"),
    })
}

fn transform(view: View) -> Transform {
    Transform {
        steps: match view {
            View::Train => vec![Step::RandomResizedCrop { size: 224 }, Step::Flip],
            View::Eval => vec![
                Step::ResizeShorter { size: 256 },
                Step::CenterCrop { size: 224 },
            ],
        },
        normalization: Normalization::IMAGENET,
    }
}

/// Epoch after epoch of batches.
struct Work {
    loader: Loader,
    epoch: usize,
    batches: Batches,
}

impl Work {
    /// Whole batches for at least that long.
    fn go(&mut self, seconds: f64) -> Result<Repetition> {
        let started = Instant::now();
        let mut images = 0;
        while started.elapsed().as_secs_f64() < seconds {
            match self.batches.next() {
                Some(batch) => {
                    let batch = batch?;
                    black_box(batch.pixels.values());
                    images += batch.len();
                }
                None => {
                    self.epoch += 1;
                    self.batches = self.loader.epoch(self.epoch, 0);
                }
            }
        }
        Ok(Repetition {
            images,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

/// What a network sees of the first images in the order of classes and names, which everybody has.
fn first(images: &Collection, loader: &Loader, count: usize) -> Result<Vec<f32>> {
    let files = images.files.as_ref().context("the images have names")?;
    let mut order: Vec<(String, usize)> = (0..images.samples.len())
        .map(|index| (files.name(index), index))
        .collect();
    order.sort();
    let mut values = Vec::new();
    let in_order = Loader {
        batch_size: 1,
        shuffled: false,
        workers: 0,
        ..loader.clone()
    };
    for (_, index) in order.into_iter().take(count) {
        let batch = in_order.epoch(0, index).next().context("an image")??;
        values.extend(batch.pixels.values());
    }
    Ok(values)
}
