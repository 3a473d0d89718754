//! The operations against Burn's own: the values and gradients of single precision near those of
//! double, from inputs and gradients however they lie in memory, and no memory changed that
//! somebody else holds. In a build for a GPU the GPU is compared, with Burn on the CPU.

use abn_kernels::ops::{self, After, Kept, Mechanism, NormedConv, Rounding, RunningNorm};
use abn_kernels::roi_align::{Grid, Region};
#[cfg(not(feature = "cube"))]
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{
    DType, Device, Distribution, Tensor, TensorData, Tolerance, Transaction, activation, module,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const EPSILON: f64 = 1e-5;

/// Where the operations compute: double precision on the CPU alone.
fn device(dtype: DType) -> Device {
    match dtype {
        DType::F64 => Device::flex(),
        _ => Device::default(),
    }
}

/// The values of a tensor now: what `into_data` gives of a GPU is read when somebody looks at it.
fn read<const D: usize>(tensor: Tensor<D>) -> TensorData {
    Transaction::default().register(tensor).execute().remove(0)
}

/// How a tensor `[B, C, H, W]` lies in memory.
#[derive(Debug, Clone, Copy)]
enum Arrangement {
    Plain,
    /// The kernels' own order, which they take without a copy.
    ChannelsLast,
    /// Rows and columns swapped.
    Swapped,
    /// Behind as many other values.
    Sliced,
    /// Both, so that the kernels start in the middle of the memory.
    SlicedChannelsLast,
}

impl Arrangement {
    fn draw(rng: &mut Pcg64) -> Self {
        match rng.random_range(0..5) {
            0 => Self::Plain,
            1 => Self::ChannelsLast,
            2 => Self::Swapped,
            3 => Self::Sliced,
            _ => Self::SlicedChannelsLast,
        }
    }

    /// The tensor whose [`view`](Self::view) is the given one.
    fn memory(self, tensor: Tensor<4>) -> Tensor<4> {
        let behind = |tensor: Tensor<4>| Tensor::cat(vec![tensor.ones_like(), tensor], 0);
        match self {
            Self::Plain => tensor,
            Self::ChannelsLast => tensor.permute([0, 2, 3, 1]),
            Self::Swapped => tensor.swap_dims(2, 3),
            Self::Sliced => behind(tensor),
            Self::SlicedChannelsLast => behind(tensor.permute([0, 2, 3, 1])),
        }
    }

    fn view(self, memory: Tensor<4>) -> Tensor<4> {
        let half = memory.dims()[0] / 2;
        match self {
            Self::Plain => memory,
            Self::ChannelsLast => memory.permute([0, 3, 1, 2]),
            Self::Swapped => memory.swap_dims(2, 3),
            Self::Sliced => memory.narrow(0, half, half),
            Self::SlicedChannelsLast => memory.narrow(0, half, half).permute([0, 3, 1, 2]),
        }
    }
}

/// The output and the gradients of the inputs.
struct Results {
    output: TensorData,
    gradients: Vec<TensorData>,
}

/// What an operation is computed from, and how.
struct Run<const N: usize> {
    inputs: [(TensorData, Arrangement); N],
    /// The gradient of the output.
    gradient: (TensorData, Arrangement),
    /// Whether somebody else holds the inputs and the gradient.
    shared: bool,
}

impl<const N: usize> Run<N> {
    fn infer(&self, dtype: DType, operation: impl Fn([Tensor<4>; N]) -> Tensor<4>) -> TensorData {
        let memories = self.memories(&device(dtype), dtype);
        let inputs = self.views(memories.clone());
        let kept = self
            .shared
            .then(|| (memories.clone(), memories.clone().map(read)));
        drop(memories);
        let output = read(operation(inputs));
        if let Some((kept, data)) = kept {
            assert_eq!(kept.map(read), data, "inputs have changed");
        }
        output
    }

    fn train(&self, dtype: DType, operation: impl Fn([Tensor<4>; N]) -> Tensor<4>) -> Results {
        let device = device(dtype).autodiff();
        let memories = self.memories(&device, dtype).map(Tensor::require_grad);
        let mut inputs = self.views(memories.clone());
        let kept = inputs.clone().map(|input| read(input.inner()));
        if !self.shared {
            // Copies that nobody else holds.
            inputs = inputs.map(|input| input * 1.0);
        }
        let output = operation(inputs);
        let value = read(output.clone().inner());
        let (gradient, arrangement) = &self.gradient;
        let gradient = Tensor::from_data(gradient.clone(), (&device, dtype));
        // Both terms of a sum get one and the same gradient.
        let other = output.zeros_like().require_grad();
        let sum = if self.shared {
            output + other.clone()
        } else {
            output
        };
        let loss = arrangement.memory(sum) * arrangement.memory(gradient.clone());
        let gradients = loss.sum().backward();
        if self.shared {
            let other = read(other.grad(&gradients).expect("a gradient"));
            assert_eq!(other, read(gradient.inner()), "a gradient has changed");
            let now = self
                .views(memories.clone())
                .map(|input| read(input.inner()));
            assert_eq!(now, kept, "inputs have changed");
        }
        let of_inputs = memories
            .iter()
            .zip(&self.inputs)
            .map(|(memory, (_, arrangement))| {
                let gradient = memory.grad(&gradients).expect("a gradient");
                read(arrangement.view(gradient))
            });
        Results {
            output: value,
            gradients: of_inputs.collect(),
        }
    }

    fn memories(&self, device: &Device, dtype: DType) -> [Tensor<4>; N] {
        self.inputs.each_ref().map(|(data, arrangement)| {
            let memory = arrangement.memory(Tensor::from_data(
                data.clone(),
                (&Device::flex(), DType::F64),
            ));
            Tensor::from_data(memory.into_data(), (device, dtype))
        })
    }

    fn views(&self, memories: [Tensor<4>; N]) -> [Tensor<4>; N] {
        let mut arrangements = self.inputs.iter().map(|&(_, arrangement)| arrangement);
        memories.map(|memory| arrangements.next().expect("as many").view(memory))
    }
}

/// Compares `ours` with Burn's operation for inputs of these dimensions, of which `value` draws the
/// values.
#[track_caller]
fn check<const N: usize>(
    case: u64,
    dims: [[usize; 4]; N],
    value: fn(&mut Pcg64) -> f32,
    ours: impl Fn([Tensor<4>; N]) -> Tensor<4>,
    burns: impl Fn([Tensor<4>; N]) -> Tensor<4>,
) {
    let mut rng = Pcg64::seed_from_u64(case);
    let mut draw = |dims: [usize; 4], value: fn(&mut Pcg64) -> f32| {
        let values: Vec<f32> = (0..dims.iter().product())
            .map(|_| value(&mut rng))
            .collect();
        (TensorData::new(values, dims), Arrangement::draw(&mut rng))
    };
    let inputs = dims.map(|dims| draw(dims, value));
    let zeros = dims.map(|dims| Tensor::zeros(dims, &Device::flex()));
    let gradient = draw(burns(zeros).dims(), uniform);
    let run = Run {
        inputs,
        gradient,
        shared: case.is_multiple_of(2),
    };
    let context = format!(
        "case {case}, {dims:?}, {:?}",
        run.inputs.each_ref().map(|(_, arrangement)| arrangement)
    );

    let expected = run.train(DType::F64, &burns);
    // Double precision is Burn's own, but for the order of sums of gradients.
    for (dtype, bound) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
        let context = format!("{dtype:?}, {context}");
        let output = run.infer(dtype, &ours);
        assert_near(
            &output,
            &expected.output,
            bound,
            &format!("inference, {context}"),
        );
        let found = run.train(dtype, &ours);
        assert_near(
            &found.output,
            &expected.output,
            bound,
            &format!("output, {context}"),
        );
        for (index, (found, expected)) in
            found.gradients.iter().zip(&expected.gradients).enumerate()
        {
            assert_near(
                found,
                expected,
                bound,
                &format!("gradient {index}, {context}"),
            );
        }
    }
}

