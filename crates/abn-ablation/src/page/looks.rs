//! The same images under every variant of a group.

use abn_core::explain::AttentionMap;
use abn_pages::heatmap::Drawing;
use abn_pages::{color_bar, is_small};
use anyhow::Result;
use maud::{Markup, html};

use super::pictures::Pictures;
use super::{Part, Shown};
use crate::table::{Finished, Line, Section};

/// A table for every group of which a run is finished; nothing without images.
pub(super) fn looks(part: &Part, pictures: &mut Pictures) -> Result<Markup> {
    let mut tables = Vec::new();
    for section in &part.table.sections {
        let columns: Vec<Column> = section.lines.iter().filter_map(Column::of).collect();
        if !columns.is_empty() && !part.images.is_empty() {
            tables.push(table(section, &columns, part, pictures)?);
        }
    }
    let grad_cam = part.table.lines().any(|line| {
        line.runs
            .first()
            .is_some_and(|run| !run.record.trained_maps)
    });
    Ok(html! {
        @if !tables.is_empty() {
            h3 { "Where they look" }
            p.note {
                "Test images under the map of each variant's first finished run; a cross marks a \
                 wrong prediction."
                @if let Some(label) = several_labels(part) {
                    " Of the labels of an image, it is about " b { (label) } "."
                }
                @if grad_cam {
                    " A network without a trained map is explained by Grad-CAM. That, and a \
                     trained map without an upper end, as ABN's on SENet has none, are drawn from \
                     their lowest to their highest value."
                }
            }
            (color_bar(&Drawing::default()))
            div.looks { @for table in &tables { (table) } }
        }
    })
}

/// Name of the label that images are shown with, if it is one of several.
fn several_labels(part: &Part) -> Option<&str> {
    let several = part.table.lines().any(|line| !line.labels.is_empty());
    let label = part.label.as_ref().filter(|_| several);
    label.map(|label| label.name.as_str())
}

/// A variant and the run that stands for it.
struct Column<'a> {
    name: &'a str,
    run: &'a Finished,
}

impl<'a> Column<'a> {
    fn of(line: &'a Line) -> Option<Self> {
        Some(Self {
            name: &line.name,
            run: line.runs.first()?,
        })
    }

    /// How the images are explained.
    fn method(&self) -> &'static str {
        if self.run.record.trained_maps {
            "trained map"
        } else {
            "Grad-CAM"
        }
    }
}

fn table(
    section: &Section,
    columns: &[Column],
    part: &Part,
    pictures: &mut Pictures,
) -> Result<Markup> {
    let rows: Vec<Markup> = part
        .images
        .iter()
        .map(|shown| row(shown, columns, part, pictures))
        .collect::<Result<_>>()?;
    Ok(html! {
        div.scroll tabindex="0" role="region" aria-label={ "Maps over images: " (section.title) } {
            table {
                caption { (section.title) }
                thead {
                    tr {
                        th scope="col" { "image" }
                        @for column in columns {
                            th scope="col" {
                                (column.name) br;
                                span.small { (column.method()) ", seed " (column.run.seed) }
                            }
                        }
                    }
                }
                tbody { @for row in &rows { (row) } }
            }
        }
    })
}

fn row(shown: &Shown, columns: &[Column], part: &Part, pictures: &mut Pictures) -> Result<Markup> {
    let (photograph, label) = (
        pictures.photograph(&shown.picture)?,
        shown.label.map(|label| class(part, label)),
    );
    let cells = columns
        .iter()
        .map(|column| cell(column, shown, &photograph, part, pictures));
    let cells: Vec<Markup> = cells.collect::<Result<_>>()?;
    Ok(html! {
        tr.pixels[is_small(&shown.picture)] {
            th scope="row" {
                div class={ "look " (photograph) } role="img" aria-label={ "test image " (shown.index) } {}
                @if let Some(label) = &label { (label) }
            }
            @for cell in &cells { (cell) }
        }
    })
}

/// The image under the map of one variant.
fn cell(
    column: &Column,
    shown: &Shown,
    photograph: &str,
    part: &Part,
    pictures: &mut Pictures,
) -> Result<Markup> {
    let look = column
        .run
        .record
        .looks
        .iter()
        .find(|look| look.image == shown.index);
    let map: Option<(AttentionMap, usize)> =
        look.and_then(|look| Some((look.map()?, look.predicted)));
    let Some((map, predicted)) = map else {
        return Ok(html! { td { span.small { "no map" } } });
    };
    let (map, predicted_class) = (pictures.map(&map)?, class(part, predicted));
    let alt = format!(
        "{} of {} over test image {}",
        column.method(),
        column.name,
        shown.index
    );
    Ok(html! {
        td {
            div class={ "look " (photograph) " " (map) } role="img" aria-label=(alt) {}
            @if shown.label.is_some_and(|label| label != predicted) { span.miss { "✗ " (predicted_class) } }
        }
    })
}

fn class(part: &Part, class: usize) -> String {
    let label = part.label.as_ref();
    label
        .and_then(|label| label.classes.get(class))
        .cloned()
        .unwrap_or_else(|| format!("class {class}"))
}
