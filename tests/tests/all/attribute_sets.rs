//! Photographs with several labels each, in the layouts in which they are published: each is made
//! here from its description, trained on and measured.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::bad_input::stop_after_first_checkpoint;
use crate::folder::{config, parse};
use crate::program::{fails, succeeds};
use crate::resume::{check_same, killed_and_continued, remains};

const TRAIN: &str = "train --dataset attributes --data photos --arch resnet8 --size 32 --epochs 1 \
                     --batch-size 4";
/// Images of a set.
const IMAGES: u32 = 24;

/// Whether the image of that number has a label; each label is independent of the others.
fn has(index: u32, label: u32) -> bool {
    (index >> label) & 1 == 1
}

/// A picture of 32 x 32 pixels: red, bright above and striped, or not.
fn picture(index: u32) -> RgbImage {
    RgbImage::from_fn(32, 32, |x, y| {
        let noise = ((x * 7 + y * 13 + index * 31) % 40) as u8;
        let red = if has(index, 0) { 180 } else { 20 };
        let above = if has(index, 1) && y < 16 { 190 } else { 30 };
        let striped = if has(index, 2) && x % 8 < 4 { 200 } else { 40 };
        Rgb([red, above, striped].map(|value| value + noise))
    })
}

/// The pictures in a folder, called by their numbers.
fn pictures(folder: &Path, name: impl Fn(u32) -> String) {
    for index in 0..IMAGES {
        let path = folder.join(name(index));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Lossless, whatever the name says: a format is told by its content.
        picture(index)
            .save_with_format(path, image::ImageFormat::Png)
            .unwrap();
    }
}

fn write(path: &Path, text: impl AsRef<str>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text.as_ref()).unwrap();
}

fn eval(folder: &Path, arguments: &str) -> Value {
    parse(&succeeds(folder, &format!("eval {arguments} --json")).out)
}

/// Names of the labels of an evaluation, and the fraction of the images of which each is known.
fn known(eval: &Value) -> Vec<(&str, f64)> {
    let labels = eval["labels"].as_array().unwrap().iter();
    labels
        .map(|label| {
            (
                label["name"].as_str().unwrap(),
                label["known"].as_f64().unwrap(),
            )
        })
        .collect()
}

/// The share of an image, which loses its rim before a network sees it.
#[track_caller]
fn is_about(share: &Value, expected: f64) {
    let off = share.as_f64().unwrap() / expected;
    assert!((0.7..1.3).contains(&off), "{share}, expected {expected}");
}

/// A table with a column a label, of which the third is unknown for every third image.
fn table(folder: &Path) {
    pictures(&folder.join("images"), |index| format!("{index:02}.png"));
    let mut text = "image,red,above,striped\n".to_owned();
    for index in 0..IMAGES {
        let [red, above] = [0, 1].map(|label| u32::from(has(index, label)));
        let striped = match (index % 3, has(index, 2)) {
            (0, _) => ["", "?"][(index / 3 % 2) as usize],
            (_, true) => "yes",
            (_, false) => "no",
        };
        writeln!(text, "{index:02}.png,{red},{above},{striped}").unwrap();
    }
    write(&folder.join("labels.csv"), text);
}

#[test]
fn a_table_is_trained_on_continued_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    table(&path.join("photos"));
    let train = TRAIN.replace("--epochs 1", "--epochs 2");
    let said = succeeds(path, &format!("{train} --out whole"));
    for words in [
        "labels are those of labels.csv: 3 labels, 8 of 72 values unknown",
        "training: 20 images with 3 labels",
        "20 training, 4 test images",
    ] {
        assert!(
            said.err.contains(words) || words.starts_with("training"),
            "no `{words}` in {}",
            said.err
        );
    }
    let found = eval(path, "whole");
    let names: Vec<&str> = known(&found).iter().map(|(name, _)| *name).collect();
    assert_eq!(
        (names, &found["images"]),
        (vec!["red", "above", "striped"], &4.into())
    );
    let of_training = eval(path, "whole --split train");
    let all = eval(path, "whole --split all");
    assert_eq!(
        (&of_training["images"], &all["images"]),
        (&20.into(), &24.into())
    );
    assert_eq!(
        known(&all),
        [("red", 1.0), ("above", 1.0), ("striped", 2.0 / 3.0)]
    );

    killed_and_continued(path, &train, "parts");
    check_same(&remains(&path.join("whole")), &remains(&path.join("parts")));

    // Images that come later change nothing.
    picture(3)
        .save(path.join("photos/images/more.png"))
        .unwrap();
    assert_eq!(eval(path, "whole"), found);
    // Columns in another order are the same labels, and one more is none of the run's.
    let text = fs::read_to_string(path.join("photos/labels.csv")).unwrap();
    let turned = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!(
            "{},{},{},{},{}",
            cells[3], cells[2], cells[1], cells[0], cells[1]
        )
    };
    let mut lines: Vec<String> = text.lines().map(turned).collect();
    lines[0] = "striped,above,red,image,more".to_owned();
    write(&path.join("photos/turned/other.csv"), lines.join("\n"));
    fs::rename(
        path.join("photos/turned/other.csv"),
        path.join("photos/labels.csv"),
    )
    .unwrap();
    assert_eq!(eval(path, "whole"), found);
    write(
        &path.join("photos/labels.csv"),
        "image,red,above\n00.png,1,1\n01.png,0,0\n",
    );
    fails(
        path,
        "eval whole",
        1,
        &["labels.csv", "lacks labels that the run has: striped"],
    );
}

