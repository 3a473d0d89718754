//! The kernels as operations on Burn's tensors.
//!
//! On the CPU backend, and for `f32`, they run here and differentiate here, some on GPUs as well;
//! everywhere else they are Burn's own operations. Shapes are Burn's, `[batch, channels, height, width]`, whatever the
//! order in memory: outputs are channels-last views, which the next operation takes as they are and
//! any other operation of Burn as usual.

mod activation;
mod conv;
#[cfg(gpu)]
mod cube;
mod descent;
#[cfg(feature = "flex")]
mod flex;
mod fork;
mod gate;
mod grow;
mod host;
mod images;
mod join;
mod kept;
mod linear;
mod norm;
mod path;
mod pool;
mod relu;
mod repeated;
mod roi_align;
mod together;
#[cfg(any(feature = "flex", gpu))]
mod tracked;

pub use activation::{cross_entropy, log1p, sigmoid, softmax};
pub use conv::conv2d;
pub use descent::Descent;
pub use fork::fork;
pub use gate::{Mechanism, attend, excite};
pub use grow::Growing;
pub use host::drawn_on;
pub use images::images_of_bytes;
pub use join::{join_batches, join_channels};
pub use kept::Kept;
pub use linear::linear;
pub use norm::{After, Normalized, RunningNorm, batch_norm, batch_norm_train, blend_running};
pub use path::{NormedConv, Rounding, path};
pub use pool::{avg_pool2d, global_average, global_maximum, max_pool2d};
pub use relu::{add, relu};
pub use repeated::repeatedly;
pub use roi_align::roi_align;
pub use together::{Replicas, Together, can_pass_together, together};

/// Whether the kernels of this crate compute what is asked of this tensor, and no other backend of
/// Burn.
pub fn serves<const D: usize>(tensor: &burn::tensor::Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    return flex::serves(tensor);
    #[cfg(not(feature = "flex"))]
    {
        let _ = tensor;
        false
    }
}
