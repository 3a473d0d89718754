//! A run that was killed again and again ends exactly like one that was left alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use abn_data::{DataError, Loader, Sample, Split};
use abn_run::datasets::SHAPES;
use abn_run::folder::run_dir::RunDir;
use abn_run::images::plain_loader;
use abn_run::measure::classification::Classification;
use abn_run::recipe::{Recipe, RunConfig};
use abn_run::training_images::Loaders;
use abn_train::interrupt::Interrupt;
use abn_train::ranks::Ranks;
use abn_train::train::TrainOptions;
use abn_train::train::trainer::{Ending, Trainer};
use burn::tensor::Device;
use burn_dataset::Dataset;

use crate::cifar;
use crate::program::{abn, fails, run, succeeds};

/// Everything that a run leaves and that must be the same: all but times.
pub(crate) fn remains(run: &Path) -> BTreeMap<String, Vec<u8>> {
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
pub(crate) fn check_same(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
    for kept in [
        "/metrics.jsonl",
        "/results.json",
        "checkpoints/manifest.json",
    ] {
        assert!(expected.contains_key(kept), "{kept}");
    }
}

/// With dropout, so that its masks too must be those of an uninterrupted run.
const TRAIN: &str = "train --dataset cifar10 --data . --arch wrn-10-1 --dropout 0.3 --attention \
    manet --epochs 3 --batch-size 8 --seed 5";

/// Kills a training at its first checkpoint, and gives the same command again.
pub(crate) fn killed_and_continued(folder: &Path, train: &str, out: &str) {
    let command = format!("{train} --out {out}");
    let mut child = abn(folder)
        .args(format!("{command} --save-every 0").split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    await_checkpoint(&folder.join(out));
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "the kill came too late");
    succeeds(folder, &command);
}

/// Returns once the run has a checkpoint.
pub(crate) fn await_checkpoint(run: &Path) {
    let manifest = run.join("checkpoints/manifest.json");
    let started = Instant::now();
    while !manifest.exists() {
        let waited = started.elapsed();
        assert!(
            waited < Duration::from_secs(60),
            "no checkpoint was written"
        );
        sleep(Duration::from_millis(1));
    }
}

/// Trains a run without interruption; returns it and the time it took.
fn uninterrupted(folder: &Path, workers: usize) -> (BTreeMap<String, Vec<u8>>, Duration) {
    let started = Instant::now();
    succeeds(folder, &format!("{TRAIN} --out whole --workers {workers}"));
    (remains(&folder.join("whole")), started.elapsed())
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 20);
    let with = |threads: &str| {
        let arguments = format!("{TRAIN} --out {threads} --workers {threads}");
        let mut program = abn(folder.path());
        let said = run(program
            .args(arguments.split_whitespace())
            .env("RAYON_NUM_THREADS", threads));
        assert_eq!(said.code, Some(0), "{}", said.err);
        remains(&folder.path().join(threads))
    };
    check_same(&with("1"), &with("3"));
}

/// Kills a run so many times, checkpointing after every step, then lets it finish. Returns how many
/// kills came before its end. `step` is about the time of a step.
fn with_kills(folder: &Path, workers: usize, kills: u32, step: Duration) -> u32 {
    let arguments = format!("{TRAIN} --out killed --workers {workers} --save-every 0");
    let manifest = folder.join("killed/checkpoints/manifest.json");
    let mut unfinished = 0;
    for kill in 0..kills {
        let before = fs::read(&manifest).ok();
        let mut child = abn(folder)
            .args(arguments.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Every fifth kill falls anywhere into the start; the others wait for a step to be saved,
        // so that the run moves on, and then fall anywhere into the next two: into a step, a save
        // or an evaluation.
        let started = Instant::now();
        let moved = |child: &mut Child| {
            fs::read(&manifest).ok() != before || child.try_wait().unwrap().is_some()
        };
        while kill % 5 != 4 && !moved(&mut child) {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "no checkpoint was written"
            );
            sleep(Duration::from_millis(1));
        }
        sleep(step * (kill * 7919 % 200) / 100);
        child.kill().unwrap(); // SIGKILL
        unfinished += u32::from(!child.wait().unwrap().success());
    }
    succeeds(folder, &arguments);
    unfinished
}

/// `steps` is the number of steps of the run on so many records a file.
#[track_caller]
fn check_kills(records: usize, steps: u32, workers: [usize; 2], kills: u32, at_least: u32) {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), records);
    let (whole, time) = uninterrupted(folder.path(), workers[0]);
    let killed = with_kills(folder.path(), workers[1], kills, time / steps);
    assert!(killed >= at_least, "only {killed} kills came in time");
    check_same(&whole, &remains(&folder.path().join("killed")));
}

