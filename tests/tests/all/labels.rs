//! Images with two labels from training to the pages: CIFAR-100 files of generated pictures.

use std::fs;
use std::path::Path;

use image::RgbImage;
use serde_json::Value;

use crate::program::{fails, succeeds};
use crate::resume::{check_same, killed_and_continued, remains};

const TRAIN: &str = "train --dataset cifar100 --data . --labels both --arch resnet8 --epochs 2 \
    --batch-size 20 --lr 0.05";
/// Training and test images.
const IMAGES: [(&str, usize); 2] = [("train.bin", 200), ("test.bin", 40)];
/// Classes that the images are of; a coarse class has two fine ones.
const FINE: usize = 8;

/// The colour of an image tells both its classes.
fn write(folder: &Path) {
    let folder = folder.join("cifar-100-binary");
    fs::create_dir_all(&folder).unwrap();
    for (name, count) in IMAGES {
        let records: Vec<u8> = (0..count).flat_map(record).collect();
        fs::write(folder.join(name), records).unwrap();
    }
    for (label, count) in [("fine", 100), ("coarse", 20)] {
        let names: String = (0..count)
            .map(|class| format!("{label}_{class}\n"))
            .collect();
        fs::write(folder.join(format!("{label}_label_names.txt")), names).unwrap();
    }
}

/// Coarse class, fine class, pixels.
fn record(index: usize) -> Vec<u8> {
    let fine = index % FINE;
    let pixel = |place: usize| ((place * 31 + index * 7) % 32 + fine * 25) as u8;
    let labels = [(fine / 2) as u8, fine as u8];
    labels.into_iter().chain((0..3072).map(pixel)).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A folder with the data and a finished run.
fn with_run() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let said = succeeds(folder.path(), &format!("{TRAIN} --out run --json"));
    (folder, said.out)
}

#[test]
fn both_labels_are_learned_measured_and_shown() {
    let (folder, results) = with_run();
    let path = folder.path();
    let best = &json(&results)["best"];
    let names: Vec<_> = best["groups"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&names[0]["name"], &names[1]["name"]),
        (&"fine".into(), &"coarse".into())
    );
    let figure = |value: &Value| value.as_f64().unwrap();
    let mean = (figure(&names[0]["top1"]) + figure(&names[1]["top1"])) / 2.0;
    assert!((figure(&best["mean_top1"]) - mean).abs() < 1e-12, "{best}");
    assert!(figure(&best["all_right"]) <= figure(&names[0]["top1"]));
    assert!(
        best.get("top1").is_none(),
        "one label's figure would be taken for both"
    );

    let config = json(&fs::read_to_string(path.join("run/config.json")).unwrap());
    assert_eq!(config["version"], 3);
    assert_eq!(config["recipe"]["labels"], "both");
    assert_eq!(config["model"]["classes"], serde_json::json!([100, 20]));

    let eval = json(&succeeds(path, "eval run --json").out);
    assert_eq!(eval["groups"], best["groups"]);
    let sure = &eval["intervals"];
    for (name, mean) in [
        ("mean_top1", &best["mean_top1"]),
        ("all_right", &best["all_right"]),
    ] {
        assert_eq!(&sure[name]["mean"], mean);
        let [low, mean, high] = ["low", "mean", "high"].map(|end| figure(&sure[name][end]));
        assert!(low <= mean && mean <= high && low < high, "{name}: {sure}");
    }
    assert_eq!(sure["groups"][1]["name"], "coarse");
    assert_eq!(sure["groups"][1]["top1"]["mean"], best["groups"][1]["top1"]);
    let said = succeeds(path, "eval run").out;
    for word in ["95 %", "all right", "mean top-1", "coarse"] {
        assert!(said.contains(word), "{said}");
    }
    let words = succeeds(path, "eval run").out;
    for word in ["mean top-1", "all right", "fine top-1", "coarse top-5"] {
        assert!(words.contains(word), "{words}");
    }
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    for word in [
        "Mean top-1",
        "fine top-1",
        "Test top-1 of each label",
        "cifar100 (both)",
    ] {
        assert!(report.contains(word), "{word}");
    }
}

#[test]
fn a_killed_run_of_two_labels_continues_exactly() {
    let (folder, _) = with_run();
    let path = folder.path();
    killed_and_continued(path, TRAIN, "killed");
    check_same(&remains(&path.join("run")), &remains(&path.join("killed")));
}

