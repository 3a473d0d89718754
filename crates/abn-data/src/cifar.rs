//! CIFAR-10 and CIFAR-100 in their authors' binary format.
//!
//! A file is a sequence of records: label bytes, then 32x32 pixels as a red, a green and a blue
//! plane. The two sets differ in file names and label bytes alone, so a set is a [`Format`] and
//! there is one reader.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;
use image::{Rgb, RgbImage};

use crate::decode::read_bounded;
use crate::{Collection, DataError, Sample, Split};

const SIDE: u32 = 32;
const PLANE: usize = 1024;
/// The largest original file has 154 MB.
const MAX_FILE: u64 = 512 << 20;
const MAX_NAMES: u64 = 64 << 10;

/// What distinguishes one set from the other.
struct Format {
    title: &'static str,
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    names: &'static str,
    /// Bytes before the pixels. The last of them is the label: CIFAR-100 has the coarse class
    /// before the fine.
    label_bytes: usize,
    classes: usize,
    /// The class names if the file of names is missing; empty if there must be one.
    known_names: &'static [&'static str],
}

const CIFAR10: Format = Format {
    title: "CIFAR-10",
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
    names: "batches.meta.txt",
    label_bytes: 1,
    classes: 10,
    known_names: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
};

const CIFAR100: Format = Format {
    title: "CIFAR-100",
    folder: "cifar-100-binary",
    train: &["train.bin"],
    test: &["test.bin"],
    names: "fine_label_names.txt",
    label_bytes: 2,
    classes: 100,
    known_names: &[],
};

/// One split of CIFAR-10 from `dir`, which is the folder `cifar-10-batches-bin` or contains it.
///
/// # Errors
/// A missing, empty, truncated or oversized file, and a label that is not 0 to 9.
pub fn cifar10(dir: &Path, split: Split) -> Result<Collection, DataError> {
    CIFAR10.open(dir, split)
}

/// One split of CIFAR-100 with its 100 fine classes from `dir`, which is the folder
/// `cifar-100-binary` or contains it.
///
/// # Errors
/// A missing, empty, truncated or oversized file, and a label that is not 0 to 99.
pub fn cifar100(dir: &Path, split: Split) -> Result<Collection, DataError> {
    CIFAR100.open(dir, split)
}

/// All records of a split, as they are in the files: 150 MB for CIFAR-10's 50,000 training images.
struct Records {
    bytes: Vec<u8>,
    label_bytes: usize,
}

impl Records {
    const fn record(&self) -> usize {
        self.label_bytes + 3 * PLANE
    }
}

impl Dataset<Sample, DataError> for Records {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let record = &self.bytes[index * self.record()..][..self.record()];
        let (labels, pixels) = record.split_at(self.label_bytes);
        let image = RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let at = (y * SIDE + x) as usize;
            Rgb([pixels[at], pixels[PLANE + at], pixels[2 * PLANE + at]])
        });
        Ok(Sample {
            image,
            label: usize::from(labels[self.label_bytes - 1]),
            mask: None,
        })
    }

    fn len(&self) -> usize {
        self.bytes.len() / self.record()
    }
}

impl Format {
    fn open(&self, dir: &Path, split: Split) -> Result<Collection, DataError> {
        let folder = self.find(dir)?;
        let files = match split {
            Split::Train => self.train,
            Split::Test => self.test,
        };
        let classes = self.class_names(&folder)?;
        let (mut bytes, mut first) = (Vec::new(), None);
        for file in files {
            let path = folder.join(file);
            let mut part = self.read(&path)?;
            let expected = *first.get_or_insert(part.len());
            if part.len() != expected {
                let (size, expected) = (part.len() as u64, expected as u64);
                return Err(DataError::UnequalFiles {
                    path,
                    size,
                    expected,
                });
            }
            bytes.reserve_exact(part.len());
            bytes.append(&mut part);
        }
        let records = Records {
            bytes,
            label_bytes: self.label_bytes,
        };
        Ok(Collection {
            samples: Arc::new(records),
            classes,
            masked: false,
        })
    }

    fn find(&self, dir: &Path) -> Result<PathBuf, DataError> {
        let inner = dir.join(self.folder);
        if inner.is_dir() {
            return Ok(inner);
        }
        if dir.is_dir() {
            return Ok(dir.into());
        }
        Err(self.missing(dir, format!("the folder {}", self.folder)))
    }

