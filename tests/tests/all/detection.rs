//! The program with detectors: training, figures, and why a box is there.

use std::fs;
use std::path::Path;

use abn_data::{Scenes, Split};
use burn_dataset::Dataset;
use serde_json::{Value, json};

use crate::cifar;
use crate::folder::parse;
use crate::program::{abn, fails, run, succeeds};
use crate::resume::{check_same, killed_and_continued, remains};

/// Two epochs of four steps.
const TRAIN: &str = "train --dataset coco --data set --detector fpn --arch resnet8 --attention manet \
    --size 48 --epochs 2 --batch-size 4 --warm-up 3 --seed 3 --lr 0.02";
const STATS: [&str; 12] = [
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
];

/// A few scenes as COCO has them, with numbers of images and categories that begin anywhere.
fn coco(folder: &Path, split: Split, name: &str, count: usize) {
    let scenes = Scenes::new(1, split, count).objects();
    let images = folder.join(name);
    fs::create_dir_all(&images).unwrap();
    let (mut told, mut annotations) = (Vec::new(), Vec::new());
    for index in 0..count {
        let sample = scenes.samples.get(index).unwrap();
        let file = format!("{index}.png");
        // Of two sizes, so that batches are padded.
        let image = match index % 2 {
            0 => sample.image.clone(),
            _ => image::imageops::crop_imm(&sample.image, 0, 0, 48, 40).to_image(),
        };
        image.save(images.join(&file)).unwrap();
        let (width, height) = image.dimensions();
        let id = 100 + 7 * index;
        told.push(json!({"id": id, "file_name": file, "width": width, "height": height}));
        for object in sample.target.objects() {
            let [x, y, width, height] = object.bounds.xywh();
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": id, "category_id": 2 + 3 * object.class,
                "bbox": [x, y, width, height], "area": object.area, "iscrowd": 0,
            }));
        }
    }
    let classes = scenes.labels.classes().enumerate();
    let categories: Vec<Value> = classes
        .map(|(class, name)| json!({"id": 2 + 3 * class, "name": name}))
        .collect();
    let text = json!({"images": told, "annotations": annotations, "categories": categories});
    fs::create_dir_all(folder.join("annotations")).unwrap();
    let file = folder.join(format!("annotations/instances_{name}.json"));
    fs::write(file, text.to_string()).unwrap();
}

/// Sixteen images to learn from, and five to measure on.
fn set(folder: &Path) {
    coco(&folder.join("set"), Split::Train, "train2017", 16);
    coco(&folder.join("set"), Split::HeldOut, "val2017", 5);
}

#[test]
fn a_killed_detector_continues_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    set(path);
    let said = succeeds(path, &format!("{TRAIN} --out whole --workers 0"));
    assert!(said.err.contains("epoch 2/2"), "{}", said.err);
    assert!(said.out.contains("AP"), "{}", said.out);
    killed_and_continued(path, TRAIN, "killed");
    check_same(
        &remains(&path.join("whole")),
        &remains(&path.join("killed")),
    );
    // Threads of the kernels change nothing either.
    let arguments = format!("{TRAIN} --out threads --workers 3");
    let mut program = abn(path);
    let said = run(program
        .args(arguments.split_whitespace())
        .env("RAYON_NUM_THREADS", "3"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    check_same(
        &remains(&path.join("whole")),
        &remains(&path.join("threads")),
    );
    let report = fs::read_to_string(path.join("whole/report.html")).unwrap();
    for words in [
        "What it finds",
        "Class by class",
        "Training losses",
        "VOC AP",
    ] {
        assert!(report.contains(words), "{words}");
    }
    fails(
        path,
        &format!("{TRAIN} --detector c4 --out whole"),
        2,
        &["--detector"],
    );
}

#[test]
fn a_training_on_a_pack_is_that_on_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    set(path);
    let pack = "data pack set --dataset coco --out set.abnpack";
    fails(path, &format!("{pack} --size 32"), 1, &["--size"]);
    let packed = parse(&succeeds(path, &format!("{pack} --json")).out);
    assert_eq!(packed["images"], 21);
    let train = TRAIN.replace("--epochs 2", "--epochs 1");
    succeeds(path, &format!("{train} --out folder"));
    let train = train.replace("--data set", "--data set.abnpack");
    succeeds(path, &format!("{train} --out pack --workers 0"));
    let read = |name: &str| fs::read(path.join(name)).unwrap();
    assert_eq!(read("folder/metrics.jsonl"), read("pack/metrics.jsonl"));
    assert_eq!(read("folder/results.json"), read("pack/results.json"));
    // Either run is measured on the other one's images as on its own.
    let eval = |arguments: &str| parse(&succeeds(path, &format!("eval {arguments} --json")).out);
    let own = eval("folder");
    for other in ["folder --data set.abnpack", "pack", "pack --data set"] {
        assert_eq!(eval(other), own, "{other}");
    }
    let check = "data check set.abnpack --dataset coco";
    let said = succeeds(path, check).out;
    for words in ["21 images", "nothing is wrong"] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    fails(
        path,
        "train --dataset folder --data set.abnpack --out other",
        1,
        &["boxes of objects", "--dataset coco"],
    );
    let mut bytes = read("set.abnpack");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 4;
    fs::write(path.join("set.abnpack"), bytes).unwrap();
    fails(path, check, 1, &["set.abnpack"]);
}

