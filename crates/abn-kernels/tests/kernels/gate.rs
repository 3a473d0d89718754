use abn_kernels::gate::{
    Excited, Join, Mechanism, add, attend, attend_backward, excite, excite_backward, gate, relu,
};
use abn_kernels::{Buffers, InstructionSet};

use crate::{EPSILON, assert_near, double, everywhere, random, shapes};

#[test]
fn attention_is_its_formula_and_so_are_its_gradients() {
    for (channels, positions, context) in shapes() {
        let [features, gradient] = [1, 2].map(|seed| random(seed, positions * channels));
        let map = random(3, positions);
        for (mechanism, base) in [(Mechanism::Multiply, 0.0), (Mechanism::Residual, 1.0)] {
            let weighted = |values: &[f32]| -> Vec<f64> {
                let value =
                    |at: usize| (base + f64::from(map[at / channels])) * f64::from(values[at]);
                (0..values.len()).map(value).collect()
            };
            let products: Vec<f64> = double(&features)
                .iter()
                .zip(double(&gradient))
                .map(|(f, g)| f * g)
                .collect();
            let sums: Vec<f64> = products
                .chunks(channels)
                .map(|chunk| chunk.iter().sum())
                .collect();
            everywhere(
                |set| {
                    let len = features.len();
                    let [mut output, mut apart] = [vec![f32::NAN; len], vec![f32::NAN; len]];
                    let (mut in_place, mut of_map) = (gradient.clone(), vec![f32::NAN; positions]);
                    let both = Buffers::Apart {
                        from: &features,
                        to: &mut output,
                    };
                    attend(set, channels, mechanism, both, &map);
                    let mut attended = features.clone();
                    let both = Buffers::InPlace(&mut attended);
                    attend(set, channels, mechanism, both, &map);
                    assert_eq!(attended, output);
                    let both = Buffers::Apart {
                        from: &gradient,
                        to: &mut apart,
                    };
                    attend_backward(set, channels, mechanism, &features, &map, both, &mut of_map);
                    let both = Buffers::InPlace(&mut in_place);
                    attend_backward(set, channels, mechanism, &features, &map, both, &mut of_map);
                    assert_eq!(apart, in_place);
                    vec![output, apart, of_map]
                },
                |actual| {
                    // One rounding, or two where the weight of a feature is rounded by itself.
                    let size =
                        |at: usize| 2.0 * (base + f64::from(map[at / channels]).abs()) * EPSILON;
                    let bound = |at: usize| size(at) * f64::from(features[at].abs());
                    assert_near(&actual[0], &weighted(&features), bound, &context);
                    let bound = |at: usize| size(at) * f64::from(gradient[at].abs());
                    assert_near(&actual[1], &weighted(&gradient), bound, &context);
                    let bound = |at: usize| {
                        let size: f64 = products[at * channels..][..channels]
                            .iter()
                            .map(|p| p.abs())
                            .sum();
                        size * EPSILON * (channels as f64 / 8.0 + 8.0)
                    };
                    assert_near(&actual[2], &sums, bound, &context);
                },
            );
        }
    }
}

