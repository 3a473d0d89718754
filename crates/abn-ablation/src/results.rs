//! From finished runs to the files that people read, written whole each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use abn_core::explain::{Layer, Method, THRESHOLD};
use abn_data::Group;
use abn_explain::stability::{MapQuery, MapScale, RunMaps, StabilityReport, compare, look};
use abn_run::folder::checkpoint::CheckpointChoice;
use abn_run::folder::run_dir::{METRICS, RunDir};
use abn_run::measure::records::EpochRecord;
use abn_run::recipe::Recipe;
use abn_run::session::Session;
use abn_train::terminal;
use anyhow::{Result, ensure};
use burn::tensor::Device;
use image::RgbImage;
use serde::de::DeserializeOwned;

use crate::campaign::{Campaign, Name, Row};
use crate::explained::{Explained, Lead, leads};
use crate::folder::Folder;
use crate::images::{DataSets, Images};
use crate::page::{Page, Part, Shown, render};
use crate::plan::Run;
use crate::runner::Failure;
use crate::size::CampaignSize;
use crate::speed::{self, Speed};
use crate::table::{Finished, Stability, Table};
use crate::{markdown, spreadsheet};

/// Name of the page.
pub(crate) const PAGE: &str = "index.html";
/// Test images on which maps are compared.
const COMPARED: usize = 500;
const SPEED: &str = "speed.json";
const STABILITY: &str = "stability.json";
const EXPLAINED: &str = "explained.json";

/// What the page says about the call.
pub(crate) struct Invocation {
    /// How much the campaigns were given.
    pub(crate) scale: CampaignSize,
    /// What was typed.
    pub(crate) command: String,
    /// Where speeds are measured.
    pub(crate) device: String,
}

/// What was written, and what kept something from being in it.
pub(crate) struct WrittenTables {
    /// The tables of all campaigns.
    pub(crate) tables: Vec<Table>,
    /// Finished runs with files that cannot be used.
    pub(crate) damaged: Vec<Failure>,
}

/// Writes the page and the tables of all `campaigns` that the folder has by then.
///
/// # Errors
/// A sample cannot be read, or the folder not be written.
pub(crate) fn write(
    folder: &Folder,
    campaigns: impl Fn(&Folder) -> Result<Vec<Campaign>>,
    sets: DataSets,
    data: Option<&Path>,
    device: &Device,
    call: Invocation,
) -> Result<WrittenTables> {
    // Whoever comes later sees what the earlier ones finished, so the last one writes the whole
    // tables.
    let _lock = folder.lock()?;
    let campaigns = campaigns(folder)?;
    let sets = sets.with(&campaigns, data)?;
    let mut work = TableBuilder {
        folder,
        sets,
        device,
        scale: call.scale,
        failed: Vec::new(),
        damaged: Vec::new(),
    };
    let mut parts = Vec::new();
    for campaign in &campaigns {
        let table = work.table(campaign)?;
        let name = campaign.name.name();
        folder.write(
            &format!("{name}.md"),
            markdown::table(&table, call.scale).as_bytes(),
        )?;
        folder.write(&format!("{name}.csv"), &spreadsheet::rows(&table)?)?;
        let (images, label) = work.shown(&table)?;
        parts.push(Part {
            table,
            images,
            label,
        });
    }
    let tables: Vec<Table> = parts.iter().map(|part| part.table.clone()).collect();
    folder.write("runs.csv", &spreadsheet::runs(&tables)?)?;
    let speeds = work.speeds(&tables, &call.device)?;
    folder.write(
        "speed.csv",
        &spreadsheet::speeds(&tables, &speeds, &call.device)?,
    )?;
    let Invocation { scale, command, .. } = call;
    let TableBuilder {
        failed, damaged, ..
    } = work;
    let page = Page {
        scale,
        command,
        parts,
        speeds,
        failed,
        damaged,
    };
    folder.write(PAGE, render(&page)?.as_bytes())?;
    Ok(WrittenTables {
        tables,
        damaged: page.damaged,
    })
}

/// What the tables are made with.
struct TableBuilder<'a> {
    folder: &'a Folder,
    sets: DataSets,
    device: &'a Device,
    scale: CampaignSize,
    /// Runs that did not come to their end.
    failed: Vec<Failure>,
    /// Finished runs with files that cannot be used.
    damaged: Vec<Failure>,
}

