//! What goes wrong says what, where and what to do; nothing panics and nothing is overwritten.

use std::fs;
use std::path::Path;

use crate::cifar::{self, RECORD};
use crate::program::{abn, fails, run, succeeds};

const TRAIN: &str =
    "train --dataset cifar10 --data data --arch resnet8 --epochs 1 --batch-size 20 --out run";

/// A folder with a small CIFAR-10 in `data`.
fn with_data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(&folder.path().join("data"), 8);
    folder
}

fn no_run(folder: &Path) {
    assert!(
        !folder.join("run").exists(),
        "a run was made before the error was found"
    );
}

#[test]
fn missing_and_empty_data() {
    let folder = tempfile::tempdir().unwrap();
    fails(
        folder.path(),
        "train --dataset cifar10 --out run",
        1,
        &["datasets", "cifar-10"],
    );
    fails(folder.path(), TRAIN, 1, &["data does not exist"]);
    fs::create_dir_all(folder.path().join("data/cifar-10-batches-bin")).unwrap();
    fails(folder.path(), TRAIN, 1, &["data_batch_1.bin"]);
    fs::write(
        folder
            .path()
            .join("data/cifar-10-batches-bin/data_batch_1.bin"),
        [],
    )
    .unwrap();
    fails(folder.path(), TRAIN, 1, &["data_batch_1.bin"]);
    no_run(folder.path());
}

#[test]
fn damaged_data() {
    let folder = with_data();
    let file = folder
        .path()
        .join("data/cifar-10-batches-bin/data_batch_3.bin");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    fails(
        folder.path(),
        TRAIN,
        1,
        &["data_batch_3.bin", &RECORD.to_string()],
    );
    fs::write(&file, &whole[..whole.len() - RECORD]).unwrap();
    fails(
        folder.path(),
        TRAIN,
        1,
        &["data_batch_3.bin", "as the files before it have"],
    );
    let mut labelled = whole;
    labelled[2 * RECORD] = 10;
    fs::write(&file, labelled).unwrap();
    fails(
        folder.path(),
        TRAIN,
        1,
        &["data_batch_3.bin", "record 2 has label 10: expected 0 to 9"],
    );
    no_run(folder.path());
}

#[test]
fn impossible_settings() {
    let folder = with_data();
    let with = |option: &str| format!("{TRAIN} {option}");
    fails(
        folder.path(),
        &TRAIN.replace("--epochs 1", "--epochs 0"),
        2,
        &["--epochs", "from 1"],
    );
    fails(
        folder.path(),
        &TRAIN.replace("--epochs 1", "--epochs 18446744073709551615"),
        2,
        &["--epochs"],
    );
    fails(
        folder.path(),
        &TRAIN.replace("--batch-size 20", "--batch-size 41"),
        1,
        &["--batch-size 41", "40 training images"],
    );
    fails(
        folder.path(),
        &TRAIN.replace("--batch-size 20", "--batch-size 0"),
        2,
        &["--batch-size"],
    );
    fails(
        folder.path(),
        &TRAIN.replace("resnet8", "resnet-20"),
        1,
        &["did you mean `resnet20`"],
    );
    fails(
        folder.path(),
        &TRAIN.replace("resnet8", "resnet21"),
        1,
        &["nearest is `resnet20`"],
    );
    for (option, expected) in [
        ("--lr 0", "a positive number"),
        ("--lr nan", "a positive number"),
        ("--momentum nan", "at least 0 and below 1"),
        ("--weight-decay=-1", "at least 0 and below 1"),
        ("--std 0,1,1", "three positive numbers"),
        ("--gamma 5", "at most 1"),
        ("--limit 0", "from 1"),
        ("--workers 1000000", "0 to 256"),
        ("--save-every=-1", "0 or more"),
        ("--schedule often", "step:30"),
        ("--schedule milestones:0,5", "step:30"),
        ("--schedule step:99999999999999999999", "step:30"),
        ("--attention some", "manet"),
        ("--lerning-rate 1", "unexpected argument"),
    ] {
        fails(
            folder.path(),
            &with(option),
            2,
            &[expected, option.split([' ', '=']).next().unwrap()],
        );
    }
    fails(
        folder.path(),
        "train --data data --out run",
        1,
        &["shapes is built in"],
    );
    fails(
        folder.path(),
        &with("--device quantum"),
        1,
        &["`quantum` is no device", "cpu"],
    );
    fails(
        folder.path(),
        &with("--device cuda:9"),
        1,
        &["`cuda:9` is not available", "--features cuda"],
    );
    fails(
        folder.path(),
        &with("--device cpu:1"),
        1,
        &["no device `cpu:1`", "which has: cpu"],
    );
    fails(folder.path(), "trian", 2, &["tip", "train"]);
    no_run(folder.path());
}