#[test]
fn excitation_is_its_formula_and_so_are_its_gradients() {
    for (channels, positions, context) in shapes() {
        let batch = if positions > 1000 { 1 } else { 3 };
        let image = positions * channels;
        let [features, gradient, residual] = [4, 5, 9].map(|seed| random(seed, batch * image));
        let weights = random(6, batch * channels);
        let weight = |at: usize| at / image * channels + at % channels;
        let weighted = |values: &[f32]| -> Vec<f64> {
            let value = |at: usize| f64::from(weights[weight(at)]) * f64::from(values[at]);
            (0..values.len()).map(value).collect()
        };
        let mut sums = vec![0.0; weights.len()];
        for (at, (&f, &g)) in features.iter().zip(&gradient).enumerate() {
            sums[weight(at)] += f64::from(f) * f64::from(g);
        }
        everywhere(
            |set| {
                let [mut output, mut in_place] = [vec![f32::NAN; features.len()], gradient.clone()];
                let apart = Buffers::Apart {
                    from: &features,
                    to: &mut output,
                };
                excite(set, channels, apart, &weights, Join::default());
                let join = Join {
                    residual: Some(&residual),
                    relu: true,
                };
                let mut joined = features.clone();
                let buffers = Buffers::InPlace(&mut joined);
                excite(set, channels, buffers, &weights, join);
                let excited = Excited {
                    features: &features,
                    weights: &weights,
                    relu: None,
                };
                let buffers = Buffers::InPlace(&mut in_place);
                let sums = excite_backward(set, channels, excited, buffers, None);
                // Behind a ReLU as if its gradient had come.
                let mut gated = gradient.clone();
                gate(set, Buffers::InPlace(&mut gated), &joined);
                let mut expected = gated.clone();
                let buffers = Buffers::InPlace(&mut expected);
                let sums_expected = excite_backward(set, channels, excited, buffers, None);
                let behind = Excited {
                    relu: Some(&joined),
                    ..excited
                };
                let [mut of_features, mut of_residual] =
                    [(); 2].map(|()| vec![f32::NAN; features.len()]);
                let apart = Buffers::Apart {
                    from: &gradient,
                    to: &mut of_features,
                };
                let residual = Some(&mut of_residual[..]);
                let of_weights = excite_backward(set, channels, behind, apart, residual);
                assert_eq!((&of_features, &of_residual), (&expected, &gated));
                assert_eq!(of_weights, sums_expected);
                vec![output, in_place, sums, joined]
            },
            |actual| {
                let [forward, backward] = [weighted(&features), weighted(&gradient)];
                assert_near(
                    &actual[0],
                    &forward,
                    |at| EPSILON * forward[at].abs(),
                    &context,
                );
                let joined: Vec<f64> = forward
                    .iter()
                    .zip(&residual)
                    .map(|(&of, &residual)| (of + f64::from(residual)).max(0.0))
                    .collect();
                assert_near(
                    &actual[3],
                    &joined,
                    |at| EPSILON * (2.0 * forward[at].abs() + f64::from(residual[at]).abs()),
                    &context,
                );
                assert_near(
                    &actual[1],
                    &backward,
                    |at| EPSILON * backward[at].abs(),
                    &context,
                );
                assert_near(
                    &actual[2],
                    &sums,
                    |_| EPSILON * 8.0 * (positions as f64 + 4.0),
                    &context,
                );
            },
        );
    }
}

#[test]
fn relu_and_sums_are_exact_and_gates_follow_the_output() {
    for len in [1, 15, 127, 128, 129, 70_000] {
        let [a, b] = [7, 8].map(|seed| random(seed, len));
        let zip = |function: fn(f32, f32) -> f32| -> Vec<f32> {
            a.iter().zip(&b).map(|(&a, &b)| function(a, b)).collect()
        };
        let expected = [
            zip(|a, _| a.max(0.0)),
            zip(|a, b| a + b),
            zip(|a, b| (a + b).max(0.0)),
            zip(|a, b| if b > 0.0 { a } else { 0.0 }),
        ];
        everywhere(
            |set| {
                let mut results = vec![vec![f32::NAN; len]; 4];
                let [rectified, added, both, gated] = &mut results[..] else {
                    unreachable!()
                };
                relu(
                    set,
                    Buffers::Apart {
                        from: &a,
                        to: rectified,
                    },
                );
                add(
                    set,
                    Buffers::Apart {
                        from: &a,
                        to: added,
                    },
                    &b,
                    false,
                );
                both.copy_from_slice(&a);
                add(set, Buffers::InPlace(both), &b, true);
                gated.copy_from_slice(&a);
                gate(set, Buffers::InPlace(gated), &b);
                results
            },
            |actual| assert_eq!(actual, expected),
        );
    }
}

#[test]
fn relu_and_gate_at_zero_and_nan() {
    for set in InstructionSet::available() {
        let mut values = [f32::NAN, -0.0, 0.0, 1.0, -1.0].repeat(9);
        let mut gradient = vec![2.0; values.len()];
        relu(set, Buffers::InPlace(&mut values));
        gate(set, Buffers::InPlace(&mut gradient), &values);
        for (values, gradient) in values.chunks(5).zip(gradient.chunks(5)) {
            assert!(values[0].is_nan());
            assert_eq!(values[1..], [0.0, 0.0, 1.0, 0.0]);
            assert_eq!(gradient, [2.0, 0.0, 0.0, 2.0, 0.0]);
        }
    }
}