/// Every value within `bound` of the largest.
#[track_caller]
fn assert_near(found: &TensorData, expected: &TensorData, bound: f64, context: &str) {
    assert_eq!(found.shape(), expected.shape(), "{context}");
    let largest = expected
        .iter::<f64>()
        .fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.iter::<f64>().zip(expected.iter::<f64>()).enumerate() {
        let error = (found - expected).abs();
        assert!(
            error <= bound * largest,
            "{context}: value {index} is {found}, not {expected}"
        );
    }
}

fn uniform(rng: &mut Pcg64) -> f32 {
    rng.random_range(-1.0..1.0)
}

/// Few different values, so that several are the greatest.
fn coarse(rng: &mut Pcg64) -> f32 {
    rng.random_range(-3_i8..=3).into()
}

/// Dimensions of features.
fn features(rng: &mut Pcg64) -> [usize; 4] {
    let channels = [1, 3, 8, 16, 17, 33][rng.random_range(0..6)];
    [
        rng.random_range(1..=3),
        channels,
        rng.random_range(4..=9),
        rng.random_range(4..=9),
    ]
}

fn each_case(cases: u64, mut check: impl FnMut(u64, &mut Pcg64)) {
    for case in 0..cases {
        check(case, &mut Pcg64::seed_from_u64(1000 + case));
    }
}

fn vector(tensor: Tensor<4>) -> Tensor<1> {
    tensor.flatten(0, 3)
}

