//! `abn data`: fetching, checking and packing, as typed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::folder::{class, parse};
use crate::program::{fails, succeeds};

/// Three classes of 12 images below `photos`.
fn photos(folder: &Path) {
    class(&folder.join("photos/blue"), [20, 20, 210], 12);
    class(&folder.join("photos/green"), [20, 210, 20], 12);
    class(&folder.join("photos/red"), [210, 20, 20], 12);
}

const TRAIN: &str = "train --dataset folder --arch resnet8 --size 32 --epochs 1 --batch-size 4";

#[test]
fn what_is_wrong_is_named_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photos(path);
    let said = succeeds(path, "data check photos");
    for words in ["36 images", "3 classes of 12", "nothing is wrong"] {
        assert!(said.out.contains(words), "no `{words}` in {}", said.out);
    }
    fs::write(path.join("photos/red/00.png"), "no image").unwrap();
    fs::copy(
        path.join("photos/red/01.png"),
        path.join("photos/blue/01.png"),
    )
    .unwrap();
    let said = fails(path, "data check photos", 1, &["2 things are wrong"]);
    for words in ["red/00.png", "red/01.png", "blue/01.png"] {
        assert!(said.out.contains(words), "no `{words}` in {}", said.out);
    }
    let said = fails(path, "data check photos --json --workers 1", 1, &[]);
    let kinds: Vec<Value> = parse(&said.out)["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].clone())
        .collect();
    assert_eq!(kinds, ["unreadable", "same_in_classes"]);
    fails(path, "data check nowhere", 1, &["nowhere"]);
    fails(path, "data check photos --dataset shapes", 1, &["built in"]);
}

#[test]
fn a_training_on_a_pack_is_that_on_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photos(path);
    let packed = parse(&succeeds(path, "data pack photos --out photos.abnpack --json").out);
    assert_eq!(packed["images"], 36);
    fails(
        path,
        "data pack photos --out photos.abnpack",
        1,
        &["photos.abnpack"],
    );
    succeeds(path, &format!("{TRAIN} --data photos --out one"));
    succeeds(
        path,
        &format!("{TRAIN} --data photos.abnpack --out other --workers 0"),
    );
    let read = |name: &str| fs::read(path.join(name)).unwrap();
    assert_eq!(read("one/metrics.jsonl"), read("other/metrics.jsonl"));
    assert_eq!(read("one/results.json"), read("other/results.json"));
    // Each run is measured on the other one's images as on its own.
    let eval = |arguments: &str| parse(&succeeds(path, &format!("eval {arguments} --json")).out);
    let own = eval("one");
    assert_eq!(own["images"], 6);
    for other in ["one --data photos.abnpack", "other", "other --data photos"] {
        assert_eq!(eval(other), own, "{other}");
    }
    assert!(
        succeeds(path, "data check photos.abnpack")
            .out
            .contains("nothing is wrong")
    );
    // One flipped bit is found.
    let mut bytes = read("photos.abnpack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path.join("photos.abnpack"), bytes).unwrap();
    fails(path, "data check photos.abnpack", 1, &["photos.abnpack"]);
}

#[test]
fn a_smaller_pack_trains_and_a_damaged_image_ends_the_packing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photos(path);
    succeeds(path, "data pack photos --size 32 --out small.abnpack");
    succeeds(path, &format!("{TRAIN} --data small.abnpack --out run"));
    fs::write(path.join("photos/red/00.png"), "no image").unwrap();
    fails(
        path,
        "data pack photos --out photos.abnpack",
        1,
        &["red/00.png"],
    );
    assert!(!path.join("photos.abnpack").exists());
    let said = succeeds(
        path,
        "data pack photos --out photos.abnpack --skip-corrupt --json",
    );
    assert_eq!(parse(&said.out)["left_out"][0]["image"], "red/00.png");
    succeeds(
        path,
        &format!("{TRAIN} --data photos.abnpack --out other --on-corrupt skip"),
    );
}

