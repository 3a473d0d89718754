//! The figures of a campaign: a pure function of what its runs left.

use std::collections::BTreeSet;

use abn_explain::score::Metric;
use abn_run::measure::records::{EpochRecord, GroupFigures, Summary};
use serde::{Deserialize, Serialize};

use crate::campaign::{Campaign, Group, Row};
use crate::explained::{Lead, Rival, judge};
use crate::published::Published;
use crate::record::Record;
use crate::statistics::{Difference, Estimate};

/// A finished run.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Name of its folder.
    pub(crate) name: String,
    /// Its seed.
    pub(crate) seed: u64,
    /// Learning rate of its first epoch.
    pub(crate) learning_rate: f64,
    /// What it left.
    pub(crate) record: Record,
    /// Its epochs.
    pub(crate) epochs: Vec<EpochRecord>,
}

/// How alike the maps of a row's runs are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stability {
    /// Runs compared.
    pub(crate) runs: usize,
    /// Test images.
    pub(crate) images: usize,
    /// Mean IoU of the other runs with the one most accurate on these images: the paper's figure.
    pub(crate) with_best: Option<f64>,
    /// Mean IoU of all pairs with its 95 % interval over images.
    pub(crate) pairs: Option<(f64, f64, f64)>,
    /// Mean IoU of the maps of different images: what the runs share whatever they look at.
    pub(crate) other_images: Option<f64>,
    /// Mean rank correlation of all pairs: stability without a threshold.
    pub(crate) rank_correlation: Option<f64>,
    /// Share of the pairs of maps of which neither reaches the threshold; they have no IoU.
    pub(crate) empty: f64,
}

/// Top-1 error in percent, of several labels their mean; of objects what is missing to an AP of 100
/// at an overlap of one half, the figure of the papers.
pub(crate) fn error(summary: &Summary) -> f64 {
    let figures = &summary.figures;
    let best = match figures.objects() {
        Some(found) => Some(found.stats.ap50).filter(|ap| *ap >= 0.0),
        None => figures.best(),
    };
    100.0 * (1.0 - best.unwrap_or(f64::NAN))
}

/// What that is called.
pub(crate) fn error_name(summary: &Summary) -> &'static str {
    match summary.figures.objects() {
        Some(_) => "AP50",
        None => summary.figures.best_name(),
    }
}

/// The table of a campaign.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// What it is about.
    pub(crate) campaign: Campaign,
    /// A section for each of the campaign's groups, in their order.
    pub(crate) sections: Vec<Section>,
}

/// The figures of a group.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// What its lines have in common.
    pub(crate) title: String,
    /// The baseline first.
    pub(crate) lines: Vec<Line>,
}

impl Section {
    /// What its errors are called.
    pub(crate) fn error_name(&self) -> String {
        let mut runs = self.lines.iter().flat_map(|line| &line.runs);
        let name = runs.next().map(|run| error_name(&run.record.results.last));
        format!("{} error", name.unwrap_or("top-1"))
    }

    /// The measures and rivals of which some line has a lead.
    pub(crate) fn leads(&self) -> Vec<(Metric, Rival)> {
        let leads = self.lines.iter().flat_map(|line| &line.leads);
        let known: BTreeSet<_> = leads.map(|lead| (lead.measure, lead.over)).collect();
        known.into_iter().collect()
    }

    /// The labels whose errors are known, of several.
    pub(crate) fn labels(&self) -> Vec<&str> {
        let lines = self.lines.iter();
        let most = lines.max_by_key(|line| line.labels.len());
        let labels = most.map(|line| &line.labels[..]).unwrap_or_default();
        labels.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// The figures of a row. Errors are top-1 errors of the last epoch on the test images, in percent;
/// of several labels, their mean.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// What sets it apart.
    pub(crate) name: String,
    /// Its network.
    pub(crate) architecture: String,
    /// Runs that it is to have.
    pub(crate) planned: usize,
    /// Those that are finished.
    pub(crate) runs: Vec<Finished>,
    /// Mean error.
    pub(crate) error: Option<Estimate>,
    /// Mean error of each of several labels; empty where there is one.
    pub(crate) labels: Vec<(String, Estimate)>,
    /// Difference to the baseline; absent for the baseline itself.
    pub(crate) difference: Option<Difference>,
    /// Share of the images in which the map's maximum lies on the object, in percent, where objects
    /// are known.
    pub(crate) pointing: Option<Estimate>,
    /// How alike the maps of its runs are, where that is asked.
    pub(crate) stability: Option<Stability>,
    /// By how much its maps explain better than others, where that is asked.
    pub(crate) leads: Vec<Lead>,
    /// The paper's figure.
    pub(crate) published: Option<Published>,
    /// The paper's difference to its baseline.
    pub(crate) published_difference: Option<f64>,
    /// What ours says of the paper's, once all runs of both are finished.
    pub(crate) verdict: Option<Verdict>,
}

/// Whether a difference points where the published one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The interval holds nothing but the published sign.
    Same,
    /// The interval holds nothing but the other sign.
    Opposite,
    /// The interval holds zero.
    Undecided,
}

impl Verdict {
    /// The verdict in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Same => "same direction",
            Self::Opposite => "opposite direction",
            Self::Undecided => "undecided",
        }
    }

    /// `None` without an interval, or where the published difference has no direction.
    fn of(ours: &Difference, published: f64) -> Option<Self> {
        Some(match ours.is_certain()? {
            _ if published == 0.0 => return None,
            false => Self::Undecided,
            true if ours.mean * published > 0.0 => Self::Same,
            true => Self::Opposite,
        })
    }
}

