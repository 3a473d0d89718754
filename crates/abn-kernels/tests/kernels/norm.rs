use abn_kernels::norm::{Affine, Relu, Saved, backward, normalize, statistics};
use abn_kernels::{Buffers, InstructionSet};

use crate::{EPSILON, assert_near, double, everywhere, random, shapes};

/// Mean and biased variance of each channel.
fn moments(channels: usize, input: &[f64]) -> [Vec<f64>; 2] {
    let count = (input.len() / channels) as f64;
    let of = |channel: usize| input.iter().skip(channel).step_by(channels);
    let mean: Vec<f64> = (0..channels)
        .map(|channel| of(channel).sum::<f64>() / count)
        .collect();
    let variance = |channel: usize| {
        of(channel)
            .map(|x| (x - mean[channel]).powi(2))
            .sum::<f64>()
            / count
    };
    let variance = (0..channels).map(variance).collect();
    [mean, variance]
}

#[track_caller]
fn check_statistics(channels: usize, input: &[f32], context: &str) {
    let [mean, variance] = moments(channels, &double(input));
    everywhere(
        |set| {
            let statistics = statistics(set, channels, input);
            vec![statistics.mean, statistics.variance]
        },
        |actual| {
            let bound = |at: usize| 2.0 * EPSILON * (mean[at].abs() + variance[at].sqrt());
            assert_near(&actual[0], &mean, bound, &format!("mean, {context}"));
            assert_near(
                &actual[1],
                &variance,
                |at| 8.0 * EPSILON * variance[at],
                &format!("variance, {context}"),
            );
        },
    );
}

#[test]
fn statistics_are_accurate_to_a_few_roundings() {
    for (channels, positions, context) in shapes() {
        check_statistics(channels, &random(1, positions * channels), &context);
    }
}

#[test]
fn a_large_mean_costs_the_variance_no_digits() {
    for (channels, positions, context) in shapes() {
        // The deviation is a hundredth of a thousandth of the mean, and the input has these values
        // exactly.
        let input: Vec<f32> = random(2, positions * channels)
            .iter()
            .map(|x| 1000.0 + x * 0.01)
            .collect();
        check_statistics(channels, &input, &context);
    }
}

#[test]
fn a_first_position_far_from_all_others_does_no_harm() {
    let mut input = random(3, 16 * 70_000);
    input[..16].fill(1e4);
    check_statistics(16, &input, "an outlier");
    // Images far apart from each other.
    for (index, value) in input.iter_mut().enumerate() {
        *value += (index / (16 * 1000)) as f32 * 100.0;
    }
    check_statistics(16, &input, "steps");
}

#[test]
fn constant_channels_have_no_variance_and_nan_stays_in_its_channel() {
    for set in InstructionSet::available() {
        let statistics = statistics(set, 3, &[0.1, 7.0, f32::NAN].repeat(12_345));
        assert_eq!(statistics.mean[..2], [0.1, 7.0]);
        assert_eq!(statistics.variance[..2], [0.0, 0.0]);
        assert!(statistics.mean[2].is_nan() && statistics.variance[2].is_nan());
    }
}

#[test]
fn normalisation_is_its_formula() {
    for (channels, positions, context) in shapes() {
        let len = positions * channels;
        let (input, residual) = (random(4, len), random(5, len));
        let [mean, factor, shift] = [6, 7, 8].map(|seed| random(seed, channels));
        for (with, relu) in [(false, false), (true, false), (false, true), (true, true)] {
            let affine = Affine {
                mean: &mean,
                factor: &factor,
                shift: &shift,
                residual: with.then_some(&residual),
                relu,
            };
            let terms = |at: usize| {
                let [mean, factor, shift] =
                    [&mean, &factor, &shift].map(|values| f64::from(values[at % channels]));
                let added = if with { f64::from(residual[at]) } else { 0.0 };
                [f64::from(input[at]) * factor, -mean * factor, shift, added]
            };
            let size = |at: usize| terms(at).iter().map(|term| term.abs()).sum::<f64>();
            let expected: Vec<f64> = (0..len)
                .map(|at| terms(at).iter().sum())
                .map(|x: f64| if relu { x.max(0.0) } else { x })
                .collect();
            everywhere(
                |set| {
                    let mut output = vec![f32::NAN; len];
                    normalize(set, channels, &input, affine, &mut output);
                    vec![output]
                },
                |actual| {
                    assert_near(
                        &actual[0],
                        &expected,
                        |at| 2.0 * EPSILON * size(at),
                        &context,
                    )
                },
            );
        }
    }
}

