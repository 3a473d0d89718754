//! Bytes of images that become their values.

use cubecl::prelude::*;

/// The value of each byte in the table of its channel; a unit a value.
///
/// # Shapes
/// `words` four bytes each, the first in the lowest bits; `table` `[C, 256]`, `output`
/// `[B, H, W, C]`.
#[cube(launch, address_type = "dynamic")]
pub(crate) fn look_up(words: &Tensor<u32>, table: &Tensor<f32>, output: &mut Tensor<f32>) {
    let channels = output.shape(3);
    let rows = output.shape(0) * output.shape(1) * output.shape(2);
    if ABSOLUTE_POS >= rows * channels {
        terminate!();
    }
    let (row, channel) = (ABSOLUTE_POS / channels, ABSOLUTE_POS % channels);
    let shift = 8 * (ABSOLUTE_POS % 4) as u32;
    let byte = (words[ABSOLUTE_POS / 4] >> shift) & 255;
    let at = row * output.stride(2) + channel;
    output[at] = table[channel * table.stride(0) + byte as usize];
}
