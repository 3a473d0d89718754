//! A step in shares: whoever computes them, the run is the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cifar;
use crate::folder::parse;
use crate::program::{Said, abn, fails, run, succeeds};
use crate::resume::{await_checkpoint, check_same, killed_and_continued, remains};

/// Four shares of two images, or of one at the end of an epoch.
const TRAIN: &str = "train --dataset cifar10 --data . --arch resnet8 --attention manet --epochs 2 \
    --batch-size 8 --accumulate 4 --seed 5";

#[test]
fn shares_are_the_same_in_threads_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    succeeds(path, &format!("{TRAIN} --out one"));
    let one = remains(&path.join("one"));
    for replicas in [2, 3, 4] {
        let train = format!("{TRAIN} --replicas {replicas}");
        succeeds(path, &format!("{train} --out {replicas}"));
        check_same(&one, &remains(&path.join(replicas.to_string())));
    }
    killed_and_continued(path, &format!("{TRAIN} --replicas 2"), "killed");
    check_same(&one, &remains(&path.join("killed")));
    // Whoever says nothing else has as many shares as threads.
    let usual = TRAIN.replace("--accumulate 4", "--replicas 4");
    succeeds(path, &format!("{usual} --out usual"));
    check_same(&one, &remains(&path.join("usual")));
    let whole = TRAIN.replace("--accumulate 4", "");
    succeeds(path, &format!("{whole} --out whole"));
    let metrics = |run: &str| fs::read(path.join(run).join("metrics.jsonl")).unwrap();
    assert_ne!(metrics("whole"), metrics("one"));
}

#[test]
fn several_devices_take_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    succeeds(path, &format!("{TRAIN} --out one"));
    let one = remains(&path.join("one"));
    succeeds(path, &format!("{TRAIN} --devices cpu,cpu,cpu --out three"));
    check_same(&one, &remains(&path.join("three")));
    let train = format!("{TRAIN} --devices cpu,cpu");
    killed_and_continued(path, &format!("{train} --replicas 4"), "killed");
    check_same(&one, &remains(&path.join("killed")));
    // A share a device, unless more are asked for.
    let halves = TRAIN.replace("--accumulate 4", "--accumulate 2");
    succeeds(path, &format!("{halves} --out halves"));
    let two = TRAIN.replace("--accumulate 4", "--devices cpu,cpu");
    succeeds(path, &format!("{two} --out two"));
    check_same(&remains(&path.join("halves")), &remains(&path.join("two")));

    let refused = |options: &str, code, words: &[&str]| {
        fails(path, &format!("{TRAIN} {options} --out no"), code, words);
    };
    refused("--devices cpu,cpu --device cpu", 2, &["--devices"]);
    refused("--devices cpu,cuda", 1, &["of one kind", "cuda:0,cuda:1"]);
    refused("--devices cpu,", 1, &["`` is no device"]);
    refused("--devices cpu,cpu --replicas 1", 1, &["without a share"]);
    let wide = TRAIN.replace("resnet8 --attention manet", "wrn-10-1 --dropout 0.3");
    fails(
        path,
        &format!("{wide} --devices cpu,cpu --out no"),
        1,
        &["--devices", "without dropout"],
    );
    let pooled = wide.replace("--accumulate 4", "--sync-batch-norm --replicas 2");
    fails(
        path,
        &format!("{pooled} --out pooled"),
        1,
        &["--sync-batch-norm", "without dropout"],
    );
}

/// Loss in training and on the test images after the first epoch.
fn losses(run: &Path) -> [f64; 2] {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let epoch = parse(metrics.lines().next().unwrap());
    ["train", "test"].map(|split| epoch[split]["loss"].as_f64().unwrap())
}

/// By how much the losses of a run are off those of another.
fn apart(one: &Path, other: &Path) -> f64 {
    let pairs = losses(one).into_iter().zip(losses(other));
    let apart = pairs.map(|(one, other)| (one - other).abs() / one);
    apart.fold(0.0, f64::max)
}

