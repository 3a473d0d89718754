//! From finished runs to the files that people read, written whole each time.

use std::collections::BTreeMap;
use std::fs;

use abn_core::explain::{Layer, Method, THRESHOLD};
use abn_train::checkpoint::Which;
use abn_train::metrics::EpochRecord;
use abn_train::recipe::Recipe;
use abn_train::run_dir::RunDir;
use abn_train::session::Session;
use abn_train::stability::{Ask, Comparison, Scale as MapScale, compare, look};
use abn_train::terminal;
use abn_train::trainer::METRICS;
use anyhow::{Context, Result};
use burn::tensor::Device;
use image::RgbImage;

use crate::campaign::{Campaign, Name, Row};
use crate::folder::Folder;
use crate::images::{DataSets, Images};
use crate::page::{Page, Part, Shown, render};
use crate::plan::Run;
use crate::runner::Failure;
use crate::scale::Scale;
use crate::speed::{self, Speed};
use crate::table::{Finished, Stability, Table};
use crate::{markdown, spreadsheet};

/// Name of the page.
pub(crate) const PAGE: &str = "index.html";
/// Test images on which maps are compared.
const COMPARED: usize = 500;
const SPEED: &str = "speed.json";

/// What the page says about the call.
pub(crate) struct Call {
    /// How much the campaigns were given.
    pub(crate) scale: Scale,
    /// What was typed.
    pub(crate) command: String,
    /// What failed in it.
    pub(crate) failures: Vec<Failure>,
}

/// Writes the page and the tables of all campaigns of the folder. Returns the tables.
///
/// # Errors
/// A finished run is damaged, a sample cannot be read, or the folder not be written.
pub(crate) fn write(
    folder: &Folder,
    campaigns: &[Campaign],
    sets: &DataSets,
    device: &Device,
    call: Call,
) -> Result<Vec<Table>> {
    // Whoever comes later sees what the earlier ones finished, so the last one writes the whole tables.
    let _lock = folder.lock()?;
    let mut parts = Vec::new();
    for campaign in campaigns {
        let table = table(folder, campaign, sets, device)?;
        let name = campaign.name.name();
        folder.write(&format!("{name}.md"), markdown::table(&table, call.scale).as_bytes())?;
        folder.write(&format!("{name}.csv"), &spreadsheet::rows(&table)?)?;
        let (images, classes) = shown(&table, sets)?;
        parts.push(Part { table, images, classes });
    }
    let tables: Vec<Table> = parts.iter().map(|part| part.table.clone()).collect();
    folder.write("runs.csv", &spreadsheet::runs(&tables)?)?;
    let speeds = speeds(folder, &tables, sets, device)?;
    folder.write("speed.csv", &spreadsheet::speeds(&speeds)?)?;
    let Call { scale, command, failures } = call;
    folder.write(PAGE, render(&Page { scale, command, parts, speeds, failures })?.as_bytes())?;
    Ok(tables)
}

fn table(folder: &Folder, campaign: &Campaign, sets: &DataSets, device: &Device) -> Result<Table> {
    let rows: Vec<&Row> = campaign.rows().collect();
    let mut figures = Vec::new();
    let compared = campaign.name == Name::Stability;
    let bar = terminal::counter("comparing", if compared { rows.len() } else { 0 });
    for row in rows {
        let finished = finished(folder, row)?;
        let stability = match compared {
            true => stability(folder, row, &finished, sets, device)?,
            false => None,
        };
        figures.push((finished, stability));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Table::new(campaign.clone(), figures))
}

/// The finished runs of a row.
fn finished(folder: &Folder, row: &Row) -> Result<Vec<Finished>> {
    let mut finished = Vec::new();
    for recipe in &row.recipes {
        let run = Run::of(recipe)?;
        let Some(record) = folder.record(&run)? else { continue };
        let epochs: Vec<EpochRecord> = RunDir::open(&folder.run(&run))?.0.read_lines(METRICS)?;
        let Recipe { seed, learning_rate, .. } = *recipe;
        finished.push(Finished { name: run.name, seed, learning_rate, record, epochs });
    }
    Ok(finished)
}

