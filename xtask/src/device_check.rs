//! `cargo xtask device-check`: whether a device computes, trains, resumes and explains as the CPU.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

const USAGE: &str = "usage: cargo xtask device-check [--device NAME]

  --device NAME   cuda, vulkan, metal or wgpu, of several the second as cuda:1; without it wgpu on a
                  driver that computes on the processor, such as lavapipe of Mesa";

/// Where it is compiled: the features of a device would compile Burn anew for all else.
const TARGET: &str = "target/device";
/// How far losses of two devices may be apart after two epochs, as a share.
const LOSS: f64 = 0.02;
/// The same of a training that was killed, and one that was not, on one device.
const RESUMED: f64 = 0.005;
/// How far values of maps, which lie between 0 and 1, may be apart.
const MAPS: f64 = 0.02;
/// A small training: seconds on a CPU, minutes on a driver that computes there.
const TRAINING: &str =
    "train --dataset shapes --arch resnet8 --limit 64 --batch-size 8 --epochs 2 --save-every 0";
/// Numbers of the reference, and the case that is computed soonest.
const PARITY: &str = "../shared/parity";
const SMALLEST: &str = "cifar_resnet20";
/// Longest that anything of it may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Runs all of it; the first that differs ends it.
pub(crate) fn run(root: &Path, mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let device = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => None,
        (Some("-h" | "--help"), _) => {
            println!("{USAGE}");
            return Ok(());
        }
        (Some("--device"), Some(name)) => Some(name),
        _ => bail!("{USAGE}"),
    };
    let features = match device.as_deref() {
        None => "wgsl",
        Some(name) => name.split(':').next().unwrap_or(name),
    };
    let device = device.as_deref().unwrap_or("wgpu");
    let started = Instant::now();
    build(root, features)?;
    println!("device-check: built in {} s", started.elapsed().as_secs());
    let folder = root.join(TARGET).join("check");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("what the last check left cannot be removed")?;
    }
    fs::create_dir_all(&folder)?;
    let program = root.join(TARGET).join(format!("debug/abn{EXE_SUFFIX}"));
    let abn = Abn { program, folder };

    abn.run("devices")?;
    abn.run(&format!("devices --check --device {device}"))?;
    for (name, on) in [("cpu", "cpu"), ("device", device)] {
        abn.run(&format!("{TRAINING} --device {on} --out {name}"))?;
    }
    abn.killed(
        &format!("{TRAINING} --device {device} --out killed"),
        "killed",
    )?;
    abn.run(&format!("{TRAINING} --device {device} --out killed"))?;
    alike(
        "losses of the CPU and the device",
        &abn.losses("cpu")?,
        &abn.losses("device")?,
        LOSS,
    )?;
    let [whole, killed] = [abn.losses("device")?, abn.losses("killed")?];
    alike("losses without and with a kill", &whole, &killed, RESUMED)?;
    abn.explanations(device)?;
    operations(root, features, device)?;
    parity(root, features, device)?;
    println!("device-check: passed in {} s", started.elapsed().as_secs());
    Ok(())
}

/// The operations of abn-kernels that GPUs have kernels for, against Burn's own on the CPU.
fn operations(root: &Path, features: &str, device: &str) -> Result<()> {
    // Together with the users' program, so that both share one compiled Burn.
    let users = format!("abn-train/{features}");
    let mut cargo = cargo(root, "test", "abn-kernels", &users);
    cargo.args([
        "--package",
        "abn-train",
        "--test",
        "ops",
        "--test",
        "together",
    ]);
    cargo.args(["--", "--test-threads", "1"]);
    cargo.args([
        "normalisation_is",
        "statistics",
        "descent",
        "images",
        "serve",
        "know",
    ]);
    // They compute on the device that Burn prefers.
    cargo.env("BURN_DEVICE", device.split(':').next().unwrap_or(device));
    println!("device-check: operations on {device}");
    ensure!(
        cargo.status().context("cannot start cargo")?.success(),
        "an operation is not that of Burn on the CPU"
    );
    Ok(())
}

/// The numbers that the reference produces, where they lie beside the project: outputs, gradients, the
/// first step of SGD and maps. On a driver that computes on the processor of the smallest network.
fn parity(root: &Path, features: &str, device: &str) -> Result<()> {
    if !root.join(PARITY).is_dir() {
        println!("device-check: no {PARITY} here, so the tests of parity are left out");
        return Ok(());
    }
    for tests in ["networks::", "explanations::"] {
        let mut cargo = cargo(root, "test", "tests", features);
        cargo.args(["--test", "all", "--", "--ignored", tests]);
        cargo.env("ABN_TEST_DEVICE", device);
        if features == "wgsl" {
            cargo.env("ABN_TEST_CASE", SMALLEST);
        }
        println!("device-check: tests {tests} on {device}");
        ensure!(
            cargo.status().context("cannot start cargo")?.success(),
            "the device is not within the tolerances of parity"
        );
    }
    Ok(())
}

fn build(root: &Path, features: &str) -> Result<()> {
    ensure!(
        cargo(root, "build", "abn-train", features)
            .status()
            .context("cannot start cargo")?
            .success(),
        "the build failed"
    );
    Ok(())
}

