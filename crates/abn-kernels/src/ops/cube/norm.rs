//! Batch normalisation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::{Autodiff, Cube};
use burn::tensor::{Shape, Tensor, TensorData, Transaction};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{Plain, Rows, Tracked, address, argument, plain, tracked, unfilled};
use crate::cube::norm;
use crate::cube::total::{UNITS, width};
use crate::ops::together::{self, Pooled};
use crate::ops::tracked::track;
use crate::ops::{After, Normalized};

pub(in crate::ops) fn batch_norm_train(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    after: After,
) -> Normalized {
    let (input, gamma, beta) = (tracked(input), tracked(gamma), tracked(beta));
    let nodes = [input.node(), gamma.node(), beta.node()];
    let input = Rows::of(input.into_primitive());
    let [gamma, beta] = [gamma, beta].map(Tracked::into_primitive);
    let [rows, _] = input.size();
    let (residual, residual_node) = match after.residual.map(tracked) {
        Some(residual) => {
            let node = residual.node();
            (Some(Rows::of(residual.into_primitive())), Some(node))
        }
        None => (None, None),
    };
    let own = moments(&input, epsilon);
    let among_others = together::current();
    let (moments, count) = match &among_others {
        Some(others) => own.pooled(|own| others.pool(own), rows, epsilon),
        None => (own, rows),
    };
    let Moments {
        mean,
        variance,
        inverse_std,
    } = moments;
    let output = Rows::unfilled(&input);
    let (cubes, dim) = a_unit_a_value(&input);
    norm::normalize::launch(
        &input.tensor().client,
        cubes,
        dim,
        address([input.tensor(), output.tensor()]),
        argument(input.tensor()),
        argument(&mean),
        argument(&inverse_std),
        argument(&gamma),
        argument(&beta),
        optional(residual.as_ref()),
        argument(output.tensor()),
        after.relu,
    );
    let state = State {
        kept: (after.relu && residual.is_some()).then(|| output.clone()),
        again: after.relu && residual.is_none(),
        input,
        mean: mean.clone(),
        inverse_std,
        gamma,
        beta,
        among_others: among_others.map(|_| count),
    };
    let output = output.into_features();
    let output = match residual_node {
        None => track::<Cube, _, 3>(BatchNorm, nodes, state, output),
        Some(residual) => {
            let [input, gamma, beta] = nodes;
            track::<Cube, _, 4>(BatchNorm, [input, gamma, beta, residual], state, output)
        }
    };
    Normalized {
        output: Tensor::from_primitive::<Autodiff<Cube>>(output),
        mean: constant(mean),
        variance: constant(variance),
        count,
    }
}

/// `kept running + share batch`, both without gradients.
pub(in crate::ops) fn blend(
    running: Tensor<1>,
    batch: Tensor<1>,
    [kept, share]: [f64; 2],
) -> Tensor<1> {
    let (running, batch) = (plain(running), plain(batch));
    let channels = running.meta.num_elements();
    let blended = unfilled(&running, Shape::new([channels]));
    let client = running.client.clone();
    let dim = CubeDim::new(&client, channels);
    norm::blend::launch(
        &client,
        calculate_cube_count_elemwise(&client, channels, dim),
        dim,
        argument(&running),
        argument(&batch),
        argument(&blended),
        kept as f32,
        share as f32,
    );
    Tensor::from_primitive::<Cube>(blended)
}

/// A tensor that no gradient flows through.
fn constant(tensor: Plain) -> Tensor<1> {
    Tensor::from_primitive::<Autodiff<Cube>>(Tracked::new(tensor))
}

fn optional<'a, T: LaunchArg<RuntimeArg = TensorArg>>(
    rows: Option<&'a Rows>,
) -> ComptimeOptionArgs<T> {
    rows.map(|rows| argument(rows.tensor())).into()
}