#[test]
fn relu_keeps_nan() {
    for set in InstructionSet::available() {
        let input = [f32::NAN, -1.0, 2.0, -0.5].repeat(33);
        let mut output = vec![0.0; input.len()];
        let affine = Affine {
            mean: &[0.0],
            factor: &[1.0],
            shift: &[0.0],
            residual: None,
            relu: true,
        };
        normalize(set, 1, &input, affine, &mut output);
        for values in output.chunks(4) {
            assert!(values[0].is_nan());
            assert_eq!(values[1..], [0.0, 2.0, 0.0]);
        }
    }
}

/// The layer in double precision: output, then the gradients of input, residual, gamma and beta for
/// a given one of the output.
struct Reference {
    channels: usize,
    input: Vec<f64>,
    residual: Vec<f64>,
    gamma: Vec<f64>,
    beta: Vec<f64>,
}

const VARIANCE_EPSILON: f64 = 1e-5;

impl Reference {
    /// Mean and inverse deviation of each channel.
    fn statistics(&self) -> [Vec<f64>; 2] {
        let [mean, variance] = moments(self.channels, &self.input);
        [
            mean,
            variance
                .iter()
                .map(|variance| 1.0 / (variance + VARIANCE_EPSILON).sqrt())
                .collect(),
        ]
    }

    /// Before the ReLU.
    fn sums(&self) -> Vec<f64> {
        let [mean, std] = self.statistics();
        let value = |at: usize| {
            let channel = at % self.channels;
            (self.input[at] - mean[channel]) * std[channel] * self.gamma[channel]
                + self.beta[channel]
                + self.residual[at]
        };
        (0..self.input.len()).map(value).collect()
    }

    /// The gradients of input, `dz`, gamma and beta.
    fn gradients(&self, gradient: &[f64], relu: bool) -> [Vec<f64>; 4] {
        let [mean, std] = self.statistics();
        let count = (self.input.len() / self.channels) as f64;
        let gated: Vec<f64> = self
            .sums()
            .iter()
            .zip(gradient)
            .map(|(&y, &g)| if relu && y <= 0.0 { 0.0 } else { g })
            .collect();
        let unit =
            |at: usize| (self.input[at] - mean[at % self.channels]) * std[at % self.channels];
        let (mut gamma, mut beta) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (at, gradient) in gated.iter().enumerate() {
            gamma[at % self.channels] += gradient * unit(at);
            beta[at % self.channels] += gradient;
        }
        let input = |at: usize| {
            let channel = at % self.channels;
            let centred = gated[at] - beta[channel] / count - unit(at) * gamma[channel] / count;
            self.gamma[channel] * std[channel] * centred
        };
        [
            (0..gated.len()).map(input).collect(),
            gated.clone(),
            gamma,
            beta,
        ]
    }

    /// A function of the output whose gradient is known.
    fn loss(&self, gradient: &[f64], relu: bool) -> f64 {
        self.sums()
            .iter()
            .zip(gradient)
            .map(|(&y, g)| if relu { y.max(0.0) * g } else { y * g })
            .sum()
    }
}

type Field = fn(&mut Reference) -> &mut Vec<f64>;

#[test]
fn the_reference_has_the_gradients_of_finite_differences() {
    for relu in [false, true] {
        let mut reference = Reference {
            channels: 3,
            input: double(&random(10, 21)),
            residual: double(&random(11, 21)),
            gamma: double(&random(12, 3)),
            beta: double(&random(13, 3)),
        };
        let gradient = double(&random(14, 21));
        let [input, residual, gamma, beta] = reference.gradients(&gradient, relu);
        let fields: [(Field, Vec<f64>); 4] = [
            (|reference| &mut reference.input, input),
            (|reference| &mut reference.residual, residual),
            (|reference| &mut reference.gamma, gamma),
            (|reference| &mut reference.beta, beta),
        ];
        for (field, expected) in fields {
            for (at, expected) in expected.iter().enumerate() {
                let mut moved = |by: f64| {
                    field(&mut reference)[at] += by;
                    let loss = reference.loss(&gradient, relu);
                    field(&mut reference)[at] -= by;
                    loss
                };
                let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((slope - expected).abs() < 1e-7, "{slope} is not {expected}");
            }
        }
    }
}

