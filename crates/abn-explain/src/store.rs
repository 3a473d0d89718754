//! What is measured so far: one line an image behind a line with all that decides them, so that
//! nothing is measured twice.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use abn_run::digest::sha256;
use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::AnalysisError;

/// The lines of one plan, in a file of its own: another plan never replaces them.
pub struct Store<T> {
    file: File,
    /// What is measured of each image so far, in the order of the images.
    pub images: Vec<T>,
}

impl<T: Serialize + DeserializeOwned> Store<T> {
    /// Opens the lines behind that header, the plan in JSON, in a folder, or begins them. What a kill cut off is dropped, and
    /// images beyond a multiple of `batch` with it, unless they are all of `count`.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(
        folder: &Path,
        header: &str,
        batch: usize,
        count: usize,
    ) -> Result<Self, AnalysisError> {
        let failed = FolderError::writing_in(folder);
        fs::create_dir_all(folder).map_err(&failed)?;
        let path = folder.join(format!("{}.jsonl", &sha256(header.as_bytes())[..16]));
        let text = fs::read(&path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let mut images = if text.lines().next() == Some(header) {
            whole_lines(&text)
        } else {
            Vec::new()
        };
        if images.len() != count {
            images.truncate(images.len().min(count) / batch * batch);
        }
        write_atomically(&path, &lines(header, &images)?)?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(&failed)?;
        Ok(Self { file, images })
    }

    /// Adds a batch of images.
    ///
    /// # Errors
    /// The disk is full. What was added before is kept.
    pub fn add(&mut self, images: Vec<T>) -> Result<(), AnalysisError> {
        let mut text = Vec::new();
        for image in &images {
            serde_json::to_writer(&mut text, image)?;
            text.push(b'\n');
        }
        self.file.write_all(&text).map_err(AnalysisError::Keep)?;
        self.images.extend(images);
        Ok(())
    }
}

/// The images of all lines behind the first, until one that is damaged or has no end.
fn whole_lines<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let lines = text.split_inclusive('\n').skip(1);
    lines
        .map_while(|line| {
            line.strip_suffix('\n')
                .and_then(|line| serde_json::from_str(line).ok())
        })
        .collect()
}

fn lines<T: Serialize>(header: &str, images: &[T]) -> Result<Vec<u8>, AnalysisError> {
    let mut text = format!("{header}\n").into_bytes();
    for image in images {
        serde_json::to_writer(&mut text, image)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that have to come back as they are.
    fn rows(image: usize) -> Vec<f64> {
        vec![0.1 * image as f64]
    }

    fn open(folder: &Path, plan: &str, batch: usize, count: usize) -> Store<Vec<f64>> {
        Store::open(folder, plan, batch, count).unwrap()
    }

    #[test]
    fn whole_batches_survive_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let open = |plan| open(folder.path(), plan, 2, 7);
        let mut store = open("five steps");
        (0..3).for_each(|batch| {
            store
                .add(vec![rows(2 * batch), rows(2 * batch + 1)])
                .unwrap()
        });
        let path = folder
            .path()
            .read_dir()
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 2]).unwrap();
        let store = open("five steps");
        assert_eq!(
            store.images,
            (0..4).map(rows).collect::<Vec<_>>(),
            "half a batch is measured anew"
        );
        assert!(
            open("six steps").images.is_empty(),
            "another plan has lines of its own"
        );
        assert_eq!(open("five steps").images.len(), 4);
    }

    #[test]
    fn all_images_are_kept_though_the_last_batch_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path(), "plan", 2, 3);
        store.add((0..3).map(rows).collect()).unwrap();
        assert_eq!(open(folder.path(), "plan", 2, 3).images.len(), 3);
    }
}