/// A command of cargo on a package, for a device.
fn cargo(root: &Path, command: &str, package: &str, features: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([command, "--package", package, "--features", features]);
    cargo.args(["--target-dir", TARGET]).current_dir(root);
    if features.ends_with("wgsl") {
        // Its kernels are compiled by the driver: Burn itself may be slow, and is compiled sooner.
        cargo.args(["--config", "profile.dev.package.\"*\".opt-level=1"]);
    }
    cargo
}

/// The program, and a folder to run it in.
struct Abn {
    program: PathBuf,
    folder: PathBuf,
}

impl Abn {
    fn command(&self, arguments: &str) -> Command {
        println!("device-check: abn {arguments}");
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).current_dir(&self.folder);
        command
    }

    fn run(&self, arguments: &str) -> Result<()> {
        let status = self
            .command(arguments)
            .status()
            .context("cannot start abn")?;
        ensure!(status.success(), "`abn {arguments}` failed");
        Ok(())
    }

    /// Starts it and kills it when its first checkpoint lies there.
    fn killed(&self, arguments: &str, run: &str) -> Result<()> {
        let mut command = self.command(arguments);
        let mut child = command
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start abn")?;
        let saved = self.folder.join(run).join("checkpoints");
        let found = wait_for(&mut child, || {
            fs::read_dir(&saved).is_ok_and(|mut files| files.next().is_some())
        });
        child
            .kill()
            .and_then(|()| child.wait())
            .context("cannot kill abn")?;
        found
    }

    /// Training and test loss of each epoch of a run.
    fn losses(&self, run: &str) -> Result<Vec<f64>> {
        let path = self.folder.join(run).join("metrics.jsonl");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut losses = Vec::new();
        for line in text.lines() {
            let epoch: Value = serde_json::from_str(line)?;
            for split in ["train", "test"] {
                losses.push(
                    epoch[split]["loss"]
                        .as_f64()
                        .context("an epoch without a loss")?,
                );
            }
        }
        Ok(losses)
    }

    /// The maps of one network by every usual method, on both devices.
    fn explanations(&self, device: &str) -> Result<()> {
        let picture = self.folder.join("picture.ppm");
        fs::write(&picture, gradient_picture())?;
        let maps = ["cpu", device].map(|on| -> Result<Vec<f64>> {
            let out = format!("maps-{}", on.replace(':', "-"));
            self.run(&format!(
                "explain cpu picture.ppm --raw --device {on} --out {out}"
            ))?;
            let folder = self.folder.join(out);
            let mut values = Vec::new();
            for file in fs::read_dir(&folder)? {
                let path = file?.path();
                if path.extension().is_some_and(|ending| ending == "json") {
                    numbers(
                        &serde_json::from_str(&fs::read_to_string(path)?)?,
                        &mut values,
                    );
                }
            }
            Ok(values)
        });
        let [cpu, device] = maps;
        let (cpu, device) = (cpu?, device?);
        ensure!(
            !cpu.is_empty() && cpu.len() == device.len(),
            "maps of other sizes"
        );
        let pairs = cpu.iter().zip(&device);
        let most = pairs
            .map(|(one, other)| (one - other).abs())
            .fold(0.0, f64::max);
        println!("device-check: maps differ by {most:.1e} at most ({MAPS} is allowed)");
        ensure!(most <= MAPS, "the maps differ");
        Ok(())
    }
}

/// Whether two trainings went alike.
fn alike(what: &str, expected: &[f64], found: &[f64], allowed: f64) -> Result<()> {
    ensure!(
        expected.len() == found.len(),
        "{what}: {expected:?} and {found:?}"
    );
    let pairs = expected.iter().zip(found);
    let most = pairs
        .map(|(one, other)| (other / one - 1.0).abs())
        .fold(0.0, f64::max);
    println!("device-check: {what} differ by {most:.1e} at most ({allowed} is allowed)");
    ensure!(most <= allowed, "{what} differ: {expected:?} and {found:?}");
    Ok(())
}

fn wait_for(child: &mut Child, is_there: impl Fn() -> bool) -> Result<()> {
    let started = Instant::now();
    while !is_there() {
        ensure!(
            child.try_wait()?.is_none(),
            "abn ended before its first checkpoint"
        );
        ensure!(
            started.elapsed() < PATIENCE,
            "there is no checkpoint after half an hour"
        );
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// All values of the maps of a file.
fn numbers(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("values", Value::Array(rows)) => flat(rows, found),
                    _ => numbers(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        _ => {}
    }
}

fn flat(values: &[Value], found: &mut Vec<f64>) {
    for value in values {
        match value {
            Value::Array(row) => flat(row, found),
            other => found.extend(other.as_f64()),
        }
    }
}

/// A picture that is not the same everywhere.
fn gradient_picture() -> Vec<u8> {
    const SIDE: u8 = 32;
    let mut bytes = b"P6 32 32 255\n".to_vec();
    for row in 0..SIDE {
        for column in 0..SIDE {
            let inside = (10..22).contains(&row) && (8..20).contains(&column);
            bytes.extend([row * 8, column * 8, if inside { 220 } else { 30 }]);
        }
    }
    bytes
}
