//! Images on the device that computes with them.

use burn::tensor::{Device, Tensor};

#[cfg(gpu)]
use super::cube;

/// So many images from their bytes, each of which `table` gives its value for its channel: a
/// quarter of the values' memory on the way, and the same values. Bytes that are missing are zeros.
/// `None` on devices that normalise nothing themselves.
///
/// # Shapes
/// `bytes` `[B, H, W, 3]`, `dims` `[images, H, W]` with no fewer images; returns
/// `[images, 3, H, W]`.
pub fn images_of_bytes(
    bytes: &[u8],
    table: &[[f32; 256]; 3],
    dims: [usize; 3],
    device: &Device,
) -> Option<Tensor<4>> {
    #[cfg(gpu)]
    return cube::images::images_of_bytes(bytes, table, dims, device);
    #[cfg(not(gpu))]
    {
        let _ = (bytes, table, dims, device);
        None
    }
}
