//! Tasks that are programs of their own: they need Burn, and the tasks here compile in a moment.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// The program that users compile.
const USERS: &str = "abn-train";

/// Compiles a package and runs its program with these arguments; its exit status is ours.
/// `--features LIST` anywhere among them is cargo's.
pub(crate) fn run(package: &str, arguments: impl Iterator<Item = String>) -> Result<ExitCode> {
    let (features, arguments) = apart(arguments);
    // Together with the users' program: cargo unites the features of what it compiles at once, so
    // both share one compiled Burn.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--package", package, "--package", USERS])
        .args(features)
        .status()
        .context("cannot start cargo")?;
    if !built.success() {
        return Ok(ExitCode::FAILURE);
    }
    // What is compiled lies beside this program.
    let here = env::current_exe().context("this program does not know where it lies")?;
    let mut program = Command::new(here.with_file_name(format!("{package}{EXE_SUFFIX}")));
    program.args(arguments);
    become_it(program).with_context(|| format!("cannot start {package}"))
}

/// This process becomes the other: signals to it reach the program.
#[cfg(unix)]
fn become_it(mut program: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(program.exec().into())
}

#[cfg(not(unix))]
fn become_it(mut program: Command) -> Result<ExitCode> {
    let code = program.status()?.code();
    let code = code.and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The option of cargo, with its value, and all else.
fn apart(arguments: impl Iterator<Item = String>) -> (Vec<String>, Vec<String>) {
    let (mut features, mut others) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--features" {
            features.push(argument);
            features.extend(arguments.next());
        } else if argument.starts_with("--features=") {
            features.push(argument);
        } else {
            others.push(argument);
        }
    }
    (features, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_cargos_wherever_they_stand() {
        let apart = |text: &str| apart(text.split(' ').map(str::to_owned));
        let texts = |parts: (Vec<String>, Vec<String>)| (parts.0.join(" "), parts.1.join(" "));
        assert_eq!(
            texts(apart("order --features cuda --jobs 2")),
            ("--features cuda".into(), "order --jobs 2".into())
        );
        assert_eq!(
            texts(apart("--features=cuda order")),
            ("--features=cuda".into(), "order".into())
        );
        assert_eq!(
            texts(apart("order --features")),
            ("--features".into(), "order".into())
        );
    }
}
