//! Which runs can be compared: different ones, with the same classes, tested on the same images,
//! that have maps of the method. All of it is known from their configurations, before the work
//! begins.

use std::fs;
use std::path::{Path, PathBuf};

use abn_run::folder::run_dir::RunDir;
use abn_run::recipe::RunConfig;

use crate::AnalysisError;

/// The configurations of the runs.
///
/// # Errors
/// A run cannot be opened, is named twice, or was trained on other classes or images than the first
/// one.
pub fn open_configs(runs: &[PathBuf]) -> Result<Vec<RunConfig>, AnalysisError> {
    let mut configs = Vec::new();
    for path in runs {
        configs.push(RunDir::open(path)?.1);
    }
    refuse_twice(runs)?;
    for (path, config) in runs.iter().zip(&configs) {
        refuse_other_images(&runs[0], &configs[0], path, config)?;
    }
    Ok(configs)
}

/// Refuses a run that is named twice.
///
/// # Errors
/// One is.
pub fn refuse_twice(runs: &[PathBuf]) -> Result<(), AnalysisError> {
    for (number, path) in runs.iter().enumerate() {
        let same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(path).ok();
        if runs[..number].iter().any(same) {
            return Err(AnalysisError::NotComparable(format!(
                "`{}` is named twice: a run is always as it is itself; name different runs",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Maps compare where the networks know the same classes and none has learned what another is
/// tested on.
fn refuse_other_images(
    first: &Path,
    known: &RunConfig,
    path: &Path,
    config: &RunConfig,
) -> Result<(), AnalysisError> {
    match difference(first, known, path, config) {
        Some(why) => Err(AnalysisError::NotComparable(why)),
        None => Ok(()),
    }
}

/// What makes the second of two runs so different that the two cannot be compared, if anything.
fn difference(first: &Path, known: &RunConfig, path: &Path, config: &RunConfig) -> Option<String> {
    let (first, path) = (first.display(), path.display());
    let (one, other) = (known.recipe.dataset, config.recipe.dataset);
    if one != other {
        return Some(format!(
            "`{path}` was trained on {}, `{first}` on {}: name runs of the same data set",
            other.name, one.name
        ));
    }
    if known.labels.sizes() != config.labels.sizes() {
        return Some(format!(
            "`{path}` has {}, `{first}` has {}: name runs of the same data set",
            config.labels.title(),
            known.labels.title()
        ));
    }
    // An imported run may have numbers for names.
    let named = known.imported.is_none() && config.imported.is_none();
    let mut classes = known.labels.classes().zip(config.labels.classes());
    if let Some((a, b)) = classes.find(|(a, b)| a != b).filter(|_| named) {
        return Some(format!(
            "`{path}` has the class `{b}` where `{first}` has `{a}`: name runs of the same data set"
        ));
    }
    let (a, b) = (test_images(known)?, test_images(config)?);
    (a != b).then(|| {
        format!(
            "`{path}` was tested on other images than `{first}` ({b} instead of {a}), so one run \
             may have learned what the other has not seen: name runs of the same images"
        )
    })
}

/// What is doubtful about comparing these runs: those that cut images in another way still see the
/// same objects, but not in the same places of their maps.
pub fn doubts(runs: &[PathBuf], configs: &[RunConfig]) -> Vec<String> {
    let steps = |config: &RunConfig| config.recipe.eval_steps.clone();
    let others = runs.iter().zip(configs).skip(1);
    others
        .filter(|(_, config)| steps(config) != steps(&configs[0]))
        .map(|(path, _)| {
            format!(
                "`{}` resizes and cuts images in another way than `{}`; where they are cut to \
                 other parts, positions of the maps do not correspond",
                path.display(),
                runs[0].display()
            )
        })
        .collect()
}

/// The digest of the held-out images, where it is known.
fn test_images(config: &RunConfig) -> Option<&str> {
    config
        .images
        .as_deref()?
        .split_once("test: ")
        .map(|(_, test)| test)
}
