//! Damaged and hostile lists of several labels an image, made from good ones by chance: tables,
//! CelebA's, VOC's, COCO's, CompCars' and CUB's. Each is read or refused with one cause, without a
//! panic, in bounded memory and time, and no image outside the folder is ever named.
//!
//! A binary of its own, because its allocator counts. Other runs of it: see `hostile/mod.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;

use std::fs;
use std::path::{Path, PathBuf};

use abn_data::{AttributeFolder, Collection, Split, attributes};
use hostile::driven::{change, drive, is_fit_to_print};
use hostile::{alone, watched};
use image::{Rgb, RgbImage};
use rand::RngExt;
use rand_pcg::Pcg64;
use tempfile::TempDir;

/// What opening may take beyond the size of the list, and how much more per byte of it: a label of
/// an image is a byte at least, and names of labels are told of every image.
const CONSTANT: usize = 4 << 20;
const PER_BYTE: usize = 256;

const IMAGES: [&str; 10] = [
    "a.png",
    "b.png",
    "img_align_celeba/1.jpg",
    "img_align_celeba/2.jpg",
    "JPEGImages/a.jpg",
    "JPEGImages/b.jpg",
    "val2017/a.jpg",
    "image/1/2/2014/a.jpg",
    "image/1/2/2014/b.jpg",
    "images/1.Bird/a.jpg",
];

/// A layout: the list that is changed, and those beside it.
struct Layout {
    list: &'static str,
    text: &'static str,
    beside: &'static [(&'static str, &'static str)],
    /// Whether images are cropped to their boxes.
    crop: bool,
}

const LAYOUTS: [Layout; 13] = [
    Layout {
        list: "labels.csv",
        text: "image,red,hat,split\na.png,1,?,train\nb.png,0,yes,val\n",
        beside: &[],
        crop: false,
    },
    Layout {
        list: "labels.csv",
        text: "image,tags\na,red|big hat\nb,hat\n",
        beside: &[],
        crop: false,
    },
    Layout {
        list: "list_attr_celeba.txt",
        text: "2\nSmiling Young\n1.jpg -1  1\n2.jpg  1 -1\n",
        beside: &[("list_eval_partition.txt", "1.jpg 0\n2.jpg 1\n")],
        crop: false,
    },
    Layout {
        list: "list_eval_partition.txt",
        text: "1.jpg 0\n2.jpg 1\n",
        beside: &[(
            "list_attr_celeba.csv",
            "image_id,Smiling,Young\n1.jpg,-1,1\n2.jpg,1,-1\n",
        )],
        crop: false,
    },
    Layout {
        list: "list_landmarks_align_celeba.txt",
        text: "2\na b c d e f g h i j\n1.jpg 0 0 1 0 1 1 0 1 1 1\n2.jpg 0 0 1 0 1 1 0 1 1 1\n",
        beside: &[
            (
                "list_attr_celeba.txt",
                "2\nSmiling Young\n1.jpg -1 1\n2.jpg 1 -1\n",
            ),
            ("list_eval_partition.txt", "1.jpg 0\n2.jpg 1\n"),
        ],
        crop: false,
    },
    Layout {
        list: "ImageSets/Main/cat_val.txt",
        text: "a -1\nb 1\n",
        beside: &[("ImageSets/Main/dog_val.txt", "a 1\nb -1\n")],
        crop: false,
    },
    Layout {
        list: "Annotations/a.xml",
        text: "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>\
               <xmax>2</xmax><ymax>1</ymax></bndbox></object></annotation>",
        beside: &[("ImageSets/Main/cat_val.txt", "a 1\nb -1\n")],
        crop: false,
    },
    Layout {
        list: "annotations/instances_val2017.json",
        text: r#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 3, "image_id": 1,
               "category_id": 2, "bbox": [0, 0, 1, 2]}], "categories": [{"id": 2, "name": "cat"}]}"#,
        beside: &[],
        crop: false,
    },
    Layout {
        list: "train_test_split/classification/test.txt",
        text: "1/2/2014/a.jpg\n",
        beside: &[(
            "train_test_split/classification/train.txt",
            "1/2/2014/b.jpg\n",
        )],
        crop: false,
    },
    Layout {
        list: "attributes/image_attribute_labels.txt",
        text: "1 1 0 3 27.7\n1 2 1 4 2.5\n",
        beside: &[
            ("images.txt", "1 1.Bird/a.jpg\n"),
            ("train_test_split.txt", "1 0\n"),
            ("attributes.txt", "1 has_bill::long\n2 has_wing::red\n"),
            ("bounding_boxes.txt", "1 0.0 0.0 1.0 1.0\n"),
        ],
        crop: false,
    },
    Layout {
        list: "val.csv",
        text: "image,hat,red\nb.png,1,?\n",
        beside: &[("train.csv", "image,red,hat\na.png,0,1\n")],
        crop: false,
    },
    Layout {
        list: "label/1/2/2014/a.txt",
        text: "1\n1\n1 1 2 2\n",
        beside: &[
            (
                "train_test_split/classification/train.txt",
                "1/2/2014/b.jpg\n",
            ),
            (
                "train_test_split/classification/test.txt",
                "1/2/2014/a.jpg\n",
            ),
            ("label/1/2/2014/b.txt", "1\n1\n1 1 2 2\n"),
        ],
        crop: true,
    },
    Layout {
        list: "boxes.csv",
        text: "image,x0,y0,x1,y1\na.png,0,0,1,1\nb.png,0,0,2,2\n",
        beside: &[(
            "labels.csv",
            "image,red,split\na.png,1,train\nb.png,0,val\n",
        )],
        crop: true,
    },
];

