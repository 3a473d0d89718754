//! The images that are read: copies of a small folder, and packs of them.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use abn_data::{PackOptions, PackedLabels, Stored, is_image_name, pack};
use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::Reader;

/// A temporary folder with all of them.
pub(super) struct Images {
    folder: TempDir,
    count: usize,
    bytes: u64,
}

impl Images {
    /// Copies the images in the class folders of `from` until there are `count`, and packs them.
    pub(super) fn make(from: &Path, count: usize) -> Result<Self> {
        let mut sources = Vec::new();
        for class in folders(from)? {
            for file in files(&class)? {
                sources.push(file);
            }
        }
        ensure!(
            !sources.is_empty(),
            "`{}` has no folders of images; name others with --images",
            from.display()
        );
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let mut bytes = 0;
        for number in 0..count {
            let source = &sources[number % sources.len()];
            let class = source
                .parent()
                .and_then(Path::file_name)
                .unwrap_or_default();
            let name = source.file_name().unwrap_or_default().to_string_lossy();
            let place = folder.path().join("folder").join(class);
            fs::create_dir_all(&place)?;
            bytes += fs::copy(
                source,
                place.join(format!("{:06}-{name}", number / sources.len())),
            )
            .with_context(|| format!("cannot copy `{}`", source.display()))?;
        }
        let images = Self {
            folder,
            count,
            bytes,
        };
        for (reader, stored) in [
            (Reader::Pack, Stored::AsTheyAre),
            (Reader::Pack256, Stored::Shorter(256)),
        ] {
            let options = PackOptions {
                stored,
                truth: None,
                leave_out: false,
                workers: crate::machine::threads(),
                labels: PackedLabels::One,
            };
            pack(
                &images.of(Reader::Folder),
                &images.of(reader),
                &options,
                &mut |_, _| ControlFlow::Continue(()),
            )?;
        }
        Ok(images)
    }

    /// What a reader reads.
    pub(super) fn of(&self, reader: Reader) -> PathBuf {
        self.folder.path().join(match reader {
            Reader::Pack => "pack",
            Reader::Pack256 => "pack-256",
            _ => "folder",
        })
    }

    pub(super) fn describe(&self) -> String {
        let kib = self.bytes / 1024 / self.count as u64;
        format!("{} files of {kib} KiB on average", self.count)
    }
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(path)?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let is_image = |path: &PathBuf| path.is_file() && is_image_name(path);
    Ok(entries(path)?.into_iter().filter(is_image).collect())
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}
