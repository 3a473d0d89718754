//! The commands from training to the page, on generated data.

use std::fs;

use image::RgbImage;
use serde_json::Value;

use crate::cifar;
use crate::program::succeeds;

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn train_eval_predict_and_explain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 8);
    let train = "train --dataset cifar10 --data . --arch resnet8 --epochs 2 --batch-size 10 --out run --json";
    let said = succeeds(path, train);
    let results = parse(&said.out);
    // Through a pipe there is one line per epoch, each once.
    for epoch in ["epoch   1/2", "epoch   2/2"] {
        assert_eq!(said.err.matches(epoch).count(), 1, "{}", said.err);
    }
    assert!(!said.err.contains('\u{1b}') && !said.err.contains('\r'), "no terminal codes in a pipe");

    let metrics = fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    let epochs: Vec<Value> = metrics.lines().map(parse).collect();
    assert_eq!(epochs.len(), 2);
    let best = results["best_epoch"].as_u64().unwrap() as usize;
    assert_eq!(epochs[best - 1]["test"], results["best"]);
    assert!(epochs.iter().all(|epoch| epoch["train"]["images"] == 40));

    // A run reopens with its path alone and evaluates to what training measured.
    let eval = parse(&succeeds(path, "eval run --json").out);
    for figure in ["top1", "top5", "loss", "images"] {
        assert_eq!(eval[figure], results["best"][figure], "{figure}");
    }

    RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 * 8, y as u8 * 8, 90]))
        .save(path.join("a.png"))
        .unwrap();
    RgbImage::from_fn(90, 50, |x, y| image::Rgb([x as u8, y as u8, 200])).save(path.join("b c.jpg")).unwrap();
    let said = succeeds(path, "predict run a.png a.png --json");
    let predicted = parse(&said.out);
    let image = &predicted["images"][0];
    assert_eq!(image, &predicted["images"][1], "the same image gives the same answer");
    assert_eq!(image["path"], "a.png");
    assert_eq!(image["logits"].as_array().unwrap().len(), 10);
    assert_eq!(image["attention_logits"].as_array().unwrap().len(), 10);
    assert_eq!((&image["map"]["height"], &image["map"]["width"]), (&16.into(), &16.into()));
    assert_eq!(image["map"]["values"].as_array().unwrap().len(), 256);
    let class = image["class"].as_u64().unwrap() as usize;
    let logits: Vec<f64> = image["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!(logits.iter().all(|logit| *logit <= logits[class]));

    let said = succeeds(path, "explain run . --out maps --raw");
    assert!(said.out.contains("index.html"), "{}", said.out);
    let overlay = image::open(path.join("maps/0001-a.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (256 + 4 + 256, 256));
    assert!(path.join("maps/0002-b c.png").exists());
    let raw = parse(&fs::read_to_string(path.join("maps/0001-a.json")).unwrap());
    assert_eq!(raw, image["map"], "the raw map is the predicted one");
    let page = fs::read_to_string(path.join("maps/index.html")).unwrap();
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    for page in [page, report] {
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("data:image/png;base64,"));
        assert!(!page.contains("src=\"http"), "a page loads nothing");
    }
}

#[test]
fn a_baseline_has_no_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cifar::write(path, 4);
    succeeds(
        path,
        "train --dataset cifar10 --data . --arch resnet8 --attention none --epochs 1 --batch-size 10 --out run",
    );
    RgbImage::new(32, 32).save(path.join("a.png")).unwrap();
    let predicted = parse(&succeeds(path, "predict run a.png --json").out);
    assert!(predicted["images"][0]["map"].is_null() && predicted["images"][0]["attention_logits"].is_null());
    crate::program::fails(path, "explain run a.png --out maps", 1, &["no attention branch"]);
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("data:image/png"));
}

#[test]
fn models_lists_the_published_costs() {
    let folder = tempfile::tempdir().unwrap();
    let models = parse(&succeeds(folder.path(), "models --json").out);
    let row = |name: &str, attention: &str| {
        let rows = models.as_array().unwrap();
        rows.iter().find(|row| row["name"] == name && row["attention"] == attention).unwrap().clone()
    };
    assert_eq!(row("resnet20", "none")["parameters"], 272_474);
    assert_eq!(row("resnet110", "abn")["parameters"], 2_999_726);
    assert_eq!(row("resnet110", "none")["depth"], 164);
    assert_eq!(row("resnet20", "manet")["map"], serde_json::json!([16, 16]));
    assert!(succeeds(folder.path(), "models").out.contains("resnet110-basic"));
}

#[test]
fn help_shows_an_example_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["", "train", "eval", "predict", "explain", "models", "import"] {
        let help = succeeds(folder.path(), &format!("{command} --help")).out;
        assert!(help.contains("Example") && help.contains("abn "), "{help}");
    }
}

/// The contract that scripts rely on: names of options do not vanish.
#[test]
fn the_command_line_is_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let has = |command: &str, options: &[&str]| {
        let help = succeeds(folder.path(), &format!("{command} --help")).out;
        options.iter().for_each(|option| assert!(help.contains(option), "{command} {option}"));
    };
    has(
        "train",
        &["--dataset", "--data", "--arch", "--attention", "--epochs", "--batch-size", "--lr", "--schedule"],
    );
    has(
        "train",
        &["--gamma", "--weight-decay", "--momentum", "--seed", "--workers", "--limit", "--device", "--out"],
    );
    has("train", &["--mean", "--std", "--json"]);
    has("eval", &["--data", "--split", "--json"]);
    has("predict", &["--json"]);
    has("explain", &["--out", "--raw"]);
    has("import", &["--arch", "--attention", "--classes", "--dataset", "--mean", "--std", "--out"]);
}
