//! Checkpoints of networks that were a part of something, or that another library named.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::TensorData;
use serde_json::Value;

use crate::folder::class;
use crate::program::{fails, succeeds};

type Tensors = BTreeMap<String, TensorData>;

const IMPORT: &str = "--arch resnet8 --attention none --dataset folder --size 32";

/// A trained plain network of three classes as `net.safetensors`.
fn network(path: &Path) -> Tensors {
    for (name, color) in [
        ("blue", [40, 40, 200]),
        ("green", [40, 200, 40]),
        ("red", [200, 40, 40]),
    ] {
        class(&path.join("photos").join(name), color, 6);
    }
    succeeds(
        path,
        "train --dataset folder --data photos --arch resnet8 --attention none --size 32 --epochs 3 \
         --batch-size 4 --out trained",
    );
    succeeds(path, "export trained --out net.safetensors");
    abn_run::weights::read_checkpoint(&path.join("net.safetensors")).unwrap()
}

/// Writes the tensors under other names.
fn save(path: &Path, tensors: &Tensors, name: impl Fn(&str) -> Option<String>) {
    let tensors = tensors
        .iter()
        .filter_map(|(old, data)| Some((name(old)?, data.clone())));
    let bytes = abn_run::weights::to_safetensors(&tensors.collect()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What the import of the file gives, which is to be the network itself.
fn imported(path: &Path, file: &str, options: &str) -> Tensors {
    let out = format!("run-of-{}", file.replace(['.', '/'], "-"));
    succeeds(
        path,
        &format!("import {file} {IMPORT} {options} --out {out}"),
    );
    succeeds(path, &format!("export {out} --out {out}.safetensors"));
    abn_run::weights::read_checkpoint(&path.join(format!("{out}.safetensors"))).unwrap()
}

/// Hugging Face's name of a tensor of a basic ResNet.
fn of_hugging_face(name: &str) -> String {
    let kind = |layer: &str| match layer.starts_with("conv") {
        true => "convolution",
        false => "normalization",
    };
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["fc", leaf] => format!("classifier.1.{leaf}"),
        [layer, leaf] => format!("resnet.embedder.embedder.{}.{leaf}", kind(layer)),
        [stage, block, "downsample", number, leaf] => format!(
            "resnet.encoder.stages.{}.layers.{block}.shortcut.{}.{leaf}",
            stage[5..].parse::<usize>().unwrap() - 1,
            if number == "0" {
                "convolution"
            } else {
                "normalization"
            }
        ),
        [stage, block, layer, leaf] => format!(
            "resnet.encoder.stages.{}.layers.{block}.layer.{}.{}.{leaf}",
            stage[5..].parse::<usize>().unwrap() - 1,
            layer
                .trim_start_matches(char::is_alphabetic)
                .parse::<usize>()
                .unwrap()
                - 1,
            kind(layer)
        ),
        _ => panic!("{name}"),
    }
}

#[test]
fn names_of_other_libraries_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let network = network(path);
    let of_head = |name: &str, body: &str, head: &str| {
        Some(match name.strip_prefix("fc.") {
            Some(leaf) => format!("{head}.{leaf}"),
            None => format!("{body}{name}"),
        })
    };
    type Rename<'a> = &'a dyn Fn(&str) -> Option<String>;
    let cases: [(&str, Rename); 4] = [
        ("part", &|name| of_head(name, "backbone.", "head.fc")),
        ("wrapped", &|name| Some(format!("module.encoder.{name}"))),
        ("head", &|name| of_head(name, "model.", "model.head.fc")),
        ("hf", &|name| Some(of_hugging_face(name))),
    ];
    for (file, rename) in cases {
        let file = format!("{file}.safetensors");
        save(&path.join(&file), &network, rename);
        assert!(imported(path, &file, "") == network, "{file}");
    }

    // In several files, which an index names.
    let half = |first: bool| {
        move |name: &str| (name.starts_with("layer") == first).then(|| name.to_owned())
    };
    save(&path.join("a.safetensors"), &network, half(true));
    save(&path.join("b.safetensors"), &network, half(false));
    let file_of = |name: &String| {
        if name.starts_with("layer") {
            "a.safetensors"
        } else {
            "b.safetensors"
        }
    };
    let map: BTreeMap<&String, &str> = network.keys().map(|name| (name, file_of(name))).collect();
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
    fs::write(path.join("net.safetensors.index.json"), &index).unwrap();
    assert!(imported(path, "net.safetensors.index.json", "") == network);
    // Another part has a tensor too, but the index names this one.
    let mut double: Tensors = network.clone();
    double.retain(|name, _| name.starts_with("layer"));
    double.insert("fc.bias".to_owned(), TensorData::from([9.0_f32, 9.0, 9.0]));
    save(&path.join("double.safetensors"), &double, |name| {
        Some(name.to_owned())
    });
    let of_double = index.replace("a.safetensors", "double.safetensors");
    fs::write(path.join("double.safetensors.index.json"), of_double).unwrap();
    assert!(imported(path, "double.safetensors.index.json", "") == network);
    fs::create_dir(path.join("folder.safetensors")).unwrap();
    let import = |file: &str| format!("import {file} {IMPORT} --out none");
    for (name, text, words) in [
        (
            "far",
            index.replace("b.safetensors", "../b.safetensors"),
            "does not lie beside it",
        ),
        (
            "folder",
            index.replace("b.safetensors", "folder.safetensors"),
            "is no file",
        ),
        (
            "gone",
            index.replace("b.safetensors", "c.safetensors"),
            "`c.safetensors`",
        ),
        (
            "more",
            index.replace("\"fc.bias\"", "\"fc.bias\":\"b.safetensors\",\"x\""),
            "has `x`",
        ),
        ("cut", index[..30].to_owned(), "no index of weights"),
    ] {
        let file = format!("{name}.safetensors.index.json");
        fs::write(path.join(&file), text).unwrap();
        fails(path, &import(&file), 1, &[words]);
    }

    // Two networks, one of which is asked for, and a loss that was saved with a network.
    let mut two = network.clone();
    two.extend(
        network
            .iter()
            .map(|(name, data)| (format!("teacher.{name}"), data.clone())),
    );
    save(&path.join("two.safetensors"), &two, |name| {
        Some(if name.starts_with("teacher.") {
            name.to_owned()
        } else {
            format!("student.{name}")
        })
    });
    fails(
        path,
        &import("two.safetensors"),
        1,
        &["--prefix", "student (47), teacher (47)"],
    );
    assert!(imported(path, "two.safetensors", "--prefix student") == network);
    fails(
        path,
        &format!("{} --prefix pupil", import("two.safetensors")),
        1,
        &["begins with `pupil.`"],
    );
    let mut with_loss = network.clone();
    with_loss.insert(
        "criterion.weight".to_owned(),
        TensorData::from([1.0_f32, 2.0, 3.0]),
    );
    save(&path.join("loss.safetensors"), &with_loss, |name| {
        Some(format!("model.{name}").replace("model.crit", "crit"))
    });
    assert!(imported(path, "loss.safetensors", "") == network);
    succeeds(
        path,
        "train --dataset folder --data photos --arch resnet8 --attention none --size 32 --epochs 1 \
         --batch-size 4 --init loss.safetensors --out tuned",
    );

    // Without its head, and what looks like another network.
    save(&path.join("body.safetensors"), &network, |name| {
        (!name.starts_with("fc.")).then(|| format!("encoder.{name}"))
    });
    fails(
        path,
        &import("body.safetensors"),
        1,
        &["it is a backbone", "--init"],
    );
    save(&path.join("caffe.safetensors"), &network, |name| {
        Some(format!("{name}.se_module.x"))
    });
    fails(path, &import("caffe.safetensors"), 1, &["Caffe's strides"]);
}

