use abn_kernels::pool::{
    Windows, add_spread, average, average_backward, global_average, global_maximum,
    global_maximum_backward, maximum, maximum_backward, spread,
};
use abn_kernels::{Buffers, InstructionSet};

use crate::{CHANNELS, EPSILON, POSITIONS, assert_near, double, everywhere, random};

fn cases() -> Vec<Windows> {
    let mut cases = vec![];
    for (channels, batch) in [
        (1, 2),
        (3, 1),
        (7, 2),
        (16, 3),
        (17, 1),
        (48, 2),
        (100, 1),
        (130, 1),
    ] {
        for (input, kernel, stride, padding) in [
            ([1, 1], [1, 1], [1, 1], [0, 0]),
            ([2, 3], [2, 2], [1, 1], [1, 1]),
            ([7, 7], [3, 3], [2, 2], [1, 1]),
            ([9, 6], [3, 2], [1, 3], [0, 1]),
            ([8, 8], [2, 2], [2, 2], [0, 0]),
            ([12, 11], [5, 4], [2, 1], [2, 0]),
            // Some rows and columns lie in no window.
            ([10, 13], [2, 2], [3, 4], [0, 0]),
            ([40, 41], [3, 3], [2, 2], [1, 1]),
        ] {
            cases.push(Windows {
                batch,
                channels,
                input,
                kernel,
                stride,
                padding,
            });
        }
    }
    cases
}

/// For every output, in order: the indices of its inputs.
fn members(windows: &Windows) -> Vec<Vec<usize>> {
    let [height, width] = windows.output();
    let mut members = vec![];
    for at in 0..windows.output_len() {
        let (position, channel) = (at / windows.channels, at % windows.channels);
        let place = [position / width % height, position % width];
        let image = position / width / height;
        let mut inputs = vec![];
        for row in 0..windows.input[0] {
            for column in 0..windows.input[1] {
                let inside = [row, column].iter().enumerate().all(|(axis, &at)| {
                    let start = place[axis] * windows.stride[axis];
                    (start..start + windows.kernel[axis]).contains(&(at + windows.padding[axis]))
                });
                if inside {
                    let position = (image * windows.input[0] + row) * windows.input[1] + column;
                    inputs.push(position * windows.channels + channel);
                }
            }
        }
        members.push(inputs);
    }
    members
}

#[test]
fn maxima_and_their_gradients_are_those_of_the_definition() {
    for windows in cases() {
        // Few different values, so that there are ties.
        let input: Vec<f32> = random(1, windows.input_len())
            .iter()
            .map(|x| (x * 2.0).round())
            .collect();
        let gradient = random(2, windows.output_len());
        let image = windows.input[0] * windows.input[1];
        let (mut values, mut indices, mut returned) = (vec![], vec![], vec![0.0; input.len()]);
        for (at, members) in members(&windows).iter().enumerate() {
            let greater =
                |best: usize, &at: &usize| if input[at] > input[best] { at } else { best };
            let best = members.iter().fold(members[0], greater);
            values.push(input[best]);
            indices.push((best / windows.channels % image) as i32);
            returned[best] += f64::from(gradient[at]);
        }
        everywhere(
            |set| {
                let (mut output, mut at) = (vec![f32::NAN; values.len()], vec![-1; values.len()]);
                let [mut alone, mut back] = [output.clone(), vec![f32::NAN; input.len()]];
                maximum(set, &windows, &input, &mut output, Some(&mut at));
                maximum(set, &windows, &input, &mut alone, None);
                maximum_backward(set, &windows, &gradient, &at, &mut back);
                assert_eq!((&output, &at), (&alone, &indices), "{windows:?}");
                vec![output, back]
            },
            |actual| {
                assert_eq!(actual[0], values, "{windows:?}");
                assert_near(
                    &actual[1],
                    &returned,
                    |_| 30.0 * EPSILON,
                    &format!("{windows:?}"),
                );
            },
        );
    }
}

#[test]
fn nan_wins_and_minus_infinity_has_a_place() {
    let windows = Windows {
        batch: 1,
        channels: 1,
        input: [1, 6],
        kernel: [1, 3],
        stride: [1, 3],
        padding: [0, 0],
    };
    for set in InstructionSet::available() {
        let input = [
            5.0,
            f32::NAN,
            7.0,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY,
        ];
        let (mut output, mut indices) = ([0.0; 2], [-1; 2]);
        maximum(set, &windows, &input, &mut output, Some(&mut indices));
        assert!(output[0].is_nan());
        assert_eq!((output[1], indices), (f32::NEG_INFINITY, [1, 3]));
    }
}

