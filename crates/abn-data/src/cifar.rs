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
use crate::{Collection, DataError, Group, Labels, ObjectMasks, Sample, Split, Target};

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
    held_out: &'static [&'static str],
    /// The bytes before the pixels.
    bytes: &'static [LabelByte],
}

/// A byte that numbers a class.
struct LabelByte {
    /// What the label is about.
    name: &'static str,
    classes: usize,
    /// File of the class names, one a line.
    names: &'static str,
    /// The class names if that file is missing; empty if there must be one.
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
    held_out: &["test_batch.bin"],
    bytes: &[LabelByte {
        name: "class",
        classes: 10,
        names: "batches.meta.txt",
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
    }],
};

const CIFAR100: Format = Format {
    title: "CIFAR-100",
    folder: "cifar-100-binary",
    train: &["train.bin"],
    held_out: &["test.bin"],
    bytes: &[
        LabelByte {
            name: "coarse",
            classes: 20,
            names: "coarse_label_names.txt",
            known_names: &[],
        },
        LabelByte {
            name: "fine",
            classes: 100,
            names: "fine_label_names.txt",
            known_names: &[],
        },
    ],
};

/// Which of CIFAR-100's two labels are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cifar100Labels {
    /// The 100 classes.
    Fine,
    /// The 20 superclasses.
    Coarse,
    /// Both, the fine one first.
    Both,
}

/// One split of CIFAR-10 from `dir`, which is the folder `cifar-10-batches-bin` or contains it.
///
/// # Errors
/// A missing, empty, truncated or oversized file, and a label that is not 0 to 9.
pub fn cifar10(dir: &Path, split: Split) -> Result<Collection, DataError> {
    CIFAR10.open(dir, split, &[0])
}

/// One split of CIFAR-100 with its 100 fine classes, its 20 coarse ones or both, from `dir`, which
/// is the folder `cifar-100-binary` or contains it.
///
/// # Errors
/// A missing, empty, truncated or oversized file, and a label beyond its classes.
pub fn cifar100(dir: &Path, split: Split, labels: Cifar100Labels) -> Result<Collection, DataError> {
    let (coarse, fine) = (0, 1);
    match labels {
        Cifar100Labels::Fine => CIFAR100.open(dir, split, &[fine]),
        Cifar100Labels::Coarse => CIFAR100.open(dir, split, &[coarse]),
        Cifar100Labels::Both => CIFAR100.open(dir, split, &[fine, coarse]),
    }
}

/// All records of a split, as they are in the files: 150 MB for CIFAR-10's 50,000 training images.
struct Records {
    bytes: Vec<u8>,
    /// Bytes before the pixels.
    label_bytes: usize,
    /// Which of them are told.
    told: Vec<usize>,
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
        let classes = self.told.iter().map(|byte| usize::from(labels[*byte]));
        Ok(Sample {
            image,
            target: Target::known(classes.collect()),
            masks: ObjectMasks::Unknown,
        })
    }

    fn len(&self) -> usize {
        self.bytes.len() / self.record()
    }
}

