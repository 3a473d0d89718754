//! What the machine can do at most, measured: multiply-adds within registers, a large matrix product
//! and two convolutions.
//!
//! A library's matrix product is not always the fastest thing that the machine does, so
//! convolutions that are good to compute stand beside it, and the fastest of all counts.

use std::time::{Duration, Instant};

use abn_kernels::InstructionSet;
use anyhow::Result;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor};

/// How long each candidate is repeated.
const TIME: Duration = Duration::from_millis(1500);

/// Prints operations a second of each candidate.
///
/// # Errors
/// Stdout is closed.
pub(crate) fn run() -> Result<()> {
    let device = Device::flex();
    let mut peaks = vec![
        (
            "multiply-adds within registers".to_owned(),
            multiply_adds(InstructionSet::chosen()?),
        ),
        (
            "matrix product 2048x2048x2048".to_owned(),
            product(2048, &device),
        ),
    ];
    for (batch, channels, side) in [(16, 512, 7), (64, 64, 16)] {
        let name =
            format!("3x3 convolution {channels} to {channels} at {side}x{side}, batch {batch}");
        peaks.push((name, convolution(batch, channels, side, &device)));
    }
    println!("{}", serde_json::to_string(&peaks)?);
    Ok(())
}

/// Of all threads.
fn multiply_adds(set: InstructionSet) -> f64 {
    const STEPS: usize = 200_000;
    let operations = || -> usize {
        let of_threads = rayon::broadcast(|_| set.multiply_add(STEPS));
        of_threads.into_iter().sum()
    };
    best(operations() as f64, || {
        operations();
    })
}

fn product(side: usize, device: &Device) -> f64 {
    let [a, b] = [0, 1].map(|_| Tensor::<2>::random([side, side], Distribution::Default, device));
    best(2.0 * (side as f64).powi(3), || {
        a.clone().matmul(b.clone()).into_data();
    })
}

fn convolution(batch: usize, channels: usize, side: usize, device: &Device) -> f64 {
    let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, device);
    let images = random([batch, channels, side, side]);
    let weight = random([channels, channels, 3, 3]);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    best(
        2.0 * (batch * channels * side * side * channels * 9) as f64,
        || {
            conv2d(images.clone(), weight.clone(), None, options.clone()).into_data();
        },
    )
}

/// The highest rate of a number of operations, after a run to warm up.
fn best(operations: f64, mut run: impl FnMut()) -> f64 {
    run();
    let started = Instant::now();
    let mut fastest = f64::INFINITY;
    while started.elapsed() < TIME {
        let began = Instant::now();
        run();
        fastest = fastest.min(began.elapsed().as_secs_f64());
    }
    operations / fastest
}