#[test]
fn a_column_of_names_and_of_splits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    pictures(&photos, |index| format!("{index:02}.png"));
    for separator in [" ", "|", " ; "] {
        let mut text = "image_name\ttags\tsplit\tage\n".to_owned();
        for index in 0..IMAGES {
            let names = ["red", "above", "striped"].into_iter().zip(0..);
            let names: Vec<&str> = names
                .filter(|(_, label)| has(index, *label))
                .map(|(name, _)| name)
                .collect();
            let tags = if index == 5 {
                "?".to_owned()
            } else {
                names.join(separator)
            };
            let split = ["train", "train", "val", "test"][index as usize % 4];
            writeln!(text, "{index:02}\t{tags}\t{split}\t{index}").unwrap();
        }
        write(&photos.join("told/mine.tsv"), text);
        let out = format!("run{}", separator.trim().len() + separator.len());
        let train = format!("{TRAIN} --labels told/mine.tsv --out {out}");
        let said = succeeds(path, &train);
        assert!(
            said.err.contains("not used: the columns age"),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("12 training, 6 test images"),
            "{}",
            said.err
        );
        let found = eval(path, &format!("{out} --split train"));
        assert_eq!(
            known(&found),
            ["above", "red", "striped"].map(|name| (name, 11.0 / 12.0))
        );
        let found = eval(path, &format!("{out} --split test"));
        assert_eq!(found["images"], 6);
    }
}

const FORTY: [&str; 4] = ["Bald", "Eyeglasses", "Smiling", "Young"];

/// CelebA's lists in its own form, with images of 32 x 32 pixels.
fn celeba(folder: &Path) {
    pictures(&folder.join("img_align_celeba"), |index| {
        format!("{:06}.jpg", index + 1)
    });
    let mut attributes = format!("{IMAGES}\n{} \r\n", FORTY.join(" "));
    let mut landmarks = format!(
        "{IMAGES}\nlefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x \
         leftmouth_y rightmouth_x rightmouth_y\n"
    );
    let mut parts = String::new();
    for index in 0..IMAGES {
        let name = format!("{:06}.jpg", index + 1);
        let signs = (0..4).map(|label| if has(index, label) { " 1" } else { "-1" });
        let signs: Vec<&str> = signs.collect();
        writeln!(attributes, "{name} {}  \r", signs.join(" ")).unwrap();
        writeln!(landmarks, "{name}  10 12  22 12  16 18  11 24   21 24").unwrap();
        writeln!(parts, "{name} {}", [0, 0, 1, 2][index as usize % 4]).unwrap();
    }
    write(&folder.join("list_attr_celeba.txt"), attributes);
    write(&folder.join("list_landmarks_align_celeba.txt"), landmarks);
    write(&folder.join("list_eval_partition.txt"), parts);
    // In the coordinates of other images: nobody reads it.
    write(&folder.join("list_bbox_celeba.txt"), "no list");
}

#[test]
fn celeba_as_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    celeba(&path.join("photos"));
    let said = succeeds(path, &format!("{TRAIN} --out run --json"));
    assert!(
        said.err.contains("12 training, 6 test images"),
        "{}",
        said.err
    );
    let results = parse(&said.out);
    let games = results["pointing_by_label"].as_array().unwrap();
    let games: Vec<_> = games
        .iter()
        .map(|game| (&game["name"], &game["images"]))
        .collect();
    // Images 2, 6, 10 and so on are held out. All of them show the second label, and every other
    // one the third: where it is absent, it has no place. The others have none anywhere.
    let expected = [("Eyeglasses", 6), ("Smiling", 3)]
        .map(|(name, count)| (Value::from(name), Value::from(count)));
    assert!(
        games
            .iter()
            .copied()
            .eq(expected.iter().map(|(name, count)| (name, count))),
        "{games:?}"
    );
    let found = eval(path, "run");
    assert_eq!(known(&found), FORTY.map(|name| (name, 1.0)));
    assert_eq!(eval(path, "run --split test")["images"], 6);
    fails(path, "score run --limit 2 --truth boxes", 1, &["boxes"]);
    succeeds(path, "data check photos --dataset attributes");

    let several = &[
        "photos holds a list of several labels an image",
        "--dataset attributes",
    ];
    fails(path, "data pack photos --out photos.abnpack", 1, several);
    fails(path, "data check photos", 1, several);

    // The same as tables, packed as Kaggle does.
    let photos = path.join("photos");
    for name in [
        "list_attr_celeba",
        "list_eval_partition",
        "list_landmarks_align_celeba",
    ] {
        let list = photos.join(format!("{name}.txt"));
        let text = fs::read_to_string(&list).unwrap();
        let cells = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(",");
        let rows: Vec<String> = text.lines().map(cells).collect();
        let table = match name {
            "list_eval_partition" => format!("image_id,partition\n{}", rows.join("\n")),
            _ => format!("image_id,{}", rows[1..].join("\n")),
        };
        write(&photos.join(format!("{name}.csv")), table);
        fs::remove_file(list).unwrap();
    }
    fs::rename(photos.join("img_align_celeba"), photos.join("inner")).unwrap();
    fs::create_dir(photos.join("img_align_celeba")).unwrap();
    fs::rename(
        photos.join("inner"),
        photos.join("img_align_celeba/img_align_celeba"),
    )
    .unwrap();
    assert_eq!(eval(path, "run"), found);
}

