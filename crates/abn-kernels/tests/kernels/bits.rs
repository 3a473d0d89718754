//! The bits of a few of all kernels, which are the same on every machine with fused multiply-add: of
//! another architecture too, where nobody can compare two machines in one run.

use abn_kernels::activation::{log1p, sigmoid, softmax};
use abn_kernels::conv::{Algorithm, Convolution, Finish, forward, input_gradient, weight_gradient};
use abn_kernels::gate::{Mechanism, attend, attend_backward};
use abn_kernels::linear::{self, Linear};
use abn_kernels::norm::{Affine, Relu, Saved, backward, normalize, statistics};
use abn_kernels::pool::{Windows, average, global_average, maximum};
use abn_kernels::{Buffers, InstructionSet};

use crate::random;

/// What was computed, and the digest of its bits.
const KNOWN: &[(&str, u64)] = &[
    ("7x7/2, direct", 0x09e0_ae4e_118a_1f84),
    ("7x7/2, small", 0x09e0_ae4e_118a_1f84),
    ("7x7/2, fewest", 0x56be_8cae_02c0_fdbb),
    ("7x7/2, input gradient", 0x13ad_c9e3_e7cf_c6eb),
    ("7x7/2, weight gradient", 0x9219_714b_c1b2_ec46),
    ("3x3, direct", 0xd2fd_dae9_1f5d_7a28),
    ("3x3, small", 0xd2fd_dae9_1f5d_7a28),
    ("3x3, fewest", 0xeae5_f7de_e70b_452a),
    ("3x3, input gradient", 0xf760_d7a2_2f5e_e987),
    ("3x3, weight gradient", 0xae51_0d4c_5fa5_fb45),
    ("1x1, direct", 0x88e0_ed82_9569_fa57),
    ("1x1, small", 0x88e0_ed82_9569_fa57),
    ("1x1, fewest", 0x6a35_101a_ccdd_df71),
    ("1x1, input gradient", 0x8647_7304_d557_6e7c),
    ("1x1, weight gradient", 0x2603_c831_5f9e_19ce),
    ("3x3 in groups, direct", 0x7cdf_961a_df32_79ed),
    ("3x3 in groups, small", 0x7cdf_961a_df32_79ed),
    ("3x3 in groups, fewest", 0xdfe1_246e_a1db_4aa9),
    ("3x3 in groups, input gradient", 0xd9fe_e298_8910_6d88),
    ("3x3 in groups, weight gradient", 0xfaf8_6b65_485a_0eb2),
    ("mean", 0xab4a_895d_04a2_8b35),
    ("variance", 0x981f_f4af_597f_7f6d),
    ("normalised", 0x182f_5711_cffc_2629),
    ("gradient of a normalised input", 0x3e96_a10f_8ac7_f9c7),
    ("gradient of a scale", 0xde9b_5351_80c0_aa1a),
    ("gradient of a shift", 0xb3dd_6b90_3f66_82bf),
    ("sigmoid", 0xad06_d251_7427_1257),
    ("attended", 0x6e2e_c28f_6353_a99c),
    ("gradient of attended features", 0xe8da_0d40_5dc3_a3b8),
    ("gradient of a map", 0xdab3_ed3c_f4dd_375f),
    ("logarithms", 0xb18c_338a_cb1a_5611),
    ("probabilities", 0x2a19_22f0_af9b_92f9),
    ("sums of exponentials", 0x008a_7f3b_d18a_2057),
    ("gradient of a linear input", 0xfaf8_f4b8_0ea3_fc6b),
    ("gradient of a linear weight", 0xb6e4_c424_de58_35be),
    ("linear", 0x42c6_3aee_ef31_275f),
    ("average", 0x642d_d1a5_5074_86d3),
    ("maximum", 0xb5af_195c_6609_ea78),
    ("average of all positions", 0xf810_8fa1_c2bf_8de6),
];

