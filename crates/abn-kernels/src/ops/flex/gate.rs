//! Re-weighting.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::{ChannelsLast, apply};
use crate::InstructionSet;
use crate::gate::{self, Mechanism};

pub(in crate::ops) fn attend(
    features: Tensor<4>,
    map: Tensor<4>,
    mechanism: Mechanism,
) -> Tensor<4> {
    apply(Attend, [features, map], |[features, map]| {
        let dims = features.dims();
        assert_eq!(
            map.dims(),
            [dims[0], 1, dims[2], dims[3]],
            "one value of the map for each position"
        );
        let output = ChannelsLast::filled(dims, |output| {
            let set = InstructionSet::in_use();
            gate::attend(
                set,
                dims[1],
                mechanism,
                features.values(),
                map.values(),
                output,
            );
        });
        (
            output.into_tensor(),
            Attended {
                features,
                map,
                mechanism,
            },
        )
    })
}

#[derive(Debug, Clone)]
struct Attended {
    features: ChannelsLast,
    map: ChannelsLast,
    mechanism: Mechanism,
}

/// Parents: features, map.
#[derive(Debug)]
struct Attend;

impl Backward<Flex, 2> for Attend {
    type State = Attended;

    fn backward(self, ops: Ops<Attended, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let Attended {
            features,
            map,
            mechanism,
        } = &ops.state;
        let (of_features, of_map) = gradient.rewritten(|gradient| {
            ChannelsLast::filled(map.dims(), |of_map| {
                let (set, channels) = (InstructionSet::in_use(), features.dims()[1]);
                let (features, map) = (features.values(), map.values());
                gate::attend_backward(set, channels, *mechanism, features, map, gradient, of_map);
            })
        });
        for (node, of) in ops.parents.into_iter().zip([of_features, of_map]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, of.into_tensor());
            }
        }
    }
}

pub(in crate::ops) fn excite(features: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    apply(Excite, [features, weights], |[features, weights]| {
        let dims = features.dims();
        assert_eq!(
            weights.dims(),
            [dims[0], dims[1], 1, 1],
            "one weight for each channel of an image"
        );
        let output = ChannelsLast::filled(dims, |output| {
            gate::excite(
                InstructionSet::in_use(),
                dims[1],
                features.values(),
                weights.values(),
                output,
            );
        });
        (output.into_tensor(), Excited { features, weights })
    })
}

#[derive(Debug, Clone)]
struct Excited {
    features: ChannelsLast,
    weights: ChannelsLast,
}

/// Parents: features, weights.
#[derive(Debug)]
struct Excite;

impl Backward<Flex, 2> for Excite {
    type State = Excited;

    fn backward(self, ops: Ops<Excited, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let Excited { features, weights } = &ops.state;
        let (of_features, of_weights) = gradient.rewritten(|gradient| {
            let channels = features.dims()[1];
            let (features, weights) = (features.values(), weights.values());
            gate::excite_backward(
                InstructionSet::in_use(),
                channels,
                features,
                weights,
                gradient,
            )
        });
        let of_weights = ChannelsLast::new(of_weights, weights.dims());
        for (node, of) in ops.parents.into_iter().zip([of_features, of_weights]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, of.into_tensor());
            }
        }
    }
}