#[test]
fn a_landmark_outside_of_its_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    celeba(&photos);
    let list = photos.join("list_landmarks_align_celeba.txt");
    let text = fs::read_to_string(&list).unwrap();
    let line = "000005.jpg  10 12  22 12  16 18  11 24";
    write(&list, text.replace(line, &line.replace("16 18", "16 33")));
    let words = "list_landmarks_align_celeba.txt, line 7, column 6: the nose lies at 16, 33";
    fails(path, &format!("{TRAIN} --out run"), 1, &[words, "32x32"]);
    write(&list, text.replace(line, &line.replace("16 18", "16 1e")));
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["line 7, column 7: it says 1e"],
    );
    write(&list, text.replace("000005.jpg  10", "000005.jpg"));
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["line 7, column 10: it has 10 cells"],
    );
    write(&list, text);
    let list = photos.join("list_attr_celeba.txt");
    let text = fs::read_to_string(&list).unwrap();
    let cut: Vec<&str> = text.lines().take(10).collect();
    write(&list, cut.join("\n"));
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["line 1, column 1", "24 images, and 8 follow"],
    );
    write(&list, text.replacen("Bald", "Young", 1));
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["Young is the name of column 2, too"],
    );
    assert!(!path.join("other").exists());
}

/// What is wrong with a table is told with its line and column, before there is a run.
#[test]
fn a_bad_table_is_refused_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    pictures(&photos.join("images"), |index| format!("{index:02}.png"));
    let good = "00.png,1,0\n01.png,0,1\n02.png,1,1\n03.png,0,0\n";
    for (text, words) in [
        (
            format!("image,red,hat\n{good}04.png,1,2\n"),
            "labels.csv, line 6, column 3: it says 2 of hat",
        ),
        (
            format!("image,red,hat\n{good}04.png,0.5,1\n"),
            "line 6, column 2: it says 0.5 of red",
        ),
        (
            format!("red,image,hat\n{good}"),
            "line 2, column 2: there is no image 1",
        ),
        (
            format!("picture,red,hat\n{good}"),
            "line 1, column 1: its columns are picture, red, hat",
        ),
        (
            format!("image,red,red\n{good}"),
            "line 1, column 3: red is the name of column 2, too",
        ),
        (
            format!("image,red,\n{good}"),
            "line 1, column 3: the name is empty",
        ),
        (
            format!("image,red,hat\n{good}./02.png,1,1\n"),
            "line 6, column 1: images/02.png is named a second time, after line 4",
        ),
        (
            format!("image,red,hat\n{good}77.png,1,1\n"),
            "line 6, column 1: there is no image 77.png",
        ),
        (
            format!("image,red,hat\n{good}../../secret.png,1,1\n"),
            "line 6, column 1: ../../secret.png lies outside",
        ),
        (
            format!("image,red,hat\n{good}/etc/passwd,1,1\n"),
            "line 6, column 1: /etc/passwd lies outside",
        ),
        (
            format!("image,red,hat\n{good}04.png,1\n"),
            "line 6, column 2: it has 2 cells: expected 3",
        ),
        (
            format!("image,red,hat\n{good}04.png,1,0,1\n"),
            "line 6, column 3: it has 4 cells: expected 3",
        ),
        (
            format!("image,red,h\x1bat\n{good}"),
            "line 1, column 3: the name h\\u{1b}at has control characters",
        ),
        (
            format!("image,red,hat\n{good}\x0704.png,1,1\n"),
            "line 6, column 1: the name \\u{7}04.png has control characters",
        ),
        (
            "image,red,hat\n00.png,1,?\n01.png,0,\n".to_owned(),
            "line 1, column 3: hat is unknown for all images",
        ),
        (
            format!("image,red,hat\n{good}04.png,-1,1\n"),
            "line 6, column 2: it says -1, and line 2, column 3 says 0",
        ),
        (
            "image,red,split\n00.png,1,train\n01.png,0,\n".to_owned(),
            "line 3, column 3: there is no split",
        ),
        (
            "image,red,fold\n00.png,1,0\n01.png,0,1\n".to_owned(),
            "line 2, column 3: there is no split 0",
        ),
        ("image,red\n".to_owned(), "it names no image"),
        ("image\n00.png\n".to_owned(), "it has 0 labels"),
        (String::new(), "labels.csv is empty"),
    ] {
        write(&photos.join("labels.csv"), &text);
        fails(path, &format!("{TRAIN} --out run"), 1, &[words]);
    }
    write(
        &photos.join("labels.csv"),
        "image,red,split\n00.png,1,train\n01.png,0,0\n",
    );
    fails(
        path,
        &format!("{TRAIN} --out run"),
        1,
        &["held-out images beside those to learn from"],
    );
    fails(
        path,
        &format!("{TRAIN} --labels other.csv --out run"),
        1,
        &["photos/other.csv does not exist"],
    );
    fs::remove_file(photos.join("labels.csv")).unwrap();
    fails(
        path,
        &format!("{TRAIN} --out run"),
        1,
        &["photos/labels.csv does not exist", "CelebA"],
    );
    write(&photos.join("a.csv"), "image,red\n00.png,1\n");
    write(&photos.join("b.csv"), "image,red\n00.png,1\n");
    fails(
        path,
        &format!("{TRAIN} --out run"),
        1,
        &["a.csv", "b.csv", "both tell"],
    );
    fails(
        path,
        &TRAIN.replace("photos", "nowhere"),
        1,
        &["nowhere does not exist"],
    );
    fails(
        path,
        &TRAIN.replace("photos", "photos/a.csv"),
        1,
        &["a.csv is a file", "or a pack of one"],
    );
    fails(
        path,
        &TRAIN.replace("--data photos", ""),
        1,
        &["needs --data DIR", "a list of their labels"],
    );
    assert!(
        !path.join("run").exists(),
        "a run was made before the error was found"
    );
}