#[test]
fn what_a_run_measures_is_what_its_results_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    set(path);
    let train = "train --dataset coco --data set --detector fpn --arch resnet8 --attention abn \
        --size 48 --epochs 1 --batch-size 4 --lr 0.02 --out run";
    let said = succeeds(path, train);
    assert!(said.err.contains("of 6 classes"), "{}", said.err);
    let eval = "eval run --results found.json --json";
    let own = parse(&succeeds(path, eval).out);
    for name in STATS {
        assert!(own["stats"][name].as_f64().is_some(), "{name}");
    }
    for name in [
        "loss_classifier",
        "loss_box_reg",
        "loss_objectness",
        "loss_rpn_box_reg",
    ] {
        assert!(own[name].as_f64().unwrap() > 0.0, "{name}");
    }
    assert_eq!(own["categories"].as_array().unwrap().len(), 6);
    let others =
        "eval --truth set/annotations/instances_val2017.json --detections found.json --json";
    let others = parse(&succeeds(path, others).out);
    assert_eq!(own["stats"], others["stats"]);
    let found = parse(&fs::read_to_string(path.join("found.json")).unwrap());
    let found = found.as_array().unwrap();
    assert!(!found.is_empty());
    for detection in found {
        assert_eq!(detection["category_id"].as_u64().unwrap() % 3, 2);
        assert_eq!(detection["image_id"].as_u64().unwrap() % 7, 2);
    }
    // Out under torchvision's names and in again, it is the same detector.
    succeeds(path, "export run --out run.safetensors");
    let import = "import run.safetensors --arch resnet8 --detector fpn --dataset coco --out again";
    succeeds(path, import);
    let again = parse(&succeeds(path, "eval again --data set --json").out);
    assert_eq!(own["stats"], again["stats"]);
    fails(
        path,
        "import run.safetensors --arch resnet8 --out other",
        1,
        &["--detector"],
    );
    fails(path, "export run --out run.onnx", 1, &["safetensors"]);
    fails(
        path,
        "eval run --results nowhere/found.json",
        1,
        &["--results", "nowhere"],
    );
    let text = succeeds(path, "eval run").out;
    assert!(
        text.contains("average precision") && text.contains("disc"),
        "{text}"
    );
}

