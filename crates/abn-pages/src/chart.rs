//! A line chart over epochs, or other whole numbers, as inline SVG: axes, lines with gaps, and a
//! readout for each of them on hover.
//!
//! Colours come from the classes `ink-...` of the style sheet, so the chart follows light and dark
//! mode. The hover readout is CSS alone: every number has an invisible column; the pointer over it
//! shows its line and values.

use std::borrow::Cow;

use maud::{Markup, html};

use crate::axis::{Axis, AxisScale};
use crate::numbers::short;

/// Size of the drawing in its own units; the page scales it to its column, which is about as wide.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 206.0;
/// The plot area inside: left and right edge, top and bottom edge.
const PLOT_X: (f64, f64) = (44.0, 346.0);
const PLOT_Y: (f64, f64) = (22.0, 172.0);
/// Lines up to this length show every point as a dot.
const MOST_DOTS: usize = 30;
/// More columns than this cannot be told apart with a pointer, and would only make the page large.
const MOST_COLUMNS: usize = 300;

/// How the values of a chart are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    Number,
    /// Fractions in [0, 1], written as percent.
    Percent,
    /// Whole amounts, on an axis from zero.
    Count,
}

impl Unit {
    fn factor(self) -> f64 {
        if self == Self::Percent { 100.0 } else { 1.0 }
    }

    /// A tick label, with as many decimals as tell ticks apart.
    fn tick(self, value: f64, axis: &Axis) -> String {
        let shown = value * self.factor();
        let text = match shown.abs() {
            _ if axis.scale == AxisScale::Log => short(shown),
            size if size != 0.0 && !(1e-4..1e6).contains(&size) => format!("{shown:.1e}"),
            _ => format!("{shown:.*}", axis.decimals(self.factor())),
        };
        if self == Self::Percent {
            format!("{text}%")
        } else {
            text
        }
    }

    /// A value as the readout shows it.
    fn value(self, value: f64) -> String {
        match self {
            Self::Percent if value.is_finite() => format!("{:.2}%", value * 100.0),
            Self::Count if value.is_finite() => format!("{value:.0}"),
            _ => short(value),
        }
    }
}

/// One line of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// What the legend calls it.
    pub name: Cow<'static, str>,
    /// Class of the style sheet that gives the colour.
    pub ink: &'static str,
    /// One value for each of the chart's `xs`; what is absent or not finite is a gap.
    pub values: Vec<Option<f64>>,
}

impl Series {
    fn at(&self, index: usize) -> Option<f64> {
        self.values.get(index).copied().flatten()
    }
}

/// Lines over the same whole numbers.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Above it.
    pub title: Cow<'static, str>,
    /// What is counted from left to right, such as `epoch`.
    pub over: &'static str,
    /// How its values are written.
    pub unit: Unit,
    /// How they are spread.
    pub scale: AxisScale,
    /// The numbers, ascending.
    pub xs: Vec<usize>,
    /// The lines.
    pub series: Vec<Series>,
    /// A number to mark with a vertical line.
    pub marked: Option<usize>,
}

impl Chart {
    /// The chart with its title and legend.
    pub fn figure(&self) -> Markup {
        html! {
            figure.chart {
                figcaption {
                    h3 { (self.title) }
                    ul.legend {
                        @for series in &self.series {
                            li class=(series.ink) { (series.name) }
                        }
                    }
                }
                (self.drawing())
            }
        }
    }

    fn drawing(&self) -> Markup {
        let plot = Plot::of(self);
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.summary()) {
                (plot.grid(self))
                @if let Some(marked) = self.marked {
                    @let x = px(plot.x(marked));
                    line.best x1=(x) x2=(x) y1=(PLOT_Y.0) y2=(PLOT_Y.1) {}
                }
                @for series in &self.series { (plot.line(series, self)) }
                @if plot.y.ticks.is_empty() {
                    text.empty x=(middle(PLOT_X)) y=(middle(PLOT_Y)) { "no finite values" }
                }
                @for index in (0..self.xs.len()).step_by(self.stride()) { (plot.column(index, self)) }
            }
        }
    }

    /// One number in so many has a column.
    fn stride(&self) -> usize {
        self.xs.len().div_ceil(MOST_COLUMNS).max(1)
    }

    /// The chart in a sentence, for those who do not see it.
    fn summary(&self) -> String {
        let last = |series: &Series| {
            let value = series.values.iter().flatten().next_back();
            value.map(|&value| format!("{} ends at {}", series.name, self.unit.value(value)))
        };
        let ends: Vec<String> = self.series.iter().filter_map(last).collect();
        format!(
            "{} over {} {}s: {}",
            self.title,
            self.xs.len(),
            self.over,
            ends.join(", ")
        )
    }
}

/// The two axes and where they lie on the drawing.
struct Plot {
    x: Axis,
    y: Axis,
}

