//! Pages about a run: the report of a training and the explanations of images.
//!
//! A page is a pure function from results to one HTML file: no clock, no files, no network, no
//! scripts. Images are embedded, charts are inline SVG, and all text passes the escaping of `maud`.
//! The style sheet serves phones, light and dark mode.

mod axis;
mod chart;
mod curves;
mod encode;
mod explanations;
mod figures;
mod gallery;
mod headline;
pub mod heatmap;
pub mod numbers;
mod overlay_png;
mod page;
mod picture;
mod related;
mod run;
mod score;
mod stability;

pub use axis::AxisScale;
pub use chart::{Chart, Series, Unit};
pub use encode::{EncodeError, is_small, photograph, png};
pub use explanations::{ExplainedImage, ExplanationPage, Files, MethodMaps, Prediction};
pub use figures::head;
pub use gallery::{Shot, Verdict};
pub use overlay_png::overlay_png;
pub use page::page_with;
pub use picture::color_bar;
pub use related::Related;
pub use run::{Report, render};
pub use score::{ScorePage, render_scores};
pub use stability::{Example, StabilityPage, render_stability};
