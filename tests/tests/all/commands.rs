//! The commands from training to the page, on generated data.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::RgbImage;
use serde_json::Value;

use crate::cifar;
use crate::program::{fails, succeeds};

/// Every command of the program.
const COMMANDS: [&str; 12] = [
    "train",
    "eval",
    "predict",
    "explain",
    "score",
    "stability",
    "models",
    "devices",
    "import",
    "export",
    "completions",
    "man",
];

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Rows of the matrix sum to the images of their class, its diagonal to top-1; the table has the same
/// numbers, and the report draws them.
fn class_by_class(path: &Path, eval: &Value) {
    let whole = |value: &Value| value.as_u64().unwrap();
    let rows: Vec<Vec<u64>> = serde_json::from_value(eval["confusion"].clone()).unwrap();
    let classes = eval["classes"].as_array().unwrap();
    assert_eq!((rows.len(), classes.len()), (10, 10));
    for (row, class) in rows.iter().zip(classes) {
        assert_eq!(row.iter().sum::<u64>(), whole(&class["images"]), "{class}");
    }
    let images = eval["images"].as_f64().unwrap();
    let right: u64 = (0..10).map(|class| rows[class][class]).sum();
    assert_eq!(right as f64 / images, eval["top1"].as_f64().unwrap());
    let interval = &eval["intervals"]["top1"];
    let [low, mean, high] = ["low", "mean", "high"].map(|end| interval[end].as_f64().unwrap());
    assert!(low < mean && mean < high && mean == eval["top1"].as_f64().unwrap());
    let bins = eval["calibration"]["bins"].as_array().unwrap();
    let counted: u64 = bins.iter().map(|bin| whole(&bin["images"])).sum();
    assert_eq!(counted as f64, images);

    let text = succeeds(path, "eval run --csv matrix.csv").out;
    assert!(
        text.contains("told rightly") && text.contains("calibration error"),
        "{text}"
    );
    let mut table = csv::Reader::from_path(path.join("matrix.csv")).unwrap();
    let read: Vec<Vec<u64>> = table
        .records()
        .map(|row| {
            row.unwrap()
                .iter()
                .skip(1)
                .map(|count| count.parse().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(read, rows);
    fails(
        path,
        "eval run --csv nowhere/matrix.csv",
        1,
        &["`nowhere` does not exist"],
    );
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("What is taken for what"));
    // Every cell leads to images of it.
    succeeds(path, "eval run --failures wrong/page");
    let page = fs::read_to_string(path.join("wrong/page/failures.html")).unwrap();
    assert!(page.contains("The surest mistakes") && !page.contains("<script"));
    for page in [&report, &page] {
        for (right, row) in rows.iter().enumerate() {
            for (told, count) in row.iter().enumerate() {
                let place = format!("told-{right}-{told}\"");
                let link = page.contains(&format!("href=\"#{place}"));
                assert_eq!(
                    (link, page.contains(&format!("id=\"{place}"))),
                    (*count > 0, *count > 0)
                );
            }
        }
    }
}

#[test]
fn the_cpu_is_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let listed = parse(&succeeds(path, "devices --json").out);
    assert_eq!(listed["devices"][0]["device"], "cpu");
    let absent = listed["absent"].as_array().unwrap();
    assert!(
        absent
            .iter()
            .any(|absent| absent["backend"] == "cuda" && absent["compiled"] == false)
    );
    assert!(succeeds(path, "devices").out.contains("cpu *"));
    fails(path, "devices --check", 1, &["is the CPU"]);
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
    for epoch in ["epoch 1/2", "epoch 2/2"] {
        assert_eq!(said.err.matches(epoch).count(), 1, "{}", said.err);
    }
    assert!(
        !said.err.contains('\u{1b}') && !said.err.contains('\r'),
        "no terminal codes in a pipe"
    );

    let again = train.replace("--json", "--log csv");
    succeeds(path, &again);
    let mut table = csv::Reader::from_path(path.join("run/metrics.csv")).unwrap();
    let names = table.headers().unwrap().clone();
    let place = names.iter().position(|name| name == "test.top1").unwrap();
    let rows: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>().unwrap();
    let metrics = fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    for (row, line) in rows.iter().zip(metrics.lines()) {
        let told: f64 = row[place].parse().unwrap();
        assert_eq!(told, parse(line)["test"]["top1"].as_f64().unwrap());
    }
    assert_eq!(rows.len(), 2);

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
    class_by_class(path, &eval);

    RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 * 8, y as u8 * 8, 90]))
        .save(path.join("a.png"))
        .unwrap();
    RgbImage::from_fn(90, 50, |x, y| image::Rgb([x as u8, y as u8, 200]))
        .save(path.join("b c.jpg"))
        .unwrap();
    let said = succeeds(path, "predict run a.png a.png --json");
    let predicted = parse(&said.out);
    let image = &predicted["images"][0];
    assert_eq!(
        image, &predicted["images"][1],
        "the same image gives the same answer"
    );
    assert_eq!(image["path"], "a.png");
    assert_eq!(image["logits"].as_array().unwrap().len(), 10);
    assert_eq!(image["attention_logits"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&image["map"]["height"], &image["map"]["width"]),
        (&16.into(), &16.into())
    );
    assert_eq!(image["map"]["values"].as_array().unwrap().len(), 256);
    let class = image["class"].as_u64().unwrap() as usize;
    let logits: Vec<f64> = image["logits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    assert!(logits.iter().all(|logit| *logit <= logits[class]));

    let said = succeeds(path, "explain run . --out maps --raw");
    assert!(said.out.contains("index.html"), "{}", said.out);
    let overlay = image::open(path.join("maps/0001-a.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (5 * 256 + 4 * 4, 256));
    assert!(path.join("maps/0002-b c.png").exists());
    succeeds(path, "explain run a.png --out maps"); // its own folder may be written again
    // A folder of folders; one bad file costs neither the others nor the exit status its truth.
    fs::create_dir_all(path.join("photos/cats")).unwrap();
    fs::copy(path.join("a.png"), path.join("photos/cats/a.PNG")).unwrap();
    fs::write(path.join("photos/broken.png"), "no image").unwrap();
    let said = crate::program::fails(
        path,
        "explain run photos --out nested",
        1,
        &["broken.png", "1 of 2 images"],
    );
    assert!(
        said.out.contains("1 overlays") && path.join("nested/0002-a.png").exists(),
        "{}",
        said.out
    );
    let said = crate::program::fails(
        path,
        "predict run photos/broken.png a.png --json",
        1,
        &["1 of 2 images"],
    );
    assert_eq!(parse(&said.out)["images"][0]["path"], "a.png");
    fs::create_dir(path.join("site")).unwrap();
    fs::write(path.join("site/index.html"), "mine").unwrap();
    crate::program::fails(
        path,
        "explain run a.png --out site",
        1,
        &["`site` has files in it"],
    );
    assert_eq!(
        fs::read_to_string(path.join("site/index.html")).unwrap(),
        "mine"
    );
    let raw = parse(&fs::read_to_string(path.join("maps/0001-a.json")).unwrap());
    for key in ["height", "width"] {
        assert_eq!(
            raw[key], image["map"][key],
            "the raw map is the predicted one"
        );
    }
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
        "train --dataset cifar10 --data . --arch resnet8 --attention none --epochs 1 --batch-size \
         10 --out run",
    );
    RgbImage::new(32, 32).save(path.join("a.png")).unwrap();
    let predicted = parse(&succeeds(path, "predict run a.png --json").out);
    assert!(
        predicted["images"][0]["map"].is_null()
            && predicted["images"][0]["attention_logits"].is_null()
    );
    let report = fs::read_to_string(path.join("run/report.html")).unwrap();
    assert!(report.contains("data:image/png"));
}

#[test]
fn models_lists_the_published_costs() {
    let folder = tempfile::tempdir().unwrap();
    let models = parse(&succeeds(folder.path(), "models --json").out);
    let row = |name: &str, attention: &str| {
        let rows = models.as_array().unwrap();
        rows.iter()
            .find(|row| row["name"] == name && row["attention"] == attention)
            .unwrap()
            .clone()
    };
    assert_eq!(row("resnet20", "none")["parameters"], 272_474);
    assert_eq!(row("resnet110", "abn")["parameters"], 2_999_726);
    assert_eq!(row("resnet110", "none")["depth"], 164);
    assert_eq!(row("resnet20", "manet")["map"], serde_json::json!([16, 16]));
    // At the size and with the classes of ImageNet.
    assert_eq!(row("resnet50", "abn")["parameters"], 43_584_866);
    assert_eq!(row("resnet50", "abn")["map"], serde_json::json!([14, 14]));
    assert_eq!(
        (
            &row("resnet50", "none")["input"],
            &row("resnet50", "none")["classes"]
        ),
        (&224.into(), &1000.into())
    );
    assert!(
        succeeds(folder.path(), "models")
            .out
            .contains("resnet110-basic")
    );
    let asked = parse(&succeeds(folder.path(), "models wrn-40-4 --classes 7 --json").out);
    assert_eq!(asked.as_array().unwrap().len(), 4);
    // CelebA's network: 42.3 thousand million multiply-adds an image.
    let faces = parse(&succeeds(folder.path(), "models resnet101 --classes 40 --json").out);
    let mut faces = faces.as_array().unwrap().iter();
    let several = faces.find(|row| row["attention"] == "mtabn").unwrap();
    let giga = several["multiply_adds"].as_u64().unwrap() as f64 / 1e9;
    assert!((giga - 42.3).abs() < 0.1, "{giga}");
    crate::program::fails(
        folder.path(),
        "models wrn-41-4",
        1,
        &["the nearest is `wrn-40-4`"],
    );
}

#[test]
fn completions_are_scripts_that_shells_accept() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = succeeds(folder.path(), &format!("completions {shell}")).out;
        assert!(
            script.contains("save-every") && script.contains("stability"),
            "{shell}"
        );
        let path = folder.path().join(shell);
        fs::write(&path, script).unwrap();
        // A shell that is not installed here says nothing about its script.
        if let Ok(checked) = Command::new(shell).arg("-n").arg(&path).output() {
            let said = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success(), "{shell}: {said}");
        }
    }
    crate::program::fails(folder.path(), "completions tcsh", 2, &["tcsh", "bash"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let said = succeeds(folder.path(), "man share/man1").out;
    assert!(said.contains("manual pages in share/man1"), "{said}");
    let read = |name: &str| fs::read_to_string(folder.path().join("share/man1").join(name));
    assert!(read("abn.1").unwrap().contains("abn\\-train(1)"));
    for command in COMMANDS {
        let page = read(&format!("abn-{command}.1")).unwrap();
        assert!(page.contains(&format!(".TH abn-{command} 1")), "{page}");
        assert!(
            page.contains("SYNOPSIS") && page.contains("Example"),
            "{page}"
        );
    }
    fs::write(folder.path().join("file"), "").unwrap();
    crate::program::fails(folder.path(), "man file/man1", 1, &["cannot write in"]);
}

/// The contract that scripts rely on: commands and options do not vanish or change their form
/// unnoticed.
#[test]
fn the_help_is_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let program = succeeds(folder.path(), "--help").out;
    insta::assert_snapshot!("help", program);
    for command in COMMANDS {
        let help = succeeds(folder.path(), &format!("{command} --help")).out;
        insta::assert_snapshot!(format!("help-{command}"), help);
    }
}

