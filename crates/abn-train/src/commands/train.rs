//! `abn train`: make or continue a run, then measure and show it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use abn_core::transfer::Transfer;
use abn_kernels::ops::can_pass_together;
use abn_run::digest::sha256;
use abn_run::folder::run_dir::{REPORT, RunDir};
use abn_run::measure::best::BestFigure;
use abn_run::measure::records::{InvertedClass, Results, Summary, words_of};
use abn_run::recipe::RunConfig;
use abn_run::training_images::{Damage, TrainingImages};
use abn_run::unreadable::{OnCorrupt, UnreadableImages};
use abn_run::{RunError, warm_start};
use anyhow::{Result, anyhow, ensure};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{detection_tables, figures, labels, percent};
use crate::cli::{TrainArgs, Weight};
use crate::commands::import::tell_of_averaged_weights;
use crate::commands::recipe_from_args::recipe_from_args;
use crate::device;
use crate::interrupt::Interrupt;
use crate::ranks::Ranks;
use crate::terminal;
use crate::train::trainer::Ending;
use crate::train::{TrainOptions, train};
use crate::unreadable;

/// Runs the command.
///
/// # Errors
/// Anything that keeps the run from its end; its last checkpoint is kept.
pub fn run(args: TrainArgs) -> Result<Ending> {
    let ranks = Ranks::join()?;
    let ending = run_among(&ranks, &args);
    ending.map_err(|error| ranks.end_for(error))
}

fn run_among(ranks: &Ranks, args: &TrainArgs) -> Result<Ending> {
    if ranks.count() > 1 {
        let program = std::env::current_exe().and_then(std::fs::read);
        ranks.same(
            "the program",
            &sha256(&ranks.agree(program.map_err(Into::into))?),
        )?;
    }
    let devices = ranks.agree(open_devices(args))?;
    let device = &devices[0];
    let place = ranks.from_first(|| Place::find(args))?;
    let prepared = ranks.agree(Prepared::of(args, &place, ranks, &devices))?;
    let Prepared {
        images,
        config,
        options,
    } = prepared;
    if ranks.count() > 1 {
        refuse_other_runs(&config, ranks)?;
    }
    let open = || -> Result<(RunDir, Option<Transfer>)> {
        let start = warm_start::start(&config, &place.path, device)?;
        Ok((RunDir::open_for_writing(&place.path, &config)?, start))
    };
    let opened = ranks.agree(ranks.is_first().then(open).transpose())?;
    let (run, start) = opened.unzip();
    let interrupt = Interrupt::listen_and(ranks.is_first())?;
    let (ending, results) = train(
        &config,
        run.as_ref(),
        &images,
        start.flatten(),
        &devices,
        ranks,
        &interrupt,
        options,
    )?;
    if let Some(run) = &run {
        match results {
            Some(results) => print_results(args.json, &config, run, &results)?,
            None => terminal::note(&format!(
                "stopped; the same command continues from the checkpoint in `{}`",
                run.path().display()
            )),
        }
    }
    Ok(ending)
}

/// The devices that are asked for, one unless several are named.
fn open_devices(args: &TrainArgs) -> Result<Vec<Device>> {
    let Some(names) = &args.devices else {
        return Ok(vec![device::open(args.device.as_deref())?]);
    };
    let names = device::choose_several(Some(names))?;
    ensure!(
        names.iter().all(|name| name.backend == names[0].backend),
        "--devices are of one kind, such as cuda:0,cuda:1: others would round differently"
    );
    let open = |name: &device::DeviceName| device::open(Some(&name.to_string()));
    names.iter().map(open).collect()
}

/// Where a run is to be, and what is there.
#[derive(Serialize, Deserialize)]
struct Place {
    path: PathBuf,
    existing: Option<RunConfig>,
    unreadable: Option<UnreadableImages>,
}

impl Place {
    fn find(args: &TrainArgs) -> Result<Self> {
        let (path, existing) = find_run(args)?;
        let unreadable = UnreadableImages::of_run(&path)?;
        Ok(Self {
            path,
            existing,
            unreadable,
        })
    }
}

/// What is trained, on what, and how.
struct Prepared {
    images: TrainingImages,
    config: RunConfig,
    options: TrainOptions,
}

