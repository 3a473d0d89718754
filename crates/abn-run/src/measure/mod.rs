//! Measuring a network: what a forward pass gives, sums over images, and what is recorded of them.

pub mod drift;
pub mod evaluate;
pub mod pointing;
pub mod readback;
pub mod records;
pub mod statistics;
pub mod totals;
