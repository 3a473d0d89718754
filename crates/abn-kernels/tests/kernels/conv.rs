use std::collections::BTreeMap;

use abn_kernels::InstructionSet;
use abn_kernels::conv::{
    Algorithm, Convolution, Finish, Prepared, forward, input_gradient, weight_gradient,
};
use abn_kernels::norm::{Affine, normalize};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{assert_near, everywhere, random};

/// Largest error, as a share of the sum of the absolute terms: a sum of n products in single precision in any order is within
/// n/2 units of the last place, and errors of random signs stay far below that.
const BOUND: f64 = 4e-6;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Direct, Algorithm::Small, Algorithm::Fewest];

/// Values in double precision and the sums of the absolute values of their terms, to which rounding
/// is relative.
struct Exact {
    values: Vec<f64>,
    magnitudes: Vec<f64>,
}

impl Exact {
    fn zeros(len: usize) -> Self {
        Self {
            values: vec![0.0; len],
            magnitudes: vec![0.0; len],
        }
    }

    fn add(&mut self, index: usize, term: f64) {
        self.values[index] += term;
        self.magnitudes[index] += term.abs();
    }

    /// The same where the terms of neighbouring outputs are mixed, up to a tile of 4x4: rounding is
    /// relative to the largest of its sums.
    fn mixed(&self, geometry: &Convolution) -> Self {
        let [height, width] = geometry.output();
        let channels = geometry.channels_out;
        let tile = |at: usize| {
            let [channel, position] = [at % channels, at / channels];
            let [column, row] = [position % width, position / width % height];
            (position / width / height, row / 4, column / 4, channel)
        };
        let mut largest = BTreeMap::new();
        for (at, &magnitude) in self.magnitudes.iter().enumerate() {
            let largest = largest.entry(tile(at)).or_insert(magnitude);
            *largest = f64::max(*largest, magnitude);
        }
        Self {
            values: self.values.clone(),
            magnitudes: (0..self.values.len())
                .map(|at| largest[&tile(at)])
                .collect(),
        }
    }

    #[track_caller]
    fn assert_near(&self, actual: &[f32], context: &str) {
        let bound = |at: usize| BOUND * self.magnitudes[at].max(f64::from(f32::MIN_POSITIVE));
        assert_near(actual, &self.values, bound, context);
    }
}

/// All pairs of an input and an output value that a weight connects, with that weight's index.
fn each_product(geometry: &Convolution, mut visit: impl FnMut(usize, usize, usize)) {
    let Convolution {
        batch,
        input,
        kernel,
        stride,
        padding_before,
        dilation,
        channels_in,
        channels_out,
        groups,
        ..
    } = *geometry;
    let [height, width] = geometry.output();
    let (group_in, group_out) = (channels_in / groups, channels_out / groups);
    for image in 0..batch {
        for position in 0..height * width {
            for value in 0..kernel[0] * kernel[1] {
                let at = [position / width, position % width];
                let tap = [value / kernel[1], value % kernel[1]];
                let from = [0, 1].map(|a| {
                    (at[a] * stride[a] + tap[a] * dilation[a]).wrapping_sub(padding_before[a])
                });
                if from[0] >= input[0] || from[1] >= input[1] {
                    continue;
                }
                let from = ((image * input[0] + from[0]) * input[1] + from[1]) * channels_in;
                let to = (image * height * width + position) * channels_out;
                for channel in 0..channels_out {
                    for of in 0..group_in {
                        let weight = (channel * group_in + of) * kernel[0] * kernel[1] + value;
                        visit(
                            from + channel / group_out * group_in + of,
                            to + channel,
                            weight,
                        );
                    }
                }
            }
        }
    }
}

