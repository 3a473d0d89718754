//! The images that a run is trained and measured on, before there is a run.

use std::path::{Path, PathBuf};

use abn_data::{Collection, Loader, Split, twins};

use crate::RunError;
use crate::datasets::Request;
use crate::images::{canvas, plain_loader};
use crate::recipe::{Recipe, RunConfig};
use crate::unreadable::{OnCorrupt, Unreadable, UnreadableImages};

/// Where the images of a training come from.
#[derive(Clone)]
pub struct Loaders {
    /// Shuffled, augmented.
    pub train: Loader,
    /// In order, as they are.
    pub test: Loader,
    /// The images that they leave out.
    pub unreadable: Option<Unreadable>,
}

/// What is to become of images that cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Damage {
    /// Those that come up.
    pub policy: OnCorrupt,
    /// Those that the run knows.
    pub known: Option<UnreadableImages>,
}

/// Both splits of the data set of a run that is to be trained.
pub struct TrainingImages {
    folder: Option<PathBuf>,
    train: Collection,
    test: Collection,
    /// The images that are left out.
    pub unreadable: Unreadable,
}

impl TrainingImages {
    /// Opens both splits: in `given`, where the existing run had them, or at their usual place.
    ///
    /// # Errors
    /// The data set is missing, damaged or empty.
    pub fn open(
        recipe: &Recipe,
        given: Option<&Path>,
        existing: Option<&RunConfig>,
        damage: Damage,
    ) -> Result<Self, RunError> {
        let last = existing.and_then(|config| config.data.as_deref());
        let dataset = recipe.dataset;
        let folder = dataset.folder(given, last)?;
        let once = damage.known.as_ref().map(UnreadableImages::names);
        let open = |split| {
            let opened = dataset.open(&Request {
                labels: recipe.labels.as_deref(),
                once: once.as_ref(),
                shortcut: recipe.shortcut,
                crop: recipe.crop_to_object,
                objects: recipe.detector.is_some(),
                ..Request::of(split, folder.as_deref())
            });
            opened.map_err(RunError::DataSet)
        };
        let (mut train, test) = (open(Split::Train)?, open(Split::HeldOut)?);
        if let Some(limit) = recipe.limit {
            train = train.limit(limit);
        }
        if train.samples.is_empty() || test.samples.is_empty() {
            return Err(RunError::NoImages(dataset.name));
        }
        let Damage { policy, known } = damage;
        let unreadable = Unreadable::new(known, policy, &train, &test);
        if unreadable.of_training().len() == train.samples.len()
            || unreadable.of_test().len() == test.samples.len()
        {
            return Err(RunError::NoImages(dataset.name));
        }
        Ok(Self {
            unreadable,
            folder,
            train,
            test,
        })
    }

    /// The images that no training sees, as far as they can be read.
    pub fn test(&self) -> Collection {
        let skipped = self.unreadable.of_test().all().into_keys().collect();
        self.test.clone().without(&skipped)
    }

    /// Training and test images, with those that cannot be read.
    pub fn splits(&self) -> [&Collection; 2] {
        [&self.train, &self.test]
    }

