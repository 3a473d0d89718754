//! The program `abn`; see the library of this package.

use std::process::ExitCode;

fn main() -> ExitCode {
    abn_train::main()
}
