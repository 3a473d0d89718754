//! The checks of continuous integration, the quick ones first. All need no GPU and no network but
//! the registry.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

/// The tests that need a browser, and its names; `tests/tests/all/browser.rs` looks for the same.
const PAGES: &str = "pages::";
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Tests that need a Python with ONNX Runtime.
const RUNTIME: &str = "onnx::";
/// Tests that need MPI.
const RANKS: &str = "ranks::";

/// What a browser runs.
const BROWSER: &str = "wasm32-unknown-unknown";
/// The crates that need no command line.
const BELOW_THE_PROGRAM: [&str; 9] = [
    "abn-boxes",
    "abn-resize",
    "abn-kernels",
    "abn-core",
    "abn-data",
    "abn-onnx",
    "abn-run",
    "abn-explain",
    "abn-pages",
];

/// Runs every check; the first that fails ends it.
pub(crate) fn run() -> Result<()> {
    let root = root()?;
    cargo(&root, "fmt --all --check", &[])?;
    // What has a folder of its own for what it compiles is done beside the rest: two builds keep two
    // cores busy where one waits for its largest crate.
    let beside = {
        let root = root.clone();
        thread::spawn(move || -> Result<()> {
            sanitized(&root)?;
            for_gpus(&root)?;
            for_browsers(&root)
        })
    };
    // The README's test command, as typed there.
    cargo(&root, "test --workspace", &[])?;
    cargo(
        &root,
        "clippy --workspace --all-targets -- --deny warnings",
        &[],
    )?;
    cargo(
        &root,
        "doc --workspace --no-deps",
        &[("RUSTDOCFLAGS", "--deny warnings")],
    )?;
    with_parquet(&root)?;
    packaged(&root)?;
    with_mpi(&root)?;
    if has_browser() {
        cargo(
            &root,
            &format!("test --workspace -- --ignored {PAGES}"),
            &[],
        )?;
    } else {
        println!("ci: no {} here, so the pages are not opened", BROWSERS[0]);
    }
    let shared = root.join("../shared");
    if shared.is_dir() {
        unpack(&root, &shared)?;
        cargo(
            &root,
            &format!(
                "test --workspace -- --ignored --skip {PAGES} --skip {RUNTIME} --skip {RANKS}"
            ),
            &[],
        )?;
    } else {
        println!(
            "ci: no {} here, so the tests on real data are left out",
            shared.display()
        );
    }
    match beside.join() {
        Ok(done) => done?,
        Err(_) => bail!("a check that ran beside the others panicked"),
    }
    println!("ci: all checks passed");
    Ok(())
}

/// The readers that no other build has: Parquet's features would compile Burn another time for the
/// program.
fn with_parquet(root: &Path) -> Result<()> {
    // Tested in a moment, so compiled in one.
    let how =
        "-p abn-data --features tar,parquet --config profile.dev.package.abn-data.opt-level=0";
    cargo(
        root,
        &format!("clippy {how} --all-targets -- --deny warnings"),
        &[],
    )?;
    // All but these ran with the workspace.
    cargo(root, &format!("test {how} --lib -- parquet"), &[])?;
    cargo(root, &format!("test {how} --test hostile_parquet"), &[])
}

/// Several processes train one run. Where there is no MPI, this is left out.
fn with_mpi(root: &Path) -> Result<()> {
    if Command::new("mpirun").arg("--version").output().is_err() {
        println!("ci: no mpirun here, so no processes train together");
        return Ok(());
    }
    // With the features that the tests' program has: all below it is compiled already.
    cargo(root, "build -p abn-train --features mpi,fetch,tar", &[])?;
    let program = root.join("target/debug/abn").display().to_string();
    cargo(
        root,
        &format!("test --workspace --test all -- --ignored {RANKS}"),
        &[("ABN_MPI", &program)],
    )
}

fn has_browser() -> bool {
    BROWSERS
        .iter()
        .any(|name| Command::new(name).arg("--version").output().is_ok())
}

