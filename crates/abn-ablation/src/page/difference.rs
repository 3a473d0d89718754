//! Differences to the baseline drawn on a scale that the lines of a group share.

use abn_pages::numbers::nice_step;
use maud::{Markup, html};

use crate::statistics::Difference;
use crate::table::{Line, Section, error};

/// Size of a drawing in its own units, which are about pixels.
const WIDTH: f64 = 208.0;
const HEIGHT: f64 = 26.0;
const HEAD_HEIGHT: f64 = 32.0;
/// Free at both ends, for what is drawn around a value.
const MARGIN: f64 = 9.0;
/// Where the mean and its interval are, and below them the runs.
const MEAN_Y: f64 = 9.0;
const RUNS_Y: f64 = 20.0;
/// Steps of the scale, about.
const STEPS: f64 = 4.0;

/// The scale of a group, in percentage points from its baseline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// Mean error of the baseline.
    baseline: f64,
    low: f64,
    high: f64,
}

impl Axis {
    /// The scale that holds all of the group; `None` if nothing differs from the baseline, or
    /// cannot be compared yet.
    pub(super) fn of(section: &Section) -> Option<Self> {
        let baseline = section.lines.first()?.error?.mean;
        section.lines.iter().find_map(|line| line.difference)?;
        let values: Vec<f64> = section
            .lines
            .iter()
            .flat_map(|line| values(line, baseline))
            .collect();
        let low = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::min);
        let high = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        (high > low).then_some(Self {
            baseline,
            low,
            high,
        })
    }

    fn x(&self, value: f64) -> f64 {
        MARGIN + (value - self.low) / (self.high - self.low) * (WIDTH - 2.0 * MARGIN)
    }

    /// Where zero is, in percent of the width.
    pub(super) fn zero(&self) -> String {
        format!("{:.2}%", 100.0 * self.x(0.0) / WIDTH)
    }

    /// The scale itself, above the lines.
    pub(super) fn head(&self) -> Markup {
        let step = nice_step((self.high - self.low) / STEPS);
        let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let (first, last) = (
            (self.low / step).ceil() as i64,
            (self.high / step).floor() as i64,
        );
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEAD_HEIGHT) } role="img"
                aria-label="lower error left, higher error right" {
                @if self.low < 0.0 {
                    text x=(px(self.x(0.0) - 7.0)) y="11" text-anchor="end" { "lower" }
                }
                @if self.high > 0.0 { text x=(px(self.x(0.0) + 7.0)) y="11" { "higher" } }
                @for tick in first..=last {
                    @let (value, x) = (tick as f64 * step, px(self.x(tick as f64 * step)));
                    line.tick x1=(x) x2=(x) y1=(HEAD_HEIGHT - 3.0) y2=(HEAD_HEIGHT) {}
                    text.x x=(x) y=(HEAD_HEIGHT - 6.0) { (label(value, places)) }
                }
            }
        }
    }

    /// A line of the table: the mean difference with its interval, its runs, and the published
    /// difference.
    pub(super) fn drawing(&self, line: &Line) -> Markup {
        html! {
            svg class=(direction(line.difference.as_ref()))
                viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } aria-hidden="true" {
                @for run in &line.runs {
                    @let x = self.x(error(&run.record.results.last) - self.baseline);
                    circle.run cx=(px(x)) cy=(RUNS_Y) r="2.2" {}
                }
                @if let Some(published) = line.published_difference { (diamond(self.x(published))) }
                @if let Some(Difference { mean, interval }) = line.difference {
                    @if let Some((low, high)) = interval.filter(is_finite) {
                        @let (low, high) = (px(self.x(low)), px(self.x(high)));
                        line.interval x1=(low) x2=(high) y1=(MEAN_Y) y2=(MEAN_Y) {}
                    }
                    circle cx=(px(self.x(mean))) cy=(MEAN_Y) r="4" {}
                }
            }
        }
    }
}

fn is_finite((low, high): &(f64, f64)) -> bool {
    low.is_finite() && high.is_finite()
}

/// All that is drawn of a line.
fn values(line: &Line, baseline: f64) -> Vec<f64> {
    let runs = line
        .runs
        .iter()
        .map(|run| error(&run.record.results.last) - baseline);
    let (low, high) = line
        .difference
        .and_then(|difference| difference.interval)
        .unzip();
    let mean = line.difference.map(|difference| difference.mean);
    runs.chain(
        [mean, low, high, line.published_difference]
            .into_iter()
            .flatten(),
    )
    .collect()
}

/// The class that colours a difference: only one whose interval is without zero has a direction.
pub(super) fn direction(difference: Option<&Difference>) -> &'static str {
    match difference.filter(|difference| difference.is_certain() == Some(true)) {
        Some(difference) if difference.mean < 0.0 => "lower",
        Some(_) => "higher",
        None => "open",
    }
}

/// A published difference.
pub(super) fn diamond(x: f64) -> Markup {
    let points = [(0.0, -4.5), (4.5, 0.0), (0.0, 4.5), (-4.5, 0.0)];
    let points = points.map(|(right, down)| format!("{},{}", px(x + right), px(MEAN_Y + down)));
    html! { polygon.published points=(points.join(" ")) {} }
}

fn label(value: f64, places: usize) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else {
        format!("{value:+.places$}").replace('-', "−")
    }
}

/// A coordinate, to a tenth of a pixel.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_margin_to_margin() {
        let axis = Axis {
            baseline: 0.0,
            low: -1.0,
            high: 3.0,
        };
        assert_eq!(
            [-1.0, 0.0, 3.0].map(|value| axis.x(value)),
            [9.0, 56.5, 199.0]
        );
        let head = axis.head().into_string();
        for text in [">−1<", ">0<", ">+1<", ">+2<", ">+3<", "lower", "higher"] {
            assert!(head.contains(text), "{text} in {head}");
        }
    }

    #[test]
    fn only_an_interval_without_zero_has_a_direction() {
        let class = |mean, interval| direction(Some(&Difference { mean, interval }));
        assert_eq!(class(-1.0, Some((-2.0, -0.5))), "lower");
        assert_eq!(class(1.0, Some((0.5, 2.0))), "higher");
        assert_eq!(
            [
                class(-1.0, Some((-2.0, 0.1))),
                class(-1.0, None),
                direction(None)
            ],
            ["open"; 3]
        );
    }
}
