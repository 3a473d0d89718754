//! `abn score`: how good the explanations of a run are, every method by every measure.

use std::path::{Path, PathBuf};

use abn_core::explain::{Method, Part};
use abn_data::{Collection, Loader, Split, Truth};
use abn_explain::method::chosen;
use abn_explain::score::{Examined, Examiner, GivenMaps, MapsOf, Plan, Scores, table};
use abn_explain::store::Store;
use abn_pages::{ScorePage, render_scores};
use abn_run::class_name::group_of;
use abn_run::datasets::{fingerprint, fingerprint_of_objects};
use abn_run::folder::files::write_atomically;
use abn_run::images::plain_loader;
use abn_run::session::Session;
use anyhow::{Result, ensure};
use serde::Serialize;

use super::{fine_tune, is_detector, open, paths, score_detector, score_files, score_labels};
use crate::cli::{ScoreArgs, TruthName};
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;

/// Images between two looks at Ctrl-C, and that are lost at most.
const BATCH: usize = 8;
/// Folder of what is measured so far.
pub(super) const STORE: &str = "scores";
/// Name of the page in the output folder.
pub const PAGE: &str = "score.html";
const TABLE: &str = "score.csv";
const SUMMARY: &str = "score.json";

/// The JSON contract of the command, and of its file.
#[derive(Debug, Serialize)]
struct ScoreJson<'a> {
    run: String,
    dataset: String,
    plan: &'a Plan,
    parts: &'a [String],
    scores: &'a Scores,
    sentences: &'a [String],
    /// Of a data set of files, that of each image, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<String>,
    files: [PathBuf; 3],
}

/// Runs the command.
///
/// # Errors
/// The run or its data set is missing or damaged, the network lacks a method that was asked for, or
/// the folder cannot be written.
pub fn run(args: ScoreArgs) -> Result<Ending> {
    if is_detector(&args.run)? {
        return score_detector::run(&args);
    }
    ensure!(
        args.masks.is_none(),
        "--masks is for detectors: `{}` is a run of a classifier",
        args.run.display()
    );
    let session = open(&args.run, &args.network)?;
    if !args.files.is_empty() {
        return score_files::run(&args, &session);
    }
    let images = images(&session, &args)?;
    let maps = args.maps.as_deref();
    let maps = maps.map(|folder| GivenMaps::open(folder, &images));
    let maps = maps.transpose()?;
    let plan = plan(&session, &images, maps.as_ref(), &args)?;
    let work = Work {
        args: &args,
        session: &session,
        images: &images,
        maps: maps.as_ref(),
        interrupt: Interrupt::listen()?,
    };
    if args.each_label {
        return score_labels::run(&work, &plan);
    }
    if let Some(first) = plan.group.as_ref().filter(|_| args.group.is_none()) {
        terminal::note(&format!(
            "measuring the label {first}, the first of {}; --group names another, --each-label \
             measures all",
            session.config.labels.groups().len()
        ));
    }
    let Some(Measured { parts, store }) = work.measure(&plan)? else {
        return Ok(Ending::Interrupted);
    };
    conclude(&work, &plan, &parts, &store)?;
    Ok(Ending::Finished)
}

/// What is scored, whatever the label.
pub(super) struct Work<'a> {
    pub(super) args: &'a ScoreArgs,
    pub(super) session: &'a Session,
    images: &'a Collection,
    maps: Option<&'a GivenMaps>,
    interrupt: Interrupt,
}

/// What was measured of all images, and which parts of the network were drawn anew.
pub(super) struct Measured {
    parts: Vec<String>,
    pub(super) store: Store<Examined>,
}

impl Work<'_> {
    /// Folder of the results.
    pub(super) fn out(&self) -> &Path {
        self.args.out.as_deref().unwrap_or(&self.args.run)
    }

    /// Measures what is not measured yet; `None` if it was interrupted.
    ///
    /// # Errors
    /// An image cannot be read, or what is measured not be kept.
    pub(super) fn measure(&self, plan: &Plan) -> Result<Option<Measured>> {
        let (session, images, folder) = (self.session, self.images, self.out().join(STORE));
        let examiner = Examiner::new(session, plan)?;
        let examiner = examiner.with_interventions(images.interventions.clone());
        let examiner = examiner.with_maps(
            self.maps
                .map(|maps| -> MapsOf { Box::new(|index| maps.map(index)) }),
        );
        let mut store = Store::of_plan(&folder, plan, BATCH, images.samples.len())?;
        let examiner = match &plan.fine_tuned {
            Some(asked) if store.images.len() < images.samples.len() => {
                let tuned =
                    fine_tune::network(session, asked, self.args, &folder, &self.interrupt)?;
                let Some(tuned) = tuned else {
                    return Ok(None);
                };
                examiner.with_tuned(tuned)
            }
            _ => examiner,
        };
        let loader = Loader {
            batch_size: BATCH,
            ..plain_loader(&session.config, images, self.args.images.workers)
        };
        if measure(&examiner, &mut store, &loader, &self.interrupt)? == Ending::Interrupted {
            terminal::note(&format!(
                "{} of {} images are measured and kept; the same command continues",
                store.images.len(),
                images.samples.len()
            ));
            return Ok(None);
        }
        let parts = examiner.parts().iter().map(Part::to_string).collect();
        Ok(Some(Measured { parts, store }))
    }
}

