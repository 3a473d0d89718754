//! The peer's Python: a virtual environment with PyTorch, made once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Where the peer's scripts are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}

/// The Python of the environment under target/peer, which is made first if it is not there or
/// outdated.
///
/// # Errors
/// There is no `python3`, or a package cannot be installed.
pub(crate) fn environment() -> Result<PathBuf> {
    let requirements = folder().join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .context("cannot read the peer's requirements.txt")?;
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peer");
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
    eprintln!("installing PyTorch under target/peer, once: some minutes and gigabytes");
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
    std::fs::write(&installed, wanted).context("cannot write under target/peer")?;
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