impl Plot {
    fn of(chart: &Chart) -> Self {
        let values = chart
            .series
            .iter()
            .flat_map(|series| series.values.iter().flatten().copied());
        let zero = (chart.unit == Unit::Count).then_some(0.0);
        let most = if chart.unit == Unit::Percent {
            1.0
        } else {
            f64::INFINITY
        };
        let first = chart.xs.first().copied().unwrap_or(1);
        let last = chart.xs.last().copied().unwrap_or(1);
        Self {
            x: Axis::counted(first, last),
            y: Axis::around(values.chain(zero), chart.scale, most),
        }
    }

    fn x(&self, number: usize) -> f64 {
        PLOT_X.0 + self.x.position(number as f64) * (PLOT_X.1 - PLOT_X.0)
    }

    fn y(&self, value: f64) -> f64 {
        PLOT_Y.1 - self.y.position(value) * (PLOT_Y.1 - PLOT_Y.0)
    }

    fn grid(&self, chart: &Chart) -> Markup {
        html! {
            g.grid {
                @for &tick in &self.y.ticks {
                    line x1=(PLOT_X.0) x2=(PLOT_X.1) y1=(px(self.y(tick))) y2=(px(self.y(tick))) {}
                    text.y x=(PLOT_X.0 - 6.0) y=(px(self.y(tick) + 3.5)) { (chart.unit.tick(tick, &self.y)) }
                }
                line.base x1=(PLOT_X.0) x2=(PLOT_X.1) y1=(PLOT_Y.1) y2=(PLOT_Y.1) {}
                @for &tick in &self.x.ticks {
                    @let x = px(self.x(tick as usize));
                    line.base x1=(x) x2=(x) y1=(PLOT_Y.1) y2=(PLOT_Y.1 + 4.0) {}
                    text.x x=(x) y=(PLOT_Y.1 + 16.0) { (tick) }
                }
                text.x x=(middle(PLOT_X)) y=(HEIGHT - 4.0) { (chart.over) }
            }
        }
    }

    /// One series: a line per stretch without gaps, and dots where a line would not be seen.
    fn line(&self, series: &Series, chart: &Chart) -> Markup {
        let points = chart.xs.iter().zip(&series.values).map(|(&number, value)| {
            let held = value.filter(|&value| chart.scale.holds(value));
            held.map(|value| (self.x(number), self.y(value)))
        });
        let dotted = chart.xs.len() <= MOST_DOTS;
        html! {
            g class=(series.ink) {
                @for stretch in stretches(points) {
                    @if stretch.len() > 1 { polyline points=(coordinates(&stretch)) {} }
                    @if dotted || stretch.len() == 1 {
                        @for (x, y) in stretch { circle cx=(px(x)) cy=(px(y)) r="2" {} }
                    }
                }
            }
        }
    }

    /// Left and right edge of a number's column: half-way to its neighbours.
    fn reach(&self, index: usize, chart: &Chart) -> (f64, f64) {
        let x = |index: usize| chart.xs.get(index).map(|&number| self.x(number));
        let here = x(index).unwrap_or(PLOT_X.0);
        let before = index.checked_sub(chart.stride()).and_then(x);
        let after = x(index + chart.stride());
        let edge = |neighbour: Option<f64>, end| neighbour.map_or(end, |x: f64| (x + here) / 2.0);
        (edge(before, PLOT_X.0), edge(after, PLOT_X.1))
    }

    /// What appears while the pointer is over a number: a vertical line, the points and their
    /// values.
    fn column(&self, index: usize, chart: &Chart) -> Markup {
        let number = chart.xs[index];
        let x = self.x(number);
        let (left, right) = self.reach(index, chart);
        let value = |series| Series::at(series, index).map(|value| (series, value));
        let values: Vec<(&Series, f64)> = chart.series.iter().filter_map(value).collect();
        html! {
            g.column {
                title {
                    (chart.over) " " (number)
                    @for (series, value) in &values { "\n" (series.name) " " (chart.unit.value(*value)) }
                }
                rect x=(px(left)) width=(px(right - left)) y=(PLOT_Y.0) height=(PLOT_Y.1 - PLOT_Y.0) {}
                line x1=(px(x)) x2=(px(x)) y1=(PLOT_Y.0) y2=(PLOT_Y.1) {}
                @for (series, value) in &values {
                    @if chart.scale.holds(*value) {
                        circle class=(series.ink) cx=(px(x)) cy=(px(self.y(*value))) r="3.2" {}
                    }
                }
                text x=(PLOT_X.1) y="12" {
                    (chart.over) " " (number)
                    @for (series, value) in &values {
                        tspan class=(series.ink) dx="8" { (chart.unit.value(*value)) }
                    }
                }
            }
        }
    }
}

