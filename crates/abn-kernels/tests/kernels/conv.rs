use abn_kernels::InstructionSet;
use abn_kernels::conv::{Convolution, Finish, forward, input_gradient, weight_gradient};
use rand::{Rng, RngExt};

use crate::reference::{Exact, assert_close, generator, values};

/// Of the sum of the absolute terms: a sum of n products in single precision in any order is within n/2 units of
/// the last place, and errors of random signs stay far below that.
const BOUND: f64 = 4e-6;

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
                let from = [0, 1]
                    .map(|a| (at[a] * stride[a] + tap[a] * dilation[a]).wrapping_sub(padding_before[a]));
                if from[0] >= input[0] || from[1] >= input[1] {
                    continue;
                }
                let from = ((image * input[0] + from[0]) * input[1] + from[1]) * channels_in;
                let to = (image * height * width + position) * channels_out;
                for channel in 0..channels_out {
                    for of in 0..group_in {
                        let weight = (channel * group_in + of) * kernel[0] * kernel[1] + value;
                        visit(from + channel / group_out * group_in + of, to + channel, weight);
                    }
                }
            }
        }
    }
}

fn random_geometry(generator: &mut impl Rng) -> Convolution {
    let channels = [1, 2, 3, 5, 8, 12, 16, 17, 20, 32, 33, 48, 70];
    let groups = if generator.random_bool(0.3) { generator.random_range(1..=6) } else { 1 };
    let mut channel = |most: usize| channels[generator.random_range(0..most)];
    let most = if groups > 1 { 8 } else { channels.len() };
    let (channels_in, channels_out) = (groups * channel(most), groups * channel(most));
    let square = generator.random_bool(0.7);
    let mut pair = |range: std::ops::RangeInclusive<usize>| {
        let first = generator.random_range(range.clone());
        [first, if square { first } else { generator.random_range(range) }]
    };
    let (kernel, stride, dilation) = (pair(1..=4), pair(1..=3), pair(1..=2));
    let (padding_before, padding_after, size) = (pair(0..=3), pair(0..=3), pair(1..=11));
    let input = [0, 1].map(|axis| {
        let span = (kernel[axis] - 1) * dilation[axis] + 1;
        size[axis].max(span.saturating_sub(padding_before[axis] + padding_after[axis])).max(1)
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

fn square(batch: usize, channels: [usize; 2], size: usize, kernel: usize, stride: usize) -> Convolution {
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

fn check(set: InstructionSet, geometry: &Convolution, generator: &mut impl Rng) {
    let what = format!("{set:?}, {geometry:?}");
    let input = values(generator, geometry.input_len());
    let weight = values(generator, geometry.weight_len());
    let gradient = values(generator, geometry.output_len());
    let [factor, bias] = [0; 2].map(|_| values(generator, geometry.channels_out));
    let residual = values(generator, geometry.output_len());
    let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
    let mut output = vec![Exact::default(); gradient.len()];
    let mut of_input = vec![Exact::default(); input.len()];
    let mut of_weight = vec![Exact::default(); weight.len()];
    each_product(geometry, |i, o, w| {
        output[o].add(product(input[i], weight[w]));
        of_input[i].add(product(gradient[o], weight[w]));
        of_weight[w].add(product(gradient[o], input[i]));
    });
    let mut computed = vec![f32::NAN; output.len()];
    forward(set, geometry, &input, &weight, Finish::default(), &mut computed);
    assert_close(&format!("output of {what}"), &computed, &output, BOUND);

    let finish = Finish { factor: Some(&factor), bias: Some(&bias), residual: Some(&residual), relu: true };
    forward(set, geometry, &input, &weight, finish, &mut computed);
    for (index, output) in output.iter_mut().enumerate() {
        let factor = f64::from(factor[index % geometry.channels_out]);
        output.value *= factor;
        output.magnitude *= factor.abs();
        output.add(f64::from(bias[index % geometry.channels_out]));
        output.add(f64::from(residual[index]));
        output.value = output.value.max(0.0);
    }
    assert_close(&format!("finished output of {what}"), &computed, &output, BOUND);

    let mut computed = vec![f32::NAN; input.len()];
    input_gradient(set, geometry, &weight, &gradient, &mut computed);
    assert_close(&format!("input gradient of {what}"), &computed, &of_input, BOUND);

    let mut computed = vec![f32::NAN; weight.len()];
    weight_gradient(set, geometry, &input, &gradient, &mut computed);
    assert_close(&format!("weight gradient of {what}"), &computed, &of_weight, BOUND);
}

#[test]
fn random_shapes() {
    for set in InstructionSet::available() {
        for case in 0..400 {
            let mut generator = generator(case);
            let geometry = random_geometry(&mut generator);
            check(set, &geometry, &mut generator);
        }
    }
}

#[test]
fn the_shapes_of_the_networks() {
    for set in InstructionSet::available() {
        for (case, geometry) in [
            square(2, [3, 16], 32, 3, 1),
            square(3, [16, 16], 32, 3, 1),
            square(2, [16, 32], 32, 3, 2),
            square(2, [16, 32], 32, 1, 2),
            square(1, [64, 64], 56, 3, 1),
            square(5, [512, 512], 7, 3, 1),
            square(1, [3, 64], 61, 7, 2),
            square(3, [256, 64], 14, 1, 1),
            square(2, [10, 1], 16, 3, 1),
            Convolution { groups: 32, ..square(2, [128, 128], 14, 3, 1) },
            Convolution { groups: 48, ..square(2, [48, 48], 14, 3, 2) },
        ]
        .iter()
        .enumerate()
        {
            check(set, geometry, &mut generator(case as u64));
        }
    }
}

/// A convolution is linear in its input and in its weight, so difference quotients of any step are exact.
#[test]
fn gradients_are_difference_quotients() {
    for set in InstructionSet::available() {
        for (case, geometry) in [
            square(2, [16, 32], 9, 3, 1),
            square(2, [3, 20], 15, 7, 2),
            square(3, [40, 10], 6, 1, 1),
            Convolution { groups: 4, ..square(1, [16, 24], 10, 3, 2) },
        ]
        .iter()
        .enumerate()
        {
            let mut generator = generator(1000 + case as u64);
            let [input, along_input] = [0; 2].map(|_| values(&mut generator, geometry.input_len()));
            let [weight, along_weight] = [0; 2].map(|_| values(&mut generator, geometry.weight_len()));
            let gradient = values(&mut generator, geometry.output_len());
            let sum = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            };
            let objective = |input: &[f32], weight: &[f32]| {
                let mut output = vec![f32::NAN; gradient.len()];
                forward(set, geometry, input, weight, Finish::default(), &mut output);
                sum(&output, &gradient)
            };
            let moved = |from: &[f32], along: &[f32], step: f32| -> Vec<f32> {
                from.iter().zip(along).map(|(from, along)| from + step * along).collect()
            };
            let quotient = |objective: &dyn Fn(f32) -> f64| (objective(1.0) - objective(-1.0)) / 2.0;
            let along = quotient(&|step| objective(&moved(&input, &along_input, step), &weight));
            let mut computed = vec![f32::NAN; input.len()];
            input_gradient(set, geometry, &weight, &gradient, &mut computed);
            let terms = (geometry.output_len() * geometry.weight_len() / geometry.channels_out) as f64;
            let bound = 1e-5 * terms.sqrt();
            let error = (along - sum(&computed, &along_input)).abs();
            assert!(error < bound, "input of {geometry:?} with {set:?}: {error:e} of {bound:e}");
            let along = quotient(&|step| objective(&input, &moved(&weight, &along_weight, step)));
            let mut computed = vec![f32::NAN; weight.len()];
            weight_gradient(set, geometry, &input, &gradient, &mut computed);
            let error = (along - sum(&computed, &along_weight)).abs();
            assert!(error < bound, "weight of {geometry:?} with {set:?}: {error:e} of {bound:e}");
        }
    }
}

/// No batch, as an empty loader would give.
#[test]
fn nothing() {
    let geometry = square(0, [3, 5], 8, 3, 1);
    let set = InstructionSet::best();
    forward(set, &geometry, &[], &[0.0; 135], Finish::default(), &mut []);
    input_gradient(set, &geometry, &[0.0; 135], &[], &mut []);
    let mut gradient = [1.0; 135];
    weight_gradient(set, &geometry, &[], &[], &mut gradient);
    assert_eq!(gradient, [0.0; 135]);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for geometry in
        [square(5, [16, 48], 20, 3, 1), square(3, [64, 32], 30, 3, 2), square(2, [130, 70], 9, 1, 1)]
    {
        let mut generator = generator(7);
        let input = values(&mut generator, geometry.input_len());
        let weight = values(&mut generator, geometry.weight_len());
        let gradient = values(&mut generator, geometry.output_len());
        let results = [1, 2, 3, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let set = InstructionSet::best();
                let mut results =
                    [vec![0.0; gradient.len()], vec![0.0; input.len()], vec![0.0; weight.len()]];
                let [output, of_input, of_weight] = &mut results;
                forward(set, &geometry, &input, &weight, Finish::default(), output);
                input_gradient(set, &geometry, &weight, &gradient, of_input);
                weight_gradient(set, &geometry, &input, &gradient, of_weight);
                results
            })
        });
        assert!(results.iter().all(|result| *result == results[0]), "{geometry:?}");
    }
}
