//! Labels of two classes: their figures against scikit-learn's, and the built-in scenes from
//! training to the pages.

use std::fs;

use abn_run::measure::attributes::{Attributes, Counts, Scores};
use abn_run::measure::thresholds::AtThresholds;
use serde_json::Value;

use crate::fixtures::json;
use crate::package_fixtures::{fixture, numbers};
use crate::program::{fails, succeeds};
use crate::resume::{check_same, killed_and_continued, remains};

/// On numbers that `tests/fixtures/average_precision/make.py` wrote.
#[test]
fn figures_are_those_of_scikit_learn() {
    let fixture = fixture("average_precision");
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 30);
    for (number, case) in cases.iter().enumerate() {
        let values = numbers(&case["scores"]);
        let present = case["present"].as_array().unwrap().iter();
        let present: Vec<bool> = present.map(|one| one.as_bool().unwrap()).collect();
        let mut scores = Scores::default();
        let mut counts = Counts {
            images: values.len(),
            right: 0,
            positive: 0,
            found: 0,
        };
        for (score, present) in values.into_iter().zip(present) {
            scores.add(score, Some(present));
            let right = (score > 0.0) == present;
            counts.right += usize::from(right);
            counts.positive += usize::from(present);
            counts.found += usize::from(present && right);
        }
        let found = Attributes::of([("label", counts)].into_iter(), counts.images).with(&[scores]);
        let label = serde_json::to_value(&found.labels[0]).unwrap();
        for name in [
            "average_precision",
            "accuracy",
            "balanced_accuracy",
            "precision",
            "recall",
            "f1",
        ] {
            let [ours, theirs] = [&label, case].map(|of| of[name].as_f64().unwrap());
            assert!(
                (ours - theirs).abs() < 1e-9,
                "case {number}: {name} {ours}, {theirs}"
            );
        }
    }
}

/// On numbers that `tests/fixtures/best_threshold/make.py` wrote.
#[test]
fn thresholds_are_those_of_scikit_learn() {
    let fixture = fixture("best_threshold");
    for (number, case) in fixture["cases"].as_array().unwrap().iter().enumerate() {
        let [learned, measured] = ["", "measured_"].map(|split| by_label(case, split));
        let thresholds: Vec<f32> = learned.iter().map(Scores::best_threshold).collect();
        assert_eq!(thresholds, numbers(&case["thresholds"]), "case {number}");
        let labels = [("a", Counts::default()); 3].into_iter();
        let found = AtThresholds::of(&Attributes::of(labels, 0), &measured, &thresholds);
        let found = serde_json::to_value(&found).unwrap();
        for name in ["precision", "recall", "f1"] {
            let same = |ours: &Value, theirs: &Value| {
                let [ours, theirs] = [ours, theirs].map(|of| of.as_f64().unwrap());
                assert!(
                    (ours - theirs).abs() < 1e-9,
                    "case {number}: {name} {ours}, {theirs}"
                );
            };
            for label in 0..3 {
                same(&found["labels"][label][name], &case[name][label]);
            }
            for mean in ["micro", "macro"].map(|mean| format!("{name}_{mean}")) {
                same(&found[&mean], &case[&mean]);
            }
        }
    }
}

/// The scores of each label in the images of a case.
fn by_label(case: &Value, split: &str) -> Vec<Scores> {
    let lists = |name: &str| case[format!("{split}{name}")].as_array().unwrap().iter();
    let of_label = |(values, present): (&Value, &Value)| {
        let present = present.as_array().unwrap().iter();
        let mut scores = Scores::default();
        for (value, present) in numbers(values).into_iter().zip(present) {
            scores.add(value, present.as_bool());
        }
        scores
    };
    lists("scores")
        .zip(lists("present"))
        .map(of_label)
        .collect()
}

const TRAIN: &str = "train --dataset scenes --limit 48 --epochs 1 --batch-size 16";
const LABELS: [&str; 9] = [
    "ring", "triangle", "star", "cross", "red", "blue", "striped", "large", "aloft",
];

