//! Batch normalisation by the statistics of the batch, with a residual sum and a ReLU behind it.
//!
//! Rows are split into chunks, which are summed side by side; a second launch sums the chunks.

use cubecl::prelude::*;

use super::total::total;

/// Sums of each chunk: of the differences from the channel's first value, and of their squares.
///
/// # Shapes
/// `input` `[B, H, W, C]`; `sums` `[2, chunks, C]`, a chunk a cube along y.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn moments_of_chunks(
    input: &Tensor<f32>,
    sums: &mut Tensor<f32>,
    #[comptime] units: usize,
) {
    let rows = input.shape(0) * input.shape(1) * input.shape(2);
    let (channels, pitch) = (input.shape(3), input.stride(2));
    let chunks = sums.shape(1);
    let each = rows.div_ceil(chunks);
    let chunk = CUBE_POS_Y as usize;
    let end = min((chunk + 1) * each, rows);
    let channel = ABSOLUTE_POS_X as usize;
    let mut sum = 0.0f32;
    let mut squares = 0.0f32;
    if channel < channels {
        let first = input[channel];
        let mut row = chunk * each + UNIT_POS_Y as usize;
        while row < end {
            let value = input[row * pitch + channel] - first;
            sum += value;
            squares += value * value;
            row += CUBE_DIM_Y as usize;
        }
    }
    write_sums(sum, squares, sums, units);
}

/// Adds up what the units of a chunk found, and writes both sums of each channel.
#[cube]
fn write_sums(first: f32, second: f32, sums: &mut Tensor<f32>, #[comptime] units: usize) {
    let (chunks, channels) = (sums.shape(1), sums.shape(2));
    let (chunk, channel) = (CUBE_POS_Y as usize, ABSOLUTE_POS_X as usize);
    let mut shared = Shared::<[f32]>::new_slice(units);
    let first = total(first, &mut shared);
    let second = total(second, &mut shared);
    if UNIT_POS_Y == 0 && channel < channels {
        sums[chunk * channels + channel] = first;
        sums[(chunks + chunk) * channels + channel] = second;
    }
}

/// The total over the chunks of what [`moments_of_chunks`] or [`gradients_of_chunks`] found, both
/// values of a channel.
#[cube]
fn of_all_chunks(sums: &Tensor<f32>, channel: usize, #[comptime] units: usize) -> (f32, f32) {
    let (chunks, channels) = (sums.shape(1), sums.shape(2));
    let mut first = 0.0f32;
    let mut second = 0.0f32;
    if channel < channels {
        let mut chunk = UNIT_POS_Y as usize;
        while chunk < chunks {
            first += sums[chunk * channels + channel];
            second += sums[(chunks + chunk) * channels + channel];
            chunk += CUBE_DIM_Y as usize;
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(units);
    let first = total(first, &mut shared);
    let second = total(second, &mut shared);
    (first, second)
}

/// Mean, biased variance and `1 / sqrt(variance + epsilon)` of each channel.
///
/// # Shapes
/// `input` and `sums` as in [`moments_of_chunks`]; the others `[C]`.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn moments(
    input: &Tensor<f32>,
    sums: &Tensor<f32>,
    mean: &mut Tensor<f32>,
    variance: &mut Tensor<f32>,
    inverse_std: &mut Tensor<f32>,
    epsilon: f32,
    #[comptime] units: usize,
) {
    let channel = ABSOLUTE_POS_X as usize;
    let (sum, squares) = of_all_chunks(sums, channel, units);
    if UNIT_POS_Y == 0 && channel < input.shape(3) {
        let rows = input.shape(0) * input.shape(1) * input.shape(2);
        let count = f32::cast_from(rows);
        let shift = sum / count;
        let spread = max(squares / count - shift * shift, 0.0f32);
        mean[channel] = input[channel] + shift;
        variance[channel] = spread;
        inverse_std[channel] = 1.0f32 / (spread + epsilon).sqrt();
    }
}

/// `gamma (input - mean) inverse_std + beta`, plus the residual, through the ReLU.
///
/// # Shapes
/// Features `[B, H, W, C]`, the others `[C]`; a unit a value.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn normalize(
    input: &Tensor<f32>,
    mean: &Tensor<f32>,
    inverse_std: &Tensor<f32>,
    gamma: &Tensor<f32>,
    beta: &Tensor<f32>,
    residual: ComptimeOption<&Tensor<f32>>,
    output: &mut Tensor<f32>,
    #[comptime] relu: bool,
) {
    let channels = input.shape(3);
    let rows = input.shape(0) * input.shape(1) * input.shape(2);
    if ABSOLUTE_POS >= rows * channels {
        terminate!();
    }
    let (row, channel) = (ABSOLUTE_POS / channels, ABSOLUTE_POS % channels);
    let centred = input[row * input.stride(2) + channel] - mean[channel];
    let mut value = centred * (gamma[channel] * inverse_std[channel]) + beta[channel];
    #[comptime]
    if let ComptimeOption::Some(residual) = residual {
        value += residual[row * residual.stride(2) + channel];
    }
    if comptime!(relu) {
        value = max(value, 0.0f32);
    }
    let at = row * output.stride(2) + channel;
    output[at] = value;
}