#[test]
fn replicas_that_normalise_together_train_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    // Three steps: after more, what rounding tips over a ReLU's edge is no longer small.
    let train = format!("{TRAIN} --lr 0.01 --limit 24").replace("--epochs 2", "--epochs 1");
    let synchronised = train.replace("--accumulate 4", "--sync-batch-norm");
    succeeds(path, &format!("{synchronised} --out one"));
    for (out, parts) in [
        ("two", "--replicas 2"),
        ("four", "--replicas 4"),
        ("devices", "--devices cpu,cpu"),
    ] {
        let said = succeeds(path, &format!("{synchronised} {parts} --out {out}"));
        assert!(said.err.contains("normalised together"), "{}", said.err);
        let apart = apart(&path.join("one"), &path.join(out));
        assert!(apart < 1e-5, "{out}: {apart}");
    }
    check_same(&remains(&path.join("two")), &remains(&path.join("devices")));
    succeeds(path, &format!("{train} --out shares"));
    let apart = apart(&path.join("one"), &path.join("shares"));
    assert!(apart > 1e-3, "{apart}");
    fails(
        path,
        &format!("{synchronised} --replicas 5 --out five").replace("--limit 24", "--limit 20"),
        1,
        &["the last batch of an epoch has 4 of 20 images"],
    );
}

#[test]
fn an_epoch_of_whole_batches_leaves_out_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    let train = TRAIN.replace("--accumulate 4", "--drop-last");
    succeeds(path, &format!("{train} --out run"));
    let metrics = fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    for line in metrics.lines() {
        assert_eq!(parse(line)["train"]["images"], 96, "{line}");
    }
    killed_and_continued(path, &train, "killed");
    check_same(&remains(&path.join("run")), &remains(&path.join("killed")));
}

#[test]
fn dropout_is_that_of_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    let train = "train --dataset cifar10 --data . --arch wrn-10-1 --dropout 0.3 --epochs 1 \
        --batch-size 8 --accumulate 2";
    succeeds(path, &format!("{train} --out one"));
    succeeds(path, &format!("{train} --replicas 2 --out two"));
    check_same(&remains(&path.join("one")), &remains(&path.join("two")));
}

#[test]
fn shares_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    let share = |train: &str, words: &[&str]| fails(path, &format!("{train} --out run"), 1, words);
    share(
        &TRAIN.replace("--accumulate 4", "--accumulate 9"),
        &["accumulate must be 1 to the images a step"],
    );
    share(
        &format!("{TRAIN} --replicas 5"),
        &["4 shares", "5 cannot be computed at the same time"],
    );
    fails(
        path,
        &format!("{TRAIN} --replicas 0 --out run"),
        2,
        &["1 to 256"],
    );
    let together = "accumulate must be 1 where batch norm is synchronised";
    share(&format!("{TRAIN} --sync-batch-norm"), &[together]);
    let skipping = "--sync-batch-norm --replicas 2 --on-corrupt skip";
    share(
        &TRAIN.replace("--accumulate 4", skipping),
        &["may leave a replica without an image"],
    );
    assert!(!path.join("run").exists());
    succeeds(path, &format!("{TRAIN} --out run"));
    share(
        &TRAIN.replace("--accumulate 4", "--accumulate 2"),
        &["accumulate: 4 in the run, 2 asked for"],
    );
}

#[test]
fn several_processes_need_mpi() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = abn(folder.path());
    program.args(["train", "--out", "run"]);
    let said = run(program.env("OMPI_COMM_WORLD_SIZE", "2"));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("--features mpi"), "{}", said.err);
    assert!(!folder.path().join("run").exists());
}

/// So many processes of the program that has MPI.
fn mpirun(folder: &Path, processes: usize) -> Command {
    let program = std::env::var_os("ABN_MPI").map(PathBuf::from);
    let program = program.expect("ABN_MPI is the program with the feature mpi");
    let mut command = Command::new("mpirun");
    command
        .current_dir(folder)
        // More processes than cores, and the machines of tests have no other user.
        .args(["--oversubscribe", "--bind-to", "none", "-np"])
        .arg(processes.to_string())
        .envs([
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
            ("RAYON_NUM_THREADS", "1"),
        ])
        .env_remove("ABN_DATASETS")
        .arg(program);
    command
}

fn with_ranks(folder: &Path, processes: usize, train: &str) -> Said {
    run(mpirun(folder, processes).args(train.split_whitespace()))
}