fn convolution(rng: &mut Pcg64) -> ([usize; 4], [usize; 4], ConvOptions<2>) {
    let [batch, _, height, width] = features(rng);
    let groups = if rng.random_bool(0.3) {
        rng.random_range(2..=4)
    } else {
        1
    };
    let [inputs, outputs] = [0; 2].map(|_| rng.random_range(1..=if groups > 1 { 4 } else { 20 }));
    let kernel = [0; 2].map(|_| rng.random_range(1..=3));
    let [stride, padding] =
        [1..=2, 0..=1].map(|range| [0; 2].map(|_| rng.random_range(range.clone())));
    let dilation = rng.random_range(1..=if height.min(width) > 4 { 2 } else { 1 });
    let input = [batch, groups * inputs, height, width];
    let weight = [groups * outputs, inputs, kernel[0], kernel[1]];
    (
        input,
        weight,
        ConvOptions::new(stride, padding, [dilation; 2], groups),
    )
}

#[test]
fn convolution_is_burns() {
    each_case(30, |case, rng| {
        let (input, weight, options) = convolution(rng);
        let bias = [weight[0], 1, 1, 1];
        check(
            case,
            [input, weight],
            uniform,
            |[input, weight]| ops::conv2d(input, weight, None, options.clone(), &Kept::default()),
            |[input, weight]| module::conv2d(input, weight, None, options.clone()),
        );
        check(
            case,
            [input, weight, bias],
            uniform,
            |[input, weight, bias]| {
                ops::conv2d(
                    input,
                    weight,
                    Some(vector(bias)),
                    options.clone(),
                    &Kept::default(),
                )
            },
            |[input, weight, bias]| {
                module::conv2d(input, weight, Some(vector(bias)), options.clone())
            },
        );
    });
}

fn burns_after(output: Tensor<4>, residual: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
    let sum = match residual {
        Some(residual) => output + residual,
        None => output,
    };
    if relu { activation::relu(sum) } else { sum }
}

/// Statistics, the variance positive.
fn known([gamma, beta, mean, variance]: [Tensor<4>; 4]) -> RunningNorm {
    let [gamma, beta, mean, variance] = [gamma, beta, mean, variance.abs() + 0.5].map(vector);
    RunningNorm {
        gamma,
        beta,
        mean,
        variance,
        epsilon: EPSILON,
    }
}

fn burns_norm(input: Tensor<4>, known: RunningNorm) -> Tensor<4> {
    let RunningNorm {
        gamma,
        beta,
        mean,
        variance,
        epsilon,
    } = known;
    module::batch_norm(input, gamma, beta, mean, variance, epsilon)
}

#[test]
fn normalisation_is_burns() {
    each_case(30, |case, rng| {
        let mut input = features(rng);
        match case % 5 {
            // Of one position, as at the end of a network for small images.
            3 => input = [4, input[1], 1, 1],
            4 => input = [3, 70, 2, 1],
            _ => {}
        }
        let channel = [input[1], 1, 1, 1];
        let (residual, relu) = (rng.random_bool(0.5), rng.random_bool(0.5));
        let after = |tensor| After {
            residual: residual.then_some(tensor),
            relu,
        };
        check(
            case,
            [input, channel, channel, input],
            uniform,
            |[input, gamma, beta, other]| {
                let used = after(other.clone());
                let norm = ops::batch_norm_train(input, vector(gamma), vector(beta), EPSILON, used);
                // Every input has a gradient.
                norm.output + other * 0.5
            },
            |[input, gamma, beta, other]| {
                let output =
                    module::batch_norm_train(input, vector(gamma), vector(beta), EPSILON).output;
                burns_after(output, residual.then(|| other.clone()), relu) + other * 0.5
            },
        );
        check(
            case,
            [input, channel, channel, channel, channel, input],
            uniform,
            |[input, gamma, beta, mean, variance, other]| {
                let known = known([gamma, beta, mean, variance]);
                ops::batch_norm(input, known, after(other.clone())) + other * 0.5
            },
            |[input, gamma, beta, mean, variance, other]| {
                let output = burns_norm(input, known([gamma, beta, mean, variance]));
                burns_after(output, residual.then(|| other.clone()), relu) + other * 0.5
            },
        );
    });
}

#[test]
fn the_statistics_of_a_batch_are_burns() {
    each_case(10, |case, rng| {
        let input = features(rng);
        let channel = [input[1], 1, 1, 1];
        let pack = |mean: Tensor<1>, variance: Tensor<1>, input: [Tensor<4>; 3]| {
            // Both are constants, so that the gradient is that of the inputs' sums.
            let [sum, gamma, beta] = input.map(Tensor::sum);
            (Tensor::cat(vec![mean, variance], 0) + sum + gamma + beta).reshape([2, -1, 1, 1])
        };
        check(
            case,
            [input, channel, channel],
            uniform,
            |inputs| {
                let [input, gamma, beta] = inputs.clone();
                let after = After::relu();
                let norm =
                    ops::batch_norm_train(input, vector(gamma), vector(beta), EPSILON, after);
                pack(norm.mean, norm.variance, inputs)
            },
            |inputs| {
                let [input, gamma, beta] = inputs.clone();
                let norm = module::batch_norm_train(input, vector(gamma), vector(beta), EPSILON);
                pack(norm.mean, norm.variance, inputs)
            },
        );
    });
}

