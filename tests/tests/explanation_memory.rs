//! Explaining image after image keeps no memory, by any method, for networks that come and go.
//!
//! A test binary of its own, because its allocator counts for the whole process.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use abn_core::backbone::Architecture;
use abn_core::explain::{Layer, Method, explain};
use abn_core::{AttentionConfig, ClassifierConfig};
use burn::tensor::{Device, Tensor};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Batches of a round. At its peak one call holds some 4 MB, most of it for the gradient.
const BATCHES: usize = 8;
/// What a later round may hold beyond an earlier one: a few entries of tables that grow by doubling.
const SLACK: usize = 64 << 10;

/// A fresh network explains some batches in every way; returns the bytes in use afterwards.
fn round(config: &ClassifierConfig) -> usize {
    let device = Device::flex();
    let network = config.init_seeded(1, &device.clone().autodiff());
    for _ in 0..BATCHES {
        for method in Method::ALL {
            for layer in [Layer::Features, Layer::Refined] {
                let way = (method, layer);
                let images = Tensor::ones([4, 3, 32, 32], &device);
                let maps = explain(&network, images, method, layer, &[0, 1, 2, 3]);
                assert_eq!(maps.is_err(), way == (Method::Cam, Layer::Features));
            }
        }
    }
    drop(network);
    MEMORY.current_usage()
}

#[test]
fn memory_does_not_grow() {
    let network = Architecture::parse("resnet8").unwrap().network;
    let config = ClassifierConfig { network, attention: Some(AttentionConfig::manet()), classes: 4 };
    // Threads, buffers and the autodiff server come to stay in the first round.
    let first = round(&config);
    let later = (0..3).map(|_| round(&config)).max().unwrap();
    assert!(later <= first + SLACK, "{} bytes more than after the first round", later - first);
}
