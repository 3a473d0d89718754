//! Explaining image after image keeps no memory, by any method, for networks that come and go.
//! Methods that ask the network hundreds of times an image do so for few images.
//!
//! A test binary of its own, because its allocator counts for the whole process.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abn_core::explain::{ForwardPass, Layer, Method, explain};
use abn_core::{Architecture, AttentionConfig, ClassifierConfig, Outputs};
use abn_data::{Canvas, Loader, Normalization, Split, Transform, cifar10};
use burn::tensor::{Device, Tensor, TensorData};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: what the allocator counts belongs to all.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Batches of a round. At its peak one call holds some 4 MB, most of it for the gradient.
const BATCHES: usize = 8;
/// What a later round may hold beyond an earlier one: a few entries of tables that grow by
/// doubling.
const SLACK: usize = 64 << 10;

/// A fresh network explains some batches in every way, one image where a method asks it many times;
/// returns the bytes in use afterwards.
fn round(config: &ClassifierConfig) -> usize {
    let device = Device::flex();
    let network = config.init_seeded(1, &device.clone().autodiff());
    let explained = |method: Method, classes: &[usize]| {
        for layer in [Layer::Features, Layer::Refined] {
            let images = Tensor::ones([classes.len(), 3, 32, 32], &device);
            let maps = explain(&network, images, method, layer, classes);
            let missing = (method, layer) == (Method::Cam, Layer::Features);
            assert_eq!(maps.is_err(), missing, "{method:?}");
        }
    };
    for _ in 0..BATCHES {
        for method in Method::SCORED {
            explained(method, &[0, 1, 2, 3]);
        }
    }
    for method in Method::ALL {
        if !Method::SCORED.contains(&method) {
            explained(method, &[0]);
        }
    }
    drop(network);
    MEMORY.current_usage()
}

#[test]
fn memory_does_not_grow() {
    let _alone = alone();
    let network = Architecture::parse("resnet8").unwrap().network;
    let config = ClassifierConfig {
        network,
        attention: Some(AttentionConfig::manet()),
        outputs: Outputs::one(4),
    };
    // Threads, buffers and the autodiff server come to stay in the first round.
    let first = round(&config);
    let later = (0..3).map(|_| round(&config)).max().unwrap();
    assert!(
        later <= first + SLACK,
        "{} bytes more than after the first round",
        later - first
    );
}

/// Where the real data sets lie: `ABN_DATASETS`, or datasets/ of the workspace.
fn datasets() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    std::env::var_os("ABN_DATASETS").map_or(default, PathBuf::from)
}

#[test]
#[ignore = "needs ../shared/datasets unpacked under datasets/"]
fn ten_thousand_images_explained_hold_no_more_than_one_thousand() {
    let _alone = alone();
    let device = Device::flex();
    let network = Architecture::parse("resnet20").unwrap().network;
    let config = ClassifierConfig {
        network,
        attention: Some(AttentionConfig::manet()),
        outputs: Outputs::one(10),
    };
    let network = config.init_seeded(1, &device);
    let loader = Loader {
        dataset: cifar10(&datasets(), Split::HeldOut).unwrap().samples,
        transform: Transform {
            steps: vec![],
            normalization: Normalization::CIFAR,
        },
        batch_size: 100,
        workers: 0,
        seed: 0,
        shuffled: false,
        masks: false,
        skips: Default::default(),
        canvas: Canvas::Equal,
        drop_last: false,
    };
    let (mut images, mut early, mut latest) = (0, 0, 0);
    for batch in loader.epoch(0, 0) {
        let batch = batch.unwrap();
        let pixels = TensorData::new(batch.pixels.values(), [batch.len(), 3, 32, 32]);
        let pixels = Tensor::from_data(pixels, &device);
        let targets = batch.targets.iter();
        let classes: Vec<usize> = targets.map(|target| target.of(0).unwrap()).collect();
        let pass = ForwardPass::new(&network, pixels);
        for method in Method::SCORED {
            let maps = pass.explain(method, Layer::Refined, &classes).unwrap();
            assert!(
                maps.iter()
                    .all(|map| map.normalized.values.iter().all(|value| value.is_finite()))
            );
        }
        images += batch.len();
        drop((batch, pass));
        latest = MEMORY.current_usage();
        if images <= 1000 {
            early = early.max(latest);
        }
    }
    assert_eq!(images, 10_000);
    assert!(
        latest <= early + SLACK,
        "{} bytes more than after the first thousand",
        latest - early
    );
}
