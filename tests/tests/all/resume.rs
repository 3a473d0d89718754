//! A run that was killed again and again ends exactly like one that was left alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cifar;
use crate::program::{abn, fails, run, succeeds};

/// Everything that a run leaves and that must be the same: all but times.
fn remains(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["", "checkpoints"] {
        for entry in fs::read_dir(run.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let timed = ["timing.jsonl", "report.html", ".lock"].contains(&name.as_str());
            if entry.path().is_file() && !timed {
                files.insert(format!("{folder}/{name}"), fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

#[track_caller]
fn check_same(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    for kept in ["/metrics.jsonl", "/results.json", "checkpoints/manifest.json"] {
        assert!(expected.contains_key(kept), "{kept}");
    }
}

const TRAIN: &str =
    "train --dataset cifar10 --data . --arch resnet8 --attention manet --epochs 3 --batch-size 20 --seed 5";

/// Kills the run after each of the delays, checkpointing all the time, then lets it finish.
fn with_kills(folder: &Path, out: &str, workers: usize, kills: usize) -> usize {
    let arguments = format!("{TRAIN} --out {out} --workers {workers} --save-every 0");
    let mut unfinished = 0;
    for kill in 0..kills {
        let mut child = abn(folder)
            .args(arguments.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Irregular delays around the length of a step, so that kills meet steps, saves and evaluations.
        sleep(Duration::from_millis(150 + (kill as u64 * 7919) % 400));
        child.kill().unwrap(); // SIGKILL
        unfinished += usize::from(!child.wait().unwrap().success());
    }
    succeeds(folder, &arguments);
    unfinished
}

#[test]
fn killed_runs_end_bit_identical_with_any_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 16);
    succeeds(folder.path(), &format!("{TRAIN} --out whole --workers 1 --save-every 1000"));
    let whole = remains(&folder.path().join("whole"));
    let killed = with_kills(folder.path(), "killed", 3, 5);
    assert!(killed > 0, "no kill came in time");
    check_same(&whole, &remains(&folder.path().join("killed")));
}

#[test]
#[ignore = "needs minutes: 25 kills at random moments"]
fn twenty_five_kills_end_bit_identical() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 40);
    succeeds(folder.path(), &format!("{TRAIN} --out whole --workers 0"));
    let killed = with_kills(folder.path(), "killed", 2, 25);
    assert!(killed >= 20, "only {killed} kills came in time");
    check_same(&remains(&folder.path().join("whole")), &remains(&folder.path().join("killed")));
}

#[test]
fn the_same_command_after_the_end_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 8);
    let command = "train --dataset cifar10 --data . --arch resnet8 --attention none --epochs 1 --batch-size 20 --out run";
    let first = succeeds(folder.path(), command);
    let before = remains(&folder.path().join("run"));
    let again = succeeds(folder.path(), "train --out run");
    assert_eq!(first.out, again.out);
    check_same(&before, &remains(&folder.path().join("run")));
}

#[test]
fn another_configuration_is_refused_with_the_differences() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 8);
    let command = "train --dataset cifar10 --data . --arch resnet8 --epochs 1 --batch-size 20 --out run";
    succeeds(folder.path(), command);
    let before = remains(&folder.path().join("run"));
    let other = command.replace("--epochs 1", "--epochs 2 --lr 0.05");
    fails(
        folder.path(),
        &other,
        1,
        &["epochs: 1 in the run, 2 asked for", "learning_rate: 0.1 in the run, 0.05"],
    );
    check_same(&before, &remains(&folder.path().join("run")));
}

/// The first Ctrl-C ends with a checkpoint in the middle of an epoch; the same command goes on from it.
#[test]
#[cfg(unix)]
fn ctrl_c_saves_and_the_same_command_continues() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 200);
    let command = "train --dataset cifar10 --data . --arch resnet8 --attention none --epochs 1 --batch-size 10 --out run";
    let mut child = abn(folder.path())
        .args(command.split_whitespace())
        .args(["--save-every", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let manifest = folder.path().join("run/checkpoints/manifest.json");
    let started = Instant::now();
    while !manifest.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint was written");
        sleep(Duration::from_millis(20));
    }
    let interrupt =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let said = run(abn(folder.path()).args(command.split_whitespace()));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("continuing after 0 epochs and"), "{}", said.err);
}