#[test]
fn damaged_images_of_a_table_are_named_skipped_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    table(&photos);
    let text = fs::read_to_string(photos.join("labels.csv")).unwrap();
    let lines = text.lines().enumerate();
    let more = |(number, line)| match number {
        0 => format!("{line},same\n"),
        _ => format!("{line},1\n"),
    };
    write(
        &photos.join("labels.csv"),
        lines.map(more).collect::<String>(),
    );
    let file = photos.join("images/07.png");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let said = fails(
        path,
        "data check photos --dataset attributes",
        1,
        &["one thing is wrong"],
    );
    assert!(said.out.contains("images/07.png"), "{}", said.out);
    fails(path, &format!("{TRAIN} --out other"), 1, &["images/07.png"]);
    let skip = "--on-corrupt skip --max-corrupt 0.3 --epochs";
    let train = format!(
        "{} --out",
        TRAIN.replace("--epochs 1", &format!("{skip} 2"))
    );
    let said = succeeds(path, &format!("{train} whole"));
    assert!(
        said.err
            .contains("always the same in the training images: same"),
        "{}",
        said.err
    );
    // Where the file is gone, a run that knows it goes on as if it were there.
    stop_after_first_checkpoint(path, &format!("{train} run --save-every 0"));
    fs::remove_file(&file).unwrap();
    succeeds(path, "train --out run");
    check_same(&remains(&path.join("whole")), &remains(&path.join("run")));
    succeeds(path, "eval run");
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["line 9", "there is no image 07.png"],
    );
}

const CLASSES: [&str; 3] = ["bottle", "cat", "dog"];

/// VOC with three classes: difficult dogs in every sixth image.
fn voc(folder: &Path) {
    let name = |index: u32| format!("2008_{index:06}");
    pictures(&folder.join("JPEGImages"), |index| {
        format!("{}.jpg", name(index))
    });
    for (part, numbers) in [
        ("train", 0..14),
        ("val", 14..20),
        ("test", 20..24),
        ("trainval", 0..20),
    ] {
        for (class, label) in CLASSES.into_iter().zip(0..) {
            let mut text = String::new();
            for index in numbers.clone() {
                let sign = match (has(index, label), class) {
                    (true, "dog") if index % 6 == 4 => " 0",
                    (true, _) => " 1",
                    (false, _) => "-1",
                };
                writeln!(text, "{} {sign}", name(index)).unwrap();
            }
            write(
                &folder.join(format!("ImageSets/Main/{class}_{part}.txt")),
                text,
            );
        }
        let names: Vec<String> = numbers.map(name).collect();
        write(
            &folder.join(format!("ImageSets/Main/{part}.txt")),
            names.join("\n"),
        );
    }
    for index in 0..IMAGES {
        let mut text = "<annotation><size><width>32</width></size>\n".to_owned();
        for (class, label) in CLASSES
            .into_iter()
            .zip(0..)
            .filter(|(_, label)| has(index, *label))
        {
            let x = 1 + 8 * label;
            writeln!(
                text,
                "<object><name>{class}</name><bndbox><xmin>{x}</xmin><ymin>1</ymin><xmax>{}</xmax>\
                 <ymax>8</ymax></bndbox><part><name>cat</name></part></object>",
                x + 7
            )
            .unwrap();
        }
        text.push_str("</annotation>");
        write(
            &folder.join(format!("Annotations/{}.xml", name(index))),
            text,
        );
    }
}

#[test]
fn voc_as_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let root = path.join("photos/VOCdevkit/VOC2012");
    voc(&root);
    let said = succeeds(path, &format!("{TRAIN} --out run --json"));
    assert!(
        said.err.contains("14 training, 6 test images"),
        "{}",
        said.err
    );
    let games = parse(&said.out)["pointing_by_label"].clone();
    for game in games.as_array().unwrap() {
        is_about(&game["chance"], 0.0625);
    }
    // Image 4 shows a difficult dog.
    let found = eval(path, "run");
    assert_eq!(known(&found), CLASSES.map(|name| (name, 1.0)));
    let found = eval(path, "run --split train");
    assert_eq!(known(&found)[2], ("dog", 13.0 / 14.0));
    assert_eq!(eval(path, "run --split test")["images"], 4);
    succeeds(path, "data check photos --dataset attributes");
    // From the folder itself it is the same.
    fs::rename(&root, path.join("inner")).unwrap();
    fs::remove_dir_all(path.join("photos")).unwrap();
    fs::rename(path.join("inner"), path.join("photos")).unwrap();
    assert_eq!(eval(path, "run --split train"), found);
    let photos = path.join("photos");
    for (list, text, words) in [
        (
            "ImageSets/Main/cat_val.txt",
            "2008_000014 1\n",
            "cat_val.txt: it lacks photos",
        ),
        (
            "ImageSets/Main/cat_val.txt",
            "2008_000014 2\n",
            "cat_val.txt, line 1, column 2: it says 2",
        ),
        (
            "ImageSets/Main/cat_val.txt",
            "2008_000014 1 1\n",
            "line 1, column 2: it has 3 cells",
        ),
        (
            "ImageSets/Main/cat_val.txt",
            "2008_000001 1\n",
            "line 1, column 1: other classes lack 2008_000001",
        ),
        (
            "ImageSets/Main/bottle_val.txt",
            "\n2008_000099 1\n",
            "line 2, column 1: there is no image JPEGImages/2008_000099.jpg",
        ),
        (
            "ImageSets/Main/bottle_val.txt",
            "../../x 1\n",
            "../../x lies outside",
        ),
        (
            "Annotations/2008_000003.xml",
            "<annotation>\n<object></object>",
            "2008_000003.xml: line 2: the object",
        ),
    ] {
        let before = fs::read(photos.join(list)).unwrap();
        write(&photos.join(list), text);
        let words = words.replace("photos", "JPEGImages/2008_000015.jpg");
        fails(path, &format!("{TRAIN} --out other"), 1, &[&words]);
        fs::write(photos.join(list), before).unwrap();
        let _ = fs::remove_dir_all(path.join("other"));
    }
    fs::remove_file(photos.join("ImageSets/Main/dog_train.txt")).unwrap();
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["dog_train.txt does not exist"],
    );
}