#[test]
fn bits_are_those_of_every_machine() {
    for set in InstructionSet::available()
        .into_iter()
        .filter(|set| set.is_fused())
    {
        let found: Vec<(String, u64)> = results(set)
            .into_iter()
            .map(|(name, values)| (name, digest(&values)))
            .collect();
        let known: Vec<(String, u64)> = KNOWN
            .iter()
            .map(|&(name, digest)| (name.to_owned(), digest))
            .collect();
        assert_eq!(found, known, "{set}");
    }
}

/// FNV-1a over the bits.
fn digest(values: &[f32]) -> u64 {
    let bytes = values
        .iter()
        .flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// An output that a kernel fills.
fn filled(len: usize, fill: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut values = vec![f32::NAN; len];
    fill(&mut values);
    values
}

fn results(set: InstructionSet) -> Vec<(String, Vec<f32>)> {
    let mut results = Vec::new();
    for (name, geometry) in convolutions() {
        let of = convolution(set, &geometry);
        results.extend(of.map(|(part, values)| (format!("{name}, {part}"), values)));
    }
    let others = [normalisation(set), gates(set), products(set), pools(set)];
    let others = others.into_iter().flatten();
    results.extend(others.map(|(name, values)| (name.to_owned(), values)));
    results
}

fn convolutions() -> [(&'static str, Convolution); 4] {
    let square = |channels: [usize; 2], kernel: usize, stride: usize, groups: usize| Convolution {
        batch: 2,
        input: [13; 2],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding_before: [kernel / 2; 2],
        padding_after: [kernel / 2; 2],
        dilation: [1; 2],
        channels_in: channels[0],
        channels_out: channels[1],
        groups,
    };
    [
        ("7x7/2", square([3, 20], 7, 2, 1)),
        ("3x3", square([40, 33], 3, 1, 1)),
        ("1x1", square([600, 70], 1, 1, 1)),
        ("3x3 in groups", square([64, 64], 3, 1, 4)),
    ]
}

fn convolution(set: InstructionSet, geometry: &Convolution) -> [(&'static str, Vec<f32>); 5] {
    let (channels, len) = (geometry.channels_out, geometry.output_len());
    let input = random(1, geometry.input_len());
    let weight = random(2, geometry.weight_len());
    let [gradient, residual] = [3, 4].map(|seed| random(seed, len));
    let [mean, factor, bias] = [5, 6, 7].map(|seed| random(seed, channels));
    let of = |algorithm, mean| {
        let finish = Finish {
            mean,
            factor: Some(&factor),
            bias: Some(&bias),
            residual: Some(&residual),
            relu: true,
        };
        filled(len, |output| {
            forward(set, algorithm, geometry, &input, &weight, finish, output)
        })
    };
    [
        ("direct", of(Algorithm::Direct, None)),
        ("small", of(Algorithm::Small, None)),
        ("fewest", of(Algorithm::Fewest, Some(&mean[..]))),
        (
            "input gradient",
            filled(input.len(), |of| {
                input_gradient(set, geometry, &weight, &gradient, of)
            }),
        ),
        (
            "weight gradient",
            filled(weight.len(), |of| {
                weight_gradient(set, geometry, &input, &gradient, of)
            }),
        ),
    ]
}

fn normalisation(set: InstructionSet) -> Vec<(&'static str, Vec<f32>)> {
    const CHANNELS: usize = 20;
    let [input, gradient] = [1, 2].map(|seed| random(seed, 500 * CHANNELS));
    let [gamma, shift] = [3, 4].map(|seed| random(seed, CHANNELS));
    let of = statistics(set, CHANNELS, &input);
    let roots = of
        .variance
        .iter()
        .map(|variance| 1.0 / (variance + 1e-5).sqrt());
    let inverse_std: Vec<f32> = roots.collect();
    let factor: Vec<f32> = gamma
        .iter()
        .zip(&inverse_std)
        .map(|(one, other)| one * other)
        .collect();
    let affine = Affine {
        mean: &of.mean,
        factor: &factor,
        shift: &shift,
        residual: None,
        relu: true,
    };
    let normalized = filled(input.len(), |output| {
        normalize(set, CHANNELS, &input, affine, output);
    });
    let saved = Saved {
        input: &input,
        relu: Some(Relu::Output(&normalized)),
        mean: &of.mean,
        inverse_std: &inverse_std,
        gamma: &gamma,
    };
    let mut of_input = gradient;
    let both = Buffers::InPlace(&mut of_input);
    let (of_gamma, of_beta) = backward(set, CHANNELS, saved, both, None, |_| None);
    vec![
        ("mean", of.mean),
        ("variance", of.variance),
        ("normalised", normalized),
        ("gradient of a normalised input", of_input),
        ("gradient of a scale", of_gamma),
        ("gradient of a shift", of_beta),
    ]
}

fn gates(set: InstructionSet) -> Vec<(&'static str, Vec<f32>)> {
    let (channels, positions) = (33, 50);
    let [features, gradient] = [1, 2].map(|seed| random(seed, channels * positions));
    let map = filled(positions, |map| sigmoid(&random(3, positions), map));
    let [mut attended, mut of_features] = [features.clone(), gradient];
    let both = Buffers::InPlace(&mut attended);
    attend(set, channels, Mechanism::Residual, both, &map);
    let both = Buffers::InPlace(&mut of_features);
    let of_map = filled(positions, |of_map| {
        attend_backward(
            set,
            channels,
            Mechanism::Residual,
            &features,
            &map,
            both,
            of_map,
        );
    });
    vec![
        ("sigmoid", map),
        ("attended", attended),
        ("gradient of attended features", of_features),
        ("gradient of a map", of_map),
    ]
}

fn products(set: InstructionSet) -> Vec<(&'static str, Vec<f32>)> {
    let shape = Linear {
        rows: 7,
        inputs: 300,
        outputs: 21,
    };
    let [input, weight] = [(1, 7 * 300), (2, 300 * 21)].map(|(seed, len)| random(seed, len));
    let [gradient, bias] = [(3, 7 * 21), (4, 21)].map(|(seed, len)| random(seed, len));
    let logits = filled(7 * 21, |logits| {
        linear::forward(set, &shape, &input, &weight, Some(&bias), logits);
    });
    let mut probabilities = vec![f32::NAN; logits.len()];
    let sums = softmax(21, &logits, &mut probabilities);
    let squares: Vec<f32> = logits.iter().map(|logit| logit * logit).collect();
    vec![
        (
            "logarithms",
            filled(squares.len(), |of| log1p(&squares, of)),
        ),
        ("probabilities", probabilities),
        (
            "sums of exponentials",
            sums.iter().map(|&sum| sum as f32).collect(),
        ),
        (
            "gradient of a linear input",
            filled(input.len(), |of| {
                linear::input_gradient(set, &shape, &weight, &gradient, of)
            }),
        ),
        (
            "gradient of a linear weight",
            filled(weight.len(), |of| {
                linear::weight_gradient(set, &shape, &input, &gradient, of)
            }),
        ),
        ("linear", logits),
    ]
}

fn pools(set: InstructionSet) -> Vec<(&'static str, Vec<f32>)> {
    let windows = Windows {
        batch: 2,
        channels: 20,
        input: [9; 2],
        kernel: [3; 2],
        stride: [2; 2],
        padding: [1; 2],
    };
    let input = random(1, windows.input_len());
    vec![
        (
            "average",
            filled(windows.output_len(), |of| {
                average(set, &windows, true, &input, of)
            }),
        ),
        (
            "maximum",
            filled(windows.output_len(), |of| {
                maximum(set, &windows, &input, of, None)
            }),
        ),
        (
            "average of all positions",
            global_average(set, 20, 81, &input),
        ),
    ]
}
