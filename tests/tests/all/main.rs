//! One test binary: what the project promises, checked from outside.

mod bad_input;
mod cifar;
mod commands;
mod fixtures;
mod mixed_attention;
mod networks;
mod program;
mod properties;
mod resume;