/// COCO's file of a split, with three categories whose ids have gaps.
fn instances(part: &str, numbers: std::ops::Range<u32>) -> Value {
    let images = numbers.clone().map(|index| {
        serde_json::json!({"license": 4, "file_name": format!("{index:012}.jpg"), "id": index + 100,
            "height": 32, "width": 32, "coco_url": part})
    });
    let categories = CLASSES.into_iter().zip([90, 7, 18]);
    let categories = categories
        .map(|(name, id)| serde_json::json!({"id": id, "name": name, "supercategory": "x"}));
    let mut annotations = Vec::new();
    for (label, id) in [90, 7, 18].into_iter().enumerate() {
        for index in numbers.clone().filter(|index| has(*index, label as u32)) {
            annotations.push(
                serde_json::json!({"segmentation": [[1.5, 2, 3, 4, 5, 6]], "area": 16.25,
                "iscrowd": u32::from(index % 5 == 0), "image_id": index + 100,
                "bbox": [8 * label, 0.0, 8.0, 8], "category_id": id, "id": annotations.len()}),
            );
        }
    }
    serde_json::json!({"info": {"year": 2017}, "licenses": [], "images": images.collect::<Vec<_>>(),
        "annotations": annotations, "categories": categories.collect::<Vec<_>>()})
}

#[test]
fn coco_as_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    pictures(&photos, |index| {
        let part = if index < 16 { "train2017" } else { "val2017" };
        format!("{part}/{index:012}.jpg")
    });
    let file = |part: &str| photos.join(format!("annotations/instances_{part}.json"));
    write(
        &file("train2017"),
        instances("train2017", 0..16).to_string(),
    );
    let val = instances("val2017", 16..24);
    write(&file("val2017"), val.to_string());
    write(&photos.join("annotations/captions_val2017.json"), "[]");
    let said = succeeds(path, &format!("{TRAIN} --out run --json"));
    assert!(
        said.err.contains("16 training, 8 test images"),
        "{}",
        said.err
    );
    let results = parse(&said.out);
    let games = results["pointing_by_label"].as_array().unwrap();
    for game in games {
        assert_eq!(game["images"], 4, "{game}");
        is_about(&game["chance"], 0.0625);
    }
    // By the ids of the categories.
    let found = eval(path, "run");
    assert_eq!(
        known(&found),
        ["cat", "dog", "bottle"].map(|name| (name, 1.0))
    );
    succeeds(path, "data check photos --dataset attributes");
    let train = format!("{TRAIN} --out other");
    let changed = |key: &str, place: usize, field: &str, value: Value| {
        let mut val = val.clone();
        val[key][place][field] = value;
        write(&file("val2017"), val.to_string());
    };
    for (key, field, value, words) in [
        ("images", "id", 117.into(), "two images have the id 117"),
        (
            "images",
            "file_name",
            "x.jpg".into(),
            "there is no image val2017/x.jpg",
        ),
        (
            "images",
            "file_name",
            "../../x.jpg".into(),
            "../../x.jpg lies outside",
        ),
        (
            "images",
            "file_name",
            "000000000017.jpg".into(),
            "val2017/000000000017.jpg is there twice",
        ),
        (
            "annotations",
            "image_id",
            5.into(),
            "the image with the id 5, which is not there",
        ),
        (
            "annotations",
            "category_id",
            5.into(),
            "the category with the id 5, which is not there",
        ),
        (
            "annotations",
            "bbox",
            serde_json::json!([1, 2, 3]),
            "instances_val2017.json: line 1, column",
        ),
        (
            "annotations",
            "bbox",
            serde_json::json!([3e38, 2, 3e38, 4]),
            "has no end",
        ),
        ("categories", "id", 7.into(), "two categories have the id 7"),
        (
            "categories",
            "name",
            "cow".into(),
            "not those of the other file",
        ),
        (
            "categories",
            "name",
            "c\u{1b}w".into(),
            "without control characters",
        ),
    ] {
        changed(key, 0, field, value);
        fails(path, &train, 1, &[words]);
    }
    let text = val.to_string();
    write(&file("val2017"), &text[..text.len() / 2]);
    fails(
        path,
        &train,
        1,
        &[
            "instances_val2017.json: it ends within a value",
            "line 1, column",
        ],
    );
    fs::remove_file(file("val2017")).unwrap();
    fails(
        path,
        &train,
        1,
        &["held-out images beside those to learn from"],
    );
    assert!(!path.join("other").exists());
}

