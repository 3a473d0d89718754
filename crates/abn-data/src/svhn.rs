//! SVHN's cropped digits, 32x32 pixels each, in their authors' MATLAB files.
//!
//! `X` `[32, 32, 3, N]` are bytes whose first index, the row, changes fastest: an image is a red, a
//! green and a blue plane, each column by column. `y` `[N, 1]` are the digits, where 10 is 0.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;
use image::{Rgb, RgbImage};

use crate::mat::{Array, arrays, by};
use crate::{Collection, DataError, Labels, ObjectMasks, Sample, Split, Target};

const SIDE: u32 = 32;
const PLANE: usize = 1024;
const IMAGE: usize = 3 * PLANE;
/// Its folder, as it is called.
const FOLDERS: [&str; 2] = ["svhn", "SVHN"];
const TRAIN: &str = "train_32x32.mat";
const EXTRA: &str = "extra_32x32.mat";
const TEST: &str = "test_32x32.mat";
const CLASSES: usize = 10;

/// One split of SVHN from `dir`, which holds `train_32x32.mat` and `test_32x32.mat` or contains a
/// folder `svhn` or `SVHN` that does. If `extra_32x32.mat` is there, its images follow those of
/// `train_32x32.mat`, as in most publications. The classes are the digits in their order.
///
/// The published files call the digit 0 by 10. Copies that call it 0 are read too; a file with both
/// is refused, because one of them would be no digit.
///
/// # Errors
/// A missing, empty, truncated, damaged or oversized file, and one whose images or labels are of
/// another kind, of different numbers or no digits.
pub fn svhn(dir: &Path, split: Split) -> Result<Collection, DataError> {
    let folder = find(dir)?;
    let read = |name| Part::read(&folder.join(name));
    let parts = match split {
        Split::HeldOut | Split::Test | Split::All => vec![read(TEST)?],
        Split::Train => {
            let train = read(TRAIN)?;
            match read(EXTRA) {
                Err(DataError::Missing { .. }) => vec![train],
                extra => vec![train, extra?],
            }
        }
    };
    let digits = (0..CLASSES).map(|digit| digit.to_string());
    Ok(Collection {
        samples: Arc::new(Digits(parts)),
        labels: Labels::one(digits.collect()),
        masked: false,
        notes: vec![],
        files: None,
        interventions: None,
    })
}

/// The images of a split, as they are in the files: 1.86 GB for training with the extra ones.
struct Digits(Vec<Part>);

/// The content of a file.
struct Part {
    /// `[N, 3, 32, 32]`, channels, then columns, then rows.
    pixels: Vec<u8>,
    digits: Vec<u8>,
}

impl Dataset<Sample, DataError> for Digits {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let mut at = index;
        for part in &self.0 {
            if at < part.digits.len() {
                return Ok(part.sample(at));
            }
            at -= part.digits.len();
        }
        panic!("there is no sample {index} of {}", self.len())
    }

    fn len(&self) -> usize {
        self.0.iter().map(|part| part.digits.len()).sum()
    }
}

impl Part {
    fn read(path: &Path) -> Result<Self, DataError> {
        let [images, labels] = arrays(path, ["X", "y"]).map_err(|error| match error {
            DataError::Missing { path, .. } => missing(&path, "a file of SVHN"),
            other => other,
        })?;
        let content = pixels_of(images).and_then(|pixels| {
            let digits = digits_of(&labels, pixels.len() / IMAGE)?;
            Ok(Self { pixels, digits })
        });
        content.map_err(|reason| DataError::Mat {
            path: path.into(),
            reason,
        })
    }

    fn sample(&self, at: usize) -> Sample {
        let pixels = &self.pixels[at * IMAGE..][..IMAGE];
        let image = RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let at = (x * SIDE + y) as usize;
            Rgb([pixels[at], pixels[PLANE + at], pixels[2 * PLANE + at]])
        });
        Sample {
            image,
            target: Target::class(self.digits[at].into()),
            masks: ObjectMasks::Unknown,
        }
    }
}