/// The gradient in front of the ReLU at one value, and the normalised value before scale and shift.
///
/// Where the ReLU was open is known by the output, if it was kept, or by the value in front of it,
/// computed once more; without either there is no ReLU.
#[cube]
fn gated(
    row: usize,
    channel: usize,
    gradient: &Tensor<f32>,
    input: &Tensor<f32>,
    mean: &Tensor<f32>,
    inverse_std: &Tensor<f32>,
    gamma: &Tensor<f32>,
    beta: &Tensor<f32>,
    output: ComptimeOption<&Tensor<f32>>,
    #[comptime] again: bool,
) -> (f32, f32) {
    let mut passed = gradient[row * gradient.stride(2) + channel];
    let centred = input[row * input.stride(2) + channel] - mean[channel];
    #[comptime]
    if let ComptimeOption::Some(output) = output {
        if output[row * output.stride(2) + channel] <= 0.0f32 {
            passed = 0.0f32;
        }
    }
    if comptime!(again) {
        let value = centred * (gamma[channel] * inverse_std[channel]) + beta[channel];
        if value <= 0.0f32 {
            passed = 0.0f32;
        }
    }
    (passed, centred * inverse_std[channel])
}

/// Sums of each chunk that the gradients of shift and scale are made of.
///
/// # Shapes
/// `sums` as in [`moments_of_chunks`], features `[B, H, W, C]`, the others `[C]`.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn gradients_of_chunks(
    gradient: &Tensor<f32>,
    input: &Tensor<f32>,
    mean: &Tensor<f32>,
    inverse_std: &Tensor<f32>,
    gamma: &Tensor<f32>,
    beta: &Tensor<f32>,
    output: ComptimeOption<&Tensor<f32>>,
    sums: &mut Tensor<f32>,
    #[comptime] again: bool,
    #[comptime] units: usize,
) {
    let rows = input.shape(0) * input.shape(1) * input.shape(2);
    let (channels, chunks) = (input.shape(3), sums.shape(1));
    let each = rows.div_ceil(chunks);
    let chunk = CUBE_POS_Y as usize;
    let end = min((chunk + 1) * each, rows);
    let channel = ABSOLUTE_POS_X as usize;
    let mut shifts = 0.0f32;
    let mut scales = 0.0f32;
    if channel < channels {
        let mut row = chunk * each + UNIT_POS_Y as usize;
        while row < end {
            let (passed, normalized) = gated(
                row,
                channel,
                gradient,
                input,
                mean,
                inverse_std,
                gamma,
                beta,
                output,
                again,
            );
            shifts += passed;
            scales += passed * normalized;
            row += CUBE_DIM_Y as usize;
        }
    }
    write_sums(shifts, scales, sums, units);
}

/// The gradients of shift and scale.
///
/// # Shapes
/// `sums` as in [`gradients_of_chunks`], the others `[C]`.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn affine_gradients(
    sums: &Tensor<f32>,
    of_beta: &mut Tensor<f32>,
    of_gamma: &mut Tensor<f32>,
    #[comptime] units: usize,
) {
    let channel = ABSOLUTE_POS_X as usize;
    let (shifts, scales) = of_all_chunks(sums, channel, units);
    if UNIT_POS_Y == 0 && channel < sums.shape(2) {
        of_beta[channel] = shifts;
        of_gamma[channel] = scales;
    }
}

/// The gradient of the input, and that of the residual where a ReLU makes it another than the
/// output's; a unit a value.
///
/// # Shapes
/// As in [`gradients_of_chunks`] and [`affine_gradients`].
#[cube(launch, address_type = "dynamic")]
pub(crate) fn input_gradient(
    gradient: &Tensor<f32>,
    input: &Tensor<f32>,
    mean: &Tensor<f32>,
    inverse_std: &Tensor<f32>,
    gamma: &Tensor<f32>,
    beta: &Tensor<f32>,
    output: ComptimeOption<&Tensor<f32>>,
    of_beta: &Tensor<f32>,
    of_gamma: &Tensor<f32>,
    of_input: &mut Tensor<f32>,
    of_residual: ComptimeOption<&mut Tensor<f32>>,
    #[comptime] again: bool,
) {
    let channels = input.shape(3);
    let rows = input.shape(0) * input.shape(1) * input.shape(2);
    if ABSOLUTE_POS >= rows * channels {
        terminate!();
    }
    let (row, channel) = (ABSOLUTE_POS / channels, ABSOLUTE_POS % channels);
    let (passed, normalized) = gated(
        row,
        channel,
        gradient,
        input,
        mean,
        inverse_std,
        gamma,
        beta,
        output,
        again,
    );
    let count = f32::cast_from(rows);
    let through_statistics = (of_beta[channel] + normalized * of_gamma[channel]) / count;
    let at = row * of_input.stride(2) + channel;
    of_input[at] = gamma[channel] * inverse_std[channel] * (passed - through_statistics);
    #[comptime]
    if let ComptimeOption::Some(of_residual) = of_residual {
        let at = row * of_residual.stride(2) + channel;
        of_residual[at] = passed;
    }
}

/// `kept running + share batch`: what running statistics become.
///
/// # Shapes
/// All `[C]`; a unit a value.
#[cube(launch)]
pub(crate) fn blend(
    running: &Tensor<f32>,
    batch: &Tensor<f32>,
    blended: &mut Tensor<f32>,
    kept: f32,
    share: f32,
) {
    if ABSOLUTE_POS >= blended.shape(0) {
        terminate!();
    }
    blended[ABSOLUTE_POS] = kept * running[ABSOLUTE_POS] + share * batch[ABSOLUTE_POS];
}
