//! Checkpoints of other programs: every format that `torch.save` had gives the numbers that were
//! saved, and what is no checkpoint is refused with its cause. `fixtures/checkpoints/make.py` made
//! the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use abn_run::weights::{Part, averaged_weights_in, read_checkpoint, read_part};
use serde_json::Value;

use crate::fixtures::{json, parity, shared};
use crate::program::fails;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkpoints")
}

#[test]
fn every_format_gives_the_numbers_that_were_saved() {
    let expected = json(&folder().join("expected.json"));
    let expected: BTreeMap<String, Value> = serde_json::from_value(expected).unwrap();
    let present = fs::read_dir(folder().join("good")).unwrap();
    let present: BTreeSet<String> = present
        .map(|file| format!("good/{}", file.unwrap().file_name().into_string().unwrap()))
        .collect();
    assert_eq!(present, expected.keys().cloned().collect());
    for (file, tensors) in expected {
        let tensors = tensors.as_object().unwrap();
        let state = read_checkpoint(&folder().join(&file)).unwrap();
        assert_eq!(
            state.keys().collect::<BTreeSet<_>>(),
            tensors.keys().collect(),
            "{file}"
        );
        for (name, tensor) in tensors {
            let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
            let values: Vec<f32> = serde_json::from_value(tensor["values"].clone()).unwrap();
            assert_eq!(state[name].shape().to_vec(), shape, "{file}: {name}");
            assert_eq!(
                state[name].iter::<f32>().collect::<Vec<_>>(),
                values,
                "{file}: {name}"
            );
        }
    }
}

#[track_caller]
fn refused(path: &Path, words: &[&str]) {
    let error = format!("{:#}", read_checkpoint(path).unwrap_err());
    for word in words
        .iter()
        .chain([&path.file_name().unwrap().to_str().unwrap()])
    {
        assert!(
            error.contains(word),
            "{}: no `{word}` in: {error}",
            path.display()
        );
    }
    assert!(!error.contains('\n') && error.len() < 1000, "{error}");
}

#[test]
fn what_is_no_checkpoint_is_refused_with_its_cause() {
    let causes: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "command.pth",
            &["system", "nothing of it was run", "model.state_dict()"][..],
        ),
        ("legacy_command.pth", &["system", "nothing of it was run"]),
        (
            "module.pth",
            &["`__main__.Net`", "torch.save(model.state_dict(), ...)"],
        ),
        ("quantized.pth", &["_rebuild_qtensor"]),
        ("chainer.npz", &["Chainer", "checkpoints/README.md"]),
        ("complex.pth", &["Complex"]),
        ("int8.pth", &["`fc.weight` holds I8, expected floats"]),
        (
            "int8.safetensors",
            &["`fc.weight` holds I8, expected floats"],
        ),
        ("expanded.pth", &["4398046511104 bytes"]),
        ("expanded_less.pth", &["1073741824 bytes", "cannot hold"]),
        ("no_weights.pth", &["holds no weights"]),
        ("list.pth", &["Expected a dictionary", "model.state_dict()"]),
    ]);
    for file in fs::read_dir(folder().join("bad")).unwrap() {
        let path = file.unwrap().path();
        refused(&path, causes[path.file_name().unwrap().to_str().unwrap()]);
    }
}

#[test]
fn what_is_often_saved_in_place_of_a_checkpoint() {
    let folder_of_files = tempfile::tempdir().unwrap();
    let path = folder_of_files.path().join("weights.pth");
    for (content, words) in [
        (&b""[..], &["is empty"][..]),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            &["git lfs pull"],
        ),
        (
            b"\n<!DOCTYPE html><html><head>Sign in</head></html>",
            &["web page"],
        ),
        (b"PK\x03\x04 and no more", &["cut off"]),
        (b"\x89PNG\r\n\x1a\n", &["does not start like"]),
    ] {
        fs::write(&path, content).unwrap();
        refused(&path, words);
        let import = "import weights.pth --arch resnet8 --classes 2 --out run";
        fails(folder_of_files.path(), import, 1, words);
    }
    // Cut anywhere, a file is refused or, where only padding is lost, whole.
    for name in [
        "f32.pth",
        "legacy_f32.pth",
        "before_0_1_10.pth",
        "mixed.safetensors",
    ] {
        let whole = fs::read(folder().join("good").join(name)).unwrap();
        let path = folder_of_files.path().join(name);
        for length in (1..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            match read_checkpoint(&path) {
                Ok(state) => assert_eq!(state.len(), 7, "{name} cut to {length} bytes"),
                Err(_) => refused(&path, &[]),
            }
        }
    }
}

#[test]
fn averaged_weights_are_seen_and_chosen() {
    let both = folder().join("parts/averaged.pth");
    assert_eq!(averaged_weights_in(&both), ["model_ema"]);
    let key = |key| Part {
        key: Some(key),
        ..Part::default()
    };
    let usual = read_checkpoint(&both).unwrap();
    let averaged = read_part(&both, key("model_ema")).unwrap();
    assert_eq!((usual.len(), averaged.len()), (7, 7));
    for (name, data) in &usual {
        let twice: Vec<f32> = data.iter::<f32>().map(|value| 2.0 * value).collect();
        let found = averaged[&format!("module.{name}")].iter::<f32>();
        assert_eq!(found.collect::<Vec<_>>(), twice, "{name}");
    }
    let error = read_part(&both, key("ema")).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("nothing under `ema`, but under model, model_ema"),
        "{error}"
    );
    // Where there are no others, they are the weights.
    let only = folder().join("parts/only_averaged.pth");
    assert!(averaged_weights_in(&only).is_empty());
    let names: Vec<String> = read_checkpoint(&only).unwrap().into_keys().collect();
    assert_eq!(names, usual.into_keys().collect::<Vec<_>>());
}

#[test]
fn the_content_tells_the_format_whatever_the_name() {
    let folder_of_files = tempfile::tempdir().unwrap();
    let path = folder_of_files.path().join("weights.pth");
    fs::copy(folder().join("good/mixed.safetensors"), &path).unwrap();
    assert_eq!(read_checkpoint(&path).unwrap().len(), 7);
}

#[test]
#[ignore = "needs ../shared/parity and ../shared/datasets/pretrained-cifar10"]
fn checkpoints_from_the_wild() {
    let zoo = shared().join("datasets/pretrained-cifar10");
    let mut read = BTreeMap::new();
    for folder in fs::read_dir(parity(""))
        .unwrap()
        .chain(fs::read_dir(zoo.parent().unwrap()).unwrap())
    {
        let folder = folder.unwrap().path();
        let files = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().path());
        for path in files.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".pth.tar") || name.ends_with(".th")
        }) {
            let state = read_checkpoint(&path).unwrap();
            assert!(
                state
                    .values()
                    .all(|tensor| tensor.iter::<f32>().all(f32::is_finite)),
                "{}",
                path.display()
            );
            let parameters: usize = state
                .values()
                .map(|tensor| tensor.iter::<f32>().count())
                .sum();
            read.insert(
                path.file_name().unwrap().to_string_lossy().into_owned(),
                parameters,
            );
        }
    }
    // Parameters of the literature, and the statistics of 19, 31 and 55 batch norms.
    assert_eq!(read["resnet20-12fca82f.th"], 269_722 + 2 * 688);
    assert_eq!(read["resnet32-d509ac18.th"], 464_154 + 2 * 1136);
    assert_eq!(read["resnet56-4bfd9763.th"], 853_018 + 2 * 2032);
    assert!(read.len() >= 5, "{read:?}");
}
