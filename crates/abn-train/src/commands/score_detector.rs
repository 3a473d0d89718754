//! `abn score` of a detector: how good the reasons are that it gives for what it finds.

use std::path::PathBuf;

use abn_core::explain::Layer;
use abn_data::{Collection, Dataset, Files, Split};
use abn_explain::bootstrap::Interval;
use abn_explain::boxes::{BoxHeader, BoxPlan, BoxRow, Measures, MethodFigures, examine, figures};
use abn_explain::columns::columns;
use abn_explain::store::Store;
use abn_run::datasets::{fingerprint, fingerprint_of_objects};
use abn_run::detector_session::DetectorSession;
use abn_run::folder::files::write_atomically;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::score::STORE;
use super::{images, open_detector, paths};
use crate::cli::ScoreArgs;
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;

const TABLE: &str = "score-boxes.csv";
const SUMMARY: &str = "score-boxes.json";

/// The JSON contract of the command, and of its file.
#[derive(Debug, Serialize)]
struct ScoreJson {
    run: String,
    dataset: String,
    plan: BoxPlan,
    images: usize,
    boxes: usize,
    methods: Vec<Value>,
    /// Of a data set of files, that of each image, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<String>,
    files: [PathBuf; 2],
}

/// Runs the command.
///
/// # Errors
/// The run or its data set is missing or damaged, nothing is found, or the folder cannot be written.
pub(super) fn run(args: &ScoreArgs) -> Result<Ending> {
    refuse_of_classifiers(args)?;
    let session = open_detector(&args.run, &args.network)?;
    let learned = args.images.asked() == Some(Split::Train);
    let limit = session.config.recipe.limit.filter(|_| learned);
    let limit = limit.map_or(args.limit, |limit| limit.min(args.limit));
    let collection = images(
        (&args.run, &session.config),
        &args.images,
        None,
        Some(limit),
    )?;
    let plan = BoxPlan {
        steps: args.steps,
        masks: args.masks.unwrap_or_default(),
    };
    let interrupt = Interrupt::listen()?;
    let count = collection.samples.len();
    let progress = terminal::counter("scoring", count);
    let header = BoxHeader {
        weights: &session.digest,
        images: &fingerprint(&collection)?,
        objects: fingerprint_of_objects(&collection)?,
        plan,
        measures: Measures::NAMES,
    };
    let out = args.out.as_deref().unwrap_or(&args.run);
    let mut store = Store::of_boxes(&out.join(STORE), &header, count)?;
    progress.set_position(store.images.len() as u64);
    for index in store.images.len()..count {
        if interrupt.requested() {
            progress.finish_and_clear();
            terminal::note(&format!(
                "{index} of {count} images are measured and kept; the same command continues"
            ));
            return Ok(Ending::Interrupted);
        }
        let sample = collection.samples.get(index)?;
        store.add(vec![examine(&session, &plan, index, &sample)?])?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    conclude(args, &session, plan, &store.images.concat(), &collection)?;
    Ok(Ending::Finished)
}

/// What asks for labels, classes, or other ways to measure.
fn refuse_of_classifiers(args: &ScoreArgs) -> Result<()> {
    let given = [
        ("images by name", !args.files.is_empty()),
        ("--methods", !args.methods.is_empty()),
        ("--layer", args.layer != Layer::default()),
        ("--group", args.group.is_some()),
        ("--each-label", args.each_label),
        ("--truth", args.truth.is_some()),
        ("--maps", args.maps.is_some()),
        ("--fine-tune", args.fine_tune > 0),
        ("--check", args.check),
    ];
    let given = given
        .into_iter()
        .find_map(|(name, given)| given.then_some(name));
    ensure!(
        given.is_none(),
        "{}: this is for classifiers, and `{}` is a run of a detector, of which every object that it \
         finds is measured by all its methods",
        given.unwrap_or_default(),
        args.run.display()
    );
    Ok(())
}

fn conclude(
    args: &ScoreArgs,
    session: &DetectorSession,
    plan: BoxPlan,
    rows: &[BoxRow],
    collection: &Collection,
) -> Result<()> {
    let images = collection.samples.len();
    ensure!(
        !rows.is_empty(),
        "none of the objects in {images} images is found with a score of 0.5 and half an overlap, so \
         there is nothing to explain: train further"
    );
    let found = figures(rows);
    let boxes = rows
        .iter()
        .filter(|row| row.method == found[0].method)
        .count();
    let out = args.out.as_deref().unwrap_or(&args.run);
    std::fs::create_dir_all(out).with_context(|| format!("cannot make `{}`", out.display()))?;
    let summary = ScoreJson {
        run: args.run.display().to_string(),
        dataset: session.config.data_title(),
        plan,
        images,
        boxes,
        methods: found.iter().map(of_method).collect(),
        paths: paths(collection),
        files: [SUMMARY, TABLE].map(|name| out.join(name)),
    };
    let [file, table_file] = &summary.files;
    write_atomically(file, &serde_json::to_vec_pretty(&summary)?)?;
    write_atomically(table_file, &lines(rows, collection.files.as_deref())?)?;
    if args.json {
        return terminal::json(&summary);
    }
    terminal::result(&format!(
        "{boxes} found objects in {images} images, in percent:"
    ))?;
    terminal::result(&table(&found))?;
    terminal::result(
        "of odi and deletion less is better, of all others more; box is a Gaussian in the detected \
         box, which knows nothing",
    )?;
    terminal::result(&format!("each box in {}", table_file.display()))
}

fn of_method(figures: &MethodFigures) -> Value {
    let measures = figures.measures.iter();
    let measures: Map<String, Value> = measures
        .map(|(name, interval)| ((*name).to_owned(), json!(interval)))
        .collect();
    json!({"method": figures.method, "measures": measures})
}

fn table(found: &[MethodFigures]) -> String {
    let known = |place: &usize| found.iter().any(|of| of.measures[*place].1.is_some());
    let places: Vec<usize> = (0..Measures::NAMES.len()).filter(known).collect();
    let names = places
        .iter()
        .map(|place| Measures::NAMES[*place].replace('_', " "));
    let cell = |interval: Option<Interval>| match interval {
        None => "-".to_owned(),
        Some(Interval { mean, low, high }) => {
            format!(
                "{:.1} ({:.1} to {:.1})",
                100.0 * mean,
                100.0 * low,
                100.0 * high
            )
        }
    };
    let row = |of: &MethodFigures| {
        let cells = places.iter().map(|place| cell(of.measures[*place].1));
        std::iter::once(of.method.clone()).chain(cells).collect()
    };
    let header = std::iter::once("method".to_owned()).chain(names).collect();
    columns(header, found.iter().map(row).collect(), 1)
}

/// A line a box and method (RFC 4180); images of a data set of files have the name of theirs.
fn lines(rows: &[BoxRow], files: Option<&dyn Files>) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let path = files.map(|_| "path");
    let head = ["object", "class", "score", "overlap", "method"];
    let head = std::iter::once("image").chain(path).chain(head);
    table.write_record(head.chain(Measures::NAMES))?;
    for row in rows {
        let image = [row.image.to_string()].into_iter();
        let image = image.chain(files.map(|files| files.name(row.image)));
        let told = [
            row.object.to_string(),
            row.class.clone(),
            row.score.to_string(),
            row.overlap.to_string(),
            row.method.clone(),
        ];
        let values = row.measures.values();
        let values = values.map(|value| value.map_or(String::new(), |value| value.to_string()));
        table.write_record(image.chain(told).chain(values))?;
    }
    table.into_inner().context("the table cannot be written")
}
