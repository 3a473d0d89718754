//! What goes wrong says what, where and what to do; nothing panics and nothing is overwritten.

use std::fs;
use std::path::Path;

use crate::cifar::{self, RECORD};
use crate::program::{abn, fails, run, succeeds};

const TRAIN: &str = "train --dataset cifar10 --data data --arch resnet8 --epochs 1 --batch-size 20 --out run";

/// A folder with a small CIFAR-10 in `data`.
fn with_data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    cifar::write(&folder.path().join("data"), 8);
    folder
}

fn no_run(folder: &Path) {
    assert!(!folder.join("run").exists(), "a run was made before the error was found");
}

#[test]
fn missing_and_empty_data() {
    let folder = tempfile::tempdir().unwrap();
    fails(folder.path(), "train --dataset cifar10 --out run", 1, &["datasets", "cifar-10"]);
    fails(folder.path(), TRAIN, 1, &["data"]);
    fs::create_dir_all(folder.path().join("data/cifar-10-batches-bin")).unwrap();
    fails(folder.path(), TRAIN, 1, &["data_batch_1.bin"]);
    fs::write(folder.path().join("data/cifar-10-batches-bin/data_batch_1.bin"), []).unwrap();
    fails(folder.path(), TRAIN, 1, &["data_batch_1.bin"]);
    no_run(folder.path());
}

#[test]
fn damaged_data() {
    let folder = with_data();
    let file = folder.path().join("data/cifar-10-batches-bin/data_batch_3.bin");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    fails(folder.path(), TRAIN, 1, &["data_batch_3.bin", &RECORD.to_string()]);
    let mut labelled = whole;
    labelled[2 * RECORD] = 10;
    fs::write(&file, labelled).unwrap();
    fails(folder.path(), TRAIN, 1, &["data_batch_3.bin", "10"]);
    no_run(folder.path());
}

#[test]
fn impossible_settings() {
    let folder = with_data();
    let with = |option: &str| format!("{TRAIN} {option}");
    fails(folder.path(), &TRAIN.replace("--epochs 1", "--epochs 0"), 1, &["--epochs must be at least 1"]);
    fails(
        folder.path(),
        &TRAIN.replace("--batch-size 20", "--batch-size 41"),
        1,
        &["--batch-size 41", "40 images"],
    );
    fails(folder.path(), &TRAIN.replace("--batch-size 20", "--batch-size 0"), 1, &["--batch-size"]);
    fails(folder.path(), &TRAIN.replace("resnet8", "resnet-20"), 1, &["did you mean `resnet20`"]);
    fails(folder.path(), &TRAIN.replace("resnet8", "resnet21"), 1, &["nearest is `resnet20`"]);
    fails(folder.path(), &with("--lr 0"), 1, &["--lr"]);
    fails(folder.path(), &with("--lr nan"), 1, &["--lr"]);
    fails(folder.path(), &with("--std 0,1,1"), 1, &["--std"]);
    fails(folder.path(), &with("--limit 0"), 1, &["--limit"]);
    fails(folder.path(), &with("--save-every=-1"), 1, &["--save-every"]);
    fails(folder.path(), &with("--device quantum"), 1, &["quantum", "flex"]);
    fails(folder.path(), &with("--schedule often"), 2, &["step:30"]);
    fails(folder.path(), &with("--attention some"), 2, &["manet"]);
    fails(folder.path(), &with("--lerning-rate 1"), 2, &["--lerning-rate"]);
    fails(folder.path(), "trian", 2, &["train"]);
    no_run(folder.path());
}