#[test]
fn gradients_are_those_of_the_reference() {
    for (channels, positions, context) in shapes() {
        let len = positions * channels;
        let [input, gradient] = [20, 21].map(|seed| random(seed, len));
        let residual = random(22, len);
        let [gamma, beta] = [23, 24].map(|seed| random(seed, channels));
        let reference = Reference {
            channels,
            input: double(&input),
            residual: double(&residual),
            gamma: double(&gamma),
            beta: double(&beta),
        };
        let [mean, std] = reference
            .statistics()
            .map(|values| values.iter().map(|&x| x as f32).collect::<Vec<_>>());
        let output: Vec<f32> = reference.sums().iter().map(|&x| x as f32).collect();
        for (relu, with) in [(false, false), (true, false), (true, true), (false, true)] {
            let expected = reference.gradients(&double(&gradient), relu);
            let saved = Saved {
                input: &input,
                relu: relu.then_some(Relu::Output(&output)),
                mean: &mean,
                inverse_std: &std,
                gamma: &gamma,
            };
            everywhere(
                |set| {
                    let (mut apart, mut in_place) = (vec![f32::NAN; len], gradient.clone());
                    let mut residual = vec![f32::NAN; len];
                    let asked = with.then_some(&mut residual[..]);
                    let both = Buffers::Apart {
                        from: &gradient,
                        to: &mut apart,
                    };
                    let sums = backward(set, channels, saved, both, asked, |_| None);
                    let asked = with.then_some(&mut residual[..]);
                    let again = backward(
                        set,
                        channels,
                        saved,
                        Buffers::InPlace(&mut in_place),
                        asked,
                        |_| None,
                    );
                    assert_eq!((&apart, &sums), (&in_place, &again));
                    if !with {
                        residual = expected[1].iter().map(|&x| x as f32).collect();
                    }
                    vec![apart, residual, sums.0, sums.1]
                },
                |actual| {
                    let count = positions as f64;
                    let scale =
                        |at: usize| f64::from((gamma[at % channels] * std[at % channels]).abs());
                    let unit = |at: usize| {
                        let channel = at % channels;
                        f64::from((input[at] - mean[channel]) * std[channel]).abs()
                    };
                    // Sums of `count` products of size 1; a mean that is rounded moves all of them.
                    let sum =
                        |at: usize| EPSILON * (count + 4.0) * (4.0 + f64::from(std[at].min(1e3)));
                    assert_near(&actual[2], &expected[2], sum, &format!("gamma, {context}"));
                    assert_near(&actual[3], &expected[3], sum, &format!("beta, {context}"));
                    let bound = |at: usize| {
                        let sums = sum(at % channels) / count * (1.0 + unit(at));
                        scale(at) * (4.0 * EPSILON * (3.0 + unit(at) * unit(at)) + sums)
                    };
                    assert_near(
                        &actual[0],
                        &expected[0],
                        bound,
                        &format!("input, {context}"),
                    );
                    assert_near(
                        &actual[1],
                        &expected[1],
                        |_| 0.0,
                        &format!("residual, {context}"),
                    );
                },
            );
        }
    }
}

/// The backward pass that computes the normalisation again has the bits of the one that reads its
/// output.
#[test]
fn a_relu_is_known_by_its_output_or_by_the_normalisation() {
    for (channels, positions, context) in shapes() {
        let len = positions * channels;
        let [input, gradient] = [30, 31].map(|seed| random(seed, len));
        let [gamma, beta, mean, std] = [32, 33, 34, 35].map(|seed| random(seed, channels));
        let factor: Vec<f32> = gamma
            .iter()
            .zip(&std)
            .map(|(gamma, std)| gamma * std)
            .collect();
        everywhere(
            |set| {
                let affine = Affine {
                    mean: &mean,
                    factor: &factor,
                    shift: &beta,
                    residual: None,
                    relu: true,
                };
                let mut output = vec![f32::NAN; len];
                normalize(set, channels, &input, affine, &mut output);
                let of = |relu: Relu| {
                    let saved = Saved {
                        input: &input,
                        relu: Some(relu),
                        mean: &mean,
                        inverse_std: &std,
                        gamma: &gamma,
                    };
                    let mut of_input = gradient.clone();
                    let values = Buffers::InPlace(&mut of_input);
                    let sums = backward(set, channels, saved, values, None, |_| None);
                    (of_input, sums)
                };
                let (of_input, sums) = of(Relu::Output(&output));
                let again = of(Relu::Normalized(&beta));
                assert_eq!((&of_input, &sums), (&again.0, &again.1), "{context}");
                vec![of_input, sums.0, sums.1]
            },
            |_| (),
        );
    }
}
