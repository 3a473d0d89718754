//! Weights in and out: import, export, starting from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::TensorData;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::cifar;
use crate::program::{fails, succeeds};

/// A run of one epoch on a few generated images.
fn train(path: &Path, options: &str) -> String {
    let command = format!("train --dataset cifar10 --data . --epochs 1 --batch-size 10 {options}");
    succeeds(path, &command).err
}

/// The tensors of a run's best checkpoint, or of a file.
fn tensors(path: &Path) -> BTreeMap<String, TensorData> {
    abn_run::weights::read_checkpoint(path).unwrap()
}

fn weights_of(run: &Path) -> BTreeMap<String, TensorData> {
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(run.join("checkpoints/manifest.json")).unwrap())
            .unwrap();
    tensors(
        &run.join("checkpoints")
            .join(manifest["best"]["file"].as_str().unwrap()),
    )
}

#[test]
fn export_then_import_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 2);
    let options = [
        ("--arch resnet8 --attention abn", "layer1.0.conv1.weight"),
        ("--arch se-resnet8 --attention abn", "layer1.0.fc2.bias"),
        (
            "--arch cbam-resnet8-basic-a --attention manet",
            "layer1.0.cbam.ChannelGate.mlp.1.weight",
        ),
        (
            "--arch wrn-10-1 --attention manet --set attention.map.sigmoid.kernel=3",
            "block1.layer.0.bn1.weight",
        ),
        (
            "--arch densenet-bc-10-4 --attention abn",
            "trans1.conv1.weight",
        ),
        (
            "--arch resnext11-2x4d --attention abn",
            "bn_att.running_var",
        ),
        (
            "--arch resnext11-2x4d --attention none",
            "classifier.weight",
        ),
    ];
    for (number, (options, name)) in options.into_iter().enumerate() {
        // What names and shapes do not tell travels with the file.
        let hidden = if options.contains("none") {
            ""
        } else {
            "--set attention.mechanism=multiply --mean 0.5,0.5,0.5"
        };
        let (run, file, again) = (
            format!("run{number}"),
            format!("{number}.safetensors"),
            format!("again{number}"),
        );
        train(path, &format!("{options} {hidden} --out {run}"));
        succeeds(path, &format!("export {run} --out {file}"));
        let bytes = fs::read(path.join(&file)).unwrap();
        let exported = SafeTensors::deserialize(&bytes).unwrap();
        assert!(
            exported.names().contains(&name),
            "{options}: no {name} in {:?}",
            exported.names()
        );
        succeeds(path, &format!("import {file} {options} --out {again}")); // the file says how many classes
        assert!(
            weights_of(&path.join(&run)) == weights_of(&path.join(&again)),
            "{options}"
        );
        let config = |run: &str| -> Value {
            serde_json::from_str(&fs::read_to_string(path.join(run).join("config.json")).unwrap())
                .unwrap()
        };
        assert_eq!(config(&run)["model"], config(&again)["model"], "{options}");
        assert_eq!(
            config(&run)["recipe"],
            config(&again)["recipe"],
            "{options}"
        );
    }
    fails(
        path,
        "export run0 --out 0.safetensors",
        1,
        &["`0.safetensors` exists"],
    );
    fails(
        path,
        "export run0 --out a.pth",
        1,
        &["ends neither in .safetensors nor in .onnx"],
    );
    // What was asked for is not in the file; the message says what is.
    let said = succeeds(
        path,
        "import 0.safetensors --arch resnet8 --json --out said",
    )
    .out;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["attention"], &said["classes"]),
        (&"abn".into(), &10.into())
    );
    let said = succeeds(path, "export said --out said.safetensors --json").out;
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap()["tensors"],
        weights_of(&path.join("said")).len()
    );
    let wrong = "import 0.safetensors --arch resnet14 --attention none --classes 10 --out no";
    fails(
        path,
        wrong,
        1,
        &[
            "- layer1.1.bn1.bias [16]",
            "+ att_conv.weight [10, 64, 1, 1]",
        ],
    );
    let wrong = "import 0.safetensors --arch resnet8 --attention none --classes 7 --out no";
    fails(
        path,
        wrong,
        1,
        &[
            "--arch resnet8 --attention abn --classes 10",
            "- fc.bias [7]",
            "+ fc.bias [10]",
        ],
    );
    assert!(!path.join("no").exists());
}