/// The launch of a kernel with a unit for each value.
fn a_unit_a_value(rows: &Rows) -> (CubeCount, CubeDim) {
    let client = &rows.tensor().client;
    let values = rows.size().iter().product();
    let dim = CubeDim::new(client, values);
    (calculate_cube_count_elemwise(client, values, dim), dim)
}

/// Of each channel, `[C]`.
struct Moments {
    mean: Plain,
    variance: Plain,
    inverse_std: Plain,
}

impl Moments {
    /// Those of all replicas and of how many values they are, from those of `rows` values here: one
    /// read, since what is said to others passes through the host.
    fn pooled(
        self,
        pool: impl FnOnce(&Pooled) -> Pooled,
        rows: usize,
        epsilon: f64,
    ) -> (Self, usize) {
        let [mean, variance] = to_host([&self.mean, &self.variance]);
        let own = Pooled {
            mean,
            variance,
            count: rows,
        };
        let all = pool(&own);
        let [mean, variance] = [all.mean, all.variance].map(|values| to_device(values, &self.mean));
        let inverse_std = (variance.clone() + epsilon).sqrt().recip();
        let [mean, variance, inverse_std] = [mean, variance, inverse_std].map(plain);
        let moments = Self {
            mean,
            variance,
            inverse_std,
        };
        (moments, all.count)
    }
}

/// The values of two tensors, in one read.
fn to_host(tensors: [&Plain; 2]) -> [Vec<f32>; 2] {
    let read = tensors
        .into_iter()
        .fold(Transaction::default(), |read, of| {
            read.register(Tensor::<1>::from_primitive::<Cube>(of.clone()))
        });
    let mut data = read.execute().into_iter();
    tensors.map(|_| {
        let data = data.next().expect("as much as was asked for");
        data.try_into_vec().expect("values of single precision")
    })
}

/// Values as a tensor on the device of another.
fn to_device(values: Vec<f32>, beside: &Plain) -> Tensor<1> {
    let device = Tensor::<1>::from_primitive::<Cube>(beside.clone()).device();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &device)
}

fn moments(input: &Rows, epsilon: f64) -> Moments {
    let (tensor, sums) = (input.tensor(), Sums::of(input));
    norm::moments_of_chunks::launch(
        &tensor.client,
        sums.of_chunks(),
        sums.dim,
        address([tensor, &sums.tensor]),
        argument(tensor),
        argument(&sums.tensor),
        UNITS as usize,
    );
    let channel = || unfilled(tensor, Shape::new([sums.channels]));
    let moments = Moments {
        mean: channel(),
        variance: channel(),
        inverse_std: channel(),
    };
    norm::moments::launch(
        &tensor.client,
        sums.of_all(),
        sums.dim,
        address([tensor, &sums.tensor]),
        argument(tensor),
        argument(&sums.tensor),
        argument(&moments.mean),
        argument(&moments.variance),
        argument(&moments.inverse_std),
        epsilon as f32,
        UNITS as usize,
    );
    moments
}

/// Two sums for each channel of each chunk of rows, and the launches that make and read them.
struct Sums {
    /// `[2, chunks, C]`.
    tensor: Plain,
    chunks: usize,
    channels: usize,
    dim: CubeDim,
}

impl Sums {
    fn of(rows: &Rows) -> Self {
        /// Rows that a unit sums before others help.
        const ROWS: usize = 8;
        /// So many cubes keep any GPU busy.
        const CUBES: usize = 1024;
        let [count, channels] = rows.size();
        let width = width(channels);
        let dim = CubeDim::new_2d(width, UNITS / width);
        let side_by_side = channels.div_ceil(width as usize);
        let most = (CUBES / side_by_side).max(1);
        let chunks = count
            .div_ceil(ROWS * (UNITS / width) as usize)
            .clamp(1, most);
        Self {
            tensor: unfilled(rows.tensor(), Shape::new([2, chunks, channels])),
            chunks,
            channels,
            dim,
        }
    }

    fn side_by_side(&self) -> u32 {
        (self.channels as u32).div_ceil(width(self.channels))
    }

