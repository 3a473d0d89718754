use abn_kernels::linear::{Linear, forward, input_gradient, weight_gradient};

use crate::{EPSILON, assert_near, everywhere, random};

/// `[rows, inner] x [inner, columns]`, with the sums of the absolute values of the terms.
fn product(
    [rows, inner, columns]: [usize; 3],
    left: impl Fn(usize, usize) -> f32,
    right: impl Fn(usize, usize) -> f32,
) -> [Vec<f64>; 2] {
    let mut sums = [(); 2].map(|()| vec![0.0; rows * columns]);
    for row in 0..rows {
        for at in 0..inner {
            for column in 0..columns {
                let term = f64::from(left(row, at)) * f64::from(right(at, column));
                sums[0][row * columns + column] += term;
                sums[1][row * columns + column] += term.abs();
            }
        }
    }
    sums
}

/// Rows, inputs and outputs that fill tiles, blocks and panels, and that leave some over.
#[test]
fn layers_and_their_gradients_are_those_of_the_definition() {
    for [rows, inputs, outputs] in [
        [1, 1, 1],
        [3, 7, 5],
        [5, 64, 32],
        [7, 65, 100],
        [14, 128, 64],
        [20, 200, 77],
        [2, 3, 1000],
        [33, 130, 96],
    ] {
        let shape = Linear {
            rows,
            inputs,
            outputs,
        };
        let [input, weight, gradient] = [
            (1, rows * inputs),
            (2, inputs * outputs),
            (3, rows * outputs),
        ]
        .map(|(seed, len)| random(seed, len));
        let bias = random(4, outputs);
        let of_input = |row: usize, at: usize| input[row * inputs + at];
        let of_weight = |at: usize, column: usize| weight[at * outputs + column];
        let of_gradient = |row: usize, column: usize| gradient[row * outputs + column];
        let [mut sums, mut magnitudes] = product([rows, inputs, outputs], of_input, of_weight);
        for (at, (sum, magnitude)) in sums.iter_mut().zip(&mut magnitudes).enumerate() {
            *sum += f64::from(bias[at % outputs]);
            *magnitude += f64::from(bias[at % outputs]).abs();
        }
        let expected = [
            [sums, magnitudes],
            product([rows, outputs, inputs], of_gradient, |at, column| {
                of_weight(column, at)
            }),
            product(
                [inputs, rows, outputs],
                |row, at| of_input(at, row),
                of_gradient,
            ),
        ];
        everywhere(
            |set| {
                let mut output = vec![f32::NAN; rows * outputs];
                let mut to_input = vec![f32::NAN; rows * inputs];
                let mut to_weight = vec![f32::NAN; inputs * outputs];
                forward(set, &shape, &input, &weight, Some(&bias), &mut output);
                input_gradient(set, &shape, &weight, &gradient, &mut to_input);
                weight_gradient(set, &shape, &input, &gradient, &mut to_weight);
                vec![output, to_input, to_weight]
            },
            |actual| {
                for (actual, [sums, magnitudes]) in actual.iter().zip(&expected) {
                    let bound = |at: usize| 16.0 * EPSILON * magnitudes[at];
                    assert_near(actual, sums, bound, &format!("{shape:?}"));
                }
            },
        );
    }
}

/// What is not there is not read: no rows give nothing, and one output less than a panel is packed.
#[test]
fn no_rows_and_no_bias() {
    everywhere(
        |set| {
            let shape = |rows, outputs| Linear {
                rows,
                inputs: 2,
                outputs,
            };
            let mut none = Vec::new();
            forward(set, &shape(0, 64), &[], &[1.0; 128], None, &mut none);
            let mut some = vec![f32::NAN; 63];
            forward(
                set,
                &shape(1, 63),
                &[2.0, 3.0],
                &[1.0; 126],
                None,
                &mut some,
            );
            vec![none, some]
        },
        |actual| assert!(actual[0].is_empty() && actual[1] == [5.0; 63]),
    );
}