/// The bytes of `X`, or what it is instead.
fn pixels_of(images: Array) -> Result<Vec<u8>, String> {
    let (class, dimensions) = (images.class, by(&images.dimensions));
    // MATLAB leaves out a last dimension of one.
    let is_images = match images.dimensions[..] {
        [32, 32, 3] => true,
        [32, 32, 3, count] => count > 0,
        _ => false,
    };
    let bytes = images.into_bytes().filter(|_| is_images);
    bytes.ok_or_else(|| format!("its X is {dimensions} of {class}: expected 32x32x3xN of uint8"))
}

/// The digits that the labels of so many images stand for, or what is wrong with them.
fn digits_of(labels: &Array, images: usize) -> Result<Vec<u8>, String> {
    let is_list = matches!(labels.dimensions[..], [_] | [_, 1] | [1, _]);
    if !is_list || labels.values().count() != images {
        let dimensions = by(&labels.dimensions);
        return Err(format!(
            "its y is {dimensions}: expected {images}x1, a label an image of X"
        ));
    }
    let mut zeros = [None; 2];
    let mut digits = Vec::with_capacity(images);
    for (image, label) in labels.values().enumerate() {
        let Some(digit) = (0..=10_u8).find(|digit| f64::from(*digit) == label) else {
            return Err(format!(
                "image {image} has the label {label}: expected 1 to 10"
            ));
        };
        if digit % 10 == 0 {
            zeros[usize::from(digit / 10)].get_or_insert(image);
        }
        digits.push(digit % 10);
    }
    match zeros {
        [Some(zero), Some(ten)] => Err(format!(
            "image {zero} has the label 0 and image {ten} the label 10: expected one of them for \
             the digit 0, as published 10"
        )),
        _ => Ok(digits),
    }
}

fn find(dir: &Path) -> Result<PathBuf, DataError> {
    let inner = FOLDERS.map(|folder| dir.join(folder));
    if let Some(folder) = inner.into_iter().find(|folder| folder.is_dir()) {
        return Ok(folder);
    }
    if dir.is_dir() {
        return Ok(dir.into());
    }
    Err(missing(dir, "the folder svhn"))
}

