//! A small CNN of one's own, cut in two, gets an attention branch, learns the colour of a square,
//! and shows where it looks for it: `cargo run -p abn-core --example own_backbone`
#![expect(clippy::print_stdout, reason = "it shows what it learned")]

use abn_core::attention::{AttentionBranch, AttentionConfig};
use abn_core::explain::AttentionMap;
use abn_core::mechanism::Mechanism;
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::{Output, Outputs, loss};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};

const SIDE: usize = 16;
const COLOURS: usize = 3;

/// One convolution before the cut, one behind it.
#[derive(Module, Debug)]
struct SmallCnn {
    before: Conv2d,
    branch: AttentionBranch,
    behind: Conv2d,
    head: Linear,
}

impl SmallCnn {
    fn new(device: &Device) -> Self {
        let conv = |sizes| Conv2dConfig::new(sizes, [3, 3]).with_padding(PaddingConfig2d::Same);
        Self {
            before: conv([3, 16]).init(device),
            branch: AttentionConfig::abn().on_features(16, COLOURS, device),
            behind: conv([16, 16]).init(device),
            head: LinearConfig::new(16, COLOURS).init(device),
        }
    }

    /// Images `[B, 3, 16, 16]` to logits `[B, 3]`, and of the branch logits and map.
    fn forward(&self, images: Tensor<4>) -> Output {
        let features = relu(self.before.forward(images));
        let attention = self.branch.forward(features.clone());
        let attended = Mechanism::Residual.apply(features, attention.map.clone());
        let refined = relu(self.behind.forward(attended));
        let pooled = refined.mean_dim(3).mean_dim(2).flatten(1, 3);
        let (logits, attention) = (self.head.forward(pooled), Some(attention));
        Output { logits, attention }
    }
}

/// A pixel of an image: grey noise, on it a square of the colour that is to be told.
fn pixel(image: usize, place: usize) -> f32 {
    let (plane, y, x) = (place / SIDE / SIDE, place / SIDE % SIDE, place % SIDE);
    let (top, left) = (image * 5 % 11, image * 7 % 11);
    let inside = (top..top + 5).contains(&y) && (left..left + 5).contains(&x);
    match inside && plane == image % COLOURS {
        true => 1.0,
        false => ((image * 31 + place * 17) % 13) as f32 / 26.0,
    }
}

/// So many images from that number on, and the number of the colour of each, `[B, 1]`.
fn images(first: usize, count: usize, device: &Device) -> (Tensor<4>, Tensor<2, Int>) {
    let all = first..first + count;
    let pixels = |image| (0..3 * SIDE * SIDE).map(move |place| pixel(image, place));
    let pixels: Vec<f32> = all.clone().flat_map(pixels).collect();
    let classes: Vec<i64> = all.map(|image| (image % COLOURS) as i64).collect();
    let pixels = TensorData::new(pixels, [count, 3, SIDE, SIDE]);
    let classes = Tensor::from_data(TensorData::new(classes, [count, 1]), device);
    (Tensor::from_data(pixels, device), classes)
}

fn main() {
    let (device, outputs) = (Device::flex(), Outputs::one(COLOURS));
    device.seed(1);
    let mut network = SmallCnn::new(&device.clone().autodiff());
    let mut sgd = Sgd::new(SgdConfig::ABN);
    for step in 0..120 {
        let (images, classes) = images(16 * step, 16, &device.clone().autodiff());
        let objective = loss::loss(&network.forward(images), classes, &outputs, 1.0);
        let gradients = GradientsParams::from_grads(objective.backward(), &network);
        network = sgd.step(0.05, network, gradients);
    }
    let (unseen, classes) = images(5000, 30, &device);
    let Output { logits, attention } = network.valid().forward(unseen);
    let right: i64 = logits.argmax(1).equal(classes).int().sum().into_scalar();
    let maps = attention.expect("a branch").map.into_data();
    let map = AttentionMap::new(SIDE, SIDE, maps.iter().take(SIDE * SIDE).collect());
    for row in map.expect("a map").normalized().values.chunks(SIDE) {
        let shade = |value: &f32| ["  ", "..", "::", "oo", "##"][(value * 4.0) as usize];
        println!("{}", row.iter().map(shade).collect::<String>());
    }
    println!("{right} of 30 unseen images are told rightly");
    assert!(right >= 27, "it learned nothing");
}

#[test]
fn it_learns() {
    main();
}
