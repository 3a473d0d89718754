//! Where the parity tests compute: on a CPU, or on another device that `cargo xtask device-check`
//! names.

use burn::tensor::Device;

use crate::fixtures::Tolerance;

/// Names the device.
const DEVICE: &str = "ABN_TEST_DEVICE";
/// Names the only case that is wanted, where each takes minutes.
const CASE: &str = "ABN_TEST_CASE";

/// The device that the environment names, or the CPU.
pub(crate) fn device() -> Device {
    abn_device::open(Some(&name())).unwrap()
}

fn name() -> String {
    std::env::var(DEVICE).unwrap_or_else(|_| "cpu".to_owned())
}

/// Whether a case is wanted.
pub(crate) fn wants(case: &str) -> bool {
    std::env::var(CASE).map_or(true, |wanted| wanted == case)
}

/// How much more rounding is than in single precision. CUDA may multiply by TF32, whose mantissa is
/// 13 bits shorter.
pub(crate) fn leeway() -> f64 {
    match name().starts_with("cuda") {
        true => f64::from(1 << 13),
        false => 1.0,
    }
}

impl Tolerance {
    /// The same on the device.
    pub(crate) fn there(self) -> Self {
        Self {
            abs: self.abs * leeway(),
            rel_l2: self.rel_l2 * leeway(),
        }
    }
}