#[test]
fn running_statistics_move_as_burn_adds_and_multiplies() {
    let blended = |dtype| {
        let device = device(dtype);
        let [running, batch] = [[0.5, -2.0, 3.0], [1.5, 0.25, -1.0]]
            .map(|values| Tensor::<1>::from_data(values, (&device, dtype)));
        read(ops::blend_running(running, batch, 0.1, 1.25))
    };
    assert_near(&blended(DType::F32), &blended(DType::F64), 1e-6, "blended");
}

/// The first step has no velocity; the second has that of the first.
#[test]
fn descent_is_burns_however_weights_and_gradients_lie() {
    each_case(10, |case, rng| {
        let dims = features(rng);
        let descent = ops::Descent {
            rate: 0.25,
            momentum: 0.875,
            weight_decay: if rng.random_bool(0.5) { 0.125 } else { 0.0 },
        };
        let mut tensor = || {
            let values: Vec<f32> = (0..dims.iter().product()).map(|_| uniform(rng)).collect();
            (TensorData::new(values, dims), Arrangement::draw(rng))
        };
        let [weight, first, second] = [(); 3].map(|()| tensor());
        let steps = |dtype| {
            let laid = |(data, lies): &(TensorData, Arrangement)| {
                let tensor = Tensor::from_data(data.clone(), (&device(dtype), dtype));
                lies.view(lies.memory(tensor))
            };
            let (weight, velocity) = descent.step(laid(&weight), laid(&first), None);
            let (weight, velocity) = descent.step(weight, laid(&second), Some(velocity));
            (read(weight), read(velocity))
        };
        let (found, expected) = (steps(DType::F32), steps(DType::F64));
        assert_near(&found.0, &expected.0, 1e-6, &format!("weight, case {case}"));
        assert_near(
            &found.1,
            &expected.1,
            1e-6,
            &format!("velocity, case {case}"),
        );
    });
}

#[test]
fn convolution_with_normalisation_is_burns() {
    each_case(30, |case, rng| {
        let (input, weight, options) = convolution(rng);
        let channel = [weight[0], 1, 1, 1];
        let (bias, relu) = (rng.random_bool(0.5), rng.random_bool(0.5));
        let rounding = match case % 2 {
            0 => Rounding::Folded,
            _ => Rounding::Apart,
        };
        let used = |tensor: &Tensor<4>| bias.then(|| vector(tensor.clone()));
        check(
            case,
            [input, weight, channel, channel, channel, channel, channel],
            uniform,
            |[input, weight, bias, gamma, beta, mean, variance]| {
                let (known, after) = (
                    known([gamma, beta, mean, variance]),
                    After {
                        residual: None,
                        relu,
                    },
                );
                let conv = NormedConv {
                    weight,
                    bias: used(&bias),
                    options: options.clone(),
                    norm: known,
                    kept: &Kept::default(),
                };
                let output = conv.forward(input, rounding, after);
                output + bias.sum().reshape([1; 4])
            },
            |[input, weight, bias, gamma, beta, mean, variance]| {
                let output = module::conv2d(input, weight, used(&bias), options.clone());
                let output = burns_norm(output, known([gamma, beta, mean, variance]));
                burns_after(output, None, relu) + bias.sum().reshape([1; 4])
            },
        );
    });
}

#[test]
fn convolution_with_normalisation_and_residual_is_burns() {
    each_case(10, |case, rng| {
        let input = features(rng);
        let (weight, channel) = ([input[1], input[1], 3, 3], [input[1], 1, 1, 1]);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        check(
            case,
            [input, weight, channel, channel, channel, channel, input],
            uniform,
            |[input, weight, gamma, beta, mean, variance, residual]| {
                let after = After {
                    residual: Some(residual),
                    relu: true,
                };
                let conv = NormedConv {
                    weight,
                    bias: None,
                    options: options.clone(),
                    norm: known([gamma, beta, mean, variance]),
                    kept: &Kept::default(),
                };
                conv.forward(input, Rounding::Folded, after)
            },
            |[input, weight, gamma, beta, mean, variance, residual]| {
                let output = module::conv2d(input, weight, None, options.clone());
                burns_after(
                    burns_norm(output, known([gamma, beta, mean, variance])),
                    Some(residual),
                    true,
                )
            },
        );
    });
}

