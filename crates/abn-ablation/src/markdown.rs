//! The table of a campaign in Markdown, to be read as it is or put into a document.

use std::fmt::Write;

use crate::explained::Lead;
use crate::numbers::{NONE, estimate, signed, span};
use crate::page::OF_QUICK;
use crate::size::CampaignSize;
use crate::statistics::Difference;
use crate::table::{Line, Section, Table};

/// The document: what is asked, a table a group, how to read it.
pub(crate) fn table(table: &Table, scale: CampaignSize) -> String {
    let campaign = &table.campaign;
    let mut text = format!("# {}\n\n{}\n", campaign.title, campaign.question);
    if !campaign.source.is_empty() {
        let _ = write!(text, "\nPublished: {}\n", campaign.source);
    }
    if scale == CampaignSize::Quick {
        let _ = write!(text, "\n{OF_QUICK}\n");
    }
    for section in &table.sections {
        let _ = write!(text, "\n## {}\n\n", section.title);
        text.push_str(&rows(section));
        text.push_str(&remarks(section));
    }
    text.push_str(READING);
    if table.lines().any(|line| !line.leads.is_empty()) {
        text.push_str(LEADS);
    }
    text
}

/// What the columns mean.
const READING: &str = "\nErrors of the last epoch on the test images, in percent: mean ± standard deviation over the \
    runs. Differences are to the first row, in points, with a 95 % interval by Welch's t; several \
    comparisons are not corrected for. A published difference of another network or data set is a \
    direction, not a number to meet.\n";

/// What the columns of leads mean.
const LEADS: &str = "\nLeads are those of the trained map of the last weights over Grad-CAM of the same network and over a \
    Gaussian, in points, plus is better by every measure: mean (95 % interval, bootstrap over runs \
    and images), runs ahead. **Bold**: the sign is certain for other trainings and images with \
    all leads of the table taken together (Student's t over runs, Holm).\n";

/// A column: its heading, and what a row says in it.
type Column<'a> = (String, Box<dyn Fn(&Line) -> String + 'a>);

fn column<'a>(heading: &str, cell: impl Fn(&Line) -> String + 'a) -> Column<'a> {
    (heading.to_owned(), Box::new(cell))
}

fn columns(section: &Section) -> Vec<Column<'_>> {
    let any = |has: fn(&Line) -> bool| section.lines.iter().any(has);
    let mut columns: Vec<Column> = vec![
        column("", |line| line.name.clone()),
        column("runs", runs),
        column(&section.error_name(), |line| {
            line.error.as_ref().map_or_else(none, estimate)
        }),
        column("difference", |line| {
            line.difference.as_ref().map_or_else(none, difference)
        }),
    ];
    for label in section.labels() {
        columns.push(column(&format!("{label} error"), move |line| {
            line.label(label).as_ref().map_or_else(none, estimate)
        }));
    }
    if any(|line| line.published.is_some()) {
        columns.push(column("published", published));
        columns.push(column("its difference", |line| {
            line.published_difference.map_or_else(none, signed)
        }));
        columns.push(column("ours says", |line| {
            line.verdict
                .map_or_else(none, |verdict| verdict.name().to_owned())
        }));
    }
    if any(|line| line.pointing.is_some()) {
        columns.push(column("map finds object, %", |line| {
            line.pointing.as_ref().map_or_else(none, estimate)
        }));
    }
    if any(|line| line.stability.is_some()) {
        columns.push(column("IoU with best", |line| {
            of(line.stability.and_then(|stability| stability.with_best))
        }));
        columns.push(column("IoU of pairs", pairs));
        columns.push(column("of other images", |line| {
            of(line.stability.and_then(|stability| stability.other_images))
        }));
        columns.push(column("rank corr.", |line| {
            of(line
                .stability
                .and_then(|stability| stability.rank_correlation))
        }));
        columns.push(column("left out", |line| {
            line.stability.map_or_else(none, |stability| {
                format!("{:.1} %", 100.0 * stability.empty)
            })
        }));
    }
    for (measure, over) in section.leads() {
        columns.push(column(&Lead::heading(measure, over), move |line| {
            line.lead(measure, over).map_or_else(none, lead)
        }));
    }
    columns.push(column("parameters", |line| {
        line.cost()
            .map_or_else(none, |(parameters, _)| millions(parameters as f64))
    }));
    columns.push(column("multiply-adds", |line| {
        line.cost()
            .map_or_else(none, |(_, adds)| millions(adds as f64))
    }));
    columns
}

fn rows(section: &Section) -> String {
    let columns = columns(section);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|(heading, _)| heading.clone()).collect());
    text.push_str(&line(columns.iter().map(|_| "---".to_owned()).collect()));
    for row in &section.lines {
        text.push_str(&line(
            columns
                .iter()
                .map(|(_, cell)| cell(row).replace('|', "\\|"))
                .collect(),
        ));
    }
    text
}

/// What is to know about the published figures: of which network they are, and that they are
/// another paper's.
fn remarks(section: &Section) -> String {
    let mut text = String::new();
    for line in &section.lines {
        let Some(published) = &line.published else {
            continue;
        };
        let remark = if published.remark.is_empty() {
            String::new()
        } else {
            format!("; {}", published.remark)
        };
        let _ = writeln!(
            text,
            "- {}: {:.2} is of {} ({}){remark}",
            line.name, published.error, published.of, published.source
        );
    }
    if text.is_empty() {
        text
    } else {
        format!("\nPublished figures:\n\n{text}")
    }
}

fn none() -> String {
    NONE.to_owned()
}

fn runs(line: &Line) -> String {
    match line.runs.len() {
        finished if finished == line.planned => finished.to_string(),
        finished => format!("{finished} of {}", line.planned),
    }
}

fn published(line: &Line) -> String {
    line.published
        .map_or_else(none, |published| format!("{:.2}", published.error))
}

fn pairs(line: &Line) -> String {
    let pairs = line.stability.and_then(|stability| stability.pairs);
    pairs.map_or_else(none, |(mean, low, high)| {
        format!("{mean:.3} ({low:.3} to {high:.3})")
    })
}

fn of(value: Option<f64>) -> String {
    value.map_or_else(none, |value| format!("{value:.3}").replace('-', "−"))
}

fn millions(value: f64) -> String {
    format!("{:.3} M", value / 1e6)
}

/// `**+0.61** (+0.20 to +1.02), 5/6`: bold where its sign is certain among all leads of the table.
fn lead(lead: &Lead) -> String {
    let mean = signed(lead.mean);
    let mean = if lead.certain {
        format!("**{mean}**")
    } else {
        mean
    };
    let span = span(lead.low, lead.high);
    format!("{mean} ({span}), {}/{}", lead.ahead, lead.runs)
}

/// `+0.61 (−0.20 to +1.42)`.
fn difference(difference: &Difference) -> String {
    match difference.interval {
        Some((low, high)) => format!("{} ({})", signed(difference.mean), span(low, high)),
        None => signed(difference.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_its_interval_if_there_is_one() {
        let known = Difference {
            mean: -1.0,
            interval: Some((-1.5, 0.25)),
        };
        assert_eq!(difference(&known), "−1.00 (−1.50 to +0.25)");
        assert_eq!(
            difference(&Difference {
                mean: 0.614,
                interval: None
            }),
            "+0.61"
        );
    }
}