/// How alike the trained maps of the last weights of a row's runs are; `None` for fewer than two.
fn stability(
    folder: &Folder,
    row: &Row,
    finished: &[Finished],
    sets: &DataSets,
    device: &Device,
) -> Result<Option<Stability>> {
    let images = row.recipes.first().and_then(|recipe| sets.of(recipe));
    let Some(images) = images.filter(|_| finished.len() > 1) else { return Ok(None) };
    let test = images.test.clone().limit(COMPARED);
    let ask = Ask { method: Method::Attention, layer: Layer::Refined, scale: MapScale::Raw };
    let mut seen = Vec::new();
    for run in finished {
        let path = folder.file("runs").join(&run.name);
        let session = Session::open(&path, Which::Latest, device.clone())?;
        seen.push(look(&run.name, &session, &test, &ask, 1, |_| ())?);
    }
    Ok(Some(figures(&compare(&seen, &test.classes, THRESHOLD, || ()))))
}

fn figures(comparison: &Comparison) -> Stability {
    let pairs = comparison.pairs.len() * comparison.images;
    Stability {
        runs: comparison.runs.len(),
        images: comparison.images,
        with_best: comparison.iou_with_best.map(|iou| iou.mean),
        pairs: comparison.iou_over_images.map(|iou| (iou.mean, iou.low, iou.high)),
        other_images: comparison.iou_of_other_images,
        rank_correlation: comparison.rank_correlation.map(|rank| rank.mean),
        empty: comparison.empty as f64 / pairs.max(1) as f64,
    }
}

/// The images that the runs of a table looked at, as their networks saw them, and the names of the classes.
fn shown(table: &Table, sets: &DataSets) -> Result<(Vec<Shown>, Vec<String>)> {
    let recipe = table.campaign.rows().find_map(|row| row.recipes.first());
    let images = recipe.and_then(|recipe| Some((recipe, sets.of(recipe)?)));
    let Some((recipe, images)) = images else { return Ok((Vec::new(), Vec::new())) };
    let run = table.lines().find_map(|line| line.runs.first());
    let looks = run.map(|run| &run.record.looks[..]).unwrap_or_default();
    let picture = |index: usize| picture(images, recipe, index);
    let shown = looks.iter().map(|look| picture(look.image)).collect::<Result<_>>()?;
    Ok((shown, images.test.classes.clone()))
}

fn picture(images: &Images, recipe: &Recipe, index: usize) -> Result<Shown> {
    let sample =
        images.test.samples.get(index).context("a run looked at an image that the data set does not have")?;
    let picture: RgbImage = recipe.eval_transform().fixed(sample.image)?;
    Ok(Shown { index, picture, label: sample.label })
}

/// The speeds that are known, with those of the campaign of costs as soon as its runs are finished: then nothing is
/// trained beside the measurement.
fn speeds(
    folder: &Folder,
    tables: &[Table],
    sets: &DataSets,
    device: &Device,
) -> Result<BTreeMap<String, Speed>> {
    let known = fs::read(folder.file(SPEED)).ok();
    let known = known.and_then(|bytes| serde_json::from_slice::<BTreeMap<String, Speed>>(&bytes).ok());
    let mut speeds = known.unwrap_or_default();
    let cost = tables.iter().find(|table| table.campaign.name == Name::Cost && table.is_complete());
    let recipes = cost.iter().flat_map(|table| table.campaign.rows()).filter_map(|row| row.recipes.first());
    let named =
        recipes.map(|recipe| Ok((Run::of(recipe)?.name, recipe.clone()))).collect::<Result<Vec<_>>>()?;
    let missing: Vec<(String, Recipe)> =
        named.into_iter().filter(|(name, _)| !speeds.contains_key(name)).collect();
    if let Some(images) = missing.first().and_then(|(_, recipe)| sets.of(recipe)) {
        terminal::note("measuring how fast the networks are");
        speeds.extend(speed::measure(&missing, images.test.classes.len(), device)?);
        folder.write(SPEED, &serde_json::to_vec_pretty(&speeds)?)?;
    }
    Ok(speeds)
}
