//! `abn score --each-label`: how good the explanations are, label by label.

use std::path::PathBuf;

use abn_explain::score::{LabelScores, Plan, Scores, label_table};
use abn_run::folder::files::write_atomically;
use anyhow::{Result, ensure};
use serde::Serialize;

use super::score::Work;
use crate::terminal;
use crate::train::trainer::Ending;

/// Names in the output folder.
const TABLE: &str = "score-labels.csv";
const SUMMARY: &str = "score-labels.json";

/// The JSON contract of the command with --each-label, and of its file.
#[derive(Debug, Serialize)]
struct LabelsJson {
    run: String,
    dataset: String,
    /// But for the label.
    plan: Plan,
    labels: Vec<LabelScores>,
    files: [PathBuf; 2],
}

/// Scores one label after the other. What is measured of each is kept.
///
/// # Errors
/// The run has one label, a label cannot be scored, or the folder not be written.
pub(super) fn run(work: &Work, plan: &Plan) -> Result<Ending> {
    let config = &work.session.config;
    ensure!(
        config.labels.only().is_none(),
        "--each-label is for runs of several labels, and this one has {}: leave it out",
        config.labels.title()
    );
    let groups = config.labels.groups();
    let mut labels = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let name = group.name.clone();
        terminal::note(&format!(
            "{name}, {} of {} labels",
            number + 1,
            groups.len()
        ));
        let plan = Plan {
            group: Some(name.clone()),
            ..plan.clone()
        };
        let Some(measured) = work.measure(&plan)? else {
            return Ok(Ending::Interrupted);
        };
        let scores = Scores::of(&plan.scored(), &measured.store.images);
        labels.push(LabelScores { name, scores });
    }
    let out = work.out();
    let answer = LabelsJson {
        run: work.args.run.display().to_string(),
        dataset: config.data_title(),
        plan: Plan {
            group: None,
            ..plan.clone()
        },
        labels,
        files: [TABLE, SUMMARY].map(|name| out.join(name)),
    };
    write_atomically(&answer.files[0], &label_table::csv(&answer.labels)?)?;
    let text = serde_json::to_string_pretty(&answer)?;
    write_atomically(&answer.files[1], text.as_bytes())?;
    if work.args.json {
        terminal::json(&answer)?;
        return Ok(Ending::Finished);
    }
    terminal::result(&format!(
        "{} on {}: {} images; the {} class of each label is explained\n",
        config.recipe.title(),
        answer.dataset,
        answer.labels.first().map_or(0, |label| label.scores.images),
        plan.class.words()
    ))?;
    terminal::result(&label_table::text(&answer.labels))?;
    terminal::result(&format!("\nevery measure {}", answer.files[0].display()))?;
    Ok(Ending::Finished)
}
