//! Photographs in Parquet files, as the Hugging Face hub has them.
//!
//! ```text
//! DIR/data/train-00000-of-00014.parquet     columns image (bytes in it) and label
//! DIR/data/validation-00000-of-00001.parquet
//! DIR/train/0000.parquet, DIR/test/...      splits by folder
//! ```
//!
//! The image is the column `image`, `img` or what the library `datasets` says to be one; the label
//! is `label`, `labels`, `fine_label` and so on, numbers or texts. Classes are called as `datasets`
//! has written into the file, or as `classes.txt` beside it says.
//!
//! A page of a Parquet file is decoded as a whole, so that one image costs the decoding of a
//! hundred. Therefore opening copies the images of the split, as they are encoded, into a temporary
//! file without a name: one pass over the files, and as much space in the folder for temporary
//! files (`TMPDIR`) as the split has. After that an image is one read at a known place, and order
//! and resume are as exact as with folders. Copying was measured at 330 MB/s on two busy cores:
//! eight minutes for ImageNet's 150 GB.

mod cache;
mod columns;
mod pages;
mod source;
mod thrift;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;

use self::cache::{Cache, Writer};
use self::source::{Source, too_many};
use crate::archive::{
    Archives, Classes, Kind, beside, given_names, holds, refused, turns, without,
};
use crate::folder::name_below;
use crate::{
    Collection, DataError, Files, ImageFolder, ObjectMasks, Sample, Split, Target, image_of,
};

const PARQUET: Kind = Kind {
    ending: "parquet",
    plural: "Parquet files",
    compressed: &[],
};

/// Whether `path` is a Parquet file, or a folder of such and of nothing else that may be images.
#[must_use]
pub fn holds_parquet(path: &Path) -> bool {
    holds(path, PARQUET)
}

/// One split of photographs in Parquet files: `dir` is a folder of them, or one.
///
/// A file is of the split that a word in its name says, `train-00000-of-00014.parquet`, or the name
/// of its folder. If none says any, or all are to learn from, one image in five of every class is
/// held out by the names of files and the numbers of rows, as in folders by the images' names.
///
/// The images come first of every class, then second of every class, and so on: the first N show
/// all classes. They are copied once, see above.
///
/// # Errors
/// There are no such files, it is not clear which split they are for, or one is damaged, compressed
/// in a way that is not read, lacks images or labels, or has a label that is none of the classes;
/// or there is no room for the copy.
pub fn parquet(request: &ImageFolder) -> Result<Collection, DataError> {
    let ImageFolder {
        dir,
        split,
        seed,
        truth,
        classes: known,
        // What is in an archive stays there.
        once: _,
    } = *request;
    without(dir, truth, &[])?;
    let archives = Archives::find(dir, PARQUET)?;
    let chosen = archives.of(dir, split)?;
    let sources = open_all(chosen.files)?;
    let mut labels = Vec::new();
    let mut of_file = Vec::new();
    for (source, number) in sources.iter().zip(0_u32..) {
        labels.extend(source.labels()?);
        of_file.extend((0..source.rows() as u32).map(|row| (number, row)));
    }
    let given = match &sources[0].columns.names {
        Some(names) => Some(names.clone()),
        None => given_names(beside(dir))?,
    };
    // The same classes for every split.
    let learned = match archives
        .train()
        .filter(|_| given.is_none() && split != Split::Train)
    {
        None => None,
        Some(train) => {
            let mut labels = Vec::new();
            for source in open_all(train)? {
                labels.extend(source.labels()?);
            }
            Some(labels)
        }
    };
    let said = learned.as_ref().unwrap_or(&labels).iter();
    let classes = Classes::of(dir, said, given, known)?;
    let mut class_of = Vec::with_capacity(labels.len());
    for (label, (file, row)) in labels.iter().zip(&of_file) {
        let class = classes.class(label).map_err(|wrong| {
            let path = &chosen.files[*file as usize];
            refused(
                path,
                format!("its row {row} {wrong}; correct it, or leave it out"),
            )
        })?;
        class_of.push(class);
    }
    let above = beside(dir);
    let names: Vec<String> = chosen
        .files
        .iter()
        .map(|file| name_below(above, file))
        .collect();
    let name = |place: usize| name_of(&names, of_file[place]);
    let split_by = chosen.whole.then_some((split, seed));
    let turns = turns(&class_of, classes.labels.count(), split_by, name).map_err(|class| {
        let class = classes.labels.name(0, class);
        let reason = format!(
            "there is one image of {class}: expected two or more, of which one in five is held \
             out; add some, or hold images out yourself in files called validation-..."
        );
        refused(dir, reason)
    })?;
    if turns.order.is_empty() {
        return Err(refused(
            dir,
            "its files have no rows; check that they are the right ones",
        ));
    }
    let rows = Arc::new(Rows {
        cache: copied(&sources)?,
        files: chosen.files.to_vec(),
        names,
        of_file,
        order: turns.order,
        counts: turns.counts,
    });
    Ok(Collection {
        samples: rows.clone(),
        labels: classes.labels,
        masked: false,
        notes: [archives.note(), chosen.note, classes.note]
            .into_iter()
            .flatten()
            .collect(),
        files: Some(rows),
        interventions: None,
    })
}