impl Table {
    /// The table of a campaign, from the finished runs of each of its rows (in their order, group
    /// after group) and how alike their maps are.
    pub(crate) fn new(campaign: Campaign, rows: Vec<(Vec<Finished>, Option<Stability>)>) -> Self {
        let mut rows = rows.into_iter();
        let section = |group: &Group| Section {
            title: group.title.clone(),
            lines: lines(group, &mut rows),
        };
        let sections = campaign.groups.iter().map(section).collect();
        Self { campaign, sections }
    }

    /// The same with how well the maps of each of its rows explain, in their order.
    pub(crate) fn with_leads(mut self, leads: Vec<Vec<Lead>>) -> Self {
        let sections = self.sections.iter_mut();
        let lines = sections.flat_map(|section| &mut section.lines);
        for (line, leads) in lines.zip(leads) {
            line.leads = leads;
        }
        let sections = self.sections.iter_mut();
        let lines = sections.flat_map(|section| &mut section.lines);
        judge(&mut lines.flat_map(|line| &mut line.leads).collect::<Vec<_>>());
        self
    }

    /// Its lines, section after section.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.sections.iter().flat_map(|section| &section.lines)
    }

    /// Whether all its runs are finished.
    pub(crate) fn is_complete(&self) -> bool {
        self.lines().all(Line::is_complete)
    }
}

fn lines(
    group: &Group,
    rows: &mut impl Iterator<Item = (Vec<Finished>, Option<Stability>)>,
) -> Vec<Line> {
    let lines = group.rows.iter().map(|row| {
        let (runs, stability) = rows.next().unwrap_or_default();
        line(row, runs, stability)
    });
    let mut lines: Vec<Line> = lines.collect();
    if let Some((baseline, others)) = lines.split_first_mut() {
        for line in others {
            compare(line, baseline);
        }
    }
    lines
}

fn line(row: &Row, runs: Vec<Finished>, stability: Option<Stability>) -> Line {
    let errors: Vec<f64> = runs
        .iter()
        .map(|run| error(&run.record.results.last))
        .collect();
    let pointing = |run: &Finished| Some(100.0 * run.record.results.pointing?.trained);
    let pointing: Vec<f64> = runs
        .iter()
        .filter(|run| run.record.trained_maps)
        .filter_map(pointing)
        .collect();
    Line {
        name: row.name.clone(),
        architecture: row
            .recipes
            .first()
            .map(|recipe| recipe.architecture.clone())
            .unwrap_or_default(),
        planned: row.recipes.len(),
        error: Estimate::of(&errors),
        labels: labels(&runs),
        runs,
        difference: None,
        pointing: Estimate::of(&pointing),
        stability,
        leads: Vec::new(),
        published: row.published,
        published_difference: None,
        verdict: None,
    }
}

/// The error of each label over the runs.
fn labels(runs: &[Finished]) -> Vec<(String, Estimate)> {
    let groups = |run: &'_ Finished| run.record.results.last.figures.groups().to_vec();
    let names = runs.first().map(groups).unwrap_or_default();
    let estimate = |(place, label): (usize, GroupFigures)| {
        let errors = runs.iter().filter_map(|run| {
            let group = groups(run).get(place)?.hits.top1;
            Some(100.0 * (1.0 - group))
        });
        let errors: Vec<f64> = errors.collect();
        Some((label.name, Estimate::of(&errors)?))
    };
    names.into_iter().enumerate().filter_map(estimate).collect()
}

fn compare(line: &mut Line, baseline: &Line) {
    line.difference = line
        .error
        .zip(baseline.error)
        .map(|(ours, theirs)| ours.minus(&theirs));
    // Hundredths, as printed: the difference of two doubles has more digits than the paper.
    let published = line.published.zip(baseline.published);
    line.published_difference =
        published.map(|(ours, theirs)| ((ours.error - theirs.error) * 100.0).round() / 100.0);
    // Runs that are still to come, or that failed, may be the ones that speak against it.
    let complete = line.is_complete() && baseline.is_complete();
    let both = line
        .difference
        .zip(line.published_difference)
        .filter(|_| complete);
    line.verdict = both.and_then(|(ours, published)| Verdict::of(&ours, published));
}

impl Line {
    /// Whether all its runs are finished.
    pub(crate) fn is_complete(&self) -> bool {
        self.runs.len() == self.planned
    }

    /// Parameters and multiply-adds of an image; `None` while no run is finished.
    pub(crate) fn cost(&self) -> Option<(usize, u64)> {
        self.runs
            .first()
            .map(|run| (run.record.parameters, run.record.multiply_adds))
    }

    /// Its lead by one measure over one rival.
    pub(crate) fn lead(&self, measure: Metric, over: Rival) -> Option<&Lead> {
        let mut leads = self.leads.iter();
        leads.find(|lead| (lead.measure, lead.over) == (measure, over))
    }

    /// Mean error of one of several labels.
    pub(crate) fn label(&self, name: &str) -> Option<Estimate> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, error)| *error)
    }

    /// Mean test error of every epoch that all its finished runs have, in percent.
    pub(crate) fn curve(&self) -> Vec<f64> {
        let epochs = self
            .runs
            .iter()
            .map(|run| run.epochs.len())
            .min()
            .unwrap_or(0);
        let error = |epoch: usize| {
            let errors = self
                .runs
                .iter()
                .map(|run| self::error(&run.epochs[epoch].test));
            errors.sum::<f64>() / self.runs.len() as f64
        };
        (0..epochs).map(error).collect()
    }
}
