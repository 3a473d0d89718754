//! What is measured so far: one line an image behind a line with the plan, so that nothing is
//! measured twice.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use abn_run::digest::sha256;
use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;

use serde::Serialize;

use super::{Examined, Metric, Plan};
use crate::AnalysisError;

/// The measures of a store whose first line names none.
const FIRST: &str = "deletion insertion deletion_blur insertion_zero average_drop increase \
                     pointing_game energy iou auc sparseness randomised";

/// The first line: everything that decides the others.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    measures: Option<&'a str>,
}

/// The lines of one plan, in a file of its own: another plan never replaces them.
pub struct Store {
    file: File,
    /// What is measured of each image so far, in the order of the images.
    pub images: Vec<Examined>,
}

impl Store {
    /// Opens the lines of a plan in a folder, or begins them. What a kill cut off is dropped, and
    /// images beyond a multiple of `batch` with it, unless they are all of `count`.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(
        folder: &Path,
        plan: &Plan,
        batch: usize,
        count: usize,
    ) -> Result<Self, AnalysisError> {
        let failed = FolderError::writing_in(folder);
        fs::create_dir_all(folder).map_err(&failed)?;
        let header = header(plan, &Metric::ALL.map(Metric::column).join(" "))?;
        let path = folder.join(format!("{}.jsonl", &sha256(header.as_bytes())[..16]));
        let text = fs::read(&path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let mut images = if text.lines().next() == Some(&header) {
            whole_lines(&text)
        } else {
            Vec::new()
        };
        if images.len() != count {
            images.truncate(images.len().min(count) / batch * batch);
        }
        write_atomically(&path, &lines(&header, &images)?)?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(&failed)?;
        Ok(Self { file, images })
    }

    /// Adds a batch of images.
    ///
    /// # Errors
    /// The disk is full. What was added before is kept.
    pub fn add(&mut self, images: Vec<Examined>) -> Result<(), AnalysisError> {
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

/// Rows with other measures are those of another plan: a mean over some of the images would look
/// like one over all.
fn header(plan: &Plan, measures: &str) -> Result<String, AnalysisError> {
    let measures = (measures != FIRST).then_some(measures);
    Ok(serde_json::to_string(&Header { plan, measures })?)
}

/// The images of all lines behind the first, until one that is damaged or has no end.
fn whole_lines(text: &str) -> Vec<Examined> {
    let lines = text.split_inclusive('\n').skip(1);
    lines
        .map_while(|line| {
            line.strip_suffix('\n')
                .and_then(|line| serde_json::from_str(line).ok())
        })
        .collect()
}

fn lines(header: &str, images: &[Examined]) -> Result<Vec<u8>, AnalysisError> {
    let mut text = format!("{header}\n").into_bytes();
    for image in images {
        serde_json::to_writer(&mut text, image)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::score::{ClassChoice, Row};
    use abn_core::explain::{Layer, Method};

    fn plan(steps: usize) -> Plan {
        Plan {
            weights: "w".to_owned(),
            images: "i".to_owned(),
            objects: None,
            methods: vec![Method::Cam],
            layer: Layer::Refined,
            class: ClassChoice::Label,
            group: None,
            steps,
            randomised: 0,
            files: None,
            fine_tuned: None,
            check: false,
        }
    }

    fn rows(image: usize) -> Examined {
        let values = BTreeMap::from([(Metric::Drop, 0.1 * image as f64)]);
        let method = Method::Cam;
        let row = Row {
            image,
            label: 0,
            predicted: 1,
            class: 0,
            probability: 0.3,
            method,
            values,
            cascade: vec![None],
        };
        Examined {
            rows: vec![row],
            ..Examined::default()
        }
    }

    #[test]
    fn whole_batches_survive_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let open = |steps| Store::open(folder.path(), &plan(steps), 2, 7).unwrap();
        let mut store = open(5);
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
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        let store = open(5);
        assert_eq!(
            store.images,
            (0..4).map(rows).collect::<Vec<_>>(),
            "half a batch is measured anew"
        );
        assert!(
            open(6).images.is_empty(),
            "another plan has lines of its own"
        );
        assert_eq!(open(5).images.len(), 4);
    }

    #[test]
    fn another_set_of_measures_begins_anew() {
        let plan = plan(5);
        let first = header(&plan, FIRST).unwrap();
        assert_eq!(first, serde_json::to_string(&plan).unwrap(), "as it was");
        let more = header(&plan, &format!("{FIRST} more")).unwrap();
        assert!(more.ends_with(r#"randomised more"}"#), "{more}");
    }

    #[test]
    fn all_images_are_kept_though_the_last_batch_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), &plan(5), 2, 3).unwrap();
        store.add((0..3).map(rows).collect()).unwrap();
        assert_eq!(
            Store::open(folder.path(), &plan(5), 2, 3)
                .unwrap()
                .images
                .len(),
            3
        );
    }
}