/// Some channels of wider features, normalised on the way, are those that were normalised before.
#[test]
fn activated_features_convolve_as_if_they_had_been_written() {
    for (channels, outputs, size) in [
        (1, 1, [1, 1]),
        (12, 48, [8, 8]),
        (24, 33, [7, 5]),
        (128, 16, [9, 4]),
        (600, 70, [6, 6]),
    ] {
        let geometry = Convolution {
            batch: 3,
            input: size,
            kernel: [1; 2],
            stride: [1; 2],
            padding_before: [0; 2],
            padding_after: [0; 2],
            dilation: [1; 2],
            channels_in: channels,
            channels_out: outputs,
            groups: 1,
        };
        let width = channels + 7;
        let wide = random(1, 3 * size[0] * size[1] * width);
        let rows = wide.chunks_exact(width);
        let part: Vec<f32> = rows.flat_map(|row| &row[..channels]).copied().collect();
        let [mean, factor, shift] = [2, 3, 4].map(|seed| random(seed, channels));
        let before = Affine {
            mean: &mean,
            factor: &factor,
            shift: &shift,
            residual: None,
            relu: true,
        };
        let weight = random(5, outputs * channels);
        let [scale, bias] = [6, 7].map(|seed| random(seed, outputs));
        let finish = Finish {
            factor: Some(&scale),
            bias: Some(&bias),
            relu: true,
            ..Finish::default()
        };
        everywhere(
            |set| {
                let prepared = Prepared::new(set, Algorithm::Fewest, &geometry, &weight);
                let mut activated = vec![f32::NAN; part.len()];
                normalize(set, channels, &part, before, &mut activated);
                let [mut apart, mut at_once] =
                    [(); 2].map(|()| vec![f32::NAN; geometry.output_len()]);
                prepared.forward(&geometry, &activated, finish, &mut apart);
                prepared.forward_activated(&geometry, width, &wide, before, finish, &mut at_once);
                vec![apart, at_once]
            },
            |actual| assert!(actual[0] == actual[1], "{geometry:?}"),
        );
    }
}

/// With a mean, the finish is what a normalisation makes of the sums in a pass of its own.
#[test]
fn sums_are_normalised_as_if_they_had_been_written() {
    let mut generator = Pcg64::seed_from_u64(9);
    let stems = [(64, 7, 2), (16, 3, 1)]
        .map(|(outputs, side, stride)| square(2, [3, outputs], 13, side, stride));
    let winograd = square(2, [40, 33], 10, 3, 1);
    let others = (0..20).map(|_| random_geometry(&mut generator));
    for geometry in stems.into_iter().chain([winograd]).chain(others) {
        let (channels, len) = (geometry.channels_out, geometry.output_len());
        let [input, weight] =
            [(1, geometry.input_len()), (2, geometry.weight_len())].map(|(s, n)| random(s, n));
        let [mean, factor, shift] = [3, 4, 5].map(|seed| random(seed, channels));
        let residual = random(6, len);
        let affine = Affine {
            mean: &mean,
            factor: &factor,
            shift: &shift,
            residual: Some(&residual),
            relu: true,
        };
        let finish = Finish {
            mean: Some(&mean),
            factor: Some(&factor),
            bias: Some(&shift),
            residual: Some(&residual),
            relu: true,
        };
        everywhere(
            |set| {
                let of = |algorithm, finish| {
                    let mut output = vec![f32::NAN; len];
                    forward(
                        set,
                        algorithm,
                        &geometry,
                        &input,
                        &weight,
                        finish,
                        &mut output,
                    );
                    output
                };
                let both = ALGORITHMS.iter().flat_map(|&algorithm| {
                    let mut apart = vec![f32::NAN; len];
                    let sums = of(algorithm, Finish::default());
                    normalize(set, channels, &sums, affine, &mut apart);
                    [apart, of(algorithm, finish)]
                });
                both.collect()
            },
            |actual| {
                for pair in actual.chunks(2) {
                    assert!(pair[0] == pair[1], "{geometry:?}");
                }
            },
        );
    }
}

fn random_geometry(generator: &mut impl Rng) -> Convolution {
    let channels = [1, 2, 3, 5, 8, 12, 16, 17, 20, 32, 33, 48, 70];
    let groups = if generator.random_bool(0.3) {
        generator.random_range(1..=6)
    } else {
        1
    };
    let mut channel = |most: usize| channels[generator.random_range(0..most)];
    let most = if groups > 1 { 10 } else { channels.len() };
    let (channels_in, channels_out) = (groups * channel(most), groups * channel(most));
    let square = generator.random_bool(0.7);
    let mut pair = |range: std::ops::RangeInclusive<usize>| {
        let first = generator.random_range(range.clone());
        [
            first,
            if square {
                first
            } else {
                generator.random_range(range)
            },
        ]
    };
    let (kernel, stride, dilation) = (pair(1..=4), pair(1..=3), pair(1..=2));
    let (padding_before, padding_after, size) = (pair(0..=3), pair(0..=3), pair(1..=11));
    let input = [0, 1].map(|axis| {
        let span = (kernel[axis] - 1) * dilation[axis] + 1;
        size[axis]
            .max(span.saturating_sub(padding_before[axis] + padding_after[axis]))
            .max(1)
    });
    let batch = generator.random_range(1..=4);
    Convolution {
        batch,
        input,
        kernel,
        stride,
        padding_before,
        padding_after,
        dilation,
        channels_in,
        channels_out,
        groups,
    }
}

