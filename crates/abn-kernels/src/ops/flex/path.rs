//! Convolutions with known normalisations, alone and one after the other.

use std::sync::Arc;

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::conv::{INFERENCE, folded, geometry};
use super::norm::affine;
use super::{ChannelsLast, inner, vector_of};
use crate::buffer::filled;
use crate::conv::{Convolution, Finish, Prepared};
use crate::ops::{After, NormedConv, Rounding};

/// A convolution with all that it needs but its input.
struct Step {
    /// For the whole batch.
    geometry: Convolution,
    weight: Arc<Prepared>,
    mean: Option<Vec<f32>>,
    factor: Vec<f32>,
    shift: Vec<f32>,
}

impl Step {
    fn new(input: [usize; 4], conv: NormedConv, rounding: Rounding) -> Self {
        let geometry = geometry(input, conv.weight.dims(), &conv.options);
        let weight = inner(conv.weight).to_contiguous();
        let bias = conv.bias.map(|bias| vector_of(inner(bias)));
        let (mean, factor, shift) = match rounding {
            Rounding::Folded => {
                let (factor, shift) = folded(conv.norm, bias.as_deref());
                (None, factor, shift)
            }
            Rounding::Apart => {
                assert!(bias.is_none(), "a bias would be rounded with the mean");
                let (factor, beta, mean) = affine(conv.norm);
                (Some(mean), factor, beta)
            }
        };
        Self {
            weight: conv.kept.0.prepared(INFERENCE, &geometry, &weight),
            geometry,
            mean,
            factor,
            shift,
        }
    }

    fn output(&self) -> [usize; 4] {
        let [height, width] = self.geometry.output();
        [
            self.geometry.batch,
            self.geometry.channels_out,
            height,
            width,
        ]
    }

    /// Values of an image's output.
    fn image_len(&self) -> usize {
        self.output()[1..].iter().product()
    }

    /// Of so many images.
    fn run(
        &self,
        images: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        relu: bool,
        output: &mut [f32],
    ) {
        let finish = Finish {
            mean: self.mean.as_deref(),
            factor: Some(&self.factor),
            bias: Some(&self.shift),
            residual,
            relu,
        };
        let geometry = Convolution {
            batch: images,
            ..self.geometry
        };
        self.weight.forward(&geometry, input, finish, output);
    }
}

pub(in crate::ops) fn forward(
    conv: NormedConv,
    input: Tensor<4>,
    rounding: Rounding,
    after: After,
) -> Tensor<4> {
    let input = ChannelsLast::of(inner(input));
    run(&[Step::new(input.dims(), conv, rounding)], input, after)
}

pub(in crate::ops) fn path(input: Tensor<4>, convs: Vec<NormedConv>, after: After) -> Tensor<4> {
    let input = ChannelsLast::of(inner(input));
    let mut dims = input.dims();
    let steps: Vec<Step> = convs
        .into_iter()
        .map(|conv| {
            let step = Step::new(dims, conv, Rounding::Folded);
            dims = step.output();
            step
        })
        .collect();
    run(&steps, input, after)
}

fn run(steps: &[Step], input: ChannelsLast, after: After) -> Tensor<4> {
    let (last, before) = steps.split_last().expect("a path has convolutions");
    let residual = after
        .residual
        .map(|residual| ChannelsLast::of(inner(residual)));
    if let Some(residual) = &residual {
        assert_eq!(residual.dims(), last.output(), "a residual's shape");
    }
    let batch = input.dims()[0];
    let at_once = images_at_once(steps, batch);
    let output = ChannelsLast::filled(last.output(), |output| {
        for first in (0..batch).step_by(at_once) {
            let images = first..(first + at_once).min(batch);
            let count = images.len();
            let of = |image: usize| images.start * image..images.end * image;
            let input = &input.values()[of(input.values().len() / batch)];
            let mut features = None;
            for step in before {
                let input = features.as_deref().unwrap_or(input);
                let write = |output: &mut [f32]| step.run(count, input, None, true, output);
                // SAFETY: the kernels of this crate write their whole output.
                features = Some(unsafe { filled(count * step.image_len(), write) });
            }
            let input = features.as_deref().unwrap_or(input);
            let place = of(last.image_len());
            let residual = residual.as_ref().map(|it| &it.values()[place.clone()]);
            last.run(count, input, residual, after.relu, &mut output[place]);
        }
    });
    Tensor::from_primitive::<Flex>(output.into_tensor())
}

/// How many images of a batch go along a path together: with fewer, the threads wait for each other
/// and weights are read and transformed more often than it saves memory.
fn images_at_once(steps: &[Step], batch: usize) -> usize {
    /// Values of the features between the convolutions at least, for each thread.
    const VALUES: usize = 2 << 20;
    /// Positions of the output at least.
    const POSITIONS: usize = 2048;
    let (last, before) = steps.split_last().expect("a path has convolutions");
    let between: usize = before.iter().map(Step::image_len).sum();
    let values = VALUES * rayon::current_num_threads();
    let positions: usize = last.geometry.output().iter().product();
    let least = values
        .div_ceil(between.max(1))
        .max(POSITIONS.div_ceil(positions.max(1)));
    // In parts of about the same size.
    let parts = batch.div_ceil(least).max(1);
    batch.div_ceil(parts).max(1)
}
