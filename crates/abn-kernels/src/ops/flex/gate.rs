//! Re-weighting.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;

use super::residual::Residual;
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
    let relu = after.relu;
    if [&features, &weights]
        .into_iter()
        .chain(&after.residual)
        .all(|it| !it.is_autodiff())
    {
        let [features, weights] = [features, weights].map(|it| ChannelsLast::of(inner(it)));
        let residual = after.residual.map(|it| ChannelsLast::of(inner(it)));
        let output = excited(features, &weights, residual.as_ref(), relu);
        return Tensor::from_primitive::<Flex>(output.into_tensor());
    }
    let forward = |[features, weights]: [ChannelsLast; 2], residual: Option<ChannelsLast>| {
        let output = excited(features.clone(), &weights, residual.as_ref(), relu);
        let state = Excited {
            features,
            weights,
            relu: relu.then(|| output.clone()),
        };
        (output.into_tensor(), state)
    };
    match after.residual {
        None => apply(Excite, [features, weights], |inputs| forward(inputs, None)),
        Some(residual) => apply(
            Excite,
            [features, weights, residual],
            |[features, weights, residual]| forward([features, weights], Some(residual)),
        ),
    }
}

fn excited(
    features: ChannelsLast,
    weights: &ChannelsLast,
    residual: Option<&ChannelsLast>,
    relu: bool,
) -> ChannelsLast {
    let dims @ [batch, channels, ..] = features.dims();
    assert_eq!(
        weights.dims(),
        [batch, channels, 1, 1],
        "one weight for each channel of an image"
    );
    assert!(
        residual.is_none_or(|residual| residual.dims() == dims),
        "a residual's shape"
    );
    let join = Join {
        residual: residual.map(ChannelsLast::values),
        relu,
    };
    let set = InstructionSet::in_use();
    let (output, ()) = features
        .rewritten(|features| gate::excite(set, channels, features, weights.values(), join));
    output
}

#[derive(Debug, Clone)]
struct Excited {
    features: ChannelsLast,
    weights: ChannelsLast,
    /// What came out of the ReLU behind it, if there is one.
    relu: Option<ChannelsLast>,
}

/// Parents: features, weights, then the residual if there is one.
#[derive(Debug)]
struct Excite;

impl<const N: usize> Backward<Flex, N> for Excite {
    type State = Excited;

    fn backward(self, ops: Ops<Excited, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let Excited {
            features,
            weights,
            relu,
        } = &ops.state;
        let saved = gate::Excited {
            features: features.values(),
            weights: weights.values(),
            relu: relu.as_ref().map(ChannelsLast::values),
        };
        let (set, channels) = (InstructionSet::in_use(), features.dims()[1]);
        let residual = Residual {
            node: ops
                .parents
                .get(2)
                .and_then(Option::as_ref)
                .map(|node| node.id),
            behind_relu: relu.is_some(),
        };
        let (of_features, of_weights) = residual.with(gradient, gradients, |gradient, residual| {
            gate::excite_backward(set, channels, saved, gradient, residual)
        });
        let of_weights = ChannelsLast::new(of_weights, weights.dims());
        for (node, of) in ops.parents.into_iter().zip([of_features, of_weights]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, of.into_tensor());
            }
        }
    }
}