#[test]
fn gates_are_burns() {
    each_case(20, |case, rng| {
        let dims @ [batch, channels, height, width] = features(rng);
        let map = [batch, 1, height, width];
        check(
            case,
            [dims, map],
            uniform,
            |[features, map]| ops::attend(features, map, Mechanism::Multiply),
            |[features, map]| features * map,
        );
        check(
            case,
            [dims, map],
            uniform,
            |[features, map]| ops::attend(features, map, Mechanism::Residual),
            |[features, map]| features.clone() * map + features,
        );
        check(
            case,
            [dims, [batch, channels, 1, 1]],
            uniform,
            |[features, weights]| ops::excite(features, weights, After::default()),
            |[features, weights]| weights * features,
        );
        check(
            case,
            [dims, [batch, channels, 1, 1]],
            coarse,
            |[features, weights]| ops::excite(features, weights, After::relu()),
            |[features, weights]| burns_after(weights * features, None, true),
        );
        for relu in [false, true] {
            check(
                case,
                [dims, [batch, channels, 1, 1], dims],
                coarse,
                |[features, weights, residual]| {
                    let residual = Some(residual);
                    ops::excite(features, weights, After { residual, relu })
                },
                |[features, weights, residual]| {
                    burns_after(weights * features, Some(residual), relu)
                },
            );
        }
    });
}

#[test]
fn rectified_and_plain_sums_are_burns() {
    each_case(20, |case, rng| {
        let dims = features(rng);
        let relu = |values| burns_after(values, None, true);
        check(
            case,
            [dims],
            coarse,
            |[values]| ops::relu(values),
            |[values]| relu(values),
        );
        check(
            case,
            [dims; 2],
            coarse,
            |[a, b]| ops::add(a, b, false),
            |[a, b]| a + b,
        );
        check(
            case,
            [dims; 2],
            coarse,
            |[a, b]| ops::add(a, b, true),
            |[a, b]| relu(a + b),
        );
        // The two terms are one tensor.
        check(
            case,
            [dims],
            coarse,
            |[a]| ops::add(a.clone(), a, true),
            |[a]| relu(a.clone() + a),
        );
    });
}

#[test]
fn pooling_is_burns() {
    each_case(30, |case, rng| {
        let dims = features(rng);
        let kernel = [0; 2].map(|_| rng.random_range(1..=4));
        let stride = [0; 2].map(|_| rng.random_range(1..=3));
        let padding = kernel.map(|side| rng.random_range(0..=side / 2));
        let pairs = padding.map(|padding| (padding, padding));
        let options = MaxPoolOptions {
            kernel_size: kernel,
            stride,
            padding: pairs,
            dilation: [1, 1],
            ceil_mode: false,
        };
        check(
            case,
            [dims],
            coarse,
            |[input]| ops::max_pool2d(input, kernel, stride, padding),
            |[input]| module::max_pool2d(input, options.clone()),
        );
        for count_include_pad in [false, true] {
            let options = AvgPoolOptions {
                kernel_size: kernel,
                stride,
                padding: pairs,
                count_include_pad,
                ceil_mode: false,
            };
            check(
                case,
                [dims],
                uniform,
                |[input]| ops::avg_pool2d(input, kernel, stride, padding, count_include_pad),
                |[input]| module::avg_pool2d(input, options.clone()),
            );
        }
    });
}

#[test]
fn global_pooling_is_burns() {
    each_case(20, |case, rng| {
        let dims @ [batch, channels, height, width] = features(rng);
        let flat = |input: Tensor<4>| input.reshape([batch, channels, height * width]);
        let spread = |pooled: Tensor<2>| pooled.reshape([batch, channels, 1, 1]);
        check(
            case,
            [dims],
            uniform,
            |[input]| spread(ops::global_average(input)),
            |[input]| spread(flat(input).mean_dim(2).squeeze_dim(2)),
        );
        check(
            case,
            [dims],
            coarse,
            |[input]| spread(ops::global_maximum(input)),
            |[input]| spread(flat(input).max_dim(2).squeeze_dim(2)),
        );
    });
}

