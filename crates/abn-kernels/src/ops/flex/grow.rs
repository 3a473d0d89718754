//! Features that get more channels in place.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use super::conv::{INFERENCE, folded, geometry};
use super::kept::Place;
use super::norm::affine;
use super::{ChannelsLast, inner};
use crate::conv::Finish;
use crate::layout::put_channels;
use crate::norm::Affine;
use crate::ops::RunningNorm;

#[derive(Debug)]
pub(in crate::ops) struct Growing {
    /// `[positions, width]`, of which the first channels are there.
    values: Vec<f32>,
    /// What they will be.
    dims: [usize; 4],
    channels: usize,
}

impl Growing {
    pub(in crate::ops) fn begin(features: Tensor<4>, width: usize) -> Self {
        let [batch, _, height, columns] = features.dims();
        let mut growing = Self {
            values: vec![0.0; batch * width * height * columns],
            dims: [batch, width, height, columns],
            channels: 0,
        };
        growing.add(features);
        growing
    }

    pub(in crate::ops) fn bottleneck(
        &self,
        known: RunningNorm,
        weight: Tensor<4>,
        behind: RunningNorm,
        kept: &Place,
    ) -> Tensor<4> {
        let [batch, width, height, columns] = self.dims;
        let input = [batch, self.channels, height, columns];
        let options = ConvOptions::new([1; 2], [0; 2], [1; 2], 1);
        let geometry = geometry(input, weight.dims(), &options);
        let weight = kept.prepared(INFERENCE, &geometry, &inner(weight).to_contiguous());
        let (factor, shift, mean) = affine(known);
        let before = Affine {
            mean: &mean,
            factor: &factor,
            shift: &shift,
            residual: None,
            relu: true,
        };
        let (factor, bias) = folded(behind, None);
        let finish = Finish {
            factor: Some(&factor),
            bias: Some(&bias),
            relu: true,
            ..Finish::default()
        };
        let dims = [batch, geometry.channels_out, height, columns];
        let output = ChannelsLast::filled(dims, |output| {
            weight.forward_activated(&geometry, width, &self.values, before, finish, output);
        });
        Tensor::from_primitive::<Flex>(output.into_tensor())
    }

    pub(in crate::ops) fn add(&mut self, features: Tensor<4>) {
        let features = ChannelsLast::of(inner(features));
        let [batch, width, height, columns] = self.dims;
        let channels = features.dims()[1];
        assert_eq!(
            features.dims(),
            [batch, channels, height, columns],
            "channels of the same positions"
        );
        put_channels(
            [channels, width],
            features.values(),
            self.channels,
            &mut self.values,
        );
        self.channels += channels;
    }

    pub(in crate::ops) fn finish(self) -> Tensor<4> {
        assert_eq!(self.channels, self.dims[1], "all channels");
        let features = ChannelsLast::new(self.values, self.dims);
        Tensor::from_primitive::<Flex>(features.into_tensor())
    }
}