impl Format {
    /// A split with the labels of those bytes.
    fn open(&self, dir: &Path, split: Split, told: &[usize]) -> Result<Collection, DataError> {
        let folder = self.find(dir)?;
        let files = match split {
            Split::Train => self.train,
            Split::HeldOut | Split::Test | Split::All => self.held_out,
        };
        let mut groups = Vec::new();
        for byte in told {
            groups.push(Group {
                name: self.bytes[*byte].name.to_owned(),
                classes: self.class_names(&self.bytes[*byte], &folder)?,
            });
        }
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
            label_bytes: self.bytes.len(),
            told: told.to_vec(),
        };
        Ok(Collection {
            samples: Arc::new(records),
            labels: Labels::of(groups),
            masked: false,
            notes: vec![],
            files: None,
            interventions: None,
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
        let label_bytes = self.bytes.len();
        let record = label_bytes + 3 * PLANE;
        if bytes.len() % record != 0 {
            let (size, record) = (bytes.len() as u64, record as u64);
            return Err(DataError::RecordSize {
                path: path.into(),
                size,
                record,
            });
        }
        for (record, labels) in bytes.chunks_exact(record).enumerate() {
            for (&label, LabelByte { classes, .. }) in labels.iter().zip(self.bytes) {
                if usize::from(label) >= *classes {
                    return Err(DataError::Label {
                        path: path.into(),
                        record,
                        label,
                        classes: *classes,
                    });
                }
            }
        }
        Ok(bytes)
    }

    fn class_names(&self, byte: &LabelByte, folder: &Path) -> Result<Vec<String>, DataError> {
        let path = folder.join(byte.names);
        let bytes = match read_bounded(&path, MAX_NAMES, "class names, one a line") {
            Err(DataError::Missing { .. }) if !byte.known_names.is_empty() => {
                return Ok(byte.known_names.iter().map(ToString::to_string).collect());
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
        if names.len() != byte.classes {
            return Err(DataError::ClassNames {
                path,
                expected: byte.classes,
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

    fn label(collection: &Collection, index: usize) -> usize {
        collection.samples.get(index).unwrap().target.of(0).unwrap()
    }

    /// A folder with a whole small CIFAR-10: one record a file, the label its number.
    fn small() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (label, name) in CIFAR10.train.iter().chain(CIFAR10.held_out).enumerate() {
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
        let labels: Vec<usize> = (0..5).map(|index| label(&train, index)).collect();
        assert_eq!((train.samples.len(), labels), (5, vec![0, 1, 2, 3, 4]));
        assert_eq!(train.labels.name(0, 3), "cat");
        let test = cifar10(dir.path(), Split::HeldOut).unwrap().samples;
        let sample = test.get(0).unwrap();
        assert_eq!(
            (test.len(), sample.target, sample.masks),
            (1, Target::class(5), ObjectMasks::Unknown)
        );
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
        let error = cifar100(dir.path(), Split::Train, Cifar100Labels::Fine)
            .err()
            .expect("names are missing")
            .to_string();
        assert!(
            error.contains("fine_label_names.txt does not exist"),
            "{error}"
        );
        let names: String = (0..100).map(|class| format!("class{class}\n")).collect();
        fs::write(dir.path().join("fine_label_names.txt"), names + "\n").unwrap();
        let train = cifar100(dir.path(), Split::Train, Cifar100Labels::Fine).unwrap();
        assert_eq!(train.samples.len(), 2);
        assert_eq!(train.labels.name(0, 99), "class99");
        let sample = train.samples.get(0).unwrap();
        assert_eq!(sample.target, Target::class(99));
        assert_eq!(sample.image.get_pixel(0, 0).0, [10, 20, 30]);
        assert_eq!(label(&train, 1), 0);
    }

    #[test]
    fn both_labels_of_cifar100_are_told_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        fs::write(path.join("train.bin"), record(&[19, 99])).unwrap();
        for (file, count) in [
            ("fine_label_names.txt", 100),
            ("coarse_label_names.txt", 20),
        ] {
            let names: String = (0..count).map(|class| format!("{file}{class}\n")).collect();
            fs::write(path.join(file), names).unwrap();
        }
        let both = cifar100(path, Split::Train, Cifar100Labels::Both).unwrap();
        let target = both.samples.get(0).unwrap().target;
        assert_eq!(target, Target::known(vec![99, 19]));
        let groups: Vec<(&str, usize)> = both
            .labels
            .groups()
            .iter()
            .map(|group| (group.name.as_str(), group.classes.len()))
            .collect();
        assert_eq!(groups, [("fine", 100), ("coarse", 20)]);
        let coarse = cifar100(path, Split::Train, Cifar100Labels::Coarse).unwrap();
        assert_eq!((label(&coarse, 0), coarse.labels.count()), (19, 20));
        fs::write(path.join("train.bin"), record(&[20, 0])).unwrap();
        let error = cifar100(path, Split::Train, Cifar100Labels::Fine);
        let error = error.err().expect("an error").to_string();
        assert!(error.contains("has label 20: expected 0 to 19"), "{error}");
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
        assert!(cifar10(dir.path(), Split::HeldOut).is_ok());
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
        let error = cifar10(dir.path(), Split::HeldOut).err().expect("an error");
        assert!(matches!(error, DataError::TooLarge { .. }), "{error}");
    }

    /// `tests/fixtures/cifar/make.py` wrote the files and what Python reads of them: labels, then
    /// 32 x 32 pixels row by row, an image.
    #[test]
    fn every_byte_is_as_python_reads_it() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/cifar");
        let check = |format: &Format, file: &str, told: &[usize], expected: &str| {
            let path = fixtures.join(file);
            let records = Records {
                bytes: format.read(&path).unwrap(),
                label_bytes: format.bytes.len(),
                told: told.to_vec(),
            };
            let mut found = Vec::new();
            for index in 0..records.len() {
                let sample = records.get(index).unwrap();
                found.extend(
                    sample
                        .target
                        .classes()
                        .iter()
                        .map(|class| class.unwrap() as u8),
                );
                found.extend(sample.image.into_raw());
            }
            let expected = fs::read(fixtures.join(expected)).unwrap();
            assert!(found == expected, "{file} is read in another way");
        };
        check(&CIFAR10, "data_batch_1.bin", &[0], "expected10.bin");
        check(&CIFAR100, "train.bin", &[0, 1], "expected100.bin");
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
        let test = cifar10(&datasets(), Split::HeldOut).unwrap();
        assert_eq!((train.samples.len(), test.samples.len()), (50_000, 10_000));
        assert_eq!(train.labels.only().unwrap(), CIFAR10.bytes[0].known_names);
        let (mut counts, mut sums) = ([0; 10], [0_u64; 3]);
        for index in 0..50_000 {
            let sample = train.samples.get(index).unwrap();
            counts[sample.target.of(0).unwrap()] += 1;
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
        let open = |split| cifar100(&datasets(), split, Cifar100Labels::Both).unwrap();
        let train = open(Split::Train);
        assert!(train.samples.len() >= 4000);
        assert_eq!(
            (train.labels.name(0, 0), train.labels.name(0, 99)),
            ("apple", "worm")
        );
        let test = open(Split::HeldOut);
        let mut seen = [false; 100];
        (0..test.samples.len()).for_each(|index| seen[label(&test, index)] = true);
        assert!(seen.iter().all(|seen| *seen));
        // Every fine class has one coarse class.
        let mut coarse_of = [None; 100];
        for index in 0..train.samples.len() {
            let target = train.samples.get(index).unwrap().target;
            let [Some(fine), Some(coarse)] = target.classes() else {
                panic!("two labels")
            };
            assert_eq!(*coarse_of[*fine].get_or_insert(*coarse), *coarse);
        }
        assert_eq!((train.labels.name(0, 0), coarse_of[0]), ("apple", Some(4)));
        assert_eq!(train.labels.name(1, 4), "fruit_and_vegetables");
    }
}