fn missing(path: &Path, expected: &str) -> DataError {
    let advice = format!(
        "get {TRAIN} and {TEST} from the page of SVHN's authors \
         (ufldl.stanford.edu/housenumbers), where they are format 2, into datasets/svhn, or name \
         the folder that holds them"
    );
    DataError::Missing {
        path: path.into(),
        expected: expected.into(),
        advice,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::mat::written::{DOUBLE, INT8, OF_DOUBLE, OF_UINT8, UINT8, array, compressed, file};

    /// A byte that differs between neighbours in every direction.
    fn byte(image: usize, row: usize, column: usize, channel: usize) -> u8 {
        (image * 101 + row * 7 + column * 3 + channel * 50) as u8
    }

    /// `X` of so many images.
    fn images(count: usize) -> Vec<u8> {
        let place = |at: usize| byte(at / IMAGE, at % 32, at / 32 % 32, at / PLANE % 3);
        let bytes: Vec<u8> = (0..count * IMAGE).map(place).collect();
        array("X", OF_UINT8, &[32, 32, 3, count as i32], UINT8, &bytes)
    }

    /// `y` of these labels.
    fn labels(labels: &[u8]) -> Vec<u8> {
        array("y", OF_UINT8, &[labels.len() as i32, 1], UINT8, labels)
    }

    fn doubles(labels: &[f64]) -> Vec<u8> {
        let bytes: Vec<u8> = labels
            .iter()
            .flat_map(|label| label.to_le_bytes())
            .collect();
        array("y", OF_DOUBLE, &[1, labels.len() as i32], DOUBLE, &bytes)
    }

    /// A folder with these files of variables.
    fn folder(files: &[(&str, &[Vec<u8>])]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, variables) in files {
            fs::write(dir.path().join(name), file(variables)).unwrap();
        }
        dir
    }

    fn digits(collection: &Collection) -> Vec<usize> {
        let samples = (0..collection.samples.len()).map(|index| collection.samples.get(index));
        samples
            .map(|sample| sample.unwrap().target.of(0).unwrap())
            .collect()
    }

    /// The digits of a test file with this `y`.
    fn digits_with(labels: Vec<u8>) -> Vec<usize> {
        let dir = folder(&[(TEST, &[images(3), labels])]);
        digits(&svhn(dir.path(), Split::HeldOut).unwrap())
    }

    /// A test file of these variables is refused with these words.
    #[track_caller]
    fn refused(variables: &[Vec<u8>], words: &str) {
        let dir = folder(&[(TEST, variables)]);
        let error = svhn(dir.path(), Split::HeldOut).err().expect("an error");
        let error = error.to_string();
        let place = dir.path().join(TEST).display().to_string();
        assert!(
            error.contains(words) && error.starts_with(&place),
            "no `{words}` in: {error}"
        );
    }

    #[test]
    fn columns_become_rows() {
        let dir = folder(&[(TEST, &[images(3), labels(&[1, 9, 10])])]);
        let test = svhn(dir.path(), Split::HeldOut).unwrap();
        assert_eq!(digits(&test), [1, 9, 0]);
        assert_eq!((test.labels.count(), test.labels.name(0, 9)), (10, "9"));
        for index in 0..3 {
            let image = test.samples.get(index).unwrap().image;
            assert_eq!(image.dimensions(), (32, 32));
            for (x, y, pixel) in image.enumerate_pixels() {
                let expected = |channel| byte(index, y as usize, x as usize, channel);
                assert_eq!(pixel.0, [expected(0), expected(1), expected(2)], "{x}, {y}");
            }
        }
    }

    #[test]
    fn extra_images_follow_those_of_training() {
        let train = (TRAIN, &[images(2), labels(&[1, 2])][..]);
        let extra = [labels(&[3, 10, 5]), images(3)].map(|variable| compressed(&variable));
        let dir = folder(&[train, (EXTRA, &extra), (TEST, &[images(1), labels(&[7])])]);
        let open = |split| svhn(dir.path(), split).unwrap();
        assert_eq!(digits(&open(Split::Train)), [1, 2, 3, 0, 5]);
        assert_eq!(digits(&open(Split::HeldOut)), [7]);
        let samples = open(Split::Train).samples;
        let first = |index: usize| samples.get(index).unwrap().image.get_pixel(0, 0).0[0];
        assert_eq!([0, 1, 2, 3, 4].map(first), [0, 101, 0, 101, 202]);
        fs::remove_file(dir.path().join(EXTRA)).unwrap();
        assert_eq!(digits(&open(Split::Train)), [1, 2]);
        // Extra images that are there and damaged are not left out.
        fs::write(dir.path().join(EXTRA), b"<html>").unwrap();
        assert!(svhn(dir.path(), Split::Train).is_err());
    }

    #[test]
    fn the_folder_may_be_named_or_contained() {
        for name in FOLDERS {
            let outer = tempfile::tempdir().unwrap();
            let inner = folder(&[(TEST, &[images(1), labels(&[4])])]);
            fs::rename(inner.keep(), outer.path().join(name)).unwrap();
            assert_eq!(digits(&svhn(outer.path(), Split::HeldOut).unwrap()), [4]);
        }
    }

    #[test]
    fn labels_of_any_numeric_class_are_read() {
        assert_eq!(digits_with(doubles(&[10.0, 3.0, 1.0])), [0, 3, 1]);
        // Doubles that MATLAB stored in bytes.
        let stored = array("y", OF_DOUBLE, &[3, 1], INT8, &[10, 3, 1]);
        assert_eq!(digits_with(stored), [0, 3, 1]);
        assert_eq!(digits_with(labels(&[0, 9, 1])), [0, 9, 1]);
    }

    #[test]
    fn labels_that_are_no_digits_are_refused() {
        for (label, shown) in [(11.0, "11"), (-1.0, "-1"), (2.5, "2.5"), (f64::NAN, "NaN")] {
            let words = format!("image 1 has the label {shown}: expected 1 to 10");
            refused(&[images(2), doubles(&[1.0, label])], &words);
        }
        refused(
            &[images(3), labels(&[10, 5, 0])],
            "image 2 has the label 0 and image 0 the label 10",
        );
    }

    #[test]
    fn images_and_labels_have_to_fit() {
        refused(
            &[images(2), labels(&[1, 2, 3])],
            "its y is 3x1: expected 2x1",
        );
        let square = array("y", OF_UINT8, &[2, 2], UINT8, &[1; 4]);
        refused(&[images(4), square], "its y is 2x2: expected 4x1");
        let x = |class, sizes: &[i32], kind| {
            let width = if kind == DOUBLE { 8 } else { 1 };
            let count: i32 = sizes.iter().product();
            array("X", class, sizes, kind, &vec![1; count as usize * width])
        };
        let cases = [
            (x(OF_UINT8, &[32, 32, 3, 0], UINT8), "32x32x3x0 of uint8"),
            (x(OF_UINT8, &[3, 32, 32, 1], UINT8), "3x32x32x1 of uint8"),
            (
                x(OF_UINT8, &[32, 32, 3, 1, 1], UINT8),
                "32x32x3x1x1 of uint8",
            ),
            (x(OF_UINT8, &[32, 96], UINT8), "32x96 of uint8"),
            (x(OF_DOUBLE, &[32, 32, 3, 1], UINT8), "32x32x3x1 of double"),
            (x(OF_DOUBLE, &[32, 32, 3, 1], DOUBLE), "32x32x3x1 of double"),
        ];
        for (images, found) in cases {
            let words = format!("its X is {found}: expected 32x32x3xN of uint8");
            refused(&[images, labels(&[1])], &words);
        }
        // MATLAB leaves out the last dimension of a single image.
        let dir = folder(&[(TEST, &[x(OF_UINT8, &[32, 32, 3], UINT8), labels(&[1])])]);
        assert_eq!(digits(&svhn(dir.path(), Split::HeldOut).unwrap()), [1]);
    }

    #[test]
    fn missing_parts_are_named_with_advice() {
        let error = |dir: &Path| {
            let error = svhn(dir, Split::Train).err().expect("an error");
            error.to_string()
        };
        let words = "no/such/folder does not exist: expected the folder svhn";
        assert!(error(Path::new("no/such/folder")).contains(words));
        let dir = folder(&[(TEST, &[images(1), labels(&[4])])]);
        let error = error(dir.path());
        assert!(
            error.contains("train_32x32.mat does not exist") && error.contains("housenumbers"),
            "{error}"
        );
        refused(
            &[labels(&[1])],
            "it holds the variables y: expected X and y",
        );
    }

    /// `tests/fixtures/svhn/make.py` wrote the files and what SciPy reads of them: a digit, then
    /// 32 x 32 pixels row by row, an image.
    #[test]
    fn every_byte_is_as_scipy_reads_it() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/svhn");
        let expected = fs::read(fixtures.join("expected.bin")).unwrap();
        for name in ["compressed", "uncompressed", "doubles", "big_endian"] {
            let dir = tempfile::tempdir().unwrap();
            let path = fixtures.join(name).with_extension("mat");
            fs::copy(path, dir.path().join(TEST)).unwrap();
            let samples = svhn(dir.path(), Split::HeldOut).unwrap().samples;
            let mut found = Vec::new();
            for index in 0..samples.len() {
                let sample = samples.get(index).unwrap();
                found.push(sample.target.of(0).unwrap() as u8);
                found.extend(sample.image.into_raw());
            }
            assert!(found == expected, "{name} is read in another way");
        }
    }
}