#[test]
fn scenes_are_learned_measured_and_shown_label_by_label() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let said = succeeds(path, &format!("{TRAIN} --out run"));
    for word in ["mean accuracy", "the same answers always get", "striped"] {
        assert!(said.out.contains(word), "{}", said.out);
    }
    let results = json(&path.join("run/results.json"));
    let eval: Value = serde_json::from_str(&succeeds(path, "eval run --json").out).unwrap();
    let figure =
        |of: &Value, name: &str| of[name].as_f64().unwrap_or_else(|| panic!("{name}: {of}"));
    for name in [
        "mean_accuracy",
        "constant_accuracy",
        "balanced_accuracy",
        "mean_average_precision",
        "f1_micro",
        "f1_macro",
    ] {
        let [found, best] = [&eval, &results["best"]].map(|of| figure(of, name));
        assert!(
            (0.0..=1.0).contains(&found) && found == best,
            "{name} {found} {best}"
        );
    }
    let sure = &eval["intervals"]["mean_accuracy"];
    assert_eq!(sure["mean"], eval["mean_accuracy"]);
    assert!(
        figure(sure, "low") <= figure(sure, "mean") && figure(sure, "mean") <= figure(sure, "high")
    );
    // Whoever says that everything is there finds everything.
    let constant = &eval["constant"];
    assert_eq!(constant["mean_accuracy"], eval["constant_accuracy"]);
    assert_eq!(
        (
            figure(constant, "recall_macro"),
            figure(constant, "balanced_accuracy")
        ),
        (1.0, 0.5)
    );
    assert_eq!(
        constant["mean_average_precision"],
        constant["precision_macro"]
    );
    let labels = eval["labels"].as_array().unwrap();
    let names: Vec<&str> = labels
        .iter()
        .map(|label| label["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, LABELS);
    let mean = labels
        .iter()
        .map(|label| figure(label, "accuracy"))
        .sum::<f64>()
        / 9.0;
    assert!((mean - figure(&eval, "mean_accuracy")).abs() < 1e-12);
    assert!(labels.iter().all(|label| figure(label, "known") == 1.0));
    let pointing = results["pointing_by_label"].as_array().unwrap();
    let games: Vec<&str> = pointing
        .iter()
        .map(|label| label["name"].as_str().unwrap())
        .collect();
    assert_eq!(games, LABELS);
    // A label's game is played where it is there, the whole game where anything is.
    for (game, label) in pointing.iter().zip(labels) {
        let expected = figure(label, "positive") * figure(&eval, "images");
        assert_eq!(figure(game, "images"), expected.round(), "{game}");
    }
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    for word in ["Label by label", "always the same", "map on it", "aloft"] {
        assert!(report.contains(word), "{word}");
    }
    // Each epoch has the same figures, training images without what needs their scores.
    let line = fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    let epoch: Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(epoch["test"]["labels"], results["best"]["labels"]);
    assert!(epoch["train"]["mean_average_precision"].is_null());
    assert!(figure(&epoch["train"], "balanced_accuracy") > 0.0);
}

#[test]
fn thresholds_are_chosen_on_training_images_and_measured_on_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --out run"));
    let command = "eval run --best-threshold";
    let said = succeeds(path, command);
    for word in ["at best threshold", "without looking", "F1 micro", "aloft"] {
        assert!(said.out.contains(word), "{}", said.out);
    }
    assert!(
        said.err.contains("each label on 48 training images"),
        "{}",
        said.err
    );
    let eval: Value =
        serde_json::from_str(&succeeds(path, &format!("{command} --json")).out).unwrap();
    let at_best = &eval["at_best_threshold"];
    let labels = at_best["labels"].as_array().unwrap();
    let names: Vec<&str> = labels
        .iter()
        .map(|label| label["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, LABELS);
    let figure =
        |of: &Value, name: &str| of[name].as_f64().unwrap_or_else(|| panic!("{name}: {of}"));
    let f1: f64 = labels.iter().map(|label| figure(label, "f1")).sum();
    assert!((f1 / 9.0 - figure(at_best, "f1_macro")).abs() < 1e-12);
    assert!(
        labels
            .iter()
            .all(|label| (0.0..=1.0).contains(&figure(label, "threshold")))
    );
    let sure = &at_best["intervals"]["f1_macro"];
    assert_eq!(sure["mean"], at_best["f1_macro"]);
    assert_eq!(at_best["intervals"]["labels"][4]["name"], "red");
    // Training images are measured by nothing that was chosen on them.
    fails(
        path,
        &format!("{command} --split train"),
        1,
        &["leave out --split"],
    );
    fails(
        path,
        &format!("{command} --split all"),
        1,
        &["leave out --split"],
    );
    succeeds(
        path,
        "train --dataset shapes --limit 48 --epochs 1 --out shapes",
    );
    let error = "--best-threshold is for several labels of two classes each, and this run has";
    fails(path, "eval shapes --best-threshold", 1, &[error]);
    let plain: Value = serde_json::from_str(&succeeds(path, "eval run --json").out).unwrap();
    assert!(plain.get("at_best_threshold").is_none());
}

#[test]
fn a_label_of_two_classes_is_asked_for_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --out run"));
    let score = "score run --limit 6 --steps 4 --randomised 0 --methods attention,grad-cam --json";
    let scored: Value =
        serde_json::from_str(&succeeds(path, &format!("{score} --group red")).out).unwrap();
    assert_eq!(scored["plan"]["group"], "red");
    // The things in a scene are taken out of it, whatever label is asked about.
    let table = fs::read_to_string(path.join("run/score.csv")).unwrap();
    assert!(
        table.lines().next().unwrap().contains("intervention"),
        "{table}"
    );
    image::RgbImage::from_pixel(48, 48, image::Rgb([200, 60, 60]))
        .save(path.join("a.png"))
        .unwrap();
    succeeds(path, "explain run a.png --raw --class striped --out maps");
    let explained = json(&path.join("maps/0001-a.json"));
    assert_eq!(explained["class"], 13, "{explained}");
    fails(
        path,
        "explain run a.png --class yes --out no",
        1,
        &["one of ring:yes, triangle:yes"],
    );
}

#[test]
fn a_mark_belongs_to_shapes_alone() {
    let folder = tempfile::tempdir().unwrap();
    fails(
        folder.path(),
        "train --dataset scenes --shortcut 0.5",
        1,
        &["only the images of shapes can bear a mark"],
    );
}

const BY_GROUP: &str = "--set attention.maps=per_group";

/// A network with a map for each label, from training to every command that shows maps.
#[test]
fn each_label_has_a_map_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} {BY_GROUP} --out run"));
    let config = json(&path.join("run/config.json"));
    assert_eq!(config["model"]["attention"]["maps"], "per_group");
    let results = json(&path.join("run/results.json"));
    let labels = results["pointing_by_label"].as_array().unwrap();
    let images = |of: &Value| of["images"].as_u64().unwrap();
    // Each map plays on its own label's object, and all games are one.
    assert_eq!(
        images(&results["pointing"]),
        labels.iter().map(images).sum::<u64>()
    );
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("beside the attention map of one of its labels"));

    let image = image::RgbImage::from_fn(48, 48, |x, y| image::Rgb([5 * x as u8, 5 * y as u8, 90]));
    image.save(path.join("a.png")).unwrap();
    let said = succeeds(path, "predict run a.png --json").out;
    let said: Value = serde_json::from_str(&said).unwrap();
    let told = &said["images"][0];
    assert!(told["map"].is_null());
    let maps = told["maps"].as_array().unwrap();
    let names: Vec<&str> = maps
        .iter()
        .map(|map| map["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, LABELS);
    let values = |map: &Value| numbers(&map["values"]);
    assert_eq!(values(&maps[0]).len(), 24 * 24);
    assert_ne!(values(&maps[0]), values(&maps[4]));
    // The map that explains a class is that of its label.
    for (label, name) in LABELS.iter().enumerate() {
        let command = format!("explain run a.png --raw --class {name} --out {name}");
        succeeds(path, &command);
        let explained = json(&path.join(format!("{name}/0001-a.json")));
        assert_eq!(
            numbers(&explained["values"]),
            values(&maps[label]),
            "{name}"
        );
    }
    let score =
        "score run --limit 4 --steps 2 --randomised 1 --group red --methods attention,grad-cam,cam";
    succeeds(path, score);
    // All of them side by side.
    succeeds(path, "explain run a.png --raw --each-label --out all");
    let all = json(&path.join("all/0001-a.json"));
    let explained = all["labels"].as_array().unwrap();
    for (label, name) in LABELS.iter().enumerate() {
        assert_eq!(explained[label]["name"], *name);
        assert_eq!(explained[label]["class"], 2 * label + 1);
        let found = numbers(&explained[label]["maps"]["attention"]["values"]);
        assert_eq!(found, values(&maps[label]), "{name}");
    }
    let picture = image::open(path.join("all/0001-a.png")).unwrap();
    assert!(picture.width() > 10 * 200, "an image and nine maps");
    let page = fs::read_to_string(path.join("all/index.html")).unwrap();
    assert!(
        LABELS
            .iter()
            .all(|name| page.contains(&format!(">{name}</span>")))
    );
    succeeds(path, &format!("{TRAIN} {BY_GROUP} --seed 1 --out other"));
    succeeds(path, "stability run other --limit 8 --group star");
    // A map from outside stands in the place of all.
    image::GrayImage::from_pixel(8, 8, image::Luma([128]))
        .save(path.join("map.png"))
        .unwrap();
    let line = succeeds(path, "predict run a.png --map map.png").out;
    assert!(line.contains("with the given map"), "{line}");
    // Weights out and in again say the same.
    succeeds(path, "export run --out weights.safetensors");
    let import = "import weights.safetensors --arch resnet8 --dataset scenes --out back";
    succeeds(path, import);
    let back = succeeds(path, "predict back a.png --json").out;
    let back: Value = serde_json::from_str(&back).unwrap();
    assert_eq!(back["images"][0]["maps"], told["maps"]);
}

#[test]
fn a_run_with_a_map_for_each_label_continues_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = format!("{TRAIN} {BY_GROUP}").replace("--epochs 1", "--epochs 2");
    succeeds(path, &format!("{train} --out whole"));
    killed_and_continued(path, &train, "parts");
    check_same(&remains(&path.join("whole")), &remains(&path.join("parts")));
}

