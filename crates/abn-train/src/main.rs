//! The program `abn`; see the library of this package.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: abn_kernels::Allocator = abn_kernels::Allocator;

fn main() -> ExitCode {
    abn_train::main()
}