/// Each takes the output of the one before as it lies, and might write where that still reads.
#[test]
fn a_network_of_all_of_them_is_burns() {
    each_case(10, |case, rng| {
        let input = features(rng);
        let (weight, channel) = ([input[1], input[1], 3, 3], [input[1], 1, 1, 1]);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let pool = MaxPoolOptions {
            kernel_size: [3, 3],
            stride: [2, 2],
            padding: [(1, 1), (1, 1)],
            dilation: [1, 1],
            ceil_mode: false,
        };
        check(
            case,
            [input, weight, channel, channel],
            uniform,
            |[input, weight, gamma, beta]| {
                let path = ops::conv2d(
                    input.clone(),
                    weight,
                    None,
                    options.clone(),
                    &Kept::default(),
                );
                let (gamma, beta) = (vector(gamma), vector(beta));
                let normed =
                    ops::batch_norm_train(path, gamma, beta, EPSILON, After::relu()).output;
                let sum = ops::add(normed.clone(), input, false);
                let joined = ops::add(ops::relu(sum.clone()), normed, true);
                let pooled = ops::max_pool2d(ops::add(joined, sum, false), [3, 3], [2, 2], [1, 1]);
                let [pooled, seen] = ops::fork(pooled);
                let gate = ops::global_average(seen).unsqueeze_dims(&[-1, -1]);
                let map = pooled.clone().mean_dim(1);
                ops::excite(
                    ops::attend(pooled, map, Mechanism::Residual),
                    gate,
                    After::default(),
                )
            },
            |[input, weight, gamma, beta]| {
                let path = module::conv2d(input.clone(), weight, None, options.clone());
                let normed =
                    module::batch_norm_train(path, vector(gamma), vector(beta), EPSILON).output;
                let normed = activation::relu(normed);
                let sum = normed.clone() + input;
                let joined = activation::relu(activation::relu(sum.clone()) + normed);
                let pooled = module::max_pool2d(joined + sum, pool.clone());
                let gate = pooled
                    .clone()
                    .flatten::<3>(2, 3)
                    .mean_dim(2)
                    .unsqueeze_dim(3);
                let map = pooled.clone().mean_dim(1);
                (pooled.clone() * map + pooled) * gate
            },
        );
    });
}

/// Else nothing here would have compared the kernels.
#[cfg(not(feature = "cube"))]
#[test]
fn the_kernels_serve_single_precision() {
    let device = Device::flex();
    let strides = |output: Tensor<4>| {
        output
            .try_into_primitive::<Flex>()
            .unwrap()
            .layout()
            .strides()
            .to_vec()
    };
    let tensor = |dtype| Tensor::<4>::ones([2, 3, 4, 5], (&device, dtype));
    assert_eq!(strides(ops::relu(tensor(DType::F32))), [60, 1, 15, 3]);
    assert_eq!(strides(ops::relu(tensor(DType::F64))), [60, 20, 5, 1]);
    let tracked = Tensor::<4>::ones([2, 3, 4, 5], &device.autodiff()).require_grad();
    let output = ops::relu(tracked)
        .try_into_primitive::<Autodiff<Flex>>()
        .unwrap()
        .into_primitive();
    assert_eq!(output.layout().strides(), [60, 1, 15, 3]);
}

/// The same on a GPU, by how they leave features.
#[cfg(feature = "cube")]
#[test]
fn the_kernels_serve_single_precision() {
    use burn::backend::{Autodiff, Cube};
    let device = Device::default().autodiff();
    let ones = |dims| Tensor::<1>::ones([dims], &device);
    let input = Tensor::<4>::ones([2, 3, 4, 5], &device).require_grad();
    let norm = ops::batch_norm_train(input, ones(3), ones(3), EPSILON, After::relu());
    let output = norm.output.try_into_primitive::<Autodiff<Cube>>().unwrap();
    assert_eq!(output.into_primitive().meta.strides()[1], 1);
}

/// Whole words and a rest, and an image that nobody has bytes of.
#[test]
fn images_are_what_the_table_says_of_their_bytes() {
    let table = [0, 1, 2].map(|channel| {
        let value = |byte: usize| (byte as f32).sqrt() - 3.0 * channel as f32;
        std::array::from_fn(value)
    });
    for [height, width] in [[1, 1], [5, 7], [8, 4]] {
        let mut rng = Pcg64::seed_from_u64(height as u64);
        let bytes: Vec<u8> = (0..2 * height * width * 3).map(|_| rng.random()).collect();
        let device = Device::default().autodiff();
        let images = ops::images_of_bytes(&bytes, &table, [3, height, width], &device);
        // The CPU normalises before.
        assert_eq!(images.is_some(), cfg!(feature = "cube"));
        let Some(images) = images else { continue };
        assert!(images.is_autodiff() && images.dims() == [3, 3, height, width]);
        let value = |at: usize| {
            let (position, channel) = (at % (height * width), at / (height * width) % 3);
            let image = at / (3 * height * width);
            let byte = bytes.get((image * height * width + position) * 3 + channel);
            table[channel][usize::from(*byte.unwrap_or(&0))]
        };
        let expected: Vec<f32> = (0..3 * 3 * height * width).map(value).collect();
        assert_eq!(
            read(images.inner()).iter::<f32>().collect::<Vec<_>>(),
            expected
        );
    }
}

