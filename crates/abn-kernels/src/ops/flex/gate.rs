//! Re-weighting.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::{ChannelsLast, apply, inner};
use crate::InstructionSet;
use crate::gate::{self, Join, Mechanism};
use crate::ops::After;

pub(in crate::ops) fn attend(
    features: Tensor<4>,
    map: Tensor<4>,
    mechanism: Mechanism,
) -> Tensor<4> {
    if [&features, &map].into_iter().all(|it| !it.is_autodiff()) {
        let [features, map] = [features, map].map(|it| ChannelsLast::of(inner(it)));
        let output = attended(features, &map, mechanism);
        return Tensor::from_primitive::<Flex>(output.into_tensor());
    }
    apply(Attend, [features, map], |[features, map]| {
        let output = attended(features.clone(), &map, mechanism);
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

fn attended(features: ChannelsLast, map: &ChannelsLast, mechanism: Mechanism) -> ChannelsLast {
    let [batch, channels, height, width] = features.dims();
    assert_eq!(
        map.dims(),
        [batch, 1, height, width],
        "one value of the map for each position"
    );
    let set = InstructionSet::in_use();
    let (output, ()) = features
        .rewritten(|features| gate::attend(set, channels, mechanism, features, map.values()));
    output
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

pub(in crate::ops) fn excite(features: Tensor<4>, weights: Tensor<4>, after: After) -> Tensor<4> {
    if [&features, &weights]
        .into_iter()
        .all(|it| !it.is_autodiff())
    {
        let [features, weights] = [features, weights].map(|it| ChannelsLast::of(inner(it)));
        let residual = after.residual.map(|it| ChannelsLast::of(inner(it)));
        let join = Join {
            residual: residual.as_ref().map(ChannelsLast::values),
            relu: after.relu,
        };
        return Tensor::from_primitive::<Flex>(excited(features, &weights, join).into_tensor());
    }
    let output = apply(Excite, [features, weights], |[features, weights]| {
        let output = excited(features.clone(), &weights, Join::default());
        (output.into_tensor(), Excited { features, weights })
    });
    after.apply(output)
}

fn excited(features: ChannelsLast, weights: &ChannelsLast, join: Join) -> ChannelsLast {
    let [batch, channels, ..] = features.dims();
    assert_eq!(
        weights.dims(),
        [batch, channels, 1, 1],
        "one weight for each channel of an image"
    );
    let set = InstructionSet::in_use();
    let (output, ()) = features
        .rewritten(|features| gate::excite(set, channels, features, weights.values(), join));
    output
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
