//! How fast the networks of a campaign train and answer: measured by turns in this process, when no
//! run is trained beside it, and kept, because a time is not to be had a second time.

use std::collections::BTreeMap;
use std::time::Instant;

use abn_core::gradients::gradients;
use abn_core::loss::Objective;
use abn_core::sgd::Sgd;
use abn_core::{Classifier, Output};
use abn_data::Labels;
use abn_run::recipe::{Recipe, RunConfig};
use anyhow::Result;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Repetitions, of which the median counts.
const REPETITIONS: usize = 5;
/// Images a batch, or fewer if the recipe trains on smaller ones.
const BATCH: usize = 32;
/// Learning rate of the steps that are timed: so small that the weights stay where they are.
const RATE: f64 = 1e-6;

/// Images a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Speed {
    /// Forward, backward and a step of gradient descent.
    pub(crate) training: f64,
    /// Logits and, where there is a branch, the map.
    pub(crate) inference: f64,
}

/// Measures each of those networks by turns, so that what disturbs the machine meets all of them.
///
/// # Errors
/// A recipe names no network, or the device fails.
pub(crate) fn measure(
    networks: &[(String, Recipe)],
    labels: &Labels,
    device: &Device,
) -> Result<BTreeMap<String, Speed>> {
    let mut workloads = Vec::new();
    for (name, recipe) in networks {
        workloads.push((
            name.clone(),
            Workload::new(recipe, labels, device)?,
            Vec::new(),
        ));
    }
    for (_, workload, _) in &mut workloads {
        workload.train();
        workload.infer();
    }
    device.sync()?;
    for _ in 0..REPETITIONS {
        for (_, workload, seconds) in &mut workloads {
            seconds.push((
                timed(device, || workload.train())?,
                timed(device, || workload.infer())?,
            ));
        }
    }
    let speed = |(name, workload, seconds): (String, Workload, Vec<(f64, f64)>)| {
        let images = workload.images.dims()[0] as f64;
        let training = images / median(seconds.iter().map(|(training, _)| *training).collect());
        (
            name,
            Speed {
                training,
                inference: images
                    / median(seconds.iter().map(|(_, inference)| *inference).collect()),
            },
        )
    };
    Ok(workloads.into_iter().map(speed).collect())
}

/// Seconds until the work is done: a GPU takes it on without waiting, and fused operations wait for
/// somebody to ask.
fn timed(device: &Device, work: impl FnOnce()) -> Result<f64> {
    let started = Instant::now();
    work();
    device.sync()?;
    Ok(started.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A network and a batch of random images.
struct Workload {
    objective: Objective,
    sgd: Sgd,
    training: Classifier,
    inference: Classifier,
    images: Tensor<4>,
    classes: Tensor<2, Int>,
}

impl Workload {
    fn new(recipe: &Recipe, labels: &Labels, device: &Device) -> Result<Self> {
        let config = RunConfig::new(recipe.clone(), labels.clone())?;
        let (batch, side) = (BATCH.min(recipe.batch_size), recipe.side());
        let training = device.clone().autodiff();
        let sizes = labels.sizes();
        let of_image = |image: usize| sizes.iter().map(move |classes| (image % classes) as i64);
        let classes: Vec<i64> = (0..batch).flat_map(of_image).collect();
        let classes = TensorData::new(classes, [batch, sizes.len()]);
        Ok(Self {
            objective: recipe.objective(),
            sgd: Sgd::new(recipe.sgd),
            training: config.model.init_seeded(recipe.seed, &training),
            inference: config.model.init_seeded(recipe.seed, device),
            images: Tensor::random(
                [batch, 3, side, side],
                Distribution::Normal(0.0, 1.0),
                device,
            ),
            classes: Tensor::from_data(classes, &training),
        })
    }

    fn train(&mut self) {
        let images = Tensor::from_inner(self.images.clone());
        let classes = self.classes.clone();
        let (gradients, _) = gradients(&self.training, images, classes, &self.objective);
        self.training = self.sgd.step(RATE, self.training.clone(), gradients);
    }

    fn infer(&self) {
        let Output { logits, attention } = self.inference.forward(self.images.clone());
        logits.into_data();
        attention.map(|attention| attention.map.into_data());
    }
}