impl Prepared {
    /// The same in all processes.
    fn of(args: &TrainArgs, place: &Place, ranks: &Ranks, devices: &[Device]) -> Result<Self> {
        let (existing, device) = (place.existing.as_ref(), &devices[0]);
        let options = options(args, devices.len());
        ensure!(
            options.replicas >= devices.len(),
            "--replicas {} leaves some of {} devices without a share: leave it out",
            options.replicas,
            devices.len()
        );
        let mut recipe = recipe_from_args(args, existing)?;
        let at_once = options.replicas * ranks.count();
        if existing.is_none() && args.accumulate.is_none() && !recipe.sync_batch_norm {
            recipe.accumulate = at_once;
        }
        recipe.check()?;
        ensure!(
            device.supports_dtype(recipe.precision.kind()),
            "`{}` does not compute with {}: leave out --precision, or name another --device",
            device::name_of(device),
            recipe.precision.name()
        );
        if recipe.sync_batch_norm {
            ensure!(
                options.replicas == 1 || ranks.count() == 1,
                "--sync-batch-norm among several processes takes one device a process: leave \
                 --replicas and --devices out, and start more processes"
            );
            ensure!(
                at_once == 1 || can_pass_together(device),
                "--sync-batch-norm needs a build without the feature `fusion`: build one, leave it out, \
                 or add --device cpu"
            );
        }
        ensure!(
            recipe.sync_batch_norm || at_once <= recipe.accumulate,
            "a step of this run has {}, of which {at_once} cannot be computed at the same time; \
             start fewer, or give --accumulate and another --out",
            match recipe.accumulate {
                1 => "one share".to_owned(),
                shares => format!("{shares} shares"),
            }
        );
        let damage = Damage {
            policy: args.damage.policy(),
            known: place.unreadable.clone(),
        };
        ensure!(
            damage.policy == OnCorrupt::Stop || ranks.count() == 1,
            "--on-corrupt skip is for one process: several have to leave out the same images. Train \
             the run with one until it knows them, or mend them; `abn data check DIR` names them"
        );
        ensure!(
            damage.policy == OnCorrupt::Stop || !recipe.sync_batch_norm || at_once == 1,
            "--on-corrupt skip may leave a replica without an image, and --sync-batch-norm needs one in \
             each: leave --replicas and --devices out, or mend the images; `abn data check DIR` names them"
        );
        let images = TrainingImages::open(&recipe, args.data.as_deref(), existing, damage)?;
        let fitted = args.batch_size.is_none() && existing.is_none();
        let mut recipe = images.fit_batch(recipe, fitted)?;
        recipe.check()?;
        if recipe.sync_batch_norm {
            let count = images.splits()[0].samples.len();
            let last = match recipe.drop_last {
                true => recipe.batch_size,
                false => count - (count - 1) / recipe.batch_size * recipe.batch_size,
            };
            ensure!(
                last >= at_once,
                "the last batch of an epoch has {last} of {count} images, too few for {at_once} {parts} \
                 that normalise it together: choose another --batch-size, or fewer {parts}",
                parts = match (ranks.count(), devices.len()) {
                    (1, 1) => "replicas",
                    (1, _) => "devices",
                    _ => "processes",
                }
            );
        }
        match args.penalty.positive_weight {
            Some(Weight::Of(factor)) => {
                let labels = images.splits()[0].labels.groups().len();
                recipe.penalty.positive = vec![factor; labels];
            }
            Some(Weight::Balanced) => recipe.penalty.positive = images.balance()?,
            None => {}
        }
        if let Some(file) = args.init.as_deref().filter(|file| file.is_file()) {
            tell_of_averaged_weights(
                file,
                "`abn import --key NAME` makes a run of them to start from",
            );
        }
        let init = warm_start::init_of(args.init.as_deref(), existing)?;
        let named =
            |error: RunError| unreadable::with_all(error.into(), &images, None, options.workers);
        let config = RunConfig {
            init,
            ..images.describe(recipe, existing).map_err(named)?
        };
        config.check_parameters(device)?;
        Ok(Self {
            images,
            config,
            options,
        })
    }
}

/// What of the options changes no result.
fn options(args: &TrainArgs, devices: usize) -> TrainOptions {
    let usual = TrainOptions::default();
    TrainOptions {
        workers: args.workers.unwrap_or(usual.workers),
        save_every: args.save_every.map_or(usual.save_every, save_every),
        check: !args.no_check,
        csv: args.log.is_some(),
        replicas: args.replicas.unwrap_or(devices),
    }
}

/// Refuses processes that would train something else than the first.
fn refuse_other_runs(config: &RunConfig, ranks: &Ranks) -> Result<()> {
    let first = ranks.from_first(|| Ok(config.clone()))?;
    let differences = first.differences(config);
    let told = differences
        .iter()
        .map(|(name, first, own)| format!("{name} is {own} and not {first}"));
    let told: Vec<String> = told.collect();
    ranks.agree(match told.is_empty() {
        true => Ok(()),
        false => Err(anyhow!(
            "its run is not that of process 0: {}",
            told.join(", ")
        )),
    })
}