/// The kernels hold all `unsafe` code of the workspace: their tests run again under the address
/// sanitizer, with every instruction set of the machine. Where the compiler has no sanitizer for
/// its host, this is left out.
fn sanitized(root: &Path) -> Result<()> {
    let version = rustc(&["-vV"])?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc tells no host")?;
    if host != "x86_64-unknown-linux-gnu" {
        println!("ci: the address sanitizer is not run on {host}");
        return Ok(());
    }
    let arguments = format!(
        "test -p abn-kernels --no-default-features --target {host} --target-dir target/sanitized \
         --tests"
    );
    // The stable compiler has the sanitizer, but takes the option only like this.
    cargo(
        root,
        &arguments,
        &[
            ("RUSTC_BOOTSTRAP", "1"),
            ("RUSTFLAGS", "-Zsanitizer=address"),
        ],
    )
}

/// The types of a build for GPUs. CUDA needs LLVM to link, but not for this: so docs.rs builds it.
/// Nothing of it runs but macros and what fetches LLVM, which need no optimising.
fn for_gpus(root: &Path) -> Result<()> {
    cargo(
        root,
        "check -p abn-train -p abn-ablation --no-default-features --features cuda,nvrtc,vulkan \
         --target-dir target/types --config profile.dev.package.\"*\".opt-level=0",
        &[("DOCS_RS", "1")],
    )
}

/// What lies below the program has to compile for a browser, which has neither threads nor files nor
/// a terminal. Where the compiler lacks that target, this is left out.
fn for_browsers(root: &Path) -> Result<()> {
    let library = rustc(&["--print", "target-libdir", "--target", BROWSER])?;
    if !Path::new(library.trim()).is_dir() {
        println!("ci: the compiler has no {BROWSER}, so its types are not checked");
        return Ok(());
    }
    let packages = BELOW_THE_PROGRAM.map(|name| format!("-p {name}")).join(" ");
    let arguments = format!(
        "check {packages} --no-default-features --target {BROWSER} --target-dir target/browser"
    );
    // Where random numbers come from is for the program in the browser to say.
    let random = "--cfg getrandom_backend=\"unsupported\"";
    cargo(root, &arguments, &[("RUSTFLAGS", random)])
}

/// The crates that can be published, as a registry would get them. That they compile from there is
/// left to a release: it takes Burn another time.
fn packaged(root: &Path) -> Result<()> {
    let packages = BELOW_THE_PROGRAM.map(|name| format!("-p {name}")).join(" ");
    cargo(
        root,
        &format!(
            "package {packages} -p abn-device -p abn-fetch -p abn-train --no-verify --allow-dirty"
        ),
        &[],
    )
}

/// What the compiler says of itself.
fn rustc(arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc")
        .args(arguments)
        .output()
        .context("cannot start rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn root() -> Result<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .map(Path::to_owned)
        .context("the package of xtask lies in the workspace")
}

fn cargo(root: &Path, arguments: &str, variables: &[(&str, &str)]) -> Result<()> {
    println!("ci: cargo {arguments}");
    let started = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        // Nothing here is compiled a second time after a change.
        .env("CARGO_INCREMENTAL", "0")
        .envs(variables.iter().copied())
        .current_dir(root)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "`cargo {arguments}` failed");
    let command = arguments.split(' ').next().unwrap_or(arguments);
    println!("ci: {command} took {} s", started.elapsed().as_secs());
    Ok(())
}

/// Lays out the data sets that the ignored tests need.
fn unpack(root: &Path, shared: &Path) -> Result<()> {
    let script = shared.join("datasets/unpack");
    println!("ci: unpacking the data sets");
    // An absolute destination: the script changes its folder.
    let status = Command::new(&script)
        .arg(root.join("datasets"))
        .status()
        .with_context(|| format!("cannot start {}", script.display()))?;
    ensure!(status.success(), "{} failed", script.display());
    Ok(())
}
