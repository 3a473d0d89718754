//! `abn score`: every method by every measure, kept while it is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;

use crate::program::{abn, fails, succeeds};

const TRAIN: &str = "train --arch resnet8 --limit 32 --epochs 1";

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The cell of a measure and method.
#[track_caller]
fn mean(answer: &Value, metric: &str, method: &str) -> f64 {
    let scores = &answer["scores"];
    let place = scores["methods"]
        .as_array()
        .unwrap()
        .iter()
        .position(|name| name == method)
        .unwrap();
    let metrics = scores["metrics"].as_array().unwrap();
    let row = metrics
        .iter()
        .find(|row| row["metric"] == metric)
        .unwrap_or_else(|| panic!("no {metric}"));
    row["cells"][place]["interval"]["mean"].as_f64().unwrap()
}

/// The one file of what is measured.
fn kept(run: &Path) -> PathBuf {
    let mut files = run.join("scores").read_dir().unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[test]
fn all_methods_by_all_measures_where_objects_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --out run"));
    let score = "score run --limit 10 --steps 4 --randomised 3";
    let answer = parse(&succeeds(path, &format!("{score} --json")).out);
    let methods = [
        "attention",
        "cam",
        "grad-cam",
        "grad-cam++",
        "hires-cam",
        "layer-cam",
        "eigen-cam",
        "uniform",
        "centre",
        "gradient",
    ];
    assert_eq!(answer["scores"]["methods"], serde_json::json!(methods));
    assert_eq!(
        (
            &answer["scores"]["images"],
            &answer["scores"]["with_object"]
        ),
        (&10.into(), &10.into())
    );
    assert_eq!(
        answer["parts"],
        serde_json::json!([
            "head",
            "attention branch",
            "stage 3",
            "stage 2",
            "stage 1",
            "stem"
        ])
    );
    // A uniform map scores what chance scores, and a fixed one does not care for the network.
    assert_eq!(mean(&answer, "auc", "uniform"), 0.5);
    assert!(
        (mean(&answer, "pointing", "uniform") - mean(&answer, "energy", "uniform")).abs() < 1e-9
    );
    assert_eq!(
        (
            mean(&answer, "sparseness", "uniform"),
            mean(&answer, "iou", "uniform")
        ),
        (0.0, 0.0)
    );
    assert_eq!(mean(&answer, "randomised", "centre"), 1.0);
    // CAM and Grad-CAM differ by a factor at the last features, and by their negative values.
    assert!(
        (mean(&answer, "pointing", "cam") - mean(&answer, "pointing", "grad-cam")).abs() < 1e-9
    );
    // The trained map does not depend on the head.
    assert_eq!(answer["scores"]["cascade"][0][0]["mean"], 1.0);

    let table = fs::read_to_string(path.join("run/score.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 10 * methods.len());
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let column = header.iter().position(|name| *name == "insertion").unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>());
    let cam: Vec<f64> = rows
        .filter(|row| row[1] == "cam")
        .map(|row| row[column].parse().unwrap())
        .collect();
    let expected = cam.iter().sum::<f64>() / cam.len() as f64;
    assert!(
        (mean(&answer, "insertion", "cam") - expected).abs() < 1e-9,
        "the mean is that of the table"
    );
    assert_eq!(
        parse(&fs::read_to_string(path.join("run/score.json")).unwrap()),
        answer
    );
    assert!(
        fs::read_to_string(path.join("run/score.html"))
            .unwrap()
            .contains("grad-cam++")
    );

    // Measured once: the same command reads what it kept, also of a network without an attention
    // branch's map.
    let started = Instant::now();
    let again = succeeds(path, score);
    assert!(
        again.out.contains("insertion") && again.out.contains("page run/score.html"),
        "{}",
        again.out
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(kept(&path.join("run")).extension().unwrap(), "jsonl");
}

#[test]
fn killed_and_continued_it_gives_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --attention none --out run"));
    let score = "score run --limit 36 --steps 3 --randomised 0 --methods grad-cam,centre";
    let whole = succeeds(path, &format!("{score} --out whole"));
    let mut child = abn(path)
        .args(format!("{score} --out killed").split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || match path
        .join("killed/scores")
        .read_dir()
        .ok()
        .and_then(|mut files| files.next())
    {
        Some(file) => fs::read_to_string(file.unwrap().path())
            .unwrap_or_default()
            .lines()
            .count(),
        None => 0,
    };
    let started = Instant::now();
    while lines() < 9 && started.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lines() >= 9, "something was kept");
    let continued = succeeds(path, &format!("{score} --out killed"));
    let table = |out: &str| {
        out.lines()
            .filter(|line| !line.starts_with("page"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(table(&continued.out), table(&whole.out));
    for file in ["score.csv", "score.html"] {
        assert!(
            fs::read(path.join("killed").join(file)).unwrap()
                == fs::read(path.join("whole").join(file)).unwrap()
        );
    }
}

/// Red squares left and blue ones right, on grey; with masks and, larger, boxes.
fn photographs(folder: &Path) {
    let mut boxes = "image\tx0\ty0\tx1\ty1\n".to_owned();
    for (class, color, left) in [("red", [220, 30, 30], 4), ("blue", [30, 30, 220], 20)] {
        let place = |kind: &str| {
            let folder = folder.join(kind).join(class);
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        let (images, masks) = (place("images"), place("masks"));
        for index in 0..10 {
            let inside = |x: u32, y: u32| (left..left + 8).contains(&x) && (8..16).contains(&y);
            let grey = |x: u32, y: u32| Rgb([((x * 7 + y * 13 + index * 31) % 60) as u8 + 90; 3]);
            RgbImage::from_fn(
                32,
                32,
                |x, y| if inside(x, y) { Rgb(color) } else { grey(x, y) },
            )
            .save(images.join(format!("{index}.png")))
            .unwrap();
            GrayImage::from_fn(32, 32, |x, y| Luma([u8::from(inside(x, y))]))
                .save(masks.join(format!("{index}.png")))
                .unwrap();
            boxes += &format!("images/{class}/{index}.png\t{left}\t0\t{}\t32\n", left + 8);
        }
    }
    fs::write(folder.join("boxes.tsv"), boxes).unwrap();
}

#[test]
fn photographs_have_masks_or_boxes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photographs(&path.join("photos"));
    succeeds(
        path,
        "train --dataset folder --data photos --arch resnet8 --size 32 --epochs 1 --batch-size 8 \
         --out run",
    );
    let coverage = |truth: &str| {
        let score = "score run --methods uniform --steps 1 --randomised 0 --json";
        let answer = parse(&succeeds(path, &format!("{score} {truth}")).out);
        assert_eq!(answer["scores"]["with_object"], 4);
        mean(&answer, "energy", "uniform")
    };
    // 8 x 8 of 32 x 32 pixels, and 8 x 32; photographs are resized to 37 and cropped to 32 in their
    // middle.
    let (mask, whole) = (coverage(""), coverage("--truth boxes"));
    assert_eq!(coverage("--truth masks"), mask);
    assert!((0.06..0.11).contains(&mask), "{mask}");
    assert!((0.2..0.32).contains(&whole), "{whole}");
    fs::remove_dir_all(path.join("photos/masks")).unwrap();
    assert_eq!(coverage(""), whole, "boxes where there are no masks");
    fails(
        path,
        "score run --truth masks",
        1,
        &["masks", "does not exist"],
    );
    fs::write(path.join("photos/boxes.tsv"), "image\tx0\n").unwrap();
    fails(
        path,
        "score run",
        1,
        &[
            "boxes.tsv, line 1",
            "expected the columns image, x0, y0, x1 and y1",
        ],
    );
    fs::remove_file(path.join("photos/boxes.tsv")).unwrap();
    let answer = parse(
        &succeeds(
            path,
            "score run --methods uniform --steps 1 --randomised 0 --json",
        )
        .out,
    );
    assert_eq!(answer["scores"]["with_object"], 0);
    assert!(
        mean(&answer, "deletion", "uniform") > 0.0,
        "the measures that need no object"
    );
}

#[test]
fn what_cannot_be_scored_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fails(path, "score nowhere", 1, &["there is no run at `nowhere`"]);
    fails(path, "score", 2, &["RUN"]);
    succeeds(path, &format!("{TRAIN} --attention none --out run"));
    fails(
        path,
        "score run --methods attention",
        1,
        &["no attention branch"],
    );
    fails(
        path,
        "score run --methods cam --layer features",
        1,
        &["CAM exists at the refined features alone"],
    );
    fails(
        path,
        "score run --methods saliency",
        2,
        &["saliency", "grad-cam++"],
    );
    fails(
        path,
        "score run --truth boxes",
        1,
        &["--truth is for photographs"],
    );
    fails(path, "score run --steps 0", 2, &["a number from 1 to 1000"]);
    fs::write(path.join("file"), "").unwrap();
    fails(
        path,
        "score run --out file",
        1,
        &["cannot write in `file", "--out"],
    );
}

#[test]
fn curves_of_single_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --out run"));
    for (name, shade) in [("a.png", 30), ("b.png", 200)] {
        let image = RgbImage::from_fn(32, 32, |x, y| Rgb([shade, (x * 8) as u8, (y * 8) as u8]));
        image.save(path.join(name)).unwrap();
    }
    let command = "score run a.png b.png --steps 4 --out curves";
    let answer = parse(&succeeds(path, &format!("{command} --json")).out);
    let images = answer["images"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    for image in images {
        let whole = image["probability"].as_f64().unwrap();
        let methods = image["methods"].as_array().unwrap();
        assert_eq!(methods.len(), 5);
        for method in methods {
            let curve = |name: &str| -> Vec<f64> {
                let values = method[name].as_array().unwrap();
                values.iter().map(|value| value.as_f64().unwrap()).collect()
            };
            let (gone, back) = (curve("deletion_curve"), curve("insertion_curve"));
            assert_eq!((gone.len(), back.len()), (5, 5));
            assert!((gone[0] - whole).abs() < 1e-4 && (back[4] - whole).abs() < 1e-4);
            // Without a pixel, no map matters.
            let none = &methods[0]["deletion_curve"][4];
            assert!((gone[4] - none.as_f64().unwrap()).abs() < 1e-4);
        }
    }
    let page = fs::read_to_string(path.join("curves/curves.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 4);
    let said = succeeds(path, command).out;
    assert!(
        said.contains("a.png: ") && said.contains("grad-cam"),
        "{said}"
    );

    fs::write(path.join("no.png"), "no image").unwrap();
    let command = "score run no.png a.png --steps 2 --out curves";
    fails(path, command, 1, &["no.png", "1 of 2 images"]);
    fails(
        path,
        "score run a.png --limit 3",
        2,
        &["cannot be used with"],
    );
    let all = "attention,cam,grad-cam,grad-cam++,centre,uniform,gradient";
    let command = format!("score run a.png --methods {all}");
    fails(path, &command, 1, &["at most 6"]);
}

#[test]
fn fidelity_asks_a_fine_tuned_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, &format!("{TRAIN} --out run"));
    let score = "score run --methods attention,centre --limit 2 --steps 2 --randomised 0";
    let plain = parse(&succeeds(path, &format!("{score} --json")).out);
    assert!(!plain["scores"].to_string().contains("fidelity"));
    let command = format!("{score} --fine-tune 1 --json");
    let answer = parse(&succeeds(path, &command).out);
    for method in ["attention", "centre"] {
        for metric in ["fidelity", "fidelity_rest"] {
            let value = mean(&answer, metric, method);
            assert!(value.is_finite(), "{metric} {method}");
        }
        // The network itself is asked for everything else, and is as it was.
        let [before, after] = [&plain, &answer].map(|answer| mean(answer, "deletion", method));
        assert_eq!(before, after);
    }
    // Kept, it is not fine-tuned once more; tuned longer, the network says something else.
    assert_eq!(
        parse(&succeeds(path, &command).out)["scores"],
        answer["scores"]
    );
    let longer = format!("{score} --fine-tune 3 --json");
    let longer = parse(&succeeds(path, &longer).out);
    let of = |answer| mean(answer, "fidelity", "attention");
    assert_ne!(of(&longer), of(&answer));
    let kept = path.join("run/scores").read_dir().unwrap();
    let tuned = kept.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with("-tuned.safetensors")
    });
    assert_eq!(tuned.count(), 2);
}
