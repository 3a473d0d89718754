//! Our side: a process that does its task when it is asked to, by a line on stdin, and answers by a
//! line of JSON on stdout.
//!
//! | line | does | answer |
//! |---|---|---|
//! | | makes what the task needs | [`Ready`] |
//! | `go SECONDS` | works for that long | [`Repetition`] |
//! | `memory` | | peak resident memory in bytes, or `null` |

use std::time::Instant;

use abn_boxes::{BoundingBox, Size, nms_by_group};
use abn_core::Architecture;
use abn_core::detect::{Detector, DetectorConfig, Frozen, Images, Lot, Objects};
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::{ClassifierConfig, Outputs};
use abn_data::Within;
use abn_kernels::ops::roi_align;
use abn_kernels::roi_align::{Grid, Region};
use abn_run::recipe::detector::{DetectorName, DetectorRecipe};
use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{Case, Ready, Task};
use crate::machine;
use crate::process::{Repetition, answer, each_line};

/// Side of the images.
const SIDE: usize = 512;
/// Objects of an image.
const OBJECTS: usize = 8;
/// COCO's numbers.
const CLASSES: usize = 90;
const RATE: f64 = 1e-4;

/// Runs until stdin ends.
///
/// # Errors
/// A line cannot be answered.
pub(crate) fn run(case: &Case) -> Result<()> {
    let mut work = work(case.task);
    answer(&Ready {
        engine: machine::version(),
    })?;
    each_line(|request, argument| match request {
        "go" => {
            let seconds: f64 = argument.parse().context("`go` without its seconds")?;
            let started = Instant::now();
            let mut images = 0;
            while started.elapsed().as_secs_f64() < seconds {
                images += work();
            }
            answer(&Repetition {
                images,
                seconds: started.elapsed().as_secs_f64(),
            })
        }
        "memory" => answer(&machine::peak_memory()),
        _ => bail!("`{request}` is no request"),
    })
}

/// What a task does once; gives how much it was.
fn work(task: Task) -> Box<dyn FnMut() -> usize> {
    match task {
        Task::RoiAlign => align(false),
        Task::RoiAlignGradient => align(true),
        Task::Nms => suppress(),
        Task::TrainResnet18 => train("resnet18"),
        Task::TrainResnet50 => train("resnet50"),
        Task::InferResnet18 => infer("resnet18"),
        Task::InferResnet50 => infer("resnet50"),
    }
}

/// A box within a square, of a 16th to a half of its side.
fn drawn(side: f64, random: &mut Pcg64) -> BoundingBox {
    let mut size = || random.random_range(side / 16.0..side / 2.0);
    let (width, height) = (size(), size());
    let x = random.random_range(0.0..side - width);
    let y = random.random_range(0.0..side - height);
    BoundingBox::new(x, y, x + width, y + height)
}

fn align(with_gradient: bool) -> Box<dyn FnMut() -> usize> {
    let device = Device::default();
    let mut random = Pcg64::seed_from_u64(1);
    let features = Tensor::<4>::random([1, 256, 128, 128], Distribution::Default, &device);
    let regions: Vec<Region> = (0..512)
        .map(|_| Region {
            image: 0,
            bounds: drawn(SIDE as f64, &mut random).into(),
        })
        .collect();
    let grid = Grid {
        bins: [7; 2],
        samples: 2,
        scale: 0.25,
        aligned: false,
    };
    Box::new(move || {
        if !with_gradient {
            roi_align(features.clone(), &regions, grid).into_data();
            return 1;
        }
        let leaf = features.clone().autodiff().require_grad();
        let mut gradients = roi_align(leaf.clone(), &regions, grid).sum().backward();
        let gradient = leaf.grad_remove(&mut gradients);
        gradient.map(Tensor::into_data);
        1
    })
}

fn suppress() -> Box<dyn FnMut() -> usize> {
    let mut random = Pcg64::seed_from_u64(2);
    let boxes: Vec<BoundingBox> = (0..10_000)
        .map(|_| drawn(SIDE as f64, &mut random))
        .collect();
    let scores: Vec<f64> = (0..boxes.len()).map(|_| random.random()).collect();
    let groups: Vec<usize> = (0..boxes.len()).map(|place| place / 2000).collect();
    Box::new(move || {
        std::hint::black_box(nms_by_group(&boxes, &scores, &groups, 0.7));
        1
    })
}

fn config(architecture: &str) -> DetectorConfig {
    let network = Architecture::parse(architecture)
        .expect("a known network")
        .network;
    let inputs = Within {
        shorter: SIDE,
        longest: SIDE,
    };
    let detector = DetectorRecipe {
        frozen: Frozen::PRETRAINED,
        ..DetectorRecipe::usual(DetectorName::Fpn, &network, inputs)
    };
    let model = ClassifierConfig {
        network,
        attention: None,
        outputs: Outputs::of(vec![2; CLASSES]),
    };
    detector.config(&model, CLASSES)
}

fn images(count: usize, device: &Device) -> Images {
    Images {
        pixels: Tensor::random(
            [count, 3, SIDE, SIDE],
            Distribution::Normal(0.0, 1.0),
            device,
        ),
        sizes: vec![Size::new(SIDE, SIDE); count],
    }
}

fn train(architecture: &str) -> Box<dyn FnMut() -> usize> {
    const IMAGES: usize = 2;
    let device = Device::default().autodiff();
    let mut random = Pcg64::seed_from_u64(3);
    let mut detector: Detector = config(architecture).init_seeded(0, &device);
    let mut sgd = Sgd::new(SgdConfig::ABN);
    let images = images(IMAGES, &device);
    let objects: Vec<Objects> = (0..IMAGES)
        .map(|_| Objects {
            boxes: (0..OBJECTS)
                .map(|_| drawn(SIDE as f64, &mut random))
                .collect(),
            labels: (1..=OBJECTS).collect(),
        })
        .collect();
    let mut epoch = 0;
    Box::new(move || {
        let lot = Lot {
            seed: 0,
            epoch,
            images: &[0, 1],
        };
        epoch += 1;
        let gradients = detector.losses(&images, &objects, lot).total().backward();
        let gradients = GradientsParams::from_grads(gradients, &detector);
        detector = sgd.step(RATE, detector.clone(), gradients);
        IMAGES
    })
}

fn infer(architecture: &str) -> Box<dyn FnMut() -> usize> {
    let device = Device::default();
    let detector = config(architecture).init_seeded(0, &device).valid();
    let images = images(1, &device);
    Box::new(move || {
        detector.detect(&images);
        1
    })
}