#[test]
fn averages_and_their_gradients_are_those_of_the_definition() {
    for windows in cases() {
        let [input, gradient] =
            [(3, windows.input_len()), (4, windows.output_len())].map(|(s, n)| random(s, n));
        for count_padding in [false, true] {
            let (mut values, mut returned) = (vec![], vec![0.0; input.len()]);
            for (members, &gradient) in members(&windows).iter().zip(&gradient) {
                let area = windows.kernel[0] * windows.kernel[1];
                let count = if count_padding { area } else { members.len() } as f64;
                values.push(members.iter().map(|&at| f64::from(input[at])).sum::<f64>() / count);
                for &at in members {
                    returned[at] += f64::from(gradient) / count;
                }
            }
            everywhere(
                |set| {
                    let [mut output, mut back] =
                        [vec![f32::NAN; values.len()], vec![f32::NAN; input.len()]];
                    average(set, &windows, count_padding, &input, &mut output);
                    average_backward(set, &windows, count_padding, &gradient, &mut back);
                    vec![output, back]
                },
                |actual| {
                    // Sums of at most 20 values of at most 3.
                    assert_near(
                        &actual[0],
                        &values,
                        |_| 60.0 * EPSILON,
                        &format!("{windows:?}"),
                    );
                    assert_near(
                        &actual[1],
                        &returned,
                        |_| 60.0 * EPSILON,
                        &format!("{windows:?}"),
                    );
                },
            );
        }
    }
}

#[test]
fn whole_images_are_pooled_and_get_their_gradients() {
    for channels in CHANNELS {
        for positions in POSITIONS
            .into_iter()
            .filter(|positions| positions * channels <= 300_000)
        {
            let batch = if positions > 1000 { 1 } else { 3 };
            let image = channels * positions;
            let [input, gradient] =
                [(5, batch * image), (6, batch * channels)].map(|(s, n)| random(s, n));
            let of = |at: usize| {
                let start = at / channels * image + at % channels;
                input[start..(at / channels + 1) * image]
                    .iter()
                    .step_by(channels)
            };
            let sums = (0..gradient.len()).map(|at| {
                double(&of(at).copied().collect::<Vec<_>>())
                    .iter()
                    .sum::<f64>()
            });
            let means: Vec<f64> = sums.map(|sum| sum / positions as f64).collect();
            let maxima: Vec<f32> = (0..gradient.len())
                .map(|at| of(at).copied().fold(f32::MIN, f32::max))
                .collect();
            let first: Vec<_> = (0..gradient.len())
                .map(|at| of(at).position(|&value| value == maxima[at]))
                .collect();
            let owner = |at: usize| at / image * channels + at % channels;
            let repeated: Vec<f32> = (0..input.len()).map(|at| gradient[owner(at)]).collect();
            let shifted: Vec<f32> = (0..input.len())
                .map(|at| input[at] + gradient[owner(at)])
                .collect();
            let returned: Vec<f32> = (0..input.len())
                .map(|at| {
                    let here = first[owner(at)] == Some(at % image / channels);
                    if here { gradient[owner(at)] } else { 0.0 }
                })
                .collect();
            everywhere(
                |set| {
                    let [mut each, mut sum, mut back] =
                        [(); 3].map(|()| vec![f32::NAN; input.len()]);
                    spread(channels, positions, &gradient, &mut each);
                    let apart = Buffers::Apart {
                        from: &input,
                        to: &mut sum,
                    };
                    add_spread(set, channels, positions, apart, &gradient);
                    let mut in_place = input.clone();
                    let buffers = Buffers::InPlace(&mut in_place);
                    add_spread(set, channels, positions, buffers, &gradient);
                    assert_eq!(in_place, sum);
                    let (maxima, indices) = global_maximum(set, channels, positions, &input);
                    global_maximum_backward(channels, positions, &gradient, &indices, &mut back);
                    vec![
                        global_average(set, channels, positions, &input),
                        maxima,
                        each,
                        back,
                        sum,
                    ]
                },
                |actual| {
                    let context = format!("{batch} x {positions} x {channels}");
                    assert_near(&actual[0], &means, |_| 8.0 * EPSILON, &context);
                    assert!(actual[1] == maxima && actual[3] == returned, "{context}");
                    assert!(actual[2] == repeated && actual[4] == shifted, "{context}");
                },
            );
        }
    }
}