#[test]
fn output_that_cannot_be_written() {
    let folder = with_data();
    fs::write(folder.path().join("file"), "mine").unwrap();
    fails(folder.path(), &TRAIN.replace("--out run", "--out file"), 1, &["`file` is a file"]);
    fails(folder.path(), &TRAIN.replace("--out run", "--out file/run"), 1, &["file/run", "--out"]);
    fs::create_dir(folder.path().join("papers")).unwrap();
    fs::write(folder.path().join("papers/thesis.txt"), "mine").unwrap();
    fails(folder.path(), &TRAIN.replace("--out run", "--out papers"), 1, &["papers", "not a run"]);
    assert_eq!(fs::read_to_string(folder.path().join("papers/thesis.txt")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path().join("papers")).unwrap().count(), 1);
}

/// The disk is full from the first checkpoint on: a limit on the size of files stands in for it.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_keeps_the_last_checkpoint() {
    let folder = with_data();
    succeeds(folder.path(), TRAIN);
    let manifest = folder.path().join("run/checkpoints/manifest.json");
    let before = fs::read(&manifest).unwrap();
    let limited = format!(
        "ulimit -f 64; trap '' XFSZ; exec '{}' {} --save-every 0",
        env!("CARGO_BIN_EXE_abn-under-test"),
        TRAIN.replace("--out run", "--out other")
    );
    let said = run(std::process::Command::new("sh").args(["-c", &limited]).current_dir(folder.path()));
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("cannot write") && !said.err.contains("panicked"), "{}", said.err);
    let unfinished = fs::read_dir(folder.path().join("other/checkpoints")).unwrap().count();
    assert_eq!(unfinished, 0, "a failed write leaves nothing behind");
    assert_eq!(fs::read(&manifest).unwrap(), before);
}

#[test]
fn damaged_runs() {
    let folder = with_data();
    succeeds(folder.path(), TRAIN);
    let run_path = folder.path().join("run");
    for command in ["eval nowhere", "predict nowhere x.png", "explain nowhere x.png --out maps"] {
        fails(folder.path(), command, 1, &["there is no run at `nowhere`"]);
    }
    fails(folder.path(), "eval data", 1, &["`data` is not a run"]);

    let weights = fs::read_dir(run_path.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("model-"))
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

    fs::write(run_path.join("checkpoints/manifest.json"), "{").unwrap();
    fails(folder.path(), "eval run", 1, &["manifest.json", "damaged"]);
    fs::remove_file(run_path.join("checkpoints/manifest.json")).unwrap();
    fails(folder.path(), "eval run", 1, &["manifest.json", "no checkpoint"]);
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
    for (name, bytes) in
        [("text.png", &b"hello"[..]), ("empty.png", b""), ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF")]
    {
        fs::write(folder.path().join(name), bytes).unwrap();
        fails(folder.path(), &format!("predict run {name}"), 1, &[name]);
        fails(folder.path(), &format!("explain run {name} --out maps"), 1, &[name]);
    }
    fails(folder.path(), "predict run absent.png", 1, &["absent.png"]);
    fs::create_dir(folder.path().join("none")).unwrap();
    fails(folder.path(), "explain run none --out maps", 1, &["`none` has no .png"]);
}

#[test]
fn foreign_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let import = "import weights.pth --arch resnet20 --classes 10 --out run";
    fails(folder.path(), import, 1, &["weights.pth"]);
    for bytes in [&b""[..], b"not a checkpoint", b"PK\x03\x04", b"\x80\x02}q\x00."] {
        fs::write(folder.path().join("weights.pth"), bytes).unwrap();
        fails(folder.path(), import, 1, &["weights.pth"]);
    }
    fs::write(folder.path().join("w.safetensors"), [255; 64]).unwrap();
    fails(folder.path(), &import.replace("weights.pth", "w.safetensors"), 1, &["w.safetensors"]);
    no_run(folder.path());
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = abn(folder.path());
    let script = format!("'{}' models | head -1; exit 0", command.get_program().to_string_lossy());
    let said = run(std::process::Command::new("sh").args(["-c", &script]));
    assert!(said.out.starts_with("architecture"));
    assert!(!said.err.contains("panicked"), "{}", said.err);
    command.arg("--version");
    assert!(run(&mut command).out.starts_with("abn "));
}
