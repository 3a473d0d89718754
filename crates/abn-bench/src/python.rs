//! The peer's Python: a virtual environment with PyTorch and the other engines, made once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Where the peer's scripts are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}

/// The peer's script in that Python.
pub(crate) fn peer(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(folder().join("peer.py"));
    command
}

/// The Python of the environment under target/peer, which is made first if it is not there or
/// outdated.
///
/// # Errors
/// There is no `python3`, or a package cannot be installed.
pub(crate) fn environment() -> Result<PathBuf> {
    made("peer", "requirements.txt")
}

/// The Python of the environment under target/data-peer, likewise.
///
/// # Errors
/// As [`environment`].
pub(crate) fn data_environment() -> Result<PathBuf> {
    made("data-peer", "data_requirements.txt")
}

/// The Python of an environment under target with what a list requires.
fn made(name: &str, list: &str) -> Result<PathBuf> {
    let requirements = folder().join(list);
    let wanted = std::fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read the peer's {list}"))?;
    let environment = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target")
        .join(name);
    let python = environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    // Written last, so it tells that the installation was finished.
    let installed = environment.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("installing PyTorch and more under target/{name}, once: some minutes and gigabytes");
    let advice = "--peer needs a Python; install python3 with its venv module, or give --python";
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment))
    .context(advice)?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--requirement",
    ];
    run(Command::new(&python).args(pip).arg(&requirements))?;
    std::fs::write(&installed, wanted)
        .with_context(|| format!("cannot write under target/{name}"))?;
    Ok(python)
}

/// Runs a command that tells what it does on stderr.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status();
    let status = status.with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} failed");
    Ok(())
}