/// Other weights at the same place, other sizes of images and a training step in between.
#[test]
fn what_a_convolution_keeps_is_of_its_weights() {
    let device = Device::flex();
    let random =
        |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device.clone());
    let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let kept = Kept::default();
    let mut weight = random([20, 17, 3, 3]);
    // Direct, in tiles of 2x2 and of 4x4.
    for side in [1, 2, 8, 8, 2, 8] {
        let input = random([2, 17, side, side]);
        let convolve = |kept: &Kept| {
            ops::conv2d(input.clone(), weight.clone(), None, options(), kept).into_data()
        };
        assert_eq!(convolve(&kept), convolve(&Kept::default()), "{side}");
        assert_eq!(convolve(&kept.clone()), convolve(&Kept::default()));
        weight = weight * 1.5;
        let convolve = |kept: &Kept| {
            ops::conv2d(input.clone(), weight.clone(), None, options(), kept).into_data()
        };
        assert_eq!(convolve(&kept), convolve(&Kept::default()));
        let tracked = Tensor::from_inner(input.clone()).require_grad();
        let trained = ops::conv2d(
            tracked.clone(),
            Tensor::from_inner(weight.clone()),
            None,
            options(),
            &kept,
        );
        assert!(tracked.grad(&trained.sum().backward()).is_some());
    }
}

/// Some images of a batch together, all of them, and none; one convolution, a bottleneck that halves
/// the features and one that adds what came in.
#[test]
fn a_path_has_the_bits_of_its_convolutions() {
    let device = Device::flex();
    let random =
        |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device.clone());
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let one_thread = one_thread.expect("a thread");
    // Channels that come in and go out, side of the kernel, stride, groups.
    let narrow = [[8, 32, 1, 1, 1], [32, 32, 3, 2, 4], [32, 8, 1, 1, 1]];
    let same = [[8, 40, 1, 1, 1], [40, 40, 3, 1, 1], [40, 8, 1, 1, 1]];
    let paths = [(&narrow[..], 2), (&same[..], 1), (&same[1..2], 1)];
    for (batch, side) in [(7, 128), (3, 9), (0, 9)] {
        for (path, stride) in paths {
            let input = random([batch, path[0][0], side, side]);
            let output = side.div_ceil(stride);
            let residual = random([batch, path.last().unwrap()[1], output, output]);
            let after = || After {
                residual: Some(residual.clone()),
                relu: true,
            };
            let layers: Vec<_> = path
                .iter()
                .map(|&[inputs, outputs, kernel, stride, groups]| {
                    let weight = random([outputs, inputs / groups, kernel, kernel]) - 0.5;
                    let options = ConvOptions::new([stride; 2], [kernel / 2; 2], [1; 2], groups);
                    let channel = [0; 5].map(|_| random([outputs, 1, 1, 1]));
                    (weight, options, channel)
                })
                .collect();
            let kept = Kept::default();
            let convs = || {
                let conv = |(weight, options, channel): &(Tensor<4>, ConvOptions<2>, [_; 5])| {
                    let [bias, gamma, beta, mean, variance] = channel.clone();
                    NormedConv {
                        weight: weight.clone(),
                        bias: Some(vector(bias)),
                        options: options.clone(),
                        norm: known([gamma, beta, mean, variance]),
                        kept: &kept,
                    }
                };
                layers.iter().map(conv).collect::<Vec<_>>()
            };
            let mut singly = convs();
            let last = singly.pop().unwrap();
            let features = singly.into_iter().fold(input.clone(), |features, conv| {
                conv.forward(features, Rounding::Folded, After::relu())
            });
            let expected = read(last.forward(features, Rounding::Folded, after()));
            let found = || read(ops::path(input.clone(), convs(), after()));
            assert_eq!(found(), expected, "{batch} images of {side}");
            assert_eq!(one_thread.install(found), expected, "by one thread");
        }
    }
}

/// Two weights by turns, images of two sizes, kernels of 3x3 and 1x1.
#[test]
fn weights_that_are_used_repeatedly_give_the_same_bits() {
    let device = Device::flex();
    let random =
        |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device.clone());
    for kernel in [3, 1] {
        let weights = [(); 2].map(|()| random([64, 64, kernel, kernel]));
        let inputs = [8, 8, 5, 8, 8].map(|side| random([2, 64, side, side]));
        let passes = || -> Vec<[TensorData; 3]> {
            let mut weights = weights.iter().cycle();
            let pass = |input: &Tensor<4>| {
                let weight = weights.next().expect("two by turns").clone();
                let leaf = |tensor| Tensor::from_inner(tensor).require_grad();
                let (input, weight) = (leaf(input.clone()), leaf(weight));
                let padding = [kernel / 2; 2];
                let output = ops::conv2d(
                    input.clone(),
                    weight.clone(),
                    None,
                    ConvOptions::new([1, 1], padding, [1, 1], 1),
                    &Kept::default(),
                );
                let gradients = output.clone().powi_scalar(2).sum().backward();
                let of = |tensor: Tensor<4>| tensor.grad(&gradients).unwrap().into_data();
                [output.clone().into_data(), of(input), of(weight)]
            };
            inputs.iter().map(pass).collect()
        };
        let expected = passes();
        assert_eq!(ops::repeatedly(passes), expected);
        assert_eq!(ops::repeatedly(|| ops::repeatedly(passes)), expected);
    }
}