/// Make, model and year of a car: two makes with two models each, of which the test images have
/// three.
fn car(index: u32) -> String {
    let (make, model) = [(78, 3), (9, 1203), (78, 12), (9, 40)][index as usize % 4];
    format!("{make}/{model}/2014/{index:014x}.jpg")
}

/// CompCars in its own form.
fn cars(folder: &Path) {
    pictures(&folder.join("image"), car);
    for index in 0..IMAGES {
        let label = folder.join("label").join(car(index)).with_extension("txt");
        write(&label, "-1\n1\n1 1 16 8\n");
    }
    let lines =
        |numbers: &mut dyn Iterator<Item = u32>| numbers.map(car).collect::<Vec<_>>().join("\n");
    let lists = folder.join("train_test_split/classification");
    write(&lists.join("train.txt"), lines(&mut (0..16)));
    write(
        &lists.join("test.txt"),
        lines(&mut (16..24).filter(|index| index % 4 < 3)),
    );
}

#[test]
fn make_and_model_of_compcars() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    cars(&path.join("photos/data"));
    let said = succeeds(path, &format!("{TRAIN} --labels both --out both --json"));
    for words in [
        "16 training, 6 test images",
        "make_model_name.mat is not there",
    ] {
        assert!(said.err.contains(words), "no `{words}` in {}", said.err);
    }
    let results = parse(&said.out);
    assert_eq!(results["pointing"]["images"], 6);
    is_about(&results["pointing"]["chance"], 0.125);
    let both = config(&path.join("both"));
    let expected = serde_json::json!([
        {"name": "make", "classes": ["make 9", "make 78"]},
        {"name": "model", "classes": ["model 3", "model 12", "model 40", "model 1203"]}
    ]);
    assert_eq!(both["labels"], expected);
    assert_eq!(eval(path, "both")["groups"].as_array().unwrap().len(), 2);
    // One label alone, the model unless said otherwise; the first images show all of them.
    succeeds(path, &format!("{TRAIN} --limit 4 --out model"));
    let model = config(&path.join("model"));
    assert_eq!(model["labels"], serde_json::json!([expected[1]]));
    succeeds(path, &format!("{TRAIN} --labels make --out make"));
    assert_eq!(eval(path, "make")["images"], 6);
    let check = "data check photos/data --dataset attributes";
    let said = succeeds(path, &format!("{check} --labels make"));
    assert!(said.out.contains("22 images"), "{}", said.out);
    fails(path, &format!("{check} --labels wheels"), 1, &["wheels"]);
    let photos = path.join("photos/data");
    let list = photos.join("train_test_split/classification/test.txt");
    for (text, words) in [
        (
            "9/9999/2014/a.jpg",
            "there is no image data/image/9/9999/2014/a.jpg",
        ),
        (
            "9/9999/2014/00000000000001.jpg",
            "train.txt has no car of the model 9999",
        ),
        (
            "9/1203/00000000000001.jpg",
            "expected make/model/year/name.jpg",
        ),
        ("../1203/2014/a.jpg", "lies outside"),
        (
            "78/3/2014/00000000000000.jpg",
            "is named a second time, after line 1",
        ),
    ] {
        if text.contains("9999/2014/0") {
            fs::create_dir_all(photos.join("image/9/9999/2014")).unwrap();
            picture(1)
                .save_with_format(photos.join("image").join(text), image::ImageFormat::Png)
                .unwrap();
        }
        write(&list, format!("{}\n{text}\n", car(16)));
        fails(
            path,
            &format!("{TRAIN} --labels both --out other"),
            1,
            &["test.txt, line 2, column 1: ", words],
        );
    }
    write(&list, car(16));
    write(
        &photos.join("label").join(car(16)).with_extension("txt"),
        "-1\n1\n9 9 1 1\n",
    );
    fails(
        path,
        &format!("{TRAIN} --out other"),
        1,
        &["00000000000010.txt: its third line is no box"],
    );
}