const BY_PRECISION: &str =
    "train --dataset scenes --limit 48 --epochs 2 --batch-size 16 --best map";

#[test]
fn the_best_epoch_is_that_of_the_named_figure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let said = succeeds(path, &format!("{BY_PRECISION} --out whole"));
    assert!(said.out.starts_with("mAP "), "{}", said.out);
    assert!(
        said.err
            .lines()
            .any(|line| line.starts_with("epoch 1/2") && line.contains("mAP"))
    );
    let config = json(&path.join("whole/config.json"));
    assert_eq!(config["recipe"]["best"], "map");
    let figure = |summary: &Value| summary["mean_average_precision"].as_f64().unwrap();
    let lines = fs::read_to_string(path.join("whole/metrics.jsonl")).unwrap();
    let mut highest = f64::NEG_INFINITY;
    for line in lines.lines() {
        let epoch: Value = serde_json::from_str(line).unwrap();
        let found = figure(&epoch["test"]);
        assert_eq!(epoch["best"], found > highest, "{epoch}");
        highest = highest.max(found);
    }
    let results = json(&path.join("whole/results.json"));
    assert_eq!(figure(&results["best"]), highest);
    let report = fs::read_to_string(path.join("whole/report.html")).unwrap();
    assert!(report.contains("the best test mAP"));
    killed_and_continued(path, BY_PRECISION, "parts");
    check_same(&remains(&path.join("whole")), &remains(&path.join("parts")));
    // Left out, it is the run's; another would change which epoch was the best.
    succeeds(
        path,
        "train --dataset scenes --limit 48 --epochs 2 --out whole",
    );
    fails(
        path,
        "train --best balanced --out whole",
        1,
        &["best: \"map\" in the run, \"balanced\" asked for"],
    );
    fails(
        path,
        "train --best top1 --out whole",
        1,
        &["best: \"map\" in the run, absent asked for"],
    );
}