fn square(
    batch: usize,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
) -> Convolution {
    Convolution {
        batch,
        input: [size; 2],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding_before: [kernel / 2; 2],
        padding_after: [kernel / 2; 2],
        dilation: [1; 2],
        channels_in: channels[0],
        channels_out: channels[1],
        groups: 1,
    }
}

fn check(geometry: &Convolution) {
    let channels = geometry.channels_out;
    let [input, weight] =
        [(1, geometry.input_len()), (2, geometry.weight_len())].map(|(s, n)| random(s, n));
    let [gradient, residual] = [3, 4].map(|seed| random(seed, geometry.output_len()));
    let [factor, bias] = [5, 6].map(|seed| random(seed, channels));
    let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
    let mut output = Exact::zeros(gradient.len());
    let [mut of_input, mut of_weight] = [Exact::zeros(input.len()), Exact::zeros(weight.len())];
    each_product(geometry, |i, o, w| {
        output.add(o, product(input[i], weight[w]));
        of_input.add(i, product(gradient[o], weight[w]));
        of_weight.add(w, product(gradient[o], input[i]));
    });
    let mut finished = Exact::zeros(gradient.len());
    for at in 0..gradient.len() {
        let factor = f64::from(factor[at % channels]);
        let terms = [
            output.values[at] * factor,
            f64::from(bias[at % channels]),
            f64::from(residual[at]),
        ];
        finished.values[at] = terms.iter().sum::<f64>().max(0.0);
        finished.magnitudes[at] =
            output.magnitudes[at] * factor.abs() + terms[1].abs() + terms[2].abs();
    }
    let [mixed_output, mixed_finished] = [&output, &finished].map(|exact| exact.mixed(geometry));
    everywhere(
        |set| {
            let mut outputs = [(); 6].map(|()| vec![f32::NAN; gradient.len()]);
            let [mut of_input, mut of_weight] =
                [vec![f32::NAN; input.len()], vec![f32::NAN; weight.len()]];
            let finish = Finish {
                factor: Some(&factor),
                bias: Some(&bias),
                residual: Some(&residual),
                relu: true,
                ..Finish::default()
            };
            for (index, output) in outputs.iter_mut().enumerate() {
                let algorithm = ALGORITHMS[index % 3];
                let finish = if index < 3 { Finish::default() } else { finish };
                forward(set, algorithm, geometry, &input, &weight, finish, output);
            }
            input_gradient(set, geometry, &weight, &gradient, &mut of_input);
            weight_gradient(set, geometry, &input, &gradient, &mut of_weight);
            outputs.into_iter().chain([of_input, of_weight]).collect()
        },
        |actual| {
            for (index, actual) in actual[..6].iter().enumerate() {
                let [exact, mixed] = if index < 3 {
                    [&output, &mixed_output]
                } else {
                    [&finished, &mixed_finished]
                };
                let exact = match ALGORITHMS[index % 3] {
                    Algorithm::Fewest => mixed,
                    _ => exact,
                };
                exact.assert_near(actual, &format!("output {index} of {geometry:?}"));
            }
            of_input.assert_near(&actual[6], &format!("input gradient of {geometry:?}"));
            of_weight.assert_near(&actual[7], &format!("weight gradient of {geometry:?}"));
        },
    );
}

#[test]
fn random_shapes() {
    for case in 0..300 {
        check(&random_geometry(&mut Pcg64::seed_from_u64(case)));
    }
}

