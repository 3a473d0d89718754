//! Campaigns as they are run: by several processes, and killed at random moments, they end with the
//! same tables.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

/// A campaign of four short runs, one of them with parameters that are never trained.
const CAMPAIGN: [&str; 3] = ["mechanism", "--seeds", "1"];
/// Files that do not depend on how often, and by whom, a campaign was worked at.
const TABLES: [&str; 3] = ["mechanism.md", "mechanism.csv", "runs.csv"];

fn ablation(out: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abn-ablation"));
    command
        .args(arguments)
        .arg("--out")
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[track_caller]
fn finished(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn tables(out: &Path) -> Vec<String> {
    TABLES
        .iter()
        .map(|name| fs::read_to_string(out.join(name)).unwrap())
        .collect()
}

/// Everything a run left that is not a time.
fn results_of_runs(out: &Path) -> Vec<(String, String)> {
    let runs = fs::read_dir(out.join("runs"))
        .unwrap()
        .map(|run| run.unwrap().path());
    let result = |run: std::path::PathBuf| {
        let name = run.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(run.join("ablation.json")).unwrap())
    };
    let mut results: Vec<_> = runs.map(result).collect();
    results.sort();
    results
}

/// Only a map that weighs the features is trained, and shown as the run's own.
#[track_caller]
fn check_maps(out: &Path) {
    for (name, record) in results_of_runs(out) {
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let mechanism = record["recipe"]["attention"]["mechanism"].as_str();
        assert_eq!(
            record["trained_maps"],
            matches!(mechanism, Some("multiply" | "residual")),
            "{name}"
        );
    }
}

#[test]
fn shards_and_kills_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, shards, killed] =
        ["whole", "shards", "killed"].map(|name| folder.path().join(name));
    finished(ablation(&whole, &CAMPAIGN));
    check_maps(&whole);

    let shard = |shard: &&str| {
        ablation(
            &shards,
            &[&CAMPAIGN[..], &["--shard", shard, "--jobs", "1"]].concat(),
        )
    };
    let started: Vec<_> = ["1/3", "2/3", "3/3"]
        .iter()
        .map(|part| shard(part).spawn().unwrap())
        .collect();
    for process in started {
        assert!(process.wait_with_output().unwrap().status.success());
    }
    assert_eq!(tables(&shards), tables(&whole));

    // A kill that nothing can prepare for; the runs notice it by themselves.
    for milliseconds in [900, 2300, 400, 3100, 1700, 50, 2600, 1300, 700, 2000] {
        let mut process = ablation(&killed, &CAMPAIGN)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    finished(ablation(&killed, &CAMPAIGN));
    assert_eq!(tables(&killed), tables(&whole));
    assert_eq!(results_of_runs(&killed), results_of_runs(&whole));

    // What is finished is not done again.
    let again = finished(ablation(&killed, &CAMPAIGN));
    assert!(String::from_utf8_lossy(&again.stderr).contains("4 runs, 4 of them finished"));
}

#[track_caller]
fn refused(out: &Path, arguments: &[&str], code: i32, expected: &str) {
    let output = ablation(out, arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(expected), "{message}");
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    refused(
        &out,
        &["mechanisms"],
        2,
        "mechanism, backbones, channel, spatial, order, networks, loss, stability, maps, compcars, \
         celeba, detection, cost",
    );
    refused(&out, &["loss", "--seeds", "0"], 2, "at least one training");
    refused(&out, &["loss", "--shard", "4/3"], 2, "not I/N");
    refused(
        &out,
        &["loss", "--dataset", "cifar10", "--data", "nowhere"],
        1,
        "the data set cifar10 cannot be opened",
    );
    refused(
        &out,
        &["loss", "--device", "abacus"],
        1,
        "`abacus` is no device",
    );
    refused(
        &out,
        &["loss", "--device", "cpu,cpu:1"],
        1,
        "there is no device `cpu:1`",
    );
    assert!(!out.exists(), "nothing was written");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("ablation.json"), r#"{"version": 999}"#).unwrap();
    refused(
        &out,
        &["loss"],
        1,
        "another version of the campaigns (layout 999",
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "nothing was added");
}

#[test]
fn a_failed_run_is_reported_and_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let listed = finished(ablation(&out, &[&CAMPAIGN[..], &["--list"]].concat()));
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(!out.exists() && listed.lines().count() == 4, "{listed}");
    // A file stands where the first run's folder has to be made.
    let first = Path::new(
        listed
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .last()
            .unwrap(),
    );
    let name = first.file_name().unwrap().to_string_lossy();
    finished(ablation(&out, &[&CAMPAIGN[..], &["--report"]].concat()));
    fs::write(first, "in the way").unwrap();
    let output = ablation(&out, &CAMPAIGN).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains(&format!("{name}: FAILED")) && message.contains("1 of the runs failed"),
        "{message}"
    );
    let table = fs::read_to_string(out.join("mechanism.md")).unwrap();
    assert_eq!(table.matches("| 0 of 1 |").count(), 1, "{table}");
    // A later call, also of another process, still knows of it, until the run succeeds.
    finished(ablation(&out, &["--report"]));
    assert!(
        fs::read_to_string(out.join("index.html"))
            .unwrap()
            .contains(&*name)
    );
    fs::remove_file(first).unwrap();
    finished(ablation(&out, &CAMPAIGN));
    assert!(
        !fs::read_to_string(out.join("index.html"))
            .unwrap()
            .contains("failed")
    );
}

#[test]
fn damaged_files_are_named_and_stop_no_other_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    finished(ablation(&out, &CAMPAIGN));
    let runs: Vec<_> = fs::read_dir(out.join("runs"))
        .unwrap()
        .map(|run| run.unwrap().path())
        .collect();
    let record = fs::read_to_string(runs[0].join("ablation.json")).unwrap();
    fs::write(runs[0].join("ablation.json"), &record[..record.len() / 2]).unwrap();
    fs::write(runs[1].join("metrics.jsonl"), "{").unwrap();
    fs::write(runs[3].join("metrics.jsonl"), "").unwrap();
    // An image that the data set does not have.
    let record = fs::read_to_string(runs[2].join("ablation.json")).unwrap();
    fs::write(
        runs[2].join("ablation.json"),
        record.replacen("\"image\": ", "\"image\": 99999", 6),
    )
    .unwrap();
    let output = ablation(&out, &CAMPAIGN).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("3 of the finished runs cannot be used"),
        "{message}"
    );
    let table = fs::read_to_string(out.join("mechanism.md")).unwrap();
    assert_eq!(table.matches("| 0 of 1 |").count(), 3, "{table}");
}