#[test]
#[ignore = "needs mpirun, and by ABN_MPI the program with the feature mpi"]
fn processes_train_the_run_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    succeeds(path, &format!("{TRAIN} --out one"));
    let one = remains(&path.join("one"));
    for processes in [1, 2, 3, 4] {
        let said = with_ranks(path, processes, &format!("{TRAIN} --out {processes}"));
        assert_eq!(said.code, Some(0), "{}", said.err);
        check_same(&one, &remains(&path.join(processes.to_string())));
    }
    let usual = TRAIN.replace("--accumulate 4", "--replicas 2");
    let said = with_ranks(path, 2, &format!("{usual} --out usual"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    check_same(&one, &remains(&path.join("usual")));
}

#[test]
#[ignore = "needs mpirun, and by ABN_MPI the program with the feature mpi"]
fn a_run_goes_on_with_other_processes_after_one_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    succeeds(path, &format!("{TRAIN} --out one"));
    let train = format!("{TRAIN} --out lost");
    let mut launcher = mpirun(path, 3)
        .args(train.split_whitespace())
        .args(["--save-every", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    await_checkpoint(&path.join("lost"));
    let lost = last_child_of(launcher.id());
    assert!(
        Command::new("kill")
            .args(["-KILL", &lost])
            .status()
            .unwrap()
            .success()
    );
    assert!(!launcher.wait().unwrap().success(), "it ended without one");
    let said = with_ranks(path, 2, &train);
    assert_eq!(said.code, Some(0), "{}", said.err);
    check_same(&remains(&path.join("one")), &remains(&path.join("lost")));
}

/// The number of the youngest process that this one started.
fn last_child_of(parent: u32) -> String {
    let said = Command::new("pgrep")
        .args(["-n", "-P", &parent.to_string()])
        .output()
        .unwrap();
    let number = String::from_utf8(said.stdout).unwrap().trim().to_owned();
    assert!(!number.is_empty(), "{parent} has no child");
    number
}

#[test]
#[ignore = "needs mpirun, and by ABN_MPI the program with the feature mpi"]
fn processes_that_normalise_together_train_as_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    let train = format!("{} --lr 0.01", TRAIN.replace("--epochs 2", "--epochs 1"));
    let apart = |one: &str, other: &str| apart(&path.join(one), &path.join(other));
    let shares = train.replace("manet", "none");
    // Three steps of MANet: after more, what rounding tips over a ReLU's edge is no longer small.
    for (name, train) in [
        ("baseline", shares.clone()),
        ("manet", format!("{train} --limit 24")),
    ] {
        let train = train.replace("--accumulate 4", "--sync-batch-norm");
        succeeds(path, &format!("{train} --out {name}-1"));
        for processes in [2, 4] {
            let out = format!("{name}-{processes}");
            let said = with_ranks(path, processes, &format!("{train} --out {out}"));
            assert_eq!(said.code, Some(0), "{}", said.err);
            assert!(said.err.contains("normalised together"), "{}", said.err);
            let apart = apart(&format!("{name}-1"), &out);
            assert!(apart < 1e-5, "{out}: {apart}");
        }
        let said = with_ranks(path, 2, &format!("{train} --out {name}-again"));
        assert_eq!(said.code, Some(0), "{}", said.err);
        check_same(
            &remains(&path.join(format!("{name}-2"))),
            &remains(&path.join(format!("{name}-again"))),
        );
        succeeds(path, &format!("{train} --replicas 2 --out {name}-threads"));
        check_same(
            &remains(&path.join(format!("{name}-2"))),
            &remains(&path.join(format!("{name}-threads"))),
        );
    }
    succeeds(path, &format!("{shares} --out shares"));
    let apart = apart("baseline-1", "shares");
    assert!(apart > 1e-3, "{apart}");
    let train = train.replace("--accumulate 4", "--sync-batch-norm");
    let said = with_ranks(path, 5, &format!("{train} --out five"));
    let last = "the last batch of an epoch has 4 of 100 images";
    assert!(said.err.contains(last), "{}", said.err);
}

#[test]
#[ignore = "needs mpirun, and by ABN_MPI the program with the feature mpi"]
fn a_process_with_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 20);
    // The second process is given another seed.
    let script =
        "if [ \"$OMPI_COMM_WORLD_RANK\" = 1 ]; then set -- \"$@\" --seed 6; fi; exec \"$@\"";
    let launcher = mpirun(path, 2);
    let mut arguments: Vec<_> = launcher.get_args().map(ToOwned::to_owned).collect();
    let program = arguments.pop().unwrap();
    let train = TRAIN.replace("--seed 5", "--out run");
    let said = run(Command::new("mpirun")
        .current_dir(path)
        .envs(
            launcher
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .args(arguments)
        .args(["sh", "-c", script, "sh"])
        .arg(program)
        .args(train.split_whitespace()));
    assert_ne!(said.code, Some(0));
    let expected = "process 1: its run is not that of process 0: seed is 6 and not 0";
    assert!(said.err.contains(expected), "{}", said.err);
    assert!(!path.join("run").exists());
    let diverging = TRAIN.replace("--seed 5", "--lr 1e30 --out diverged");
    let said = with_ranks(path, 2, &diverging);
    assert_ne!(said.code, Some(0));
    assert_eq!(
        said.err.matches("diverged. Lower --lr").count(),
        1,
        "{}",
        said.err
    );
}