/// An import from the reference's own checkpoint, through the program: the prediction of an image
/// file is the network's own on its pixels.
#[test]
#[ignore = "needs ../shared/parity"]
fn imported_checkpoints_predict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let checkpoint = crate::fixtures::parity("cifar_resnet20/checkpoint.pth.tar");
    succeeds(
        path,
        &format!(
            "import {} --arch resnet20 --attention abn --classes 10 --out run",
            checkpoint.display()
        ),
    );
    let picture = RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 * 7, y as u8 * 5, 120]));
    picture.save(path.join("a.png")).unwrap();
    let said = parse(&succeeds(path, "predict run a.png --json").out)["images"][0].clone();

    let device = burn::tensor::Device::flex();
    let config = abn_core::ClassifierConfig {
        network: abn_core::Architecture::parse("resnet20").unwrap().network,
        attention: Some(abn_core::AttentionConfig::abn()),
        outputs: abn_core::Outputs::one(10),
    };
    let weights = abn_run::weights::read_checkpoint(&checkpoint).unwrap();
    let weights = abn_core::pytorch::from_pytorch(&config, weights, &device).unwrap();
    let network = abn_core::state::with_state(config.init(&device), weights).unwrap();
    // RGB / 255, then (x - mean) / std with CIFAR's constants, planar.
    let (mean, std) = ([0.4914_f32, 0.4822, 0.4465], [0.2023_f32, 0.1994, 0.2010]);
    let value = |place: usize| {
        let (colour, pixel) = (place / 1024, place % 1024);
        let byte = picture.get_pixel(pixel as u32 % 32, pixel as u32 / 32)[colour];
        (f32::from(byte) / 255.0 - mean[colour]) / std[colour]
    };
    let pixels =
        burn::tensor::TensorData::new((0..3072).map(value).collect::<Vec<f32>>(), [1, 3, 32, 32]);
    let output = network.forward(burn::tensor::Tensor::from_data(pixels, &device));
    let close = |found: &Value, truth: burn::tensor::TensorData| {
        let found: Vec<f32> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap() as f32)
            .collect();
        let truth: Vec<f32> = truth.iter().collect();
        assert_eq!(found.len(), truth.len());
        assert!(
            found.iter().zip(&truth).all(|(a, b)| (a - b).abs() < 1e-5),
            "{found:?} {truth:?}"
        );
    };
    close(&said["logits"], output.logits.into_data());
    let attention = output.attention.unwrap();
    close(&said["attention_logits"], attention.logits.into_data());
    close(&said["map"]["values"], attention.map.into_data());

    // An imported run can be evaluated but is neither trained further nor imported over.
    crate::program::fails(path, "train --out run", 1, &["was imported"]);
    let again = format!(
        "import {} --arch resnet20 --attention abn --classes 10 --out run",
        checkpoint.display()
    );
    let config = fs::read(path.join("run/config.json")).unwrap();
    crate::program::fails(path, &again, 1, &["is a run already"]);
    assert!(config == fs::read(path.join("run/config.json")).unwrap());
    let wrong = again
        .replace("--attention abn", "--attention none")
        .replace("--out run", "--out other");
    crate::program::fails(path, &wrong, 1, &["+ att_conv.weight [10, 64, 1, 1]"]);
    assert!(!path.join("other").exists());
}
