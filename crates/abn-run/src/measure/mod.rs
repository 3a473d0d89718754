//! Measuring a network: what it is trained for, sums over images, and what is recorded of them.

pub mod attributes;
pub mod best;
pub mod calibration;
pub mod classification;
pub mod confusion;
pub mod detection;
pub mod drift;
pub mod effect;
pub mod evaluate;
pub mod health;
pub mod inverted;
pub mod objects;
pub mod pointing;
pub mod readback;
pub mod records;
pub mod task;
pub mod thresholds;
pub mod totals;