#[test]
fn every_box_is_told_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    set(path);
    let train = "train --dataset coco --data set --detector c4 --arch resnet8 --attention none \
        --size 48 --epochs 2 --batch-size 4 --lr 0.02 --out run";
    succeeds(
        path,
        &format!("{train} --set detector.region_attention=manet"),
    );
    let scene = Scenes::new(9, Split::HeldOut, 1).objects();
    let image = scene.samples.get(0).unwrap().image;
    image.save(path.join("scene.png")).unwrap();
    fs::write(path.join("broken.png"), b"no image").unwrap();
    let predicted = parse(&succeeds(path, "predict run scene.png --min-score 0.06 --json").out);
    let told = &predicted["images"][0];
    assert_eq!(
        (told["width"].as_u64(), told["height"].as_u64()),
        (Some(48), Some(48))
    );
    let objects = told["objects"].as_array().unwrap();
    assert!(!objects.is_empty());
    for object in objects {
        let corners: Vec<f64> = object["box"]
            .as_array()
            .unwrap()
            .iter()
            .map(|at| at.as_f64().unwrap())
            .collect();
        assert!(
            corners.iter().all(|at| (0.0..=48.0).contains(at)),
            "{corners:?}"
        );
        assert!(corners[0] < corners[2] && corners[1] < corners[3]);
    }
    let table = succeeds(
        path,
        "predict run scene.png --min-score 0.06 --csv --draw drawn",
    )
    .out;
    assert_eq!(table.lines().count(), 1 + objects.len());
    assert!(table.starts_with("path,label,score,x1,y1,x2,y2"));
    assert!(path.join("drawn/0001-scene.png").is_file());
    let explain = "explain run scene.png --min-score 0.06 --masks 4 --raw --out why";
    let said = succeeds(path, explain).out;
    assert!(said.contains("odam, grad-cam, region, d-rise"), "{said}");
    let raw = parse(&fs::read_to_string(path.join("why/0001-scene.json")).unwrap());
    let maps = &raw["objects"][0]["maps"];
    for method in ["odam", "grad-cam", "region", "d-rise"] {
        let values = maps[method]["values"].as_array().unwrap();
        assert!(
            values.iter().any(|value| value.as_f64().unwrap() > 0.0),
            "{method}"
        );
    }
    let page = fs::read_to_string(path.join("why/index.html")).unwrap();
    assert!(page.contains("Region's map") && !page.contains("<script"));
    fails(
        path,
        "predict run scene.png broken.png",
        1,
        &["broken.png", "1 of 2"],
    );
    fails(
        path,
        "explain run scene.png --class disc --out other",
        1,
        &["--class", "detector"],
    );
    fails(
        path,
        "predict run scene.png --map scene.png",
        1,
        &["--map", "classifiers"],
    );
    fails(
        path,
        "score run --check",
        1,
        &["--check", "is a run of a detector"],
    );
}

#[test]
fn a_detector_starts_from_a_classifier_or_from_a_detector() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    set(path);
    cifar::write(path, 20);
    let classifier = "train --dataset cifar10 --data . --arch resnet8 --attention abn --epochs 1 \
        --batch-size 8 --out classifier";
    succeeds(path, classifier);
    let train = "train --dataset coco --data set --detector fpn --arch resnet8 --attention abn \
        --size 48 --epochs 1 --batch-size 4 --lr 0.02";
    let said = succeeds(path, &format!("{train} --init classifier --out found")).err;
    for words in [
        "starting from",
        "network.stem",
        "branch.stage",
        "not loaded, random:",
        "rpn.",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Weights that somebody trained stay at the beginning, and so do all batch norms.
    let config = parse(&fs::read_to_string(path.join("found/config.json")).unwrap());
    let frozen = &config["recipe"]["detector"]["frozen"];
    assert_eq!(
        (frozen["parts"].as_u64(), frozen["norms"].as_bool()),
        (Some(2), Some(true))
    );
    succeeds(path, "export found --out found.safetensors");
    let again = format!("{train} --init found.safetensors --out again");
    let said = succeeds(path, &again).err;
    assert!(
        said.contains("loaded") && !said.contains("not loaded"),
        "{said}"
    );
    let none = format!("{train} --init nothing.pth --out none");
    fails(path, &none, 1, &["nothing.pth"]);
}

#[test]
fn what_makes_no_detector_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = |arguments: &str| format!("train {arguments} --out run");
    for (arguments, words) in [
        (
            "--dataset shapes --detector fpn",
            ["shapes", "scenes, coco, voc"],
        ),
        ("--dataset coco --data .", ["detector must be", "fpn or c4"]),
        (
            "--dataset scenes --detector fpn --arch vgg16-bn",
            ["detector", "ResNet"],
        ),
        (
            "--dataset scenes --detector fpn --augment pad-crop",
            ["--augment", "classifiers"],
        ),
        ("--dataset scenes --detector fpn --best map", ["best", "AP"]),
        (
            "--dataset scenes --detector fpn --focal 2",
            ["penalty", "classifiers"],
        ),
        (
            "--dataset scenes --detector fpn --set detector.constants.rpn.nms=2",
            ["rpn.nms", "0 to 1"],
        ),
        (
            "--dataset coco --data nowhere --detector fpn",
            ["nowhere", "COCO"],
        ),
    ] {
        fails(path, &train(arguments), 1, &words);
    }
    assert!(!path.join("run").exists());
}
