//! Where random numbers are drawn.

use burn::tensor::Device;

/// The device on which the random numbers of a module on `device` are drawn: the CPU where that
/// backend is compiled in, so that a seed means the same numbers on every device; else `device`
/// itself, whose generator is its backend's own.
pub fn drawn_on(device: &Device) -> Device {
    #[cfg(feature = "flex")]
    if device.clone().without_autodiff() != Device::flex() {
        return Device::flex();
    }
    device.clone()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_draws_for_itself() {
        let training = Device::flex().autodiff();
        assert_eq!(drawn_on(&training), training);
        assert_eq!(drawn_on(&Device::flex()), Device::flex());
    }
}
