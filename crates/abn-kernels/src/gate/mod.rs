//! What multiplies or lets through: the attention mechanism by positions and by channels, and the
//! ReLU.

mod channels;
mod positions;
mod relu;

pub use channels::{Excited, Join, excite, excite_backward};
pub use positions::{Mechanism, attend, attend_backward};
pub use relu::{add, gate, relu};