    /// What the images are, a line each: how many of which classes, what is left out, and whether
    /// what is measured on is learned, too. Nothing of a data set that is always the same.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, images) in [("training", &self.train), ("held out", &self.test)] {
            lines.extend(counted(name, images));
        }
        let notes = self.train.notes.iter().chain(&self.test.notes);
        for note in notes {
            if !lines.contains(note) {
                lines.push(note.clone());
            }
        }
        lines.extend(learned_and_measured(&self.test, &self.train));
        lines.extend(self.unreadable.note());
        lines
    }

    /// The recipe with batches that the images can fill. A usual size is made smaller, one that was
    /// asked for is not.
    ///
    /// # Errors
    /// The size that was asked for is more than there are images.
    pub fn fit_batch(&self, recipe: Recipe, usual: bool) -> Result<Recipe, RunError> {
        let (batch, images) = (recipe.batch_size, self.train.samples.len());
        if !usual && batch > images {
            return Err(RunError::BatchSize { batch, images });
        }
        Ok(Recipe {
            batch_size: batch.min(images),
            ..recipe
        })
    }

    /// Absent over present training images of each label: the factor by which the present ones
    /// weigh as much as the absent ones together. 1 where all are of one kind.
    ///
    /// # Errors
    /// The labels are not all absent or present, or an image cannot be read.
    pub fn balance(&self) -> Result<Vec<f64>, RunError> {
        let labels = &self.train.labels;
        if labels.sizes().iter().any(|classes| *classes != 2) {
            return Err(RunError::NoBalance);
        }
        let counts = self.counts()?;
        let balance = |pair: &[usize]| match *pair {
            [absent, present] if absent > 0 && present > 0 => absent as f64 / present as f64,
            _ => 1.0,
        };
        Ok(counts.chunks(2).map(balance).collect())
    }

    /// Training images of each class, which the list of the files may know.
    fn counts(&self) -> Result<Vec<usize>, RunError> {
        let labels = &self.train.labels;
        let listed = self.train.files.as_ref().map(|files| files.counts());
        let whole = |counts: &Vec<usize>| {
            let images: usize = counts.iter().sum();
            counts.len() == labels.count()
                && images <= self.train.samples.len() * labels.groups().len()
        };
        if let Some(counts) = listed.filter(whole) {
            return Ok(counts);
        }
        let mut counts = vec![0; labels.count()];
        let skipped = self.unreadable.of_training().all();
        let readable = (0..self.train.samples.len()).filter(|index| !skipped.contains_key(index));
        for index in readable {
            let sample = self.train.samples.get(index).map_err(RunError::DataSet)?;
            for (group, class) in sample.target.classes().iter().enumerate() {
                if let Some(class) = class {
                    counts[labels.first_of(group) + class] += 1;
                }
            }
        }
        Ok(counts)
    }

    /// The whole configuration of a run on these images, which may exist.
    ///
    /// # Errors
    /// An image cannot be read, or there is no architecture of the recipe's name.
    pub fn describe(
        &self,
        recipe: Recipe,
        existing: Option<&RunConfig>,
    ) -> Result<RunConfig, RunError> {
        // Reading all images takes long: what is wrong with the recipe is told before.
        let config = RunConfig::new(recipe, self.train.labels.clone())?;
        let before = existing.and_then(|config| config.images.as_deref());
        let images = self.unreadable.fingerprint(before)?;
        Ok(RunConfig {
            images: Some(images),
            data: self.folder.clone(),
            ..config
        })
    }

    /// The loaders of a training, which read with so many threads.
    pub fn loaders(&self, config: &RunConfig, workers: usize) -> Loaders {
        let recipe = &config.recipe;
        Loaders {
            train: Loader {
                dataset: self.train.samples.clone(),
                transform: recipe.train_transform(),
                batch_size: recipe.batch_size,
                workers,
                seed: recipe.seed,
                shuffled: true,
                masks: recipe.learns_objects(),
                skips: self.unreadable.of_training().clone(),
                canvas: canvas(recipe, &self.train),
                drop_last: recipe.drop_last,
            },
            test: Loader {
                masks: false,
                skips: self.unreadable.of_test().clone(),
                ..plain_loader(config, &self.test, workers)
            },
            unreadable: Some(self.unreadable.clone()),
        }
    }
}

/// How many images of a split there are, and of which class the fewest and the most.
fn counted(name: &str, images: &Collection) -> Option<String> {
    let counts = images.files.as_ref()?.counts();
    if images.labels.only().is_none() {
        return Some(counted_by_label(name, images, &counts));
    }
    let mut classes: Vec<(usize, &String)> =
        counts.into_iter().zip(images.labels.classes()).collect();
    classes.sort_by_key(|(count, _)| *count);
    let (fewest, most) = (classes.first()?, classes.last()?);
    let all: usize = classes.iter().map(|(count, _)| count).sum();
    let each = if fewest.0 == most.0 {
        format!("{} of each", fewest.0)
    } else {
        format!(
            "from {} ({}) to {} ({})",
            fewest.0, fewest.1, most.0, most.1
        )
    };
    Some(format!(
        "{name}: {all} images in {} classes, {each}",
        classes.len()
    ))
}

/// How many images of several labels there are, and which of those that are there or not is there
/// least and most often.
fn counted_by_label(name: &str, images: &Collection, counts: &[usize]) -> String {
    let labels = &images.labels;
    let present = labels
        .groups()
        .iter()
        .enumerate()
        .filter_map(|(number, group)| {
            let first = labels.first_of(number);
            (group.classes.len() == 2).then(|| (counts.get(first + 1).copied(), &group.name))
        });
    let mut present: Vec<(Option<usize>, &String)> = present.collect();
    present.sort_by_key(|(count, _)| *count);
    let there = match (present.first(), present.last()) {
        (Some((Some(fewest), rare)), Some((Some(most), frequent))) => {
            format!(", each in {fewest} ({rare}) to {most} ({frequent})")
        }
        _ => String::new(),
    };
    let (count, title) = (images.samples.len(), labels.title());
    format!("{name}: {count} images with {title}{there}")
}

/// A warning of images that are learned from and measured on.
fn learned_and_measured(test: &Collection, train: &Collection) -> Option<String> {
    let twins = twins(test, train);
    if !twins.all {
        return Some("the splits were not compared for identical files: too many".to_owned());
    }
    let [here, there] = twins.first?;
    Some(format!(
        "warning: {} of the {} held-out images are training images, too, and flatter the figures: \
         {} is {}",
        twins.count,
        test.samples.len(),
        here.display(),
        there.display()
    ))
}