#[test]
fn single_images_are_told_and_explained_by_any_label() {
    let (folder, _) = with_run();
    let path = folder.path();
    RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 * 4, y as u8 * 4, 90]))
        .save(path.join("a.png"))
        .unwrap();
    let image = json(&succeeds(path, "predict run a.png --json").out)["images"][0].clone();
    let groups = image["groups"].as_array().unwrap();
    assert_eq!(image["logits"].as_array().unwrap().len(), 120);
    let class = |group: &Value| group["class"].as_u64().unwrap();
    assert!(class(&groups[0]) < 100 && (100..120).contains(&class(&groups[1])));
    assert_eq!(
        groups[1]["label"],
        format!("coarse_{}", class(&groups[1]) - 100)
    );
    assert_eq!(
        image["class"], groups[0]["class"],
        "the first label stands outside, too"
    );
    let line = succeeds(path, "predict run a.png").out;
    assert!(
        line.contains(": fine fine_") && line.contains(", coarse coarse_"),
        "{line}"
    );

    let explain = |options: &str, out: &str| {
        succeeds(
            path,
            &format!("explain run a.png --raw {options} --out {out}"),
        );
        json(&fs::read_to_string(path.join(out).join("0001-a.json")).unwrap())
    };
    assert_eq!(explain("", "usual")["class"], groups[0]["class"]);
    assert_eq!(
        explain("--group coarse", "group")["class"],
        groups[1]["class"]
    );
    let named = explain("--class coarse_7", "named");
    assert_eq!(
        (&named["class"], &named["label"]),
        (&107.into(), &"coarse_7".into())
    );
    assert_eq!(explain("--class fine:fine_7", "full")["class"], 7);
    assert_eq!(explain("--class 119", "number")["label"], "coarse_19");
    let refused = |options: &str, words: &[&str]| {
        fails(
            path,
            &format!("explain run a.png {options} --out no"),
            1,
            words,
        );
    };
    refused("--group make", &["no label `make`", "fine, coarse"]);
    refused("--class 120", &["no class `120`", "0 to 119"]);
    let page = fs::read_to_string(path.join("named/index.html")).unwrap();
    assert!(page.contains("Maps of the class <b>coarse_7</b>"));
}

#[test]
fn scores_and_stability_are_of_one_label() {
    let (folder, _) = with_run();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --seed 1 --out other"));
    let score = |options: &str| {
        let command = "score run --limit 8 --steps 4 --randomised 2 --methods attention,grad-cam";
        json(&succeeds(path, &format!("{command} --json {options}")).out)
    };
    let (fine, coarse) = (score(""), score("--group coarse"));
    assert_eq!(
        (&fine["plan"]["group"], &coarse["plan"]["group"]),
        (&"fine".into(), &"coarse".into())
    );
    let table = fs::read_to_string(path.join("run/score.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().contains("coarse_"), "{table}");
    let insertion = |score: &Value| score["scores"]["metrics"][1]["cells"][1]["interval"].clone();
    assert_ne!(insertion(&fine), insertion(&coarse));
    fails(
        path,
        "score run --group make --limit 2",
        1,
        &["no label `make`"],
    );

    let stability = |options: &str| {
        let command = "stability run other --limit 8 --method grad-cam --out .";
        json(&succeeds(path, &format!("{command} --json {options}")).out)
    };
    let (fine, coarse) = (stability(""), stability("--group coarse"));
    assert_eq!(coarse["group"], "coarse");
    assert_ne!(fine["iou_over_images"], coarse["iou_over_images"]);
    assert_eq!(coarse["classes"][0]["class"], "coarse_0");
}

#[test]
fn labels_that_do_not_fit_are_refused() {
    let (folder, _) = with_run();
    let path = folder.path();
    let train = |labels: &str| TRAIN.replace("--labels both", labels);
    fails(
        path,
        &format!("{} --out no", train("--labels bth")),
        1,
        &["--labels", "fine, coarse, both"],
    );
    fails(
        path,
        "train --labels fine --out no",
        1,
        &["shapes have one label"],
    );
    let other = format!("{} --out run", train("--labels coarse"));
    fails(path, &other, 1, &["another configuration", "labels: "]);
    // What is usual needs no name, and is as it ever was.
    let usual = train("--labels fine").replace("--epochs 2", "--epochs 1");
    succeeds(path, &format!("{usual} --out fine"));
    let config = json(&fs::read_to_string(path.join("fine/config.json")).unwrap());
    assert_eq!(
        (&config["version"], &config["model"]["classes"]),
        (&2.into(), &100.into())
    );
    fails(
        path,
        "stability run fine --limit 2",
        1,
        &["100 fine and 20 coarse classes"],
    );
}

#[test]
fn exported_weights_of_two_labels_come_back() {
    let (folder, _) = with_run();
    let path = folder.path();
    succeeds(path, "export run --out run.safetensors");
    let import = "import run.safetensors --arch resnet8 --attention abn --out again --json";
    fails(
        path,
        import,
        1,
        &["has several labels, whose classes are unknown"],
    );
    write(&path.join("datasets"));
    let said = succeeds(path, import);
    assert_eq!(json(&said.out)["classes"], 120);
    let evaluated = |run: &str| json(&succeeds(path, &format!("eval {run} --json")).out);
    assert_eq!(evaluated("run"), evaluated("again"));
}