impl TableBuilder<'_> {
    fn table(&mut self, campaign: &Campaign) -> Result<Table> {
        let rows: Vec<&Row> = campaign.rows().collect();
        let mut figures = Vec::new();
        let explained = campaign.name == Name::Maps;
        let compared = explained || campaign.name == Name::Stability;
        let bar = terminal::counter("comparing", if compared { rows.len() } else { 0 });
        for row in rows {
            let finished = self.finished(row)?;
            let stability = if compared {
                self.stability(row, &finished)?
            } else {
                None
            };
            figures.push((finished, stability));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let leads = if explained {
            let rows = campaign.rows().zip(&figures);
            let rows = rows
                .map(|(row, (finished, _))| (row, &finished[..]))
                .collect();
            self.leads(rows)?
        } else {
            Vec::new()
        };
        Ok(Table::new(campaign.clone(), figures).with_leads(leads))
    }

    /// By how much the trained maps of each row's runs explain better than others. Kept, as
    /// [`stability`](Self::stability) is.
    fn leads(&mut self, rows: Vec<(&Row, &[Finished])>) -> Result<Vec<Vec<Lead>>> {
        let mut known: BTreeMap<String, Explained> = self.kept(EXPLAINED);
        let runs = rows.iter().map(|(_, finished)| finished.len()).sum();
        let bar = terminal::counter("explaining", runs);
        let mut found = Vec::new();
        for (row, finished) in rows {
            let images = row.recipes.first().and_then(|recipe| self.sets.of(recipe));
            let mut explained = Vec::new();
            for run in finished {
                let Some(images) = images.filter(|_| run.record.trained_maps) else {
                    continue;
                };
                if !known.contains_key(&run.name) {
                    let path = self.folder.file("runs").join(&run.name);
                    let session =
                        Session::open(&path, CheckpointChoice::Latest, self.device.clone());
                    let session = match session {
                        Ok(session) => session,
                        Err(error) => {
                            note(&mut self.damaged, &run.name, format!("{error:#}"));
                            continue;
                        }
                    };
                    match Explained::measure(&session, &images.test, self.scale) {
                        Ok(measured) => known.insert(run.name.clone(), measured),
                        Err(error) => {
                            note(&mut self.damaged, &run.name, format!("{error:#}"));
                            continue;
                        }
                    };
                    self.folder.write(EXPLAINED, &serde_json::to_vec(&known)?)?;
                }
                explained.extend(known.get(&run.name).cloned());
                bar.inc(1);
            }
            found.push(leads(&explained));
        }
        bar.finish_and_clear();
        Ok(found)
    }

    /// The finished runs of a row; those that failed and those that cannot be used are noted.
    fn finished(&mut self, row: &Row) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        for recipe in &row.recipes {
            let run = Run::of(recipe)?;
            match self.finished_run(&run) {
                Ok(Some(done)) => finished.push(done),
                Ok(None) => {
                    let cause = self.folder.cause(&run);
                    cause
                        .into_iter()
                        .for_each(|cause| note(&mut self.failed, &run.name, cause));
                }
                Err(error) => note(&mut self.damaged, &run.name, format!("{error:#}")),
            }
        }
        Ok(finished)
    }

    fn finished_run(&self, run: &Run) -> Result<Option<Finished>> {
        let Some(record) = self.folder.record(run)? else {
            return Ok(None);
        };
        let epochs: Vec<EpochRecord> =
            RunDir::open(&self.folder.run(run))?.0.read_lines(METRICS)?;
        let (found, trained) = (epochs.len(), record.results.epochs);
        ensure!(
            found == trained,
            "`{METRICS}` has {found} epochs of {trained}"
        );
        let Recipe {
            seed,
            learning_rate,
            ..
        } = run.recipe;
        Ok(Some(Finished {
            name: run.name.clone(),
            seed,
            learning_rate,
            record,
            epochs,
        }))
    }

    /// How alike the trained maps of the last weights of a row's runs are; `None` for fewer than
    /// two, or if one cannot be read. It is kept: a finished run does not change.
    fn stability(&mut self, row: &Row, finished: &[Finished]) -> Result<Option<Stability>> {
        let images = row.recipes.first().and_then(|recipe| self.sets.of(recipe));
        let Some(images) = images.filter(|_| finished.len() > 1) else {
            return Ok(None);
        };
        let names: Vec<&str> = finished.iter().map(|run| run.name.as_str()).collect();
        let mut known: BTreeMap<String, Stability> = self.kept(STABILITY);
        if let Some(stability) = known.get(&names.join(" ")) {
            return Ok(Some(*stability));
        }
        let test = images.test.clone().limit(COMPARED);
        let query = MapQuery {
            method: Method::Attention,
            layer: Layer::Refined,
            scale: MapScale::Raw,
            group: None,
        };
        let mut sessions = Vec::new();
        for name in &names {
            let path = self.folder.file("runs").join(name);
            match Session::open(&path, CheckpointChoice::Latest, self.device.clone()) {
                Ok(session) => sessions.push((name, session)),
                Err(error) => note(&mut self.damaged, name, format!("{error:#}")),
            }
        }
        if sessions.len() < names.len() {
            return Ok(None);
        }
        let looked = sessions
            .iter()
            .map(|(name, session)| look(name, session, &test, &query, 1, |_| ()));
        let maps: Vec<RunMaps> = looked.collect::<Result<_, _>>()?;
        let classes = &test.labels.groups()[0].classes;
        let stability = figures(&compare(&maps, classes, THRESHOLD, || ()));
        known.insert(names.join(" "), stability);
        self.folder
            .write(STABILITY, &serde_json::to_vec_pretty(&known)?)?;
        Ok(Some(stability))
    }

    /// What an earlier call left in that file; nothing if it cannot be read, for it can be made
    /// again.
    fn kept<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        let bytes = fs::read(self.folder.file(name)).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// The images that the runs of a table looked at, as their networks saw them, and their label,
    /// of several the first; `None` without images.
    fn shown(&self, table: &Table) -> Result<(Vec<Shown>, Option<Group>)> {
        let recipe = table.campaign.rows().find_map(|row| row.recipes.first());
        let images = recipe.and_then(|recipe| Some((recipe, self.sets.of(recipe)?)));
        let Some((recipe, images)) = images else {
            return Ok((Vec::new(), None));
        };
        let run = table.lines().find_map(|line| line.runs.first());
        let looks = run.map(|run| &run.record.looks[..]).unwrap_or_default();
        // A record may come from anywhere.
        let there = looks
            .iter()
            .filter(|look| look.image < images.test.samples.len());
        let shown = there
            .map(|look| picture(images, recipe, look.image))
            .collect::<Result<_>>()?;
        Ok((shown, images.test.labels.groups().first().cloned()))
    }

    /// The speeds on that device, by the name of a run: of the campaign of costs, as soon as its
    /// runs are finished and no process trains in the folder.
    fn speeds(&self, tables: &[Table], device: &str) -> Result<BTreeMap<String, Speed>> {
        let mut known: BTreeMap<String, BTreeMap<String, Speed>> = self.kept(SPEED);
        let speeds = known.entry(device.to_owned()).or_default();
        let cost = tables
            .iter()
            .find(|table| table.campaign.name == Name::Cost && table.is_complete());
        let recipes = cost
            .iter()
            .flat_map(|table| table.campaign.rows())
            .filter_map(|row| row.recipes.first());
        let named = recipes
            .map(|recipe| Ok((Run::of(recipe)?.name, recipe.clone())))
            .collect::<Result<Vec<_>>>()?;
        let missing: Vec<(String, Recipe)> = named
            .into_iter()
            .filter(|(name, _)| !speeds.contains_key(name))
            .collect();
        let images = missing.first().and_then(|(_, recipe)| self.sets.of(recipe));
        if let Some((images, _alone)) = images.zip(self.folder.alone()) {
            terminal::note("measuring how fast the networks are");
            speeds.extend(speed::measure(&missing, &images.test.labels, self.device)?);
            self.folder
                .write(SPEED, &serde_json::to_vec_pretty(&known)?)?;
        }
        Ok(known.remove(device).unwrap_or_default())
    }
}

/// Notes a run once: campaigns share runs.
fn note(failures: &mut Vec<Failure>, name: &str, cause: String) {
    if failures.iter().all(|failure| failure.name != name) {
        failures.push(Failure {
            name: name.to_owned(),
            cause,
        });
    }
}

fn figures(report: &StabilityReport) -> Stability {
    let pairs = report.pairs.len() * report.images;
    Stability {
        runs: report.runs.len(),
        images: report.images,
        with_best: report.iou_with_best.map(|iou| iou.mean),
        pairs: report
            .iou_over_images
            .map(|iou| (iou.mean, iou.low, iou.high)),
        other_images: report.iou_of_other_images,
        rank_correlation: report.rank_correlation.map(|rank| rank.mean),
        empty: report.empty as f64 / pairs.max(1) as f64,
    }
}

fn picture(images: &Images, recipe: &Recipe, index: usize) -> Result<Shown> {
    let sample = images.test.samples.get(index)?;
    let picture: RgbImage = recipe.eval_transform().fixed(sample.image)?;
    Ok(Shown {
        index,
        picture,
        label: sample.target.of(0),
    })
}