#[test]
fn output_that_cannot_be_written() {
    let folder = with_data();
    fs::write(folder.path().join("file"), "mine").unwrap();
    fails(
        folder.path(),
        &TRAIN.replace("--out run", "--out file"),
        1,
        &["`file` is a file"],
    );
    fails(
        folder.path(),
        &TRAIN.replace("--out run", "--out file/run"),
        1,
        &["file/run", "--out"],
    );
    fs::create_dir(folder.path().join("papers")).unwrap();
    fs::write(folder.path().join("papers/thesis.txt"), "mine").unwrap();
    fails(
        folder.path(),
        &TRAIN.replace("--out run", "--out papers"),
        1,
        &["papers", "not a run"],
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("papers/thesis.txt")).unwrap(),
        "mine"
    );
    assert_eq!(
        fs::read_dir(folder.path().join("papers")).unwrap().count(),
        1
    );
}

/// The disk fills up in the middle of a run: a limit on the size of files stands in for it.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_keeps_the_last_checkpoint() {
    let folder = with_data();
    let train = TRAIN.replace("--epochs 1", "--epochs 2");
    let limited = |blocks: usize| {
        let program = env!("CARGO_BIN_EXE_abn-under-test");
        let script =
            format!("ulimit -f {blocks}; trap '' XFSZ; exec '{program}' {train} --save-every 0");
        run(std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(folder.path()))
    };
    // A run that stands at its first step, as after Ctrl-C.
    let stopped = train.replace("--out run", "--out run --save-every 0");
    stop_after_first_checkpoint(folder.path(), &stopped);
    let before = checkpoint_files(folder.path());
    assert!(
        before.len() >= 3,
        "manifest, weights and velocities: {:?}",
        before.keys()
    );
    let said = limited(64);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("cannot write") && !said.err.contains("panicked"),
        "{}",
        said.err
    );
    assert!(
        before == checkpoint_files(folder.path()),
        "the checkpoint is as it was, nothing is left beside it"
    );
    succeeds(folder.path(), &train);
}