/// So many seconds, or forever.
fn save_every(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Path and configuration of the run that is meant.
fn find_run(args: &TrainArgs) -> Result<(PathBuf, Option<RunConfig>)> {
    let path = match &args.out {
        Some(path) => path.clone(),
        None => default_path(args)?,
    };
    let existing = RunDir::existing_config(&path)?;
    if let Some(file) = existing
        .as_ref()
        .and_then(|config| config.imported.as_ref())
    {
        anyhow::bail!(
            "`{0}` was imported from `{file}` and is not trained further; train from it with \
             --init {0} and another --out",
            path.display()
        );
    }
    Ok((path, existing))
}

/// `runs/DATASET-ARCH-ATTENTION`, with the labels behind the data set if they were chosen, and the
/// detector behind the architecture.
fn default_path(args: &TrainArgs) -> Result<PathBuf> {
    let recipe = recipe_from_args(args, None)?;
    // Of a table, the name without folder and ending.
    let labels = recipe.labels.as_deref().map(Path::new);
    let labels = labels.and_then(|labels| labels.file_stem()?.to_str());
    let detector = recipe
        .detector
        .as_ref()
        .map(|detector| detector.name().name());
    let parts: Vec<&str> = std::iter::once(recipe.dataset.name)
        .chain(labels)
        .chain([recipe.architecture.as_str()])
        .chain(detector)
        .chain([recipe.attention_name()])
        .collect();
    let name = parts.join("-");
    Ok(Path::new("runs").join(name))
}

fn print_results(json: bool, config: &RunConfig, run: &RunDir, results: &Results) -> Result<()> {
    warn_of_inverted_maps(&results.inverted);
    if json {
        return terminal::json(results);
    }
    let Results {
        best,
        best_epoch,
        pointing,
        ..
    } = results;
    let chosen_by = config.recipe.best;
    terminal::result(&format!(
        "{} {} of {} held-out images (epoch {best_epoch}); {}",
        best.figures.best_name_by(chosen_by),
        best.figures
            .best_by(chosen_by)
            .map_or("not defined".to_owned(), percent),
        best.images,
        without_looking(config, best)
    ))?;
    if let Some(found) = best.figures.objects() {
        terminal::result(&detection_tables::by_class(found))?;
    }
    if config.recipe.detector.is_none() && config.labels.only().is_none() {
        terminal::result(&figures(&best.figures))?;
        let table = labels(&best.figures, None);
        table.map_or(Ok(()), |labels| terminal::result(&labels))?;
    }
    if let Some(pointing) = pointing {
        terminal::result(&format!(
            "the attention map's maximum lies on the object in {}; untrained network {}, random \
             point {}",
            percent(pointing.trained),
            percent(pointing.untrained),
            percent(pointing.chance)
        ))?;
    }
    terminal::result(&format!("report {}", run.path().join(REPORT).display()))
}

/// What whoever does not look at the images gets: by chance, or of labels of two classes with the
/// same answer always. Whoever does not look finds nothing: of objects, more figures.
fn without_looking(config: &RunConfig, best: &Summary) -> String {
    if let Some(found) = best.figures.objects() {
        let shown = [("AP50", found.stats.ap50), ("VOC mAP", found.voc.mean_ap)];
        return shown
            .map(|(name, value)| format!("{name} {}", percent(value)))
            .join(", ");
    }
    if let Some(found) = best.figures.attributes() {
        let constant = percent(match config.recipe.best {
            Some(BestFigure::Balanced) => 0.5,
            Some(BestFigure::Map) => found.constant_average_precision(),
            Some(BestFigure::Top1 | BestFigure::MeanAccuracy) | None => found.constant_accuracy,
        });
        return format!("the same answers always get {constant}");
    }
    let sizes = config.labels.sizes();
    let chances = sizes.iter().map(|classes| 1.0 / *classes as f64);
    let chance = chances.sum::<f64>() / sizes.len() as f64;
    format!("chance is {}", percent(chance))
}

/// A branch whose maps mislead does not show in the accuracy.
fn warn_of_inverted_maps(inverted: &[InvertedClass]) {
    if inverted.is_empty() {
        return;
    }
    terminal::note(&format!(
        "warning: the attention map is inverted, dark on the object or against the order of \
         Grad-CAM, for {}; attention.map.sigmoid.source and .norm (--set) decide what it is made of",
        words_of(inverted)
    ));
}