    fn missing(&self, path: &Path, expected: String) -> DataError {
        let Self { title, folder, .. } = self;
        let advice = format!(
            "get the {title} binary version from its authors' page \
             (www.cs.toronto.edu/~kriz/cifar.html) and unpack it so that datasets/{folder} holds \
             the .bin files, or name the folder that holds them"
        );
        DataError::Missing {
            path: path.into(),
            expected,
            advice,
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let bytes =
            read_bounded(path, MAX_FILE, "records of labelled 32x32 images").map_err(|error| {
                match error {
                    DataError::Missing { path, .. } => {
                        self.missing(&path, format!("a file of {}", self.title))
                    }
                    other => other,
                }
            })?;
        let record = self.label_bytes + 3 * PLANE;
        if bytes.len() % record != 0 {
            let (size, record) = (bytes.len() as u64, record as u64);
            return Err(DataError::RecordSize {
                path: path.into(),
                size,
                record,
            });
        }
        let labels = bytes.iter().skip(self.label_bytes - 1).step_by(record);
        match labels
            .enumerate()
            .find(|(_, label)| usize::from(**label) >= self.classes)
        {
            Some((record, &label)) => Err(DataError::Label {
                path: path.into(),
                record,
                label,
                classes: self.classes,
            }),
            None => Ok(bytes),
        }
    }

    fn class_names(&self, folder: &Path) -> Result<Vec<String>, DataError> {
        let path = folder.join(self.names);
        let bytes = match read_bounded(&path, MAX_NAMES, "class names, one a line") {
            Err(DataError::Missing { .. }) if !self.known_names.is_empty() => {
                return Ok(self.known_names.iter().map(ToString::to_string).collect());
            }
            Err(DataError::Missing { path, .. }) => {
                return Err(self.missing(&path, format!("the class names of {}", self.title)));
            }
            other => other?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let names: Vec<String> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(Into::into)
            .collect();
        if names.len() != self.classes {
            return Err(DataError::ClassNames {
                path,
                expected: self.classes,
                found: names.len(),
            });
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// One record: labels, then planes that hold 10, 20 and 30 but for the pixel at x = 1, y = 2.
    fn record(labels: &[u8]) -> Vec<u8> {
        let mut bytes = labels.to_vec();
        for value in [10, 20, 30] {
            let mut plane = [value; PLANE];
            plane[2 * 32 + 1] = value + 5;
            bytes.extend(plane);
        }
        bytes
    }

    /// A folder with a whole small CIFAR-10: one record a file, the label its number.
    fn small() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (label, name) in CIFAR10.train.iter().chain(CIFAR10.test).enumerate() {
            fs::write(dir.path().join(name), record(&[label as u8])).unwrap();
        }
        dir
    }

    /// The error after `name` has been replaced by these bytes.
    fn error_with(name: &str, bytes: &[u8]) -> String {
        let dir = small();
        fs::write(dir.path().join(name), bytes).unwrap();
        cifar10(dir.path(), Split::Train)
            .err()
            .expect("an error")
            .to_string()
    }

    #[test]
    fn records_become_samples_in_file_order() {
        let dir = small();
        let train = cifar10(dir.path(), Split::Train).unwrap();
        let labels: Vec<usize> = (0..5)
            .map(|index| train.samples.get(index).unwrap().label)
            .collect();
        assert_eq!((train.samples.len(), labels), (5, vec![0, 1, 2, 3, 4]));
        assert_eq!(train.classes[3], "cat");
        let test = cifar10(dir.path(), Split::Test).unwrap().samples;
        let sample = test.get(0).unwrap();
        assert_eq!((test.len(), sample.label, sample.mask), (1, 5, None));
        assert_eq!(sample.image.dimensions(), (32, 32));
        assert_eq!(sample.image.get_pixel(1, 2).0, [15, 25, 35]);
        assert!(
            sample
                .image
                .enumerate_pixels()
                .all(|(x, y, pixel)| (x, y) == (1, 2) || pixel.0 == [10, 20, 30])
        );
    }

    #[test]
    fn the_folder_may_be_named_or_contained() {
        let outer = tempfile::tempdir().unwrap();
        fs::rename(small().keep(), outer.path().join(CIFAR10.folder)).unwrap();
        assert_eq!(
            cifar10(outer.path(), Split::Train).unwrap().samples.len(),
            5
        );
    }

    #[test]
    fn fine_labels_of_cifar100_are_the_second_byte() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("train.bin"),
            [record(&[19, 99]), record(&[3, 0])].concat(),
        )
        .unwrap();
        let error = cifar100(dir.path(), Split::Train)
            .err()
            .expect("names are missing")
            .to_string();
        assert!(
            error.contains("fine_label_names.txt does not exist"),
            "{error}"
        );
        let names: String = (0..100).map(|class| format!("class{class}\n")).collect();
        fs::write(dir.path().join("fine_label_names.txt"), names + "\n").unwrap();
        let train = cifar100(dir.path(), Split::Train).unwrap();
        assert_eq!(
            (train.samples.len(), train.classes[99].as_str()),
            (2, "class99")
        );
        let sample = train.samples.get(0).unwrap();
        assert_eq!(
            (sample.label, sample.image.get_pixel(0, 0).0),
            (99, [10, 20, 30])
        );
        assert_eq!(train.samples.get(1).unwrap().label, 0);
    }

    #[test]
    fn missing_parts_are_named_with_advice() {
        let error = cifar10(Path::new("no/such/folder"), Split::Train)
            .err()
            .expect("an error")
            .to_string();
        assert!(
            error.contains(
                "no/such/folder does not exist: expected the folder cifar-10-batches-bin"
            ),
            "{error}"
        );
        let dir = small();
        fs::remove_file(dir.path().join("data_batch_4.bin")).unwrap();
        let error = cifar10(dir.path(), Split::Train)
            .err()
            .expect("an error")
            .to_string();
        assert!(
            error.contains("data_batch_4.bin does not exist") && error.contains("binary version"),
            "{error}"
        );
        assert!(cifar10(dir.path(), Split::Test).is_ok());
    }

    #[test]
    fn damaged_files_are_refused() {
        let error = error_with("data_batch_2.bin", &record(&[1])[..3000]);
        assert!(
            error.contains("data_batch_2.bin has 3000 bytes: expected a multiple of 3073"),
            "{error}"
        );
        assert!(error_with("data_batch_2.bin", b"").contains("data_batch_2.bin is empty"));
        let error = error_with("data_batch_5.bin", &[record(&[9]), record(&[10])].concat());
        assert!(
            error.contains("data_batch_5.bin: record 1 has label 10: expected 0 to 9"),
            "{error}"
        );
        let error = error_with("batches.meta.txt", b"airplane\nbird\n");
        assert!(
            error.contains("batches.meta.txt has 2 class names: expected 10"),
            "{error}"
        );
    }

    #[test]
    fn oversized_files_are_refused_unread() {
        let dir = small();
        let file = fs::File::create(dir.path().join("test_batch.bin")).unwrap();
        file.set_len(MAX_FILE + 1).unwrap(); // sparse: takes no room on the disk
        let error = cifar10(dir.path(), Split::Test).err().expect("an error");
        assert!(matches!(error, DataError::TooLarge { .. }), "{error}");
    }

    /// Where the real data sets lie: `ABN_DATASETS`, or datasets/ of the workspace.
    fn datasets() -> PathBuf {
        let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        std::env::var_os("ABN_DATASETS").map_or(default, PathBuf::from)
    }

    #[test]
    #[ignore = "needs ../shared/datasets unpacked under datasets/"]
    fn the_real_cifar10_has_its_published_statistics() {
        let train = cifar10(&datasets(), Split::Train).unwrap();
        let test = cifar10(&datasets(), Split::Test).unwrap();
        assert_eq!((train.samples.len(), test.samples.len()), (50_000, 10_000));
        assert_eq!(train.classes, CIFAR10.known_names);
        let (mut counts, mut sums) = ([0; 10], [0_u64; 3]);
        for index in 0..50_000 {
            let sample = train.samples.get(index).unwrap();
            counts[sample.label] += 1;
            for pixel in sample.image.pixels() {
                sums.iter_mut()
                    .zip(pixel.0)
                    .for_each(|(sum, value)| *sum += u64::from(value));
            }
        }
        assert_eq!(counts, [5000; 10]);
        for (sum, expected) in sums.iter().zip([0.4914, 0.4822, 0.4465]) {
            let mean = *sum as f64 / (50_000.0 * 1024.0 * 255.0);
            assert!((mean - expected).abs() < 5e-5, "{mean} against {expected}");
        }
    }

    #[test]
    #[ignore = "needs ../shared/datasets unpacked under datasets/"]
    fn the_real_cifar100_opens_with_its_names() {
        let train = cifar100(&datasets(), Split::Train).unwrap();
        assert!(train.samples.len() >= 4000);
        assert_eq!(
            (train.classes[0].as_str(), train.classes[99].as_str()),
            ("apple", "worm")
        );
        let test = cifar100(&datasets(), Split::Test).unwrap();
        let mut seen = [false; 100];
        (0..test.samples.len())
            .for_each(|index| seen[test.samples.get(index).unwrap().label] = true);
        assert!(seen.iter().all(|seen| *seen));
    }
}
