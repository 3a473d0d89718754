//! Maps of somebody else, one file an image, to be measured like any method's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use abn_core::explain::AttentionMap;
use abn_data::{Collection, GrayMap};
use abn_run::digest::sha256;
use npyz::{DType, NpyFile, Order};

use crate::AnalysisError;

/// Endings of the files, the first that is there counts.
const ENDINGS: [&str; 2] = ["npy", "png"];
/// Largest side of a map.
const LARGEST: u64 = 16384;
/// Largest file of a map, with its header.
const LONGEST: u64 = LARGEST * LARGEST * 8;

/// The file of each image's map.
#[derive(Debug, Clone)]
pub struct GivenMaps {
    files: Vec<PathBuf>,
}

impl GivenMaps {
    /// Finds the maps of these images in a folder. Each has the name of its image with the ending
    /// `.npy` or `.png`, in the same folders below or in none; built-in images have their number.
    ///
    /// # Errors
    /// Some images have none.
    pub fn open(folder: &Path, images: &Collection) -> Result<Self, AnalysisError> {
        let count = images.samples.len();
        let mut files = Vec::with_capacity(count);
        let (mut missing, mut first) = (0, String::new());
        for index in 0..count {
            let name = match &images.files {
                Some(files) => files.name(index),
                None => index.to_string(),
            };
            match file_of(folder, &name) {
                Some(file) => files.push(file),
                None => {
                    missing += 1;
                    if first.is_empty() {
                        first = name;
                    }
                }
            }
        }
        if missing > 0 {
            return Err(AnalysisError::NoMaps {
                folder: folder.to_owned(),
                missing,
                count,
                first,
            });
        }
        Ok(Self { files })
    }

    /// What tells these maps from others: the digest of all their files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(&self) -> Result<String, AnalysisError> {
        let mut digests = String::new();
        for file in &self.files {
            let bytes = bounded(file)?;
            digests.push_str(&sha256(&bytes));
        }
        Ok(sha256(digests.as_bytes()))
    }

    /// The map of an image, as it stands in its file.
    ///
    /// # Errors
    /// The file is no map.
    pub fn map(&self, index: usize) -> Result<AttentionMap, AnalysisError> {
        let file = &self.files[index];
        match file.extension().is_some_and(|ending| ending == "npy") {
            true => array(file),
            false => {
                let map = GrayMap::read(file)?;
                let (width, height) = map.size();
                let values = map.values(width, height);
                Ok(AttentionMap::new(height as usize, width as usize, values)?)
            }
        }
    }
}

/// The map of an image of that name, below the folder as the image is below its own, or beside all
/// others.
fn file_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let name = Path::new(name);
    let stem = Path::new(name.file_name()?);
    let places = [name, stem].into_iter();
    let mut files = places.flat_map(|name| ENDINGS.map(|ending| name.with_extension(ending)));
    files
        .find(|file| folder.join(file).is_file())
        .map(|file| folder.join(file))
}

/// The bytes of a file of a map.
fn bounded(file: &Path) -> Result<Vec<u8>, AnalysisError> {
    let refused = |source| AnalysisError::MapFile {
        file: file.to_owned(),
        source,
    };
    let length = fs::metadata(file).map_err(refused)?.len();
    if length > LONGEST {
        return Err(not_a_map(file, "it is too long"));
    }
    fs::read(file).map_err(refused)
}

