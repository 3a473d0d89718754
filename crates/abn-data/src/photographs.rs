//! Photographs in whatever they lie: class folders, packs, tar shards, Parquet files.

use std::path::Path;

use crate::{Collection, DataError, ImageFolder, image_folder, is_pack, packed};

/// One split of photographs of which it is found out how they lie: in a folder, see
/// [`image_folder`], in a pack, see [`packed`], or with the features of those names in tar shards
/// or Parquet files.
///
/// # Errors
/// Those of whoever reads them, or [`DataError::NotBuilt`] if nobody is there for it.
pub fn photographs(request: &ImageFolder) -> Result<Collection, DataError> {
    if is_pack(request.dir) {
        return packed(request);
    }
    #[cfg(feature = "tar")]
    if crate::holds_shards(request.dir) {
        return crate::tar_shards(request);
    }
    #[cfg(feature = "parquet")]
    if crate::holds_parquet(request.dir) {
        return crate::parquet(request);
    }
    if request.dir.is_file() {
        return Err(no_reader(request.dir));
    }
    image_folder(request).map_err(|error| match error {
        // Folders of archives look like folders of nothing.
        DataError::Missing { .. }
        | DataError::NoClasses { .. }
        | DataError::NoLabels { .. }
        | DataError::EmptyClass { .. } => archive_in(request.dir).unwrap_or(error),
        error => error,
    })
}

/// Why a file holds no photographs that can be read.
fn no_reader(file: &Path) -> DataError {
    not_built(file).unwrap_or_else(|| DataError::NoPhotographs { path: file.into() })
}

/// What is said of an archive in a folder, or in the folders in it.
fn archive_in(dir: &Path) -> Option<DataError> {
    let inside = |dir: &Path| {
        let entries = dir.read_dir().ok()?.flatten();
        entries
            .map(|entry| entry.path())
            .find_map(|path| not_built(&path))
    };
    inside(dir).or_else(|| {
        let mut folders = dir.read_dir().ok()?.flatten().map(|entry| entry.path());
        folders.find_map(|path| path.is_dir().then(|| inside(&path)).flatten())
    })
}

/// The feature that an archive needs and this build lacks.
fn not_built(file: &Path) -> Option<DataError> {
    let missing = [
        ("tar", cfg!(feature = "tar")),
        ("parquet", cfg!(feature = "parquet")),
    ];
    let ending = file.extension()?;
    let (feature, _) = missing
        .into_iter()
        .find(|(feature, built)| !built && ending.eq_ignore_ascii_case(feature))?;
    Some(DataError::NotBuilt {
        path: file.into(),
        feature,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Split;

    fn error(dir: &Path) -> String {
        let request = ImageFolder {
            dir,
            split: Split::Train,
            seed: 0,
            truth: None,
            classes: None,
            once: None,
        };
        photographs(&request).err().expect("an error").to_string()
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("photos.zip");
        fs::write(&file, "PK").unwrap();
        let said = error(&file);
        assert!(
            said.contains("photos.zip") && said.contains("abn data pack"),
            "{said}"
        );
    }

    #[cfg(not(any(feature = "tar", feature = "parquet")))]
    #[test]
    fn what_this_build_cannot_read_is_told() {
        for (name, feature) in [
            ("train/x-000.tar", "tar"),
            ("data/train.parquet", "parquet"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            for place in [dir.path(), &file] {
                let said = error(place);
                assert!(said.contains(&format!("the feature {feature}")), "{said}");
            }
        }
    }
}