/// The images, with the objects in them if they are known.
fn images(session: &Session, args: &ScoreArgs) -> Result<Collection> {
    let truth = args.truth.map(|truth| match truth {
        TruthName::Masks => Truth::Masks,
        TruthName::Boxes => Truth::Boxes,
    });
    let has_choice = session.config.recipe.dataset.photographs;
    ensure!(
        truth.is_none() || has_choice,
        "--truth is for photographs with masks or boxes beside them: leave it out"
    );
    let run = (args.run.as_path(), &session.config);
    super::images(run, &args.images, truth, Some(args.limit))
}

fn plan(
    session: &Session,
    images: &Collection,
    maps: Option<&GivenMaps>,
    args: &ScoreArgs,
) -> Result<Plan> {
    let layer = args.layer;
    let methods = chosen(&args.methods, &Method::SCORED, &session.config.model, layer)?;
    let labels = &session.config.labels;
    let group = &labels.groups()[group_of(labels, args.group.as_deref())?].name;
    Ok(Plan {
        weights: session.digest.clone(),
        images: fingerprint(images)?,
        objects: fingerprint_of_objects(images)?,
        methods,
        layer,
        class: args.class,
        group: labels.only().is_none().then(|| group.clone()),
        steps: args.steps,
        randomised: args.randomised.min(images.samples.len()),
        files: maps.map(GivenMaps::digest).transpose()?,
        fine_tuned: fine_tune::asked(session, args)?,
        check: args.check,
    })
}

/// Measures what is not measured yet.
fn measure(
    examiner: &Examiner,
    store: &mut Store<Examined>,
    loader: &Loader,
    interrupt: &Interrupt,
) -> Result<Ending> {
    let count = loader.dataset.len();
    let progress = terminal::counter("scoring", count);
    progress.set_position(store.images.len() as u64);
    if store.images.len() == count {
        return Ok(Ending::Finished);
    }
    for batch in loader.epoch(0, store.images.len() / BATCH) {
        if interrupt.requested() {
            return Ok(Ending::Interrupted);
        }
        store.add(examiner.examine(&batch?)?)?;
        progress.set_position(store.images.len() as u64);
    }
    progress.finish_and_clear();
    Ok(Ending::Finished)
}

/// Writes the page and the tables, then the table on stdout.
fn conclude(work: &Work, plan: &Plan, parts: &[String], store: &Store<Examined>) -> Result<()> {
    let (args, session, out) = (work.args, work.session, work.out());
    let named = work.images.files.as_deref();
    let scores = Scores::of(&plan.scored(), &store.images);
    let labels = &session.config.labels;
    let group = group_of(labels, plan.group.as_deref())?;
    let classes = &labels.groups()[group].classes;
    let sentences = table::conclusions(&scores, classes);
    let files = [PAGE, SUMMARY, TABLE].map(|name| out.join(name));
    let page = ScorePage {
        title: format!("How good the explanations of {} are", args.run.display()),
        subtitle: subtitle(session, plan, &scores, args.images.asked()),
        scores: scores.clone(),
        parts: parts.to_vec(),
        sentences: sentences.clone(),
        classes: classes.clone(),
        plan: plan.clone(),
    };
    let answer = ScoreJson {
        run: args.run.display().to_string(),
        dataset: session.config.data_title(),
        plan,
        parts,
        scores: &scores,
        sentences: &sentences,
        paths: paths(work.images),
        files: files.clone(),
    };
    write_atomically(
        &files[2],
        &table::csv(&store.images, classes, parts, named)?,
    )?;
    write_atomically(&files[1], serde_json::to_string_pretty(&answer)?.as_bytes())?;
    write_atomically(&files[0], render_scores(&page).as_bytes())?;
    if args.json {
        return terminal::json(&answer);
    }
    terminal::result(&page.subtitle)?;
    terminal::result(&table::text(&scores))?;
    let more = table::more(&scores);
    if !more.is_empty() {
        terminal::result(&format!("\n{more}\n"))?;
    }
    sentences
        .iter()
        .try_for_each(|sentence| terminal::result(sentence))?;
    terminal::result(&format!("page {}", files[0].display()))
}

/// What was measured, in a line.
fn subtitle(session: &Session, plan: &Plan, scores: &Scores, split: Option<Split>) -> String {
    let split = match split {
        Some(Split::Train) => "training",
        Some(Split::All) => "labelled",
        _ => "test",
    };
    let objects = match &plan.objects {
        Some(_) => format!(", the object known in {}", scores.with_object),
        None => String::new(),
    };
    format!(
        "{} on {}: {} {split} images{objects}; the {}{} class is explained",
        session.config.recipe.title(),
        session.config.data_title(),
        scores.images,
        plan.class.words(),
        plan.group
            .iter()
            .map(|group| format!(" {group}"))
            .collect::<String>()
    )
}
