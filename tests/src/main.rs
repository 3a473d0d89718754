//! The program `abn` under a name of its own, because cargo shows tests only the programs of their
//! own package.

use std::process::ExitCode;

fn main() -> ExitCode {
    abn_train::main()
}