#[test]
fn the_usual_figure_is_not_said_and_one_label_has_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --best mean-accuracy --out run"));
    let config = json(&path.join("run/config.json"));
    assert!(config["recipe"].get("best").is_none());
    succeeds(path, &format!("{TRAIN} --best top1 --out run"));
    fails(
        path,
        "train --dataset shapes --best balanced --out shapes",
        1,
        &[
            "best must be top1 or left out",
            "several labels of two classes each",
        ],
    );
    assert!(!path.join("shapes").exists());
}

#[test]
fn a_table_has_a_probability_for_each_label() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --out run"));
    for name in ["a.png", "b,c.png"] {
        let image =
            image::RgbImage::from_fn(48, 48, |x, y| image::Rgb([5 * x as u8, 5 * y as u8, 90]));
        image.save(path.join(name)).unwrap();
    }
    let said = succeeds(path, "predict run a.png b,c.png --csv").out;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(lines[0], format!("image,{}", LABELS.join(",")));
    let told = succeeds(path, "predict run a.png --json").out;
    let told: Value = serde_json::from_str(&told).unwrap();
    let groups = told["images"][0]["groups"].as_array().unwrap();
    let (image, values) = lines[1].split_once(',').unwrap();
    assert_eq!(image, "a.png");
    for (value, group) in values.split(',').zip(groups) {
        let said = group["probability"].as_f64().unwrap();
        let present = if group["label"] == "yes" {
            said
        } else {
            1.0 - said
        };
        assert!((value.parse::<f64>().unwrap() - present).abs() < 1e-9);
    }
    assert!(lines[2].starts_with("\"b,c.png\","), "{said}");
    // What cannot be read is no line, and does not cost the others theirs.
    let said = fails(
        path,
        "predict run a.png none.png --csv",
        1,
        &["none.png", "1 of 2 images"],
    );
    assert_eq!(said.out.lines().count(), 2);
    fails(
        path,
        "predict run a.png --csv --json",
        2,
        &["cannot be used with"],
    );
    succeeds(
        path,
        "train --dataset shapes --limit 48 --epochs 1 --out shapes",
    );
    let said = succeeds(path, "predict shapes a.png --csv").out;
    let columns: Vec<usize> = said.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [9, 9], "{said}");
    let sum: f64 = said
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .skip(1)
        .map(|value| value.parse::<f64>().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-6);
}