#[test]
fn killed_runs_end_bit_identical_with_any_number_of_workers() {
    check_kills(16, 3 * 10, [1, 3], 5, 3);
}

#[test]
#[ignore = "needs a minute: 25 kills at random moments"]
fn twenty_five_kills_end_bit_identical() {
    check_kills(100, 3 * 63, [0, 2], 25, 20);
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
fn a_training_in_bfloat16_continues_exactly() {
    continues_exactly_in("bf16");
}

/// Its factor of the losses goes on as well.
#[test]
fn a_training_in_half_precision_continues_exactly() {
    continues_exactly_in("f16");
}

fn continues_exactly_in(precision: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 8);
    let train = format!("{TRAIN} --precision {precision}");
    let said = succeeds(path, &format!("{train} --out whole --workers 0"));
    let told = format!("learn in {precision}");
    assert!(said.err.contains(&told), "{}", said.err);
    killed_and_continued(path, &train, "killed");
    check_same(
        &remains(&path.join("whole")),
        &remains(&path.join("killed")),
    );
    succeeds(path, &format!("{TRAIN} --out single"));
    let metrics = |run: &str| fs::read(path.join(run).join("metrics.jsonl")).unwrap();
    assert!(metrics("whole") != metrics("single"), "other numbers");
    let other = &["precision", precision];
    fails(
        path,
        &format!("{TRAIN} --precision f32 --out whole"),
        1,
        other,
    );
}

#[test]
fn another_configuration_is_refused_with_the_differences() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 8);
    let command =
        "train --dataset cifar10 --data . --arch resnet8 --epochs 1 --batch-size 20 --out run";
    succeeds(folder.path(), command);
    let before = remains(&folder.path().join("run"));
    let other = command.replace("--epochs 1", "--epochs 2 --lr 0.05");
    fails(
        folder.path(),
        &other,
        1,
        &[
            "epochs: 1 in the run, 2 asked for",
            "learning_rate: 0.1 in the run, 0.05",
        ],
    );
    check_same(&before, &remains(&folder.path().join("run")));
}

/// The first Ctrl-C ends with a checkpoint in the middle of an epoch; the same command goes on from
/// it to the same end.
#[test]
#[cfg(unix)]
fn ctrl_c_saves_and_the_same_command_continues() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 200);
    let command = "train --dataset cifar10 --data . --arch resnet8 --attention none --epochs 1 --batch-size 4";
    succeeds(folder.path(), &format!("{command} --out whole"));
    let stopped = format!("{command} --out stopped");
    let mut child = abn(folder.path())
        .args(stopped.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !folder.path().join("stopped/metrics.jsonl").exists() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the training did not start"
        );
        sleep(Duration::from_millis(10));
    }
    sleep(Duration::from_millis(300));
    let interrupt = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let manifest =
        fs::read_to_string(folder.path().join("stopped/checkpoints/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let batch = manifest["progress"]["batch"].as_u64().unwrap();
    assert!(
        (1..250).contains(&batch),
        "stopped after {batch} of 250 steps"
    );
    let said = run(abn(folder.path()).args(stopped.split_whitespace()));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.err
            .contains(&format!("continuing after 0 epochs and {batch} steps")),
        "{}",
        said.err
    );
    check_same(
        &remains(&folder.path().join("whole")),
        &remains(&folder.path().join("stopped")),
    );
}

/// Every state that a kill can leave between two system calls of a save, made by hand.
#[test]
fn saves_that_were_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(folder.path(), 8);
    let command = "train --dataset cifar10 --data . --arch resnet8 --epochs 2 --batch-size 20";
    succeeds(folder.path(), &format!("{command} --out whole"));
    let whole = remains(&folder.path().join("whole"));
    let states: [fn(&Path); 4] = [
        |run| fs::write(run.join("checkpoints/.abn-tmp-x"), "half").unwrap(),
        |run| {
            fs::write(
                run.join("checkpoints/model-0001-000001.safetensors"),
                "without its manifest",
            )
            .unwrap()
        },
        |run| fs::remove_file(run.join("metrics.jsonl")).unwrap(),
        |run| fs::remove_file(run.join("results.json")).unwrap(),
    ];
    for (number, cut) in states.into_iter().enumerate() {
        let out = format!("cut{number}");
        let run = folder.path().join(&out);
        fs::create_dir_all(run.join("checkpoints")).unwrap();
        for name in whole.keys() {
            fs::copy(
                folder
                    .path()
                    .join("whole")
                    .join(name.trim_start_matches('/')),
                run.join(name.trim_start_matches('/')),
            )
            .unwrap();
        }
        cut(&run);
        succeeds(folder.path(), &format!("{command} --out {out}"));
        check_same(&whole, &remains(&run));
    }
}

