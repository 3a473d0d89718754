//! `cfg(gpu)`: the kernels for GPUs are part of the build. Fused by Burn, tensors are not at hand.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(gpu)");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    if has("CUBE") && !has("FUSION") {
        println!("cargo::rustc-cfg=gpu");
    }
}