#[test]
fn every_label_is_scored_in_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} {BY_GROUP} --out run"));
    let score = "score run --limit 4 --steps 2 --randomised 0 --methods attention,grad-cam";
    let first = succeeds(path, score);
    assert!(
        first
            .err
            .contains("the label ring, the first of 9; --group"),
        "{}",
        first.err
    );
    let command = format!("{score} --each-label");
    let said = succeeds(path, &command);
    for name in LABELS {
        assert!(
            said.out.lines().any(|line| line.starts_with(name)),
            "{}",
            said.out
        );
    }
    assert!(said.err.contains("aloft, 9 of 9 labels"), "{}", said.err);
    let table = fs::read_to_string(path.join("run/score-labels.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 9 * 2);
    let summary = json(&path.join("run/score-labels.json"));
    let one = format!("{score} --group red --json");
    let one: Value = serde_json::from_str(&succeeds(path, &one).out).unwrap();
    assert_eq!(summary["labels"][4]["name"], "red");
    assert_eq!(
        summary["labels"][4]["scores"]["metrics"],
        one["scores"]["metrics"]
    );
    // What is kept says the same again.
    assert_eq!(succeeds(path, &command).out, said.out);
    fails(
        path,
        &format!("{command} --group red"),
        2,
        &["cannot be used with"],
    );
    succeeds(
        path,
        "train --dataset shapes --limit 48 --epochs 1 --out shapes",
    );
    fails(
        path,
        "score shapes --limit 2 --each-label",
        1,
        &["--each-label is for runs of several labels", "leave it out"],
    );
}

const SEVERAL: &str = "--attention mtabn --focal 2 --positive-weight balanced";

/// The network of the authors' code for facial attributes, from training to their names.
#[test]
fn a_map_that_is_its_labels_logit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} {SEVERAL} --out run"));
    let config = json(&path.join("run/config.json"));
    let [recipe, attention] =
        ["/recipe", "/recipe/attention"].map(|at| config.pointer(at).unwrap());
    assert_eq!(recipe["binary"], "sigmoid");
    assert_eq!(recipe["penalty"]["focal"], 2.0);
    // Absent over present of 48 images: of no label the same number.
    let factors = numbers(&recipe["penalty"]["positive"]);
    assert_eq!(factors.len(), 9);
    for factor in factors {
        let present = 48.0 / (1.0 + factor);
        // `numbers` are in single precision.
        assert!((present - present.round()).abs() < 1e-4, "{factor}");
    }
    assert_eq!(attention["map"]["logit"], "raw");
    assert_eq!(attention["mechanism"], "multiply");

    let image = image::RgbImage::from_fn(48, 48, |x, y| image::Rgb([5 * x as u8, 5 * y as u8, 90]));
    image.save(path.join("a.png")).unwrap();
    let predict = |run: &str| -> Value {
        let said = succeeds(path, &format!("predict {run} a.png --json")).out;
        let said: Value = serde_json::from_str(&said).unwrap();
        said["images"][0].clone()
    };
    let told = predict("run");
    let maps = told["maps"].as_array().unwrap();
    let names: Vec<&str> = maps
        .iter()
        .map(|map| map["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, LABELS);
    let values = maps.iter().flat_map(|map| numbers(&map["values"]));
    assert!(values.into_iter().any(|value| value < 0.0), "raw maps");
    succeeds(path, "explain run a.png --raw --each-label --out all");
    let score = "score run --limit 4 --steps 2 --randomised 1 --group red --methods attention,cam";
    succeeds(path, score);
    succeeds(path, "eval run --json");

    succeeds(path, "export run --out theirs.safetensors");
    let names = safetensors_names(&path.join("theirs.safetensors"));
    for name in ["output_per.8.bias", "conv_att.weight", "conv1.weight"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    assert!(
        names.iter().all(|name| !name.starts_with("fc.")),
        "{names:?}"
    );
    let import = "import theirs.safetensors --arch resnet8 --attention mtabn --dataset scenes";
    succeeds(path, &format!("{import} --out back"));
    assert_eq!(predict("back"), told);
}

fn safetensors_names(path: &std::path::Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.names().into_iter().map(ToString::to_string).collect()
}

#[test]
fn a_run_with_logits_for_maps_continues_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = format!("{TRAIN} {SEVERAL}").replace("--epochs 1", "--epochs 2");
    succeeds(path, &format!("{train} --out whole"));
    killed_and_continued(path, &train, "parts");
    check_same(&remains(&path.join("whole")), &remains(&path.join("parts")));
}

#[test]
fn what_needs_labels_of_two_classes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let quick = "train --limit 16 --epochs 1 --out run";
    for (options, expected) in [
        ("--attention mtabn", "needs labels of two classes"),
        (
            "--set attention.map={\"logit\":\"raw\"}",
            "needs attention.maps=per_group",
        ),
        ("--positive-weight 2", "absent or present"),
        ("--dataset scenes --positive-weight 1e7", "at most 1000000"),
        ("--positive-weight balanced", "absent or present"),
    ] {
        fails(folder.path(), &format!("{quick} {options}"), 1, &[expected]);
    }
    fails(
        folder.path(),
        &format!("{quick} --focal=-1"),
        2,
        &["0 or more"],
    );
}
