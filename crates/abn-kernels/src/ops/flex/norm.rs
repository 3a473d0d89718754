//! Batch normalisation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;

use super::residual::Residual;
use super::{ChannelsLast, inner, track, tracked, vector, vector_of};
use crate::InstructionSet;
use crate::norm::{self, Affine, Saved, Statistics, backward, normalize, statistics};
use crate::ops::together::{self, Pooled};
use crate::ops::{After, Normalized, RunningNorm};

pub(in crate::ops) fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    after: After,
) -> Normalized {
    let (input, gamma, beta) = (tracked(input), tracked(gamma), tracked(beta));
    let nodes = [input.node(), gamma.node(), beta.node()];
    let input = ChannelsLast::of(input.into_primitive());
    let (gamma, beta) = (
        vector_of(gamma.into_primitive()),
        vector_of(beta.into_primitive()),
    );
    let channels = input.dims()[1];
    let set = InstructionSet::in_use();
    let Statistics { mean, variance } = statistics(set, channels, input.values());
    let own = Pooled {
        count: input.values().len() / channels,
        mean,
        variance,
    };
    let among_others = together::current();
    let Pooled {
        mean,
        variance,
        count,
    } = match &among_others {
        Some(others) => others.pool(&own),
        None => own,
    };
    let inverse_std: Vec<f32> = variance
        .iter()
        .map(|&variance| inverse_root(variance, epsilon))
        .collect();
    let factor: Vec<f32> = gamma
        .iter()
        .zip(&inverse_std)
        .map(|(gamma, std)| gamma * std)
        .collect();
    let (residual, residual_node) = match after.residual.map(tracked) {
        Some(residual) => {
            let node = residual.node();
            (
                Some(ChannelsLast::of(residual.into_primitive())),
                Some(node),
            )
        }
        None => (None, None),
    };
    let output = normalized(
        &input,
        [&mean, &factor, &beta],
        residual.as_ref(),
        after.relu,
    );
    let statistics = [mean.clone(), variance].map(|values| constant(vector(values)));
    let state = State {
        relu: after.relu.then(|| match residual {
            Some(_) => Relu::Output(output.clone()),
            None => Relu::Normalized(beta),
        }),
        input,
        mean,
        inverse_std,
        gamma,
        among_others: among_others.map(|_| count),
    };
    let output = match residual_node {
        None => track(BatchNorm, nodes, state, output.into_tensor()),
        Some(residual) => {
            let [input, gamma, beta] = nodes;
            track(
                BatchNorm,
                [input, gamma, beta, residual],
                state,
                output.into_tensor(),
            )
        }
    };
    let [mean, variance] = statistics;
    Normalized {
        output: Tensor::from_primitive::<Autodiff<Flex>>(output),
        mean,
        variance,
        count,
    }
}

/// A tensor that no gradient flows through.
fn constant(tensor: FlexTensor) -> Tensor<1> {
    Tensor::from_primitive::<Autodiff<Flex>>(FloatTensor::<Autodiff<Flex>>::new(tensor))
}

fn inverse_root(variance: f32, epsilon: f64) -> f32 {
    (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32
}

#[derive(Debug, Clone)]
struct State {
    input: ChannelsLast,
    /// The ReLU behind it, if there is one.
    relu: Option<Relu>,
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
    gamma: Vec<f32>,
    /// Values of all replicas, where there are several.
    among_others: Option<usize>,
}

/// By what the gate of the ReLU is known: see [`norm::Relu`].
#[derive(Debug, Clone)]
enum Relu {
    Output(ChannelsLast),
    Normalized(Vec<f32>),
}

/// Parents: input, gamma, beta, then the residual if there is one.
#[derive(Debug)]
struct BatchNorm;

impl<const N: usize> Backward<Flex, N> for BatchNorm {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let State {
            input,
            relu,
            mean,
            inverse_std,
            gamma,
            among_others,
        } = &ops.state;
        let (dims, set) = (input.dims(), InstructionSet::in_use());
        let saved = Saved {
            input: input.values(),
            relu: relu.as_ref().map(|relu| match relu {
                Relu::Output(output) => norm::Relu::Output(output.values()),
                Relu::Normalized(shift) => norm::Relu::Normalized(shift),
            }),
            mean,
            inverse_std,
            gamma,
        };
        let here = input.values().len() / dims[1];
        let pool = |own: [&[f64]; 2]| {
            let all = (*among_others)?;
            let others = together::current().expect("the backward pass of a pass together");
            Some(others.pool_gradients(own, here, all))
        };
        let residual = Residual {
            node: ops
                .parents
                .get(3)
                .and_then(Option::as_ref)
                .map(|node| node.id),
            behind_relu: relu.is_some(),
        };
        let (of_input, (of_gamma, of_beta)) =
            residual.with(gradient, gradients, |gradient, residual| {
                backward(set, dims[1], saved, gradient, residual, pool)
            });
        let results = [of_input.into_tensor(), vector(of_gamma), vector(of_beta)];
        for (node, result) in ops.parents.into_iter().zip(results) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, result);
            }
        }
    }
}

pub(in crate::ops) fn batch_norm(input: Tensor<4>, known: RunningNorm, after: After) -> Tensor<4> {
    let input = ChannelsLast::of(inner(input));
    let (factor, beta, mean) = affine(known);
    let residual = after
        .residual
        .map(|residual| ChannelsLast::of(inner(residual)));
    let output = normalized(
        &input,
        [&mean, &factor, &beta],
        residual.as_ref(),
        after.relu,
    );
    Tensor::from_primitive::<Flex>(output.into_tensor())
}

/// The input minus the mean, times the factor, plus the shift of each channel, and what follows.
fn normalized(
    input: &ChannelsLast,
    [mean, factor, shift]: [&[f32]; 3],
    residual: Option<&ChannelsLast>,
    relu: bool,
) -> ChannelsLast {
    let affine = Affine {
        mean,
        factor,
        shift,
        residual: residual.map(ChannelsLast::values),
        relu,
    };
    let (set, channels) = (InstructionSet::in_use(), input.dims()[1]);
    ChannelsLast::filled(input.dims(), |output| {
        normalize(set, channels, input.values(), affine, output);
    })
}

/// Factor, shift and mean of each channel.
pub(super) fn affine(known: RunningNorm) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let [gamma, beta, mean, variance] = [known.gamma, known.beta, known.mean, known.variance]
        .map(|tensor| vector_of(inner(tensor)));
    let factor = gamma
        .iter()
        .zip(&variance)
        .map(|(gamma, &of)| gamma * inverse_root(of, known.epsilon));
    (factor.collect(), beta, mean)
}