#[test]
fn a_pack_is_checked_with_its_test_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (split, green) in [("train", 20), ("val", 40), ("test", 60)] {
        class(
            &path.join("photos").join(split).join("blue"),
            [20, green, 210],
            4,
        );
        class(
            &path.join("photos").join(split).join("red"),
            [210, green, 20],
            4,
        );
    }
    succeeds(path, "data pack photos --out photos.abnpack");
    for data in ["photos", "photos.abnpack"] {
        let said = succeeds(path, &format!("data check {data}"));
        for words in ["24 images", "train: 8", "held-out: 8", "test: 8"] {
            assert!(said.out.contains(words), "no `{words}` in {}", said.out);
        }
    }
}

#[test]
fn tar_shards_are_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    photos(path);
    let mut shard = tar::Builder::new(fs::File::create(path.join("photos-000.tar")).unwrap());
    for (label, name) in ["blue", "green", "red"].into_iter().enumerate() {
        for index in 0..12 {
            let key = format!("{name}-{index:02}");
            let image = fs::read(path.join(format!("photos/{name}/{index:02}.png"))).unwrap();
            for (ending, bytes) in [("png", image), ("cls", label.to_string().into_bytes())] {
                let mut header = tar::Header::new_gnu();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o644);
                let name = format!("{key}.{ending}");
                shard.append_data(&mut header, name, &bytes[..]).unwrap();
            }
        }
    }
    shard.into_inner().unwrap();
    let said = succeeds(path, &format!("{TRAIN} --data photos-000.tar --out run"));
    assert!(
        said.err.contains("36 images") || said.err.contains("30 training, 6 test"),
        "{}",
        said.err
    );
    assert_eq!(parse(&succeeds(path, "eval run --json").out)["images"], 6);
}

#[test]
fn a_published_set_is_fetched_from_a_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let listed = succeeds(path, "data fetch");
    assert!(listed.out.contains("cifar10 ") && listed.out.contains("imagenette-160"));
    fails(path, "data fetch cifar11", 1, &["cifar11", "cifar10"]);
    fails(
        path,
        "data fetch cifar10 svhn --url mirror",
        1,
        &["--url", "one"],
    );
    // What is not the published file is refused, and nothing is left at its place.
    fs::write(path.join("cifar-10-binary.tar.gz"), "not the archive").unwrap();
    let fetch = format!("data fetch cifar10 --url {}", path.display());
    fails(path, &fetch, 1, &["cifar-10-binary.tar.gz"]);
    assert!(!path.join("datasets/cifar-10-batches-bin").exists());
}

/// The newcomer's path: fetch, check, train, eval.
#[test]
fn a_fetched_set_is_checked_trained_on_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let set = path.join("imagewoof2-160");
    for (split, count, green) in [("train", 8, 20), ("val", 4, 40)] {
        class(&set.join(split).join("n02086240"), [20, green, 210], count);
        class(&set.join(split).join("n02087394"), [210, green, 20], count);
    }
    let archive = fs::File::create(path.join("imagewoof2-160.tgz")).unwrap();
    let packed = flate2::write::GzEncoder::new(archive, flate2::Compression::fast());
    let mut archive = tar::Builder::new(packed);
    archive.append_dir_all("imagewoof2-160", &set).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    fs::remove_dir_all(&set).unwrap();

    let said = succeeds(path, "data fetch imagewoof-160 --url imagewoof2-160.tgz");
    assert!(said.out.contains("SHA-256"), "{}", said.out);
    let again = parse(&succeeds(path, "data fetch imagewoof-160 --json").out);
    assert_eq!(again[0]["new"], false);
    let said = succeeds(path, "data check datasets/imagewoof2-160");
    assert!(said.out.contains("24 images"), "{}", said.out);
    let data = "--data datasets/imagewoof2-160";
    let said = succeeds(path, &format!("{TRAIN} {data} --out run"));
    assert!(
        said.err.contains("16 training, 8 test images"),
        "{}",
        said.err
    );
    assert_eq!(parse(&succeeds(path, "eval run --json").out)["images"], 8);
}