/// A folder with one layout.
struct Place {
    _dir: TempDir,
    dir: PathBuf,
    crop: bool,
}

impl Place {
    fn new(layout: &Layout) -> Self {
        let all = tempfile::tempdir().unwrap();
        let dir = all.path().join("set");
        for name in IMAGES {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let image = RgbImage::from_pixel(2, 2, Rgb([7; 3]));
            image
                .save_with_format(path, image::ImageFormat::Png)
                .unwrap();
        }
        let place = Self {
            _dir: all,
            dir,
            crop: layout.crop,
        };
        for (name, text) in layout.beside {
            place.write(name, text.as_bytes());
        }
        place
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Writing over a file waits for the disk, on ext4; making a new one does not.
        let _ = fs::remove_file(&path);
        fs::write(path, content).unwrap();
    }

    /// Opens the set and reads all its images; the cause if it is refused.
    fn judge(&self, size: usize) -> Result<(), String> {
        for split in [Split::HeldOut, Split::All, Split::Train] {
            let request = AttributeFolder {
                dir: &self.dir,
                labels: None,
                split,
                seed: 0,
                truth: None,
                known: None,
                once: None,
                crop: self.crop,
            };
            let (opened, rise) = watched(|| attributes(&request));
            assert!(
                rise <= CONSTANT + PER_BYTE * size,
                "{rise} bytes for {size}"
            );
            match opened {
                Ok(collection) => self.look_at(&collection)?,
                // Of some layouts there is but one of the two.
                Err(error) if split != Split::HeldOut => is_fit_to_print(&error.to_string()),
                Err(error) => return Err(self.told(&error.to_string())),
            }
        }
        Ok(())
    }

    fn told(&self, cause: &str) -> String {
        is_fit_to_print(cause);
        let dir = self.dir.display().to_string();
        assert!(cause.contains(&dir), "{cause}");
        cause.replace(&dir, "")
    }

    fn look_at(&self, collection: &Collection) -> Result<(), String> {
        let files = collection.files.as_ref().unwrap();
        assert!(!collection.samples.is_empty());
        let groups = collection.labels.groups();
        groups.iter().for_each(|group| is_fit_to_print(&group.name));
        collection
            .notes
            .iter()
            .for_each(|note| is_fit_to_print(note));
        for index in 0..collection.samples.len() {
            let path = files.path(index).unwrap();
            assert!(is_inside(&path, &self.dir), "{path:?}");
            is_fit_to_print(&files.name(index));
            match collection.samples.get(index) {
                Ok(sample) => assert_eq!(sample.target.classes().len(), groups.len()),
                Err(error) => {
                    assert!(error.is_damage(), "{error}");
                    return Err(self.told(&error.to_string()));
                }
            }
        }
        Ok(())
    }
}

fn is_inside(path: &Path, dir: &Path) -> bool {
    path.canonicalize()
        .unwrap()
        .starts_with(dir.canonicalize().unwrap())
}

#[test]
fn mutated_lists_are_read_or_refused() {
    let _alone = alone();
    for layout in LAYOUTS {
        let place = Place::new(&layout);
        place.write(layout.list, layout.text.as_bytes());
        assert_eq!(
            place.judge(layout.text.len()).err(),
            None,
            "{}",
            layout.list
        );
        let make = |rng: &mut Pcg64| {
            let mut bytes = layout.text.as_bytes().to_vec();
            let mut way = change(&mut bytes, layout.text.as_bytes(), rng);
            if rng.random_range(0..4) == 0 {
                way = change(&mut bytes, layout.text.as_bytes(), rng);
            }
            (way, bytes)
        };
        drive(2_000, make, |bytes| {
            place.write(layout.list, bytes);
            place.judge(bytes.len())
        });
    }
}