/// All files, which call the classes the same.
fn open_all(paths: &[PathBuf]) -> Result<Vec<Source>, DataError> {
    let mut sources: Vec<Source> = Vec::with_capacity(paths.len());
    for path in paths {
        let source = Source::open(path)?;
        let names = &source.columns.names;
        if names.as_ref().is_some_and(|names| too_many(names)) {
            return Err(refused(
                path,
                "it names more classes than there can be; get it again",
            ));
        }
        if sources
            .first()
            .is_some_and(|first| first.columns.names != *names)
        {
            let reason = "it calls the classes in another way than the files before it; move it to \
                          a folder of its own";
            return Err(refused(path, reason));
        }
        sources.push(source);
    }
    Ok(sources)
}

/// The images of all files in a file of their own.
fn copied(sources: &[Source]) -> Result<Cache, DataError> {
    let failed = |source| DataError::Cache {
        dir: std::env::temp_dir(),
        source,
    };
    let mut cache = Writer::new().map_err(failed)?;
    for source in sources {
        source.images(&mut cache)?;
    }
    cache.finish().map_err(failed)
}

/// A row is called by its file and its number there.
fn name_of(files: &[String], (file, row): (u32, u32)) -> String {
    format!("{}/{row}", files[file as usize])
}

/// The rows of files, whose images lie in a temporary file.
struct Rows {
    cache: Cache,
    files: Vec<PathBuf>,
    /// Their paths below the folder of the data set.
    names: Vec<String>,
    /// File and row of every image, in the order of the cache.
    of_file: Vec<(u32, u32)>,
    /// Image and class of every sample.
    order: Vec<(u32, u32)>,
    counts: Vec<usize>,
}

impl Dataset<Sample, DataError> for Rows {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let (image, class) = self.order[index];
        let (file, row) = self.of_file[image as usize];
        let bytes = self
            .cache
            .read(image as usize)
            .map_err(|source| DataError::Cache {
                dir: std::env::temp_dir(),
                source,
            })?;
        let name = self.files[file as usize].join(row.to_string());
        Ok(Sample {
            image: image_of(bytes, &name)?,
            target: Target::class(class as usize),
            masks: ObjectMasks::Unknown,
        })
    }

    fn len(&self) -> usize {
        self.order.len()
    }
}

impl Files for Rows {
    fn name(&self, index: usize) -> String {
        name_of(&self.names, self.of_file[self.order[index].0 as usize])
    }

    fn path(&self, _: usize) -> Option<PathBuf> {
        None
    }

    fn counts(&self) -> Vec<usize> {
        self.counts.clone()
    }
}

#[cfg(test)]
mod tests;
