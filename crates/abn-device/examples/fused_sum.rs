//! A fault of Burn 0.22.1 with its feature `fusion`, as small as can be: a sum that is written into
//! the memory of a summand is wrong where an axis of size 1 has a small stride, as behind every
//! convolution to one channel.
//!
//! ```sh
//! cargo run -p abn-device --example fused_sum --features wgsl,fusion -- wgpu
//! ```
//!
//! prints `wrong`, and `right` without the feature, with `BURN_FUSION_MAX_EXPLORATIONS=0`, and once
//! Burn has mended it. The cause is in docs/decisions.md. Exit status: 0 right, 1 wrong, 2 not
//! computed.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it shows what is computed"
)]

use std::error::Error;
use std::process::ExitCode;

use burn::tensor::{Device, Tensor};

/// `2 (x + 100)` for x from 0 to 15.
fn sums(device: &Device) -> Result<Vec<f32>, Box<dyn Error>> {
    let column = std::array::from_fn::<f32, 16, _>(|at| at as f32);
    let column = Tensor::<1>::from_floats(column, device).reshape([16, 1]);
    // Shape [1, 16], strides [1, 1]: the first one means nothing, but has x read value by value ...
    let x = column.transpose();
    // ... and this by fours, for its strides are [16, 1].
    let hundred = Tensor::<1>::from_floats([100.0; 16], device).reshape([1, 16]);
    // Two operations make a fused kernel. Nobody needs x any more, so its memory takes the result.
    let sums = (x + hundred.clone()) * 2.0;
    let values = sums.into_data().try_to_vec()?;
    drop(hundred);
    Ok(values)
}

fn main() -> ExitCode {
    match is_right() {
        Ok(right) => ExitCode::from(u8::from(!right)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn is_right() -> Result<bool, Box<dyn Error>> {
    let asked = std::env::args().nth(1);
    let found = sums(&abn_device::open(asked.as_deref())?)?;
    let expected: Vec<f32> = (0..16).map(|at| 2.0 * (at as f32 + 100.0)).collect();
    let right = found == expected;
    println!("expected {expected:?}");
    println!("found    {found:?}");
    println!("{}", if right { "right" } else { "wrong" });
    Ok(right)
}