/// Generated images of which some cannot be read, as a file on a failing disk.
struct Failing {
    images: abn_data::ImageDataset,
    from: usize,
    reads: AtomicUsize,
}

impl Dataset<Sample, DataError> for Failing {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        match self.reads.fetch_add(1, Ordering::SeqCst) {
            read if read < self.from => self.images.get(index),
            _ => Err(DataError::Empty {
                path: "photo.png".into(),
                expected: "an image",
            }),
        }
    }

    fn len(&self) -> usize {
        self.images.len()
    }
}

/// Trains on 24 images in batches of 8 of which only the first so many reads succeed.
fn train_failing(path: &Path, from: usize) -> anyhow::Error {
    train_on_failing(path, 1, from).unwrap_err()
}

fn train_on_failing(path: &Path, epochs: usize, from: usize) -> anyhow::Result<Ending> {
    let images = abn_data::Shapes::new(1, Split::Train, 24).collection();
    let recipe = Recipe {
        batch_size: 8,
        epochs,
        ..Recipe::of(&SHAPES, Some(epochs))
    };
    let config = RunConfig::new(recipe, images.labels.clone()).unwrap();
    let dataset = Arc::new(Failing {
        images: images.samples.clone(),
        from,
        reads: AtomicUsize::new(0),
    });
    let test = plain_loader(&config, &images, 0);
    let train = Loader {
        dataset,
        batch_size: 8,
        shuffled: true,
        masks: false,
        ..test.clone()
    };
    let run = RunDir::open_for_writing(path, &config).unwrap();
    let (device, every) = (Device::flex(), Duration::MAX);
    let loaders = Loaders {
        train,
        test,
        unreadable: None,
    };
    let alone = Ranks::alone();
    let mut trainer = Trainer::new(
        Classification::of(&config),
        &config.recipe,
        Some(&run),
        None,
        loaders,
        &[device],
        &alone,
        Interrupt::default(),
        TrainOptions {
            save_every: every,
            ..TrainOptions::default()
        },
    )
    .unwrap();
    trainer.train()
}

#[test]
fn an_unreadable_image_costs_no_step() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("run/checkpoints/manifest.json");
    let error = train_failing(&folder.path().join("run"), 0);
    assert!(
        format!("{error:#}").contains("photo.png is empty"),
        "{error:#}"
    );
    assert!(!manifest.exists(), "there was no step to save");
    train_failing(&folder.path().join("run"), 16);
    let saved: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    assert_eq!(saved["progress"]["batch"], 2);
    // The run goes on from there: the next process fails at its first image and keeps the two
    // steps.
    train_failing(&folder.path().join("run"), 0);
    let kept: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    assert_eq!(kept, saved);
}

/// The drift of the maps in each epoch of a run, as it was written.
fn drifts(run: &Path) -> Vec<Option<f64>> {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let drift = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["maps"]["drift"].as_f64()
    };
    metrics.lines().map(drift).collect()
}

/// Everything that versions before the drift of the maps did not write.
fn make_earlier(run: &Path) {
    let path = run.join("checkpoints/manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let maps = manifest.as_object_mut().unwrap().remove("maps").unwrap();
    fs::remove_file(run.join("checkpoints").join(maps["file"].as_str().unwrap())).unwrap();
    for record in manifest["progress"]["history"].as_array_mut().unwrap() {
        let health = record["maps"].as_object_mut().unwrap();
        for figure in ["entropy", "saturated"] {
            assert!(health.remove(figure).is_some(), "{figure}");
        }
    }
    fs::write(&path, serde_json::to_string(&manifest).unwrap()).unwrap();
}

/// The maps of the epoch before are part of the checkpoint: a run that stops within an epoch
/// measures the same drift.
#[test]
fn the_drift_of_the_maps_survives_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut, earlier) = (
        folder.path().join("whole"),
        folder.path().join("cut"),
        folder.path().join("old"),
    );
    train_on_failing(&whole, 3, usize::MAX).unwrap();
    let expected = drifts(&whole);
    assert!(
        expected[0].is_none() && expected[1..].iter().all(|drift| drift.unwrap() > 0.0),
        "{expected:?}"
    );
    // The second epoch fails behind its first batch; loading without threads reads in order.
    for run in [&cut, &earlier] {
        train_on_failing(run, 3, 24 + 8).unwrap_err();
        assert_eq!(drifts(run), [None]);
    }
    make_earlier(&earlier);
    for run in [&cut, &earlier] {
        train_on_failing(run, 3, usize::MAX).unwrap();
    }
    let metrics = |run: &Path| fs::read(run.join("metrics.jsonl")).unwrap();
    assert!(metrics(&cut) == metrics(&whole));
    assert_eq!(
        drifts(&earlier),
        [None, None, expected[2]],
        "from the next epoch on it is measured"
    );
}