#[test]
fn the_shapes_of_the_networks() {
    for geometry in [
        square(2, [3, 16], 32, 3, 1),
        square(3, [16, 16], 32, 3, 1),
        square(5, [16, 48], 20, 3, 1),
        square(2, [16, 32], 32, 3, 2),
        square(3, [64, 32], 30, 3, 2),
        square(2, [16, 32], 32, 1, 2),
        square(1, [64, 64], 28, 3, 1),
        square(2, [512, 160], 7, 3, 1),
        square(5, [160, 128], 7, 3, 1),
        square(1, [3, 64], 61, 7, 2),
        square(3, [256, 64], 14, 1, 1),
        square(2, [130, 70], 9, 1, 1),
        square(2, [10, 1], 16, 3, 1),
        Convolution {
            groups: 32,
            ..square(2, [128, 128], 14, 3, 1)
        },
        Convolution {
            groups: 48,
            ..square(2, [48, 48], 14, 3, 2)
        },
        Convolution {
            groups: 3,
            ..square(2, [48, 60], 13, 3, 1)
        },
        Convolution {
            groups: 2,
            ..square(3, [128, 144], 8, 3, 1)
        },
        square(2, [400, 90], 5, 3, 1),
        square(17, [200, 256], 4, 3, 1),
        Convolution {
            groups: 8,
            ..square(2, [512, 512], 6, 3, 1)
        },
        // Panels of eight channels by an odd number are no whole cache lines.
        Convolution {
            groups: 216,
            ..square(1, [216 * 17, 216 * 8], 4, 3, 1)
        },
    ] {
        check(&geometry);
    }
}

/// A convolution is linear in its input and in its weight, so difference quotients of any step are
/// exact.
#[test]
fn gradients_are_difference_quotients() {
    for set in InstructionSet::available() {
        for geometry in [
            square(2, [16, 32], 9, 3, 1),
            square(2, [3, 20], 15, 7, 2),
            square(3, [40, 10], 6, 1, 1),
            Convolution {
                groups: 4,
                ..square(1, [16, 24], 10, 3, 2)
            },
        ] {
            let [input, along_input] = [1, 2].map(|seed| random(seed, geometry.input_len()));
            let [weight, along_weight] = [3, 4].map(|seed| random(seed, geometry.weight_len()));
            let gradient = random(5, geometry.output_len());
            let sum = |a: &[f32], b: &[f32]| -> f64 {
                a.iter()
                    .zip(b)
                    .map(|(&a, &b)| f64::from(a) * f64::from(b))
                    .sum()
            };
            let objective = |input: &[f32], weight: &[f32]| {
                let mut output = vec![f32::NAN; gradient.len()];
                forward(
                    set,
                    Algorithm::Fewest,
                    &geometry,
                    input,
                    weight,
                    Finish::default(),
                    &mut output,
                );
                sum(&output, &gradient)
            };
            let moved = |from: &[f32], along: &[f32], step: f32| -> Vec<f32> {
                from.iter()
                    .zip(along)
                    .map(|(from, along)| from + step * along)
                    .collect()
            };
            let quotient =
                |objective: &dyn Fn(f32) -> f64| (objective(1.0) - objective(-1.0)) / 2.0;
            let along = quotient(&|step| objective(&moved(&input, &along_input, step), &weight));
            let mut computed = vec![f32::NAN; input.len()];
            input_gradient(set, &geometry, &weight, &gradient, &mut computed);
            let terms =
                (geometry.output_len() * geometry.weight_len() / geometry.channels_out) as f64;
            let bound = 1e-5 * terms.sqrt();
            let error = (along - sum(&computed, &along_input)).abs();
            assert!(
                error < bound,
                "input of {geometry:?} with {set:?}: {error:e} of {bound:e}"
            );
            let along = quotient(&|step| objective(&input, &moved(&weight, &along_weight, step)));
            let mut computed = vec![f32::NAN; weight.len()];
            weight_gradient(set, &geometry, &input, &gradient, &mut computed);
            let error = (along - sum(&computed, &along_weight)).abs();
            assert!(
                error < bound,
                "weight of {geometry:?} with {set:?}: {error:e} of {bound:e}"
            );
        }
    }
}

/// No batch, as an empty loader would give.
#[test]
fn nothing() {
    let geometry = square(0, [3, 5], 8, 3, 1);
    let set = InstructionSet::best();
    forward(
        set,
        Algorithm::Fewest,
        &geometry,
        &[],
        &[0.0; 135],
        Finish::default(),
        &mut [],
    );
    input_gradient(set, &geometry, &[0.0; 135], &[], &mut []);
    let mut gradient = [1.0; 135];
    weight_gradient(set, &geometry, &[], &[], &mut gradient);
    assert_eq!(gradient, [0.0; 135]);
}