/// Kills a run as soon as it has written a checkpoint.
pub(crate) fn stop_after_first_checkpoint(folder: &Path, train: &str) {
    let mut child = abn(folder)
        .args(train.split_whitespace())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let manifest = folder.join("run/checkpoints/manifest.json");
    let started = std::time::Instant::now();
    while !manifest.exists() {
        assert!(
            started.elapsed().as_secs() < 60,
            "no checkpoint was written"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What the manifest names, and the manifest.
fn checkpoint_files(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let checkpoints = folder.join("run/checkpoints");
    let manifest = fs::read_to_string(checkpoints.join("manifest.json")).unwrap();
    let names = fs::read_dir(&checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let named = names.filter(|name| manifest.contains(name.as_str()) || name == "manifest.json");
    named
        .map(|name| (name.clone(), fs::read(checkpoints.join(name)).unwrap()))
        .collect()
}

/// What a process that was killed before it made a run leaves behind does not block the same
/// command.
#[test]
fn remains_of_a_killed_start() {
    let folder = with_data();
    fs::create_dir(folder.path().join("run")).unwrap();
    fs::write(folder.path().join("run/.lock"), "").unwrap();
    fs::write(folder.path().join("run/.abn-tmp-abc"), "{\"version").unwrap();
    succeeds(folder.path(), TRAIN);
    assert!(!folder.path().join("run/.abn-tmp-abc").exists());
}

#[test]
fn a_training_that_diverges_keeps_its_last_good_checkpoint() {
    let folder = with_data();
    for (option, kept) in [
        ("--save-every 1000", "no checkpoint was written"),
        ("--save-every 0", "not finite"),
    ] {
        let train = format!("{TRAIN} --lr 1e30 {option}").replace("--epochs 1", "--epochs 3");
        fails(folder.path(), &train, 1, &["diverged", "Lower --lr", kept]);
        fs::remove_dir_all(folder.path().join("run")).unwrap();
    }
    // One step an epoch: the weights break between the loss and the test.
    let train = TRAIN.replace("--batch-size 20", "--batch-size 40 --lr 1e30");
    fails(folder.path(), &train, 1, &["diverged"]);
    fails(folder.path(), "eval run", 1, &["no checkpoint"]);
}

#[test]
fn other_images_under_the_same_name_are_refused() {
    let folder = with_data();
    succeeds(folder.path(), TRAIN);
    cifar::write(&folder.path().join("fewer"), 6);
    fails(
        folder.path(),
        &TRAIN.replace("--data data", "--data fewer"),
        1,
        &["images: ", "40 images", "30 images"],
    );
    // The same images elsewhere are the same run.
    fs::rename(folder.path().join("data"), folder.path().join("moved")).unwrap();
    succeeds(folder.path(), &TRAIN.replace("--data data", "--data moved"));
    succeeds(folder.path(), "eval run");
}

#[test]
fn damaged_runs() {
    let folder = with_data();
    succeeds(folder.path(), TRAIN);
    let run_path = folder.path().join("run");
    for command in [
        "eval nowhere",
        "predict nowhere x.png",
        "explain nowhere x.png --out maps",
    ] {
        fails(folder.path(), command, 1, &["there is no run at `nowhere`"]);
    }
    fails(folder.path(), "eval data", 1, &["`data` is not a run"]);

    let weights = fs::read_dir(run_path.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("model-")
        })
        .unwrap();
    let whole = fs::read(&weights).unwrap();
    let name = weights.file_name().unwrap().to_str().unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    fails(folder.path(), "eval run", 1, &[name, "damaged"]);
    fails(folder.path(), TRAIN, 1, &[name, "damaged"]);
    fs::remove_file(&weights).unwrap();
    fails(folder.path(), "eval run", 1, &[name]);
    fs::write(&weights, &whole).unwrap();
    succeeds(folder.path(), "eval run");

    let manifest = fs::read_to_string(run_path.join("checkpoints/manifest.json")).unwrap();
    for (from, to) in [
        ("\"epoch\": 1", "\"epoch\": 9"),
        ("\"batch\": 0", "\"batch\": 999999"),
        ("\"images\": 0", "\"images\": 7"),
        (
            "\"epoch\": 1,\n        \"learning_rate\"",
            "\"epoch\": 0,\n        \"learning_rate\"",
        ),
    ] {
        let changed = manifest.replacen(from, to, 1);
        assert_ne!(changed, manifest, "{from}");
        fs::write(run_path.join("checkpoints/manifest.json"), changed).unwrap();
        fails(folder.path(), TRAIN, 1, &["manifest.json", "damaged"]);
    }

    fs::write(run_path.join("checkpoints/manifest.json"), "{").unwrap();
    fails(folder.path(), "eval run", 1, &["manifest.json", "damaged"]);
    fs::remove_file(run_path.join("checkpoints/manifest.json")).unwrap();
    fails(
        folder.path(),
        "eval run",
        1,
        &["manifest.json", "no checkpoint"],
    );
    fails(
        folder.path(),
        TRAIN,
        1,
        &["manifest.json", "is missing although"],
    );
    assert!(
        weights.exists(),
        "weights without a manifest are not thrown away"
    );
    for text in ["", "{}", "[1]", "{\"version\": 99}"] {
        fs::write(run_path.join("config.json"), text).unwrap();
        fails(folder.path(), "eval run", 1, &["config.json"]);
        fails(folder.path(), TRAIN, 1, &["config.json"]);
    }
}

#[test]
fn two_processes_do_not_train_one_run() {
    let folder = with_data();
    succeeds(folder.path(), TRAIN);
    let lock = fs::File::open(folder.path().join("run/.lock")).unwrap();
    lock.lock().unwrap();
    fails(folder.path(), TRAIN, 1, &["another process"]);
}

#[test]
fn files_that_are_no_images() {
    let folder = with_data();
    succeeds(folder.path(), TRAIN);
    for (name, bytes) in [
        ("text.png", &b"hello"[..]),
        ("empty.png", b""),
        ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
        fails(folder.path(), &format!("predict run {name}"), 1, &[name]);
        fails(
            folder.path(),
            &format!("explain run {name} --out maps"),
            1,
            &[name],
        );
    }
    fails(folder.path(), "predict run absent.png", 1, &["absent.png"]);
    fs::create_dir(folder.path().join("none")).unwrap();
    fails(
        folder.path(),
        "explain run none --out maps",
        1,
        &["`none` has no .png"],
    );
}

#[test]
fn foreign_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let import = "import weights.pth --arch resnet20 --classes 10 --out run";
    fails(folder.path(), import, 1, &["weights.pth"]);
    for bytes in [
        &b""[..],
        b"not a checkpoint",
        b"PK\x03\x04",
        b"\x80\x02}q\x00.",
    ] {
        fs::write(folder.path().join("weights.pth"), bytes).unwrap();
        fails(folder.path(), import, 1, &["weights.pth"]);
    }
    fs::write(folder.path().join("w.safetensors"), [255; 64]).unwrap();
    fails(
        folder.path(),
        &import.replace("weights.pth", "w.safetensors"),
        1,
        &["w.safetensors"],
    );
    no_run(folder.path());
}

#[test]
#[cfg(target_os = "linux")]
fn closed_pipes_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = abn(folder.path());
    let script = format!(
        "'{}' models | head -1; exit 0",
        command.get_program().to_string_lossy()
    );
    let said = run(std::process::Command::new("sh").args(["-c", &script]));
    assert!(said.out.starts_with("architecture"));
    assert_eq!(said.err, "");
    // Nobody reads the progress any more: the training goes on.
    let data = with_data();
    let program = env!("CARGO_BIN_EXE_abn-under-test");
    let script = format!("'{program}' {TRAIN} 2>/dev/full");
    let said = run(std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(data.path()));
    assert_eq!(said.code, Some(0));
    assert!(said.out.contains("report run/report.html"), "{}", said.out);
    command.arg("--version");
    assert!(run(&mut command).out.starts_with("abn "));
}

#[test]
fn inputs_that_are_too_small_for_the_network_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fails(
        folder.path(),
        "train --arch vgg11-bn --size 24 --out run",
        1,
        &[
            "24x24 are too small for vgg11-bn",
            "--size must be at least 32",
        ],
    );
    assert!(!folder.path().join("run").exists());
}
