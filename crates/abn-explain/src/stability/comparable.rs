//! Which runs can be compared: different ones, with the same classes, tested on the same images,
//! that have maps of the method. All of it is known from their configurations, before the work
//! begins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use abn_run::folder::run_dir::RunDir;
use abn_run::recipe::RunConfig;

/// The configurations of the runs.
///
/// # Errors
/// A run cannot be opened, is named twice, or was trained on other classes or images than the first
/// one.
pub fn open_configs(runs: &[PathBuf]) -> Result<Vec<RunConfig>> {
    let configs = runs
        .iter()
        .map(|path| Ok(RunDir::open(path)?.1))
        .collect::<Result<Vec<_>>>()?;
    for (number, path) in runs.iter().enumerate() {
        let same = |other: &&PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(path).ok();
        ensure!(
            !runs[..number].iter().any(|other| same(&other)),
            "`{}` is named twice: a run is always as it is itself; name different runs",
            path.display()
        );
        refuse_other_images(&runs[0], &configs[0], path, &configs[number])?;
    }
    Ok(configs)
}

/// Maps compare where the networks know the same classes and none has learned what another is
/// tested on.
fn refuse_other_images(
    first: &Path,
    known: &RunConfig,
    path: &Path,
    config: &RunConfig,
) -> Result<()> {
    let (first, path) = (first.display(), path.display());
    let (one, other) = (known.recipe.dataset, config.recipe.dataset);
    ensure!(
        one == other,
        "`{path}` was trained on {}, `{first}` on {}: name runs of the same data set",
        other.name(),
        one.name()
    );
    ensure!(
        known.classes.len() == config.classes.len(),
        "`{path}` has {} classes, `{first}` has {}: name runs of the same data set",
        config.classes.len(),
        known.classes.len()
    );
    // An imported run may have numbers for names.
    let named = known.imported.is_none() && config.imported.is_none();
    let differ = known
        .classes
        .iter()
        .zip(&config.classes)
        .find(|(a, b)| a != b);
    if let Some((a, b)) = differ.filter(|_| named) {
        bail!(
            "`{path}` has the class `{b}` where `{first}` has `{a}`: name runs of the same data set"
        );
    }
    if let (Some(a), Some(b)) = (test_images(known), test_images(config)) {
        ensure!(
            a == b,
            "`{path}` was tested on other images than `{first}` ({b} instead of {a}), so one run \
             may have learned what the other has not seen: name runs of the same images"
        );
    }
    Ok(())
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
