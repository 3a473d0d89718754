//! The feature pyramid (Lin et al. 2017, section 3): every level of a backbone with as many
//! channels, the coarse ones added to the fine ones.
//!
//! ```text
//! C5 --1x1--> + ----------------> 3x3 --> P5 --every other position--> P6
//! C4 --1x1--> + <--twice as large-'  '--> 3x3 --> P4
//! C3 ...
//! ```

use abn_kernels::ops::max_pool2d;
use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor};

use crate::conv::{Conv2d, ConvShape};

/// The pyramid; no norm and no activation in it.
#[derive(Module, Debug)]
pub struct Pyramid {
    /// 1x1 convolutions of the backbone's levels, the finest first.
    pub inner: Vec<Conv2d>,
    /// 3x3 convolutions of the sums.
    pub outer: Vec<Conv2d>,
}

impl Pyramid {
    /// A fresh pyramid of so many channels over levels of these.
    pub fn new(levels: &[usize], channels: usize, device: &Device) -> Self {
        // He's initialisation by fan-in, as for no activation behind (torchvision).
        let conv = |inputs: usize, side: usize| {
            let bound = (3.0 / (inputs * side * side) as f64).sqrt();
            let uniform = Initializer::Uniform {
                min: -bound,
                max: bound,
            };
            ConvShape::new(inputs, channels, side).init_drawn(uniform, device)
        };
        Self {
            inner: levels.iter().map(|inputs| conv(*inputs, 1)).collect(),
            outer: levels.iter().map(|_| conv(channels, 3)).collect(),
        }
    }

    /// # Shapes
    /// Levels `[B, C_l, h, w]`, the finest first, to as many and one more `[B, channels, h, w]`.
    ///
    /// # Panics
    /// There are not as many levels as the pyramid has.
    pub fn forward(&self, levels: &[Tensor<4>]) -> Vec<Tensor<4>> {
        assert_eq!(levels.len(), self.inner.len(), "levels of the pyramid");
        let mut above: Option<Tensor<4>> = None;
        let mut outputs = Vec::new();
        let convs = self.inner.iter().zip(&self.outer);
        for (level, (inner, outer)) in levels.iter().zip(convs).rev() {
            let own = inner.forward(level.clone());
            let [_, _, height, width] = own.dims();
            let sum = match above {
                Some(above) => own + enlarged(above, [height, width]),
                None => own,
            };
            outputs.push(outer.forward(sum.clone()));
            above = Some(sum);
        }
        outputs.reverse();
        let coarsest = outputs.last().cloned();
        outputs.extend(coarsest.map(|level| max_pool2d(level, [1, 1], [2, 2], [0, 0])));
        outputs
    }
}

/// The nearest neighbours of another size: position i takes that of floor(i x from / to).
///
/// # Shapes
/// `[B, C, h, w]` to `[B, C, height, width]`.
fn enlarged(features: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let device = features.device();
    let [batch, channels, h, w] = features.dims();
    if height == 2 * h && width == 2 * w {
        // The usual case, without a table of places.
        let twice = features.reshape([batch, channels, h, 1, w, 1]);
        let twice = twice.expand([batch, channels, h, 2, w, 2]);
        return twice.reshape([batch, channels, height, width]);
    }
    let along = |features: Tensor<4>, axis: usize, from: usize, to: usize| {
        if from == to {
            return features;
        }
        let places: Vec<i64> = (0..to).map(|place| (place * from / to) as i64).collect();
        features.select(
            axis,
            Tensor::<1, Int>::from_ints(places.as_slice(), &device),
        )
    };
    let rows = along(features, 2, h, height);
    along(rows, 3, w, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_the_nearest_before() {
        let device = Device::flex();
        let features = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device);
        let features = features.reshape([1, 1, 2, 2]);
        let found = enlarged(features.clone(), [3, 4]);
        let found: Vec<f32> = found.into_data().iter().collect();
        let [upper, lower] = [[1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0]];
        assert_eq!(found, [upper, upper, lower].concat());
        let twice: Vec<f32> = enlarged(features, [4, 4]).into_data().iter().collect();
        assert_eq!(twice, [upper, upper, lower, lower].concat());
    }

    #[test]
    fn a_level_more_than_the_backbone_has() {
        let device = Device::flex();
        let pyramid = Pyramid::new(&[4, 6], 8, &device);
        let levels = [
            Tensor::ones([2, 4, 9, 12], &device),
            Tensor::ones([2, 6, 5, 6], &device),
        ];
        let sizes: Vec<[usize; 4]> = pyramid.forward(&levels).iter().map(Tensor::dims).collect();
        assert_eq!(sizes, [[2, 8, 9, 12], [2, 8, 5, 6], [2, 8, 3, 3]]);
    }
}
