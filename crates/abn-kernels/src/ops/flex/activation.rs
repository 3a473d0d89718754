//! Functions of single values, and of rows of logits.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Int, Shape, Tensor};

use super::{contiguous, inner, slice, track, tracked, vector};
use crate::activation;

/// Applies `function` to every value of a tensor, in the order of its axes.
fn map(input: &FlexTensor, function: fn(&[f32], &mut [f32])) -> FlexTensor {
    let mut output = vec![0.0; slice(input).len()];
    function(slice(input), &mut output);
    contiguous(output, input.layout().shape().clone())
}

pub(in crate::ops) fn sigmoid<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    if !input.is_autodiff() {
        let input = inner(input).to_contiguous();
        return Tensor::from_primitive::<Flex>(map(&input, activation::sigmoid));
    }
    let input = tracked(input);
    let node = input.node();
    let output = map(&input.into_primitive().to_contiguous(), activation::sigmoid);
    let output = track(Sigmoid, [node], output.clone(), output);
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

#[derive(Debug)]
struct Sigmoid;

impl Backward<Flex, 1> for Sigmoid {
    /// The output.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            derivative(gradient, &ops.state, |output| output * (1.0 - output))
        });
    }
}

pub(in crate::ops) fn log1p<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    if !input.is_autodiff() {
        let input = inner(input).to_contiguous();
        return Tensor::from_primitive::<Flex>(map(&input, activation::log1p));
    }
    let input = tracked(input);
    let node = input.node();
    let input = input.into_primitive().to_contiguous();
    let output = map(&input, activation::log1p);
    Tensor::from_primitive::<Autodiff<Flex>>(track(Log1p, [node], input, output))
}

#[derive(Debug)]
struct Log1p;

impl Backward<Flex, 1> for Log1p {
    /// The input.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            derivative(gradient, &ops.state, |input| 1.0 / (1.0 + input))
        });
    }
}

/// The gradient times the derivative at each value.
fn derivative(gradient: FlexTensor, at: &FlexTensor, of: impl Fn(f32) -> f32) -> FlexTensor {
    let gradient = gradient.to_contiguous();
    let pairs = slice(&gradient).iter().zip(slice(at));
    let values = pairs.map(|(gradient, &at)| gradient * of(at)).collect();
    contiguous(values, at.layout().shape().clone())
}

pub(in crate::ops) fn softmax(logits: Tensor<2>) -> Tensor<2> {
    let [rows, classes] = logits.dims();
    let logits = inner(logits).to_contiguous();
    let mut probabilities = vec![0.0; rows * classes];
    activation::softmax(classes, slice(&logits), &mut probabilities);
    Tensor::from_primitive::<Flex>(contiguous(probabilities, Shape::new([rows, classes])))
}

pub(in crate::ops) fn cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let [rows, count] = logits.dims();
    let classes: Vec<i64> = classes.into_data().iter().collect();
    assert_eq!(classes.len(), rows, "one class for each row of logits");
    let classes: Vec<usize> = classes
        .into_iter()
        .map(|class| {
            let known = usize::try_from(class).ok().filter(|&class| class < count);
            known.unwrap_or_else(|| panic!("class {class} of {count}"))
        })
        .collect();
    let tracked = logits.is_autodiff().then(|| tracked(logits.clone()));
    let values = match &tracked {
        Some(logits) => logits.clone().into_primitive(),
        None => inner(logits),
    };
    let values = values.to_contiguous();
    let mut probabilities = vec![0.0; rows * count];
    let sums = activation::softmax(count, slice(&values), &mut probabilities);
    let losses = sums
        .iter()
        .zip(slice(&values).chunks_exact(count))
        .zip(&classes);
    let total: f64 = losses
        .map(|((sum, logits), &class)| sum - f64::from(logits[class]))
        .sum();
    let loss = vector(vec![(total / rows as f64) as f32]);
    match tracked {
        None => Tensor::from_primitive::<Flex>(loss),
        Some(logits) => {
            let state = Predicted {
                probabilities,
                classes,
            };
            let loss = track(CrossEntropy, [logits.node()], state, loss);
            Tensor::from_primitive::<Autodiff<Flex>>(loss)
        }
    }
}

#[derive(Debug, Clone)]
struct Predicted {
    /// `[B, K]`.
    probabilities: Vec<f32>,
    classes: Vec<usize>,
}

#[derive(Debug)]
struct CrossEntropy;

impl Backward<Flex, 1> for CrossEntropy {
    type State = Predicted;

    fn backward(self, ops: Ops<Predicted, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let Predicted {
                mut probabilities,
                classes,
            } = ops.state;
            let (rows, count) = (classes.len(), probabilities.len() / classes.len());
            let share = slice(&gradient.to_contiguous())[0] / rows as f32;
            for (row, class) in probabilities.chunks_exact_mut(count).zip(classes) {
                row[class] -= 1.0;
                for value in row {
                    *value *= share;
                }
            }
            contiguous(probabilities, Shape::new([rows, count]))
        });
    }
}