#[test]
fn classes_of_an_import_have_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let network = network(path);
    // The outputs of another network: red, blue, green.
    let mut turned = network.clone();
    for name in ["fc.weight", "fc.bias"] {
        let data = &network[name];
        let mut values: Vec<f32> = data.iter().collect();
        let row = values.len() / 3;
        values.rotate_right(row);
        turned.insert(
            name.to_owned(),
            TensorData::new(values, data.shape().clone()),
        );
    }
    save(&path.join("turned.safetensors"), &turned, |name| {
        Some(name.to_owned())
    });
    fs::write(path.join("names.txt"), "red\nblue\ngreen\n").unwrap();
    fs::write(path.join("two.txt"), "red\nblue\n").unwrap();
    let eval = |run: &str| -> Value {
        let said = succeeds(
            path,
            &format!("eval {run} --data photos --split all --json"),
        );
        serde_json::from_str(&said.out).unwrap()
    };
    succeeds(
        path,
        &format!("import turned.safetensors {IMPORT} --classes-file names.txt --out named"),
    );
    succeeds(
        path,
        &format!("import net.safetensors {IMPORT} --data photos --out like-folders"),
    );
    let right = eval("trained");
    let named = eval("named");
    assert_eq!(
        (&named["images"], &named["top1"]),
        (&right["images"], &right["top1"])
    );
    assert_eq!(eval("like-folders")["top1"], right["top1"]);
    let first = named["classes"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(first, "red");
    let confusion = |value: &Value, a: usize, b: usize| value["confusion"][a][b].clone();
    for (place, alphabetical) in [(0, 2), (1, 0), (2, 1)] {
        assert_eq!(
            confusion(&named, place, place),
            confusion(&right, alphabetical, alphabetical)
        );
    }

    // Without names their order is a guess, and that is said.
    succeeds(
        path,
        &format!("import turned.safetensors {IMPORT} --out numbered"),
    );
    let said = succeeds(path, "eval numbered --data photos --split all").err;
    assert!(said.contains("class 0 being blue, is a guess"), "{said}");
    let import = format!("import turned.safetensors {IMPORT} --out none");
    fails(
        path,
        &format!("{import} --classes-file two.txt"),
        1,
        &["names 2 classes, and the checkpoint has 3"],
    );
    fails(
        path,
        &format!("{import} --classes-file gone.txt"),
        1,
        &["gone.txt"],
    );
}