/// Both ways, one alone, and a fork in a way of another.
#[test]
fn gradients_of_a_fork_are_those_of_clones() {
    let device = Device::flex().autodiff();
    let random = |seed: f64| {
        let values = Tensor::<4>::random([2, 5, 3, 4], Distribution::Default, &Device::flex());
        Tensor::from_inner(values + seed).require_grad()
    };
    let (features, other) = (random(0.0), random(-0.5));
    let gradients = |fork: fn(Tensor<4>) -> [Tensor<4>; 2], which: usize| {
        let [one, two] = fork(features.clone() * other.clone());
        let [inner, outer] = fork(two * 3.0);
        let sum = match which {
            0 => one.powi_scalar(2) * other.clone() + inner.exp() * outer,
            1 => one.powi_scalar(3),
            _ => inner * 2.0,
        };
        let gradients = sum.sum().backward();
        [&features, &other].map(|tensor| tensor.grad(&gradients).unwrap().into_data())
    };
    for which in 0..3 {
        let expected = gradients(|features| [features.clone(), features], which);
        let actual = gradients(ops::fork, which);
        for (actual, expected) in actual.iter().zip(&expected) {
            actual.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
        }
    }
    let [one, two] = ops::fork(Tensor::<4>::ones([1, 1, 1, 1], &device));
    assert_eq!(one.into_data(), two.into_data());
}

#[test]
fn batches_join_however_they_lie() {
    let device = Device::flex();
    for case in 0..20 {
        let mut rng = Pcg64::seed_from_u64(case);
        let parts: Vec<_> = (0..rng.random_range(1..4))
            .map(|_| {
                let dims = [rng.random_range(1..4), 5, 3, 4];
                let plain = Tensor::<4>::random(dims, Distribution::Default, &device);
                let lies = Arrangement::draw(&mut rng);
                lies.view(lies.memory(plain))
            })
            .collect();
        let joined = ops::join_batches(parts.clone()).into_data();
        assert_eq!(joined, Tensor::cat(parts, 0).into_data(), "case {case}");
    }
}

#[test]
fn channels_join_however_they_lie_and_so_do_their_gradients() {
    let device = Device::flex().autodiff();
    for case in 0..20 {
        let mut rng = Pcg64::seed_from_u64(case);
        let [height, width] = [rng.random_range(1..20), rng.random_range(1..20)];
        let mut leaf = || {
            let dims = [2, rng.random_range(1..20), height, width];
            let plain = Tensor::<4>::random(dims, Distribution::Default, &Device::flex());
            let lies = Arrangement::draw(&mut rng);
            (lies, lies.memory(plain).autodiff().require_grad())
        };
        let leaves = [leaf(), leaf()];
        let channels = leaves
            .each_ref()
            .map(|(lies, leaf)| lies.view(leaf.clone()).dims()[1]);
        // Drawn once: the generator is that of all tests, which run beside this one.
        let dims = [2, channels.iter().sum(), height, width];
        let weights = Tensor::random(dims, Distribution::Default, &device);
        let joined = |join: fn(Tensor<4>, Tensor<4>) -> Tensor<4>| {
            let [first, second] = leaves
                .each_ref()
                .map(|(lies, leaf)| lies.view(leaf.clone()));
            let joined = join(first, second);
            let gradients = (joined.clone() * weights.clone()).sum().backward();
            let of = |(_, leaf): &(Arrangement, Tensor<4>)| leaf.grad(&gradients).unwrap();
            (
                joined.into_data(),
                leaves.each_ref().map(of).map(Tensor::into_data),
            )
        };
        let burns = joined(|first, second| Tensor::cat(vec![first, second], 1));
        assert_eq!(joined(ops::join_channels), burns, "case {case}");
    }
}

/// Double precision gathers on any backend; single precision is the kernel's.
#[test]
fn regions_are_the_same_by_kernel_and_by_gathering() {
    each_case(20, |case, rng| {
        let dims @ [batch, _, height, width] = features(rng);
        let grid = Grid {
            bins: [rng.random_range(1..4), rng.random_range(1..4)],
            samples: rng.random_range(0..3),
            scale: 0.5,
            aligned: rng.random(),
        };
        let mut region = |_| {
            let mut place = |side: usize| rng.random_range(-2.0..2.0 * side as f64 + 2.0);
            let ([x1, x2], [y1, y2]) =
                ([place(width), place(width)], [place(height), place(height)]);
            Region {
                image: rng.random_range(0..batch),
                bounds: [x1.min(x2), y1.min(y2), x1.max(x2), y1.max(y2)],
            }
        };
        let regions: Vec<Region> = (0..5).map(&mut region).collect();
        let align = |[input]: [Tensor<4>; 1]| ops::roi_align(input, &regions, grid);
        check(case, [dims], uniform, align, align);
        let none = ops::roi_align(Tensor::zeros(dims, &Device::flex()), &[], grid);
        assert_eq!(none.dims(), [0, dims[1], grid.bins[0], grid.bins[1]]);
    });
}