/// The runs of neighbouring points between gaps.
fn stretches(points: impl Iterator<Item = Option<(f64, f64)>>) -> Vec<Vec<(f64, f64)>> {
    let mut stretches = vec![vec![]];
    for point in points {
        match (point, stretches.last_mut()) {
            (Some(point), Some(stretch)) => stretch.push(point),
            _ => stretches.push(vec![]),
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}

fn coordinates(points: &[(f64, f64)]) -> String {
    let pairs: Vec<String> = points
        .iter()
        .map(|&(x, y)| format!("{},{}", px(x), px(y)))
        .collect();
    pairs.join(" ")
}

/// Half-way between two edges.
fn middle((one, other): (f64, f64)) -> f64 {
    (one + other) / 2.0
}

/// A coordinate, to a tenth of a pixel.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(epochs: usize, values: Vec<Option<f64>>) -> Chart {
        let series = vec![Series {
            name: "test".into(),
            ink: "ink-test",
            values,
        }];
        let (unit, scale) = (Unit::Number, AxisScale::Linear);
        Chart {
            title: "Loss".into(),
            over: "epoch",
            unit,
            scale,
            xs: (1..=epochs).collect(),
            series,
            marked: None,
        }
    }

    fn drawn(chart: &Chart) -> String {
        chart.figure().into_string()
    }

    #[test]
    fn points_stand_where_the_axes_put_them() {
        // The axes are 1..3 and 0..1 on x 44..346 and y 172..22.
        let svg = drawn(&chart(3, vec![Some(0.0), Some(0.5), Some(1.0)]));
        assert!(
            svg.contains(r#"<polyline points="44.0,172.0 195.0,97.0 346.0,22.0">"#),
            "{svg}"
        );
    }

    #[test]
    fn a_value_that_is_not_finite_cuts_the_line() {
        let values = vec![
            Some(0.0),
            Some(1.0),
            Some(f64::NAN),
            Some(1.0),
            None,
            Some(f64::INFINITY),
            Some(0.5),
        ];
        let svg = drawn(&chart(7, values));
        assert_eq!(
            svg.matches("<polyline").count(),
            1,
            "one stretch has two points, the others one"
        );
        // Four points, each as a dot and once more under the pointer.
        assert_eq!(
            (
                svg.matches(r#"r="2""#).count(),
                svg.matches(r#"r="3.2""#).count()
            ),
            (4, 4)
        );
        assert!(svg.contains("test not finite"), "the readout names it");
        assert!(
            !svg.contains("NaN") && !svg.contains("inf"),
            "no coordinate is made of it"
        );
    }

    #[test]
    fn stretches_are_the_runs_between_gaps() {
        let point = |x: f64| Some((x, x));
        let runs = stretches([None, point(1.0), None, None, point(2.0), point(3.0)].into_iter());
        assert_eq!(runs, [vec![(1.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        assert!(stretches(std::iter::empty()).is_empty());
    }

    #[test]
    fn a_single_epoch_is_a_dot_in_the_middle() {
        let svg = drawn(&chart(1, vec![Some(2.0)]));
        assert!(
            svg.contains(r#"<circle cx="195.0" cy="97.0" r="2">"#) && !svg.contains("<polyline"),
            "{svg}"
        );
    }

    #[test]
    fn a_chart_without_finite_values_says_so() {
        assert!(drawn(&chart(2, vec![Some(f64::NAN), None])).contains("no finite values"));
        assert!(drawn(&chart(0, vec![])).contains("no finite values"));
    }

    #[test]
    fn long_runs_keep_all_points_and_thin_the_columns() {
        let svg = drawn(&chart(900, vec![Some(1.0); 900]));
        assert_eq!(svg.matches("g class=\"column\"").count(), 300);
        let line = svg
            .split("points=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap();
        assert_eq!(line.split(' ').count(), 900);
        assert!(!svg.contains(r#"r="2""#), "no dots");
    }

    #[test]
    fn columns_tile_the_plot() {
        let chart = chart(3, vec![]);
        let plot = Plot::of(&chart);
        let edges: Vec<_> = (0..3).map(|index| plot.reach(index, &chart)).collect();
        assert_eq!(edges, [(44.0, 119.5), (119.5, 270.5), (270.5, 346.0)]);
    }

    #[test]
    fn readouts_are_in_their_unit() {
        assert_eq!(Unit::Percent.value(0.93125), "93.12%");
        assert_eq!(
            [Unit::Count, Unit::Percent].map(|unit| unit.value(f64::NAN)),
            ["not finite"; 2]
        );
    }

    #[test]
    fn tick_labels_have_no_more_decimals_than_needed() {
        let labels = |unit: Unit, scale, values: [f64; 2]| {
            let axis = Axis::around(values.into_iter(), scale, f64::INFINITY);
            axis.ticks
                .iter()
                .map(|&tick| unit.tick(tick, &axis))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            labels(Unit::Number, AxisScale::Linear, [0.0, 2.5]),
            ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]
        );
        assert_eq!(
            labels(Unit::Percent, AxisScale::Linear, [0.9, 0.94]),
            ["90%", "91%", "92%", "93%", "94%"]
        );
        assert_eq!(
            labels(Unit::Number, AxisScale::Log, [0.001, 0.1]),
            ["0.001", "0.01", "0.1"]
        );
        assert_eq!(
            labels(Unit::Number, AxisScale::Linear, [0.0, 1e7])[..2],
            ["0", "2.0e6"]
        );
    }
}