    fn of_chunks(&self) -> CubeCount {
        CubeCount::new_2d(self.side_by_side(), self.chunks as u32)
    }

    fn of_all(&self) -> CubeCount {
        CubeCount::new_1d(self.side_by_side())
    }
}

#[derive(Debug, Clone)]
struct State {
    input: Rows,
    /// The output, by which the ReLU's gate is known where a residual is part of it.
    kept: Option<Rows>,
    /// Whether the gate is known by the normalised value instead.
    again: bool,
    mean: Plain,
    inverse_std: Plain,
    gamma: Plain,
    beta: Plain,
    /// Values of all replicas, where there are several.
    among_others: Option<usize>,
}

/// Parents: input, gamma, beta, then the residual if there is one.
#[derive(Debug)]
struct BatchNorm;

impl<const N: usize> Backward<Cube, N> for BatchNorm {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State {
            input,
            kept,
            again,
            mean,
            inverse_std,
            gamma,
            beta,
            among_others,
        } = &ops.state;
        let output_gradient = gradients.consume::<Cube>(&ops.node);
        let gradient = Rows::of(output_gradient.clone());
        let (client, sums) = (&input.tensor().client, Sums::of(input));
        norm::gradients_of_chunks::launch(
            client,
            sums.of_chunks(),
            sums.dim,
            address([input.tensor(), gradient.tensor(), &sums.tensor]),
            argument(gradient.tensor()),
            argument(input.tensor()),
            argument(mean),
            argument(inverse_std),
            argument(gamma),
            argument(beta),
            optional(kept.as_ref()),
            argument(&sums.tensor),
            *again,
            UNITS as usize,
        );
        let [of_beta, of_gamma] = [(); 2].map(|()| unfilled(mean, mean.meta.shape().clone()));
        norm::affine_gradients::launch(
            client,
            sums.of_all(),
            sums.dim,
            address([&sums.tensor]),
            argument(&sums.tensor),
            argument(&of_beta),
            argument(&of_gamma),
            UNITS as usize,
        );
        let own = [&of_beta, &of_gamma];
        let [from_beta, from_gamma] = match *among_others {
            Some(all) => pooled_gradients(own, input.size()[0], all),
            None => own.map(Clone::clone),
        };
        let residual = ops.parents.get(3).cloned().flatten();
        let of_input = Rows::unfilled(input);
        // Without a ReLU the residual's gradient is that of the output.
        let of_residual = (residual.is_some() && kept.is_some()).then(|| Rows::unfilled(input));
        let (count, dim) = a_unit_a_value(input);
        norm::input_gradient::launch(
            client,
            count,
            dim,
            address([input.tensor(), gradient.tensor(), of_input.tensor()]),
            argument(gradient.tensor()),
            argument(input.tensor()),
            argument(mean),
            argument(inverse_std),
            argument(gamma),
            argument(beta),
            optional(kept.as_ref()),
            argument(&from_beta),
            argument(&from_gamma),
            argument(of_input.tensor()),
            optional(of_residual.as_ref()),
            *again,
        );
        if let Some(node) = residual {
            let of_residual = of_residual.map_or(output_gradient, Rows::into_features);
            gradients.register::<Cube>(node.id, of_residual);
        }
        let results = [of_input.into_features(), of_gamma, of_beta];
        for (node, result) in ops.parents.into_iter().zip(results) {
            if let Some(node) = node {
                gradients.register::<Cube>(node.id, result);
            }
        }
    }
}

/// The gradients of shift and scale by which the input's is made, from those of the `here` values of
/// this replica among `all`.
fn pooled_gradients(own: [&Plain; 2], here: usize, all: usize) -> [Plain; 2] {
    let others = together::current().expect("the backward pass of a pass together");
    let exact = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
    let [beta, gamma] = to_host(own).map(exact);
    let pooled = others.pool_gradients([&beta, &gamma], here, all);
    pooled.map(|values| {
        let values = values.iter().map(|&sum| sum as f32).collect();
        plain(to_device(values, own[0]))
    })
}