/// A baseline starts an attention branch network; the head of other classes and the branch's head
/// stay random.
#[test]
fn a_branch_starts_from_a_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 2);
    train(
        path,
        "--arch resnet8 --attention none --mean 0.5,0.5,0.5 --out base",
    );
    succeeds(path, "export base --out base.safetensors");
    // Nearly no learning, so that the start is seen in the result.
    let still = "--lr 1e-12 --weight-decay 0 --attention manet";
    let said = train(path, &format!("--init base {still} --out from-run"));
    for words in [
        "loaded",
        "copied from the last stage",
        "not loaded, random",
        "branch.class_maps",
        "branch.mixed",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (base, start) = (
        weights_of(&path.join("base")),
        weights_of(&path.join("from-run")),
    );
    let same = |a: &str, b: &str| {
        let (a, b): (Vec<f32>, Vec<f32>) = (base[a].iter().collect(), start[b].iter().collect());
        a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6)
    };
    assert!(same("network.head.weight", "network.head.weight"));
    assert!(same(
        "network.stages.2.blocks.0.convs.0.conv.weight",
        "branch.stage.blocks.0.convs.0.conv.weight"
    ));
    // The run's normalisation comes with its weights.
    let config: Value =
        serde_json::from_str(&fs::read_to_string(path.join("from-run/config.json")).unwrap())
            .unwrap();
    assert_eq!(
        config["recipe"]["normalization"]["mean"],
        serde_json::json!([0.5, 0.5, 0.5])
    );
    // The same start from a file of PyTorch's names.
    train(
        path,
        &format!(
            "--arch resnet8 --init base.safetensors --mean 0.5,0.5,0.5 {still} --out from-file"
        ),
    );
    assert!(start == weights_of(&path.join("from-file")));

    // The same command continues; another start is another run.
    let again = format!(
        "train --dataset cifar10 --data . --epochs 1 --batch-size 10 {still} --init base --out \
         from-run"
    );
    succeeds(path, &again);
    succeeds(path, "train --out from-run");
    train(path, "--arch resnet8 --attention none --seed 1 --out other");
    fails(
        path,
        &again.replace("--init base", "--init other"),
        1,
        &["init:"],
    );
    // A deeper network holds all names of a shallower one, and is not one.
    train(path, "--arch resnet14 --attention none --out deep");
    succeeds(path, "export deep --out deep.safetensors");
    let refused = "train --dataset cifar10 --data . --epochs 1 --batch-size 10 --arch resnet8 --out no --init deep";
    fails(path, refused, 1, &["does not fit resnet8"]);
    let words = ["does not fit resnet8", "+ layer1.1.bn1.bias"];
    fails(path, &format!("{refused}.safetensors"), 1, &words);
    fails(
        path,
        &refused.replace("--init deep", "--init absent.pth"),
        1,
        &["absent.pth"],
    );
    assert!(
        !path.join("no").exists(),
        "nothing is written before the start is known to be good"
    );
}

#[test]
#[ignore = "needs ../shared/datasets"]
fn zoo_checkpoints_reach_their_published_accuracy() {
    let shared = crate::fixtures::shared().join("datasets/pretrained-cifar10");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    // As a user would name it: the reference's name of that depth, or the literature's.
    for (file, arch, top1) in [
        ("resnet20-12fca82f.th", "resnet20", 0.9173),
        ("resnet32-d509ac18.th", "resnet32-basic", 0.9263),
        ("resnet56-4bfd9763.th", "resnet56", 0.9339),
    ] {
        let normalization = "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225";
        let file = shared.join(file);
        let import = format!(
            "import {} --arch {arch} --attention none {normalization} --out {arch}",
            file.display()
        );
        let said = succeeds(path, &format!("{import} --classes 10"));
        assert!(said.err.contains("-basic-a"), "{}", said.err);
        let said = succeeds(
            path,
            &format!("eval {arch} --data {} --json", data.display()),
        );
        let measured: Value = serde_json::from_str(&said.out).unwrap();
        let off = (measured["top1"].as_f64().unwrap() - top1).abs();
        assert!(
            off <= 0.001,
            "{arch}: {} instead of {top1}",
            measured["top1"]
        );
    }
}