#[test]
fn attributes_of_birds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    let name = |index: u32| format!("{:03}.Bird/Bird_{index:04}.jpg", index % 2 + 1);
    pictures(&photos.join("images"), name);
    let [mut images, mut splits, mut boxes, mut told] = [const { String::new() }; 4];
    for index in 0..IMAGES {
        let id = index + 1;
        writeln!(images, "{id} {}", name(index)).unwrap();
        writeln!(splits, "{id} {}", u32::from(index < 16)).unwrap();
        writeln!(boxes, "{id} 0.0 0.0 16.0 8.0").unwrap();
        for label in 0..3 {
            // What is not to be seen is said to be absent.
            let (is_there, certainty) = match (has(index, label), index % 4) {
                (_, 3) if label == 2 => (0, 1),
                (true, _) => (1, 4),
                (false, _) => (0, 3),
            };
            writeln!(told, "{id} {} {is_there} {certainty} 27.7080", label + 1).unwrap();
        }
    }
    write(&photos.join("images.txt"), images);
    write(&photos.join("train_test_split.txt"), splits);
    write(&photos.join("bounding_boxes.txt"), boxes);
    write(&photos.join("attributes/image_attribute_labels.txt"), &told);
    let names = [
        "has_bill_shape::curved",
        "has_wing_color::red",
        "has_size::small",
    ];
    let listed: String = (1..)
        .zip(names)
        .map(|(id, name)| format!("{id} {name}\n"))
        .collect();
    // Published beside the folder.
    write(&path.join("attributes.txt"), listed);
    let said = succeeds(path, &format!("{TRAIN} --out run"));
    assert!(
        said.err.contains("16 training, 8 test images"),
        "{}",
        said.err
    );
    assert!(said.err.contains("6 of 72 values unknown"), "{}", said.err);
    let found = eval(path, "run");
    assert_eq!(
        known(&found),
        [(names[0], 1.0), (names[1], 1.0), (names[2], 0.75)]
    );
    for (text, words) in [
        (
            told.replacen("1 1 0 3", "1 1 2 3", 1),
            "line 1, column 3: it says 2",
        ),
        (
            told.replacen("1 1 0 3", "1 9 0 3", 1),
            "line 1, column 2: there is no attribute 9",
        ),
        (
            told.replacen("1 1 0 3", "99 1 0 3", 1),
            "line 1, column 1: there is no image 99",
        ),
        (
            told.replacen("1 1 0 3 27.7080", "1 1 0", 1),
            "line 1, column 3: it has 3 cells",
        ),
    ] {
        write(&photos.join("attributes/image_attribute_labels.txt"), text);
        fails(
            path,
            &format!("{TRAIN} --out other"),
            1,
            &["image_attribute_labels.txt", words],
        );
    }
}

/// A training on a pack is that on its folder, bit by bit, also when it is killed.
#[test]
fn a_training_on_a_pack_is_that_on_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let metrics = |run: &str| {
        ["metrics.jsonl", "results.json"].map(|name| fs::read(path.join(run).join(name)).unwrap())
    };
    for (name, labels) in [("table", None), ("celeba", None), ("cars", Some("both"))] {
        let photos = path.join("photos");
        match name {
            "table" => table(&photos),
            "celeba" => celeba(&photos),
            _ => cars(&photos),
        }
        let labels = labels.map_or(String::new(), |labels| format!(" --labels {labels}"));
        let pack = format!("data pack photos --dataset attributes{labels} --out {name}.abnpack");
        let packed = parse(&succeeds(path, &format!("{pack} --json")).out);
        assert!(packed["images"].as_u64().unwrap() >= 22, "{packed}");
        let train = format!("{TRAIN}{labels}");
        let on_pack = train.replace("--data photos", &format!("--data {name}.abnpack"));
        let one = succeeds(path, &format!("{train} --out {name}"));
        let other = succeeds(path, &format!("{on_pack} --out {name}-pack --workers 0"));
        let told = |text: &str| {
            text.lines()
                .find(|line| line.contains("labels are those"))
                .map(str::to_owned)
        };
        assert!(told(&one.err).is_some());
        assert_eq!(told(&one.err), told(&other.err));
        assert_eq!(metrics(name), metrics(&format!("{name}-pack")));
        // Each run is measured on the other one's images as on its own.
        let own = eval(path, name);
        let moved = [
            format!("{name} --data {name}.abnpack"),
            format!("{name}-pack --data photos"),
        ];
        for arguments in &moved {
            assert_eq!(eval(path, arguments), own, "{arguments}");
        }
        let checked = succeeds(
            path,
            &format!("data check {name}.abnpack --dataset attributes"),
        );
        assert!(checked.out.contains("nothing is wrong"), "{}", checked.out);
        if name == "table" {
            let two = on_pack.replace("--epochs 1", "--epochs 2");
            succeeds(path, &format!("{two} --out whole"));
            killed_and_continued(path, &two, "parts");
            check_same(&remains(&path.join("whole")), &remains(&path.join("parts")));
        }
        fs::remove_dir_all(&photos).unwrap();
    }
    fails(
        path,
        &TRAIN.replace(
            "--dataset attributes --data photos",
            "--dataset folder --data table.abnpack",
        ),
        1,
        &["holds several labels an image", "--dataset attributes"],
    );
    fails(
        path,
        &format!(
            "{} --labels make --out other",
            TRAIN.replace("photos", "cars.abnpack")
        ),
        1,
        &["holds the labels of both: expected those of make"],
    );
    // One flipped bit is found, and named.
    let file = path.join("table.abnpack");
    let mut bytes = fs::read(&file).unwrap();
    bytes[400] ^= 4;
    fs::write(&file, bytes).unwrap();
    let check = "data check table.abnpack --dataset attributes";
    fails(path, check, 1, &["table.abnpack"]);
    let train = TRAIN.replace("photos", "table.abnpack");
    fails(
        path,
        &format!("{train} --out third"),
        1,
        &["images/00.png in", "is damaged"],
    );
}

