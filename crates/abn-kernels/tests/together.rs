//! Replicas that normalise a batch together, each in a thread, against one that has all of it. In a
//! build for a GPU they compute there.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use std::rc::Rc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use abn_kernels::ops::{After, Replicas, Together, batch_norm_train, together};
use burn::tensor::{Device, Tensor, TensorData, Tolerance};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const CHANNELS: usize = 5;
const SIDE: usize = 3;
const EPSILON: f64 = 1e-5;

/// Replicas that are threads.
#[derive(Debug, Clone)]
struct Threads {
    number: usize,
    said: Arc<Mutex<Vec<Vec<f32>>>>,
    barrier: Arc<Barrier>,
}

impl Replicas for Threads {
    fn rows(&self, own: &[f32]) -> Vec<Vec<f32>> {
        self.said.lock().unwrap()[self.number] = own.to_vec();
        self.barrier.wait();
        let rows = self.said.lock().unwrap().clone();
        self.barrier.wait();
        rows
    }
}

/// Input, residual and what the output is multiplied with, of some images; scale and shift.
#[derive(Clone)]
struct Given {
    of_images: [Vec<f32>; 3],
    of_channels: [Vec<f32>; 2],
    relu: bool,
    residual: bool,
}

const IMAGE: usize = CHANNELS * SIDE * SIDE;

impl Given {
    fn draw(rng: &mut Pcg64, images: usize, case: usize) -> Self {
        let mut values = |count: usize| (0..count).map(|_| rng.random_range(-1.0..2.0)).collect();
        Self {
            of_images: [(); 3].map(|()| values(images * IMAGE)),
            of_channels: [(); 2].map(|()| values(CHANNELS)),
            relu: case % 2 == 1,
            residual: case % 4 > 1,
        }
    }

    fn images(&self, from: usize, to: usize) -> Self {
        let own = |values: &Vec<f32>| values[from * IMAGE..to * IMAGE].to_vec();
        Self {
            of_images: self.of_images.each_ref().map(own),
            ..self.clone()
        }
    }

    /// Output, mean, variance, and the gradients of input, residual, scale and shift. The loss is a
    /// mean over the images.
    fn passes(&self) -> Vec<Vec<f32>> {
        let device = Device::default().autodiff();
        let images = self.of_images[0].len() / IMAGE;
        let shape = [images, CHANNELS, SIDE, SIDE];
        let [input, residual, factor] = self.of_images.clone().map(|values| {
            Tensor::<4>::from_data(TensorData::new(values, shape), &device).require_grad()
        });
        let [gamma, beta] = self.of_channels.clone().map(|values| {
            Tensor::<1>::from_data(TensorData::new(values, [CHANNELS]), &device).require_grad()
        });
        let after = After {
            residual: self.residual.then(|| residual.clone()),
            relu: self.relu,
        };
        let normalized =
            batch_norm_train(input.clone(), gamma.clone(), beta.clone(), EPSILON, after);
        let output = normalized.output;
        // Every input has a gradient.
        let loss = (output.clone() * factor).sum() + residual.clone().sum();
        let gradients = (loss / images as f64).backward();
        let values = |data: TensorData| data.iter::<f32>().collect::<Vec<_>>();
        vec![
            values(output.into_data()),
            values(normalized.mean.into_data()),
            values(normalized.variance.into_data()),
            vec![normalized.count as f32],
            values(input.grad(&gradients).unwrap().into_data()),
            values(residual.grad(&gradients).unwrap().into_data()),
            values(gamma.grad(&gradients).unwrap().into_data()),
            values(beta.grad(&gradients).unwrap().into_data()),
        ]
    }
}

#[test]
fn replicas_know_what_one_knows_of_the_whole_batch() {
    let mut rng = Pcg64::seed_from_u64(5);
    for case in 0..8 {
        let edges = [0, 1, 4, 6];
        let (images, replicas) = (edges[3], edges.len() - 1);
        let given = Given::draw(&mut rng, images, case);
        let whole = given.passes();
        let said = Arc::new(Mutex::new(vec![Vec::new(); replicas]));
        let barrier = Arc::new(Barrier::new(replicas));
        let of_each: Vec<Vec<Vec<f32>>> = thread::scope(|scope| {
            let begin = |number: usize| {
                let threads = Threads {
                    number,
                    said: said.clone(),
                    barrier: barrier.clone(),
                };
                let (from, to) = (edges[number], edges[number + 1]);
                let own = given.images(from, to);
                scope.spawn(move || {
                    let step = Together {
                        replicas: Rc::new(threads),
                        weight: (to - from) as f64 / images as f64,
                    };
                    together(step, || own.passes())
                })
            };
            let all: Vec<_> = (0..replicas).map(begin).collect();
            all.into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let weights: Vec<f32> = edges
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f32 / images as f32)
            .collect();
        for place in 0..whole.len() {
            let found: Vec<f32> = match place {
                // The statistics are the same in all.
                1..=3 => of_each[0][place].clone(),
                // Values of images, one replica's behind the other's; gradients with its weight.
                0 => of_each.iter().flat_map(|of| of[place].clone()).collect(),
                4 | 5 => of_each
                    .iter()
                    .zip(&weights)
                    .flat_map(|(of, weight)| of[place].iter().map(move |value| weight * value))
                    .collect(),
                _ => (0..CHANNELS)
                    .map(|channel| {
                        let of_each = of_each.iter().zip(&weights);
                        of_each
                            .map(|(of, weight)| weight * of[place][channel])
                            .sum()
                    })
                    .collect(),
            };
            let count = found.len();
            TensorData::new(found, [count]).assert_approx_eq::<f32>(
                &TensorData::new(whole[place].clone(), [count]),
                Tolerance::absolute(1e-5),
            );
        }
        for of in &of_each {
            assert_eq!(of[1..4], of_each[0][1..4]);
        }
    }
}

#[test]
fn what_passes_alone_knows_itself_alone() {
    let mut rng = Pcg64::seed_from_u64(6);
    let given = Given::draw(&mut rng, 4, 0);
    let alone = given.images(0, 2).passes();
    assert_ne!(alone[1], given.passes()[1]);
    assert_eq!(alone[3], [(2 * SIDE * SIDE) as f32]);
}