/// A two-dimensional array of numbers as NumPy writes it.
fn array(file: &Path) -> Result<AttentionMap, AnalysisError> {
    let refused = |source| AnalysisError::MapFile {
        file: file.to_owned(),
        source,
    };
    let length = fs::metadata(file).map_err(refused)?.len();
    let mut reader = BufReader::new(File::open(file).map_err(refused)?).take(LONGEST);
    let start = reader.get_mut().fill_buf().map_err(refused)?;
    // From version 2 on the header's length has four bytes, and its memory would be asked for.
    if start.get(6).is_some_and(|version| *version > 1) && start.get(10..12) != Some(&[0, 0]) {
        return Err(not_a_map(file, "its header is too long"));
    }
    let array = NpyFile::new(reader).map_err(refused)?;
    // An axis of one image or channel before the two of the map says nothing.
    let shape = array.shape();
    let leading = shape.len().saturating_sub(2);
    let [height, width] = match (&shape[..leading], &shape[leading..]) {
        (first, [height, width]) if first.iter().all(|side| *side == 1) => [*height, *width],
        _ => return Err(not_a_map(file, "its array has not two axes")),
    };
    let allowed = 1..=LARGEST;
    if !allowed.contains(&height) || !allowed.contains(&width) || height * width > length {
        return Err(not_a_map(file, "its sides are none of a map"));
    }
    if array.order() == Order::Fortran && height > 1 && width > 1 {
        return Err(not_a_map(
            file,
            "its array is in Fortran's order; save it in C's",
        ));
    }
    let plain = match array.dtype() {
        DType::Plain(kind) => kind.to_string(),
        _ => String::new(),
    };
    let values: Option<Vec<f32>> = match plain.trim_matches(['\'', '<', '>', '|', '=']) {
        "f4" => array.into_vec::<f32>().ok(),
        "f8" => narrowed(array.into_vec::<f64>().ok(), |value| value as f32),
        "u1" => narrowed(array.into_vec::<u8>().ok(), |value| {
            f32::from(value) / 255.0
        }),
        _ => return Err(not_a_map(file, "its numbers are none of f4, f8 and u1")),
    };
    let values = values.ok_or_else(|| not_a_map(file, "it ends too early"))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(not_a_map(file, "it holds values that are not finite"));
    }
    Ok(AttentionMap::new(height as usize, width as usize, values)?)
}

fn narrowed<T>(values: Option<Vec<T>>, to: fn(T) -> f32) -> Option<Vec<f32>> {
    Some(values?.into_iter().map(to).collect())
}

fn not_a_map(file: &Path, why: &'static str) -> AnalysisError {
    AnalysisError::NotAMap {
        file: file.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use abn_data::{Shapes, Split};
    use npyz::WriterBuilder;

    use super::*;

    fn images(count: usize) -> Collection {
        Shapes::new(1, Split::HeldOut, count).collection()
    }

    fn save<T: npyz::AutoSerialize>(file: &Path, shape: &[u64], values: Vec<T>) {
        let writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(File::create(file).unwrap());
        let mut writer = writer.begin_nd().unwrap();
        writer.extend(values).unwrap();
        writer.finish().unwrap();
    }

    #[test]
    fn maps_are_found_by_name_and_read_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("0.npy"), &[2, 3], vec![0.5_f32; 6]);
        save(
            &folder.path().join("1.npy"),
            &[1, 1, 1, 2],
            vec![-3.0_f64, 7.0],
        );
        image::GrayImage::from_raw(2, 1, vec![0, 255])
            .unwrap()
            .save(folder.path().join("2.png"))
            .unwrap();
        let maps = GivenMaps::open(folder.path(), &images(3)).unwrap();
        let first = maps.map(0).unwrap();
        assert_eq!((first.height, first.width), (2, 3));
        assert_eq!(maps.map(1).unwrap().values, [-3.0, 7.0]);
        assert_eq!(maps.map(2).unwrap().values, [0.0, 1.0]);
        let digest = maps.digest().unwrap();
        save(&folder.path().join("0.npy"), &[2, 3], vec![0.25_f32; 6]);
        assert_ne!(maps.digest().unwrap(), digest);
        let error = GivenMaps::open(folder.path(), &images(5)).unwrap_err();
        assert!(error.to_string().contains("2 of the 5"), "{error}");
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("0.npy");
        let refused = |expected: &str| {
            let maps = GivenMaps::open(folder.path(), &images(1)).unwrap();
            let error = maps.map(0).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        save(&file, &[6], vec![0.5_f32; 6]);
        refused("two axes");
        save(&file, &[2, 2], vec![0.5_f32, f32::NAN, 0.0, 0.0]);
        refused("not finite");
        save(&file, &[2, 2], vec![1_i64; 4]);
        refused("f4, f8 and u1");
        save(&file, &[100, 2], vec![0.5_f32; 200]);
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 5]).unwrap();
        refused("too early");
        fs::write(&file, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").unwrap();
        refused("header is too long");
        fs::write(&file, b"\x93NUMPY garbage").unwrap();
        assert!(
            GivenMaps::open(folder.path(), &images(1))
                .unwrap()
                .map(0)
                .is_err()
        );
        // Sides of a petabyte in a file of a few bytes.
        let header = String::from_utf8_lossy(&whole[..128]).into_owned();
        let huge = header.replace("(100, 2)", "(16384,16384)");
        fs::write(&file, huge).unwrap();
        assert!(
            GivenMaps::open(folder.path(), &images(1))
                .unwrap()
                .map(0)
                .is_err()
        );
    }
}
