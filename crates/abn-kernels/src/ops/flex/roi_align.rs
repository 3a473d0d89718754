//! RoIAlign.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::tensor::Tensor;

use super::{ChannelsLast, apply};
use crate::InstructionSet;
use crate::roi_align::{self, Features, Grid, Region};

pub(in crate::ops) fn roi_align(features: Tensor<4>, regions: &[Region], grid: Grid) -> Tensor<4> {
    let [batch, channels, height, width] = features.dims();
    let size = [height, width];
    let shape = Features {
        batch,
        channels,
        size,
    };
    apply(RoiAlign, [features], |[input]| {
        let [rows, columns] = grid.bins;
        let dims = [regions.len(), channels, rows, columns];
        let output = ChannelsLast::filled(dims, |output| {
            let set = InstructionSet::in_use();
            roi_align::align(set, &grid, &shape, regions, input.values(), output);
        });
        (output.into_tensor(), (grid, shape, regions.to_vec()))
    })
}

#[derive(Debug)]
struct RoiAlign;

impl Backward<Flex, 1> for RoiAlign {
    type State = (Grid, Features, Vec<Region>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (grid, features, regions) = &ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = ChannelsLast::of(gradient);
            let [height, width] = features.size;
            let dims = [features.batch, features.channels, height, width];
            let of_input = ChannelsLast::filled(dims, |of_input| {
                let set = InstructionSet::in_use();
                roi_align::align_backward(
                    set,
                    grid,
                    features,
                    regions,
                    gradient.values(),
                    of_input,
                );
            });
            of_input.into_tensor()
        });
    }
}