/// Cars cropped to their boxes, from their folder and from a pack of whole files.
#[test]
fn images_are_cropped_to_the_box_of_their_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    cars(&photos);
    let crop = format!("{TRAIN} --crop-to-object");
    let said = succeeds(path, &format!("{crop} --out run --json"));
    let of_run = config(&path.join("run"));
    assert_eq!(of_run["recipe"]["crop_to_object"], true);
    // The box is all that there is.
    let chance = parse(&said.out)["pointing"]["chance"].as_f64().unwrap();
    assert!(chance > 0.99, "{chance}");
    succeeds(path, &format!("{TRAIN} --out whole"));
    assert_eq!(
        config(&path.join("whole"))["recipe"]["crop_to_object"],
        Value::Null
    );
    let figures = |run: &str| fs::read(path.join(run).join("metrics.jsonl")).unwrap();
    assert_ne!(figures("run"), figures("whole"));
    // What follows crops as well: the upper left corner alone is looked at.
    let own = eval(path, "run");
    for index in 0..IMAGES {
        let file = photos.join("image").join(car(index));
        let mut image = picture(index);
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            if x >= 16 || y >= 8 {
                *pixel = Rgb([255, 0, 255]);
            }
        }
        image
            .save_with_format(file, image::ImageFormat::Png)
            .unwrap();
    }
    assert_eq!(eval(path, "run --split train")["images"], 16);
    assert_eq!(eval(path, "run --split test"), own);

    let pack = "data pack photos --dataset attributes --crop-to-object";
    succeeds(path, &format!("{pack} --out files.abnpack"));
    assert_eq!(eval(path, "run --data files.abnpack"), own);
    succeeds(path, &format!("{pack} --size 32 --out pixels.abnpack"));
    let on =
        |data: &str, command: &str| command.replace("--data photos", &format!("--data {data}"));
    succeeds(
        path,
        &format!("{} --out small", on("pixels.abnpack", &crop)),
    );
    fails(
        path,
        &format!("{} --out other", on("pixels.abnpack", TRAIN)),
        1,
        &["cropped to their objects", "--crop-to-object"],
    );
    succeeds(
        path,
        "data pack photos --dataset attributes --out plain.abnpack",
    );
    fails(
        path,
        &format!("{} --out other", on("plain.abnpack", &crop)),
        1,
        &["holds no boxes", "--crop-to-object"],
    );
    let label = photos.join("label").join(car(5)).with_extension("txt");
    write(&label, "-1\n1\n90 1 99 8\n");
    fails(
        path,
        &format!("{crop} --out other"),
        1,
        &[
            "00000000000005.txt, line 3",
            "holds no pixel of the image, which has 32x32",
        ],
    );
    fs::remove_file(label).unwrap();
    fails(
        path,
        &format!("{crop} --out other"),
        1,
        &["there is no box of it"],
    );
    fs::remove_dir_all(&photos).unwrap();
    celeba(&photos);
    fails(
        path,
        &format!("{crop} --out other"),
        1,
        &["has no box for each image"],
    );
    fails(
        path,
        &crop.replace("attributes", "folder"),
        1,
        &["crop_to_object", "only of attributes"],
    );
    fails(
        path,
        "data pack photos --crop-to-object --out other.abnpack",
        1,
        &["need --dataset attributes"],
    );
}

/// A table a split, and a label that is the only one.
#[test]
fn tables_of_splits_and_a_single_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    pictures(&photos.join("images"), |index| format!("{index:02}.png"));
    let rows = |range: std::ops::Range<u32>| -> String {
        range
            .map(|index| format!("{index:02}.png,{}\n", u32::from(has(index, 0))))
            .collect()
    };
    write(
        &photos.join("train.csv"),
        format!("image,red\n{}", rows(0..14)),
    );
    write(
        &photos.join("val.csv"),
        format!("image,red\n{}", rows(14..20)),
    );
    let said = succeeds(path, &format!("{TRAIN} --out run"));
    for words in [
        "14 training, 6 test images",
        "a table a split: train.csv, val.csv",
    ] {
        assert!(said.err.contains(words), "no `{words}` in {}", said.err);
    }
    let of_run = config(&path.join("run"));
    let expected = serde_json::json!([{"name": "red", "classes": ["no", "yes"]}]);
    assert_eq!(
        (&of_run["version"], &of_run["labels"]),
        (&3.into(), &expected)
    );
    assert!(eval(path, "run")["top1"].is_number());
    succeeds(path, "train --out run");
}

/// Weights by labels that lists tell, of the first images alone, and without looking at one.
#[test]
fn labels_are_counted_without_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let photos = path.join("photos");
    pictures(&photos, |index| format!("{index:02}.png"));
    let rows: String = (0..IMAGES)
        .map(|index| {
            let split = if index < 18 { "train" } else { "val" };
            format!(
                "{index:02}.png,{},{},{split}\n",
                u32::from(index < 2),
                u32::from(index != 1)
            )
        })
        .collect();
    write(
        &photos.join("labels.csv"),
        format!("image,red,above,split\n{rows}"),
    );
    fs::write(photos.join("03.png"), "no picture").unwrap();
    let train = format!(
        "{TRAIN} --limit 8 --on-corrupt skip --max-corrupt 0.5 --binary sigmoid \
         --positive-weight balanced --out run"
    );
    let said = succeeds(path, &train);
    assert!(
        said.err.contains("training: 8 images with")
            && said.err.contains("each in 2 (red) to 7 (above)"),
        "{}",
        said.err
    );
    // Six absent over two present ones, and one over seven.
    let positive = &config(&path.join("run"))["recipe"]["penalty"]["positive"];
    assert_eq!(positive, &serde_json::json!([3.0, 1.0 / 7.0]));
    // The damaged one is counted whether it is known or not: the same command continues.
    succeeds(path, &train);
}
