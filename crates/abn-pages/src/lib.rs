//! Pages about a run: the report of a training and the explanations of images.
//!
//! A page is a pure function from results to one HTML file: no clock, no files, no network, no
//! scripts. Images are embedded, charts are inline SVG, and all text passes the escaping of `maud`.
//! The style sheet serves phones, light and dark mode.
//!
//! - [`Report`]: a run, its curves and what it looked at.
//! - [`ExplanationPage`]: images under the maps of several methods.
//! - [`FoundPage`]: images with what a detector finds, and why.
//! - [`MistakesPage`]: what a network is sure of and wrong about.
//! - [`ComparisonPage`]: runs side by side.
//! - [`CurvePage`]: images while their pixels go and come.
//! - [`ScorePage`] and [`StabilityPage`]: the figures of abn-explain.
//! - [`Chart`], [`page_with`] and [`numbers`] are for pages of others, as the campaigns' are.
//!
//! ```
//! use abn_core::explain::{AttentionMap, Explanation, Method};
//! use abn_pages::heatmap::Drawing;
//! use abn_pages::{ExplainedImage, ExplanationPage, Files, MethodMaps, Prediction};
//!
//! let raw = AttentionMap::new(2, 2, vec![0.1, 0.9, 0.2, 0.4])?;
//! let maps = MethodMaps {
//!     method: Method::Attention,
//!     label: None,
//!     maps: Explanation { normalized: raw.clone().normalized(), raw },
//! };
//! let mut page = ExplanationPage::new(vec![Method::Attention], Drawing::default());
//! page.add(&ExplainedImage {
//!     number: 1,
//!     file: "cat.png".to_owned(),
//!     image: image::RgbImage::new(8, 8),
//!     maps: vec![maps],
//!     predictions: vec![Prediction { group: None, classes: vec![("cat".to_owned(), 0.9)] }],
//!     asked: None,
//!     files: Files::of("cat.png".as_ref(), 1, false),
//! })?;
//! let html = page.render("What runs/pets looks at", "1 image");
//! assert!(html.contains("cat.png") && !html.contains("<script"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod axis;
pub mod boxes;
mod chart;
mod comparison;
mod confusion;
mod curves;
mod encode;
mod explanations;
mod figures;
mod found_objects;
mod gallery;
mod headline;
pub mod heatmap;
mod image_curves;
mod mistakes;
pub mod numbers;
mod overlay_png;
mod page;
mod picture;
mod raw_maps;
mod related;
mod run;
mod score;
mod stability;
mod words;

pub use axis::AxisScale;
pub use chart::{Chart, Series, Unit};
pub use comparison::{
    ComparedImage, ComparedRun, ComparedSetting, ComparisonPage, MOST_RUNS, SameImages,
    render_comparison,
};
pub use confusion::ConfusedClasses;
pub use encode::{EncodeError, is_small, photograph, png};
pub use explanations::{ExplainedImage, ExplanationPage, Files, MethodMaps, Prediction};
pub use figures::head;
pub use found_objects::{BoxMap, FoundBox, FoundImage, FoundPage, MOST_BOXES};
pub use gallery::{Chosen, Shot, Verdict};
pub use image_curves::{CurvePage, CurvedImage, MOST_METHODS};
pub use mistakes::{MistakesPage, render_mistakes};
pub use overlay_png::overlay_png;
pub use page::page_with;
pub use picture::color_bar;
pub use raw_maps::{RawLabels, RawMaps};
pub use related::Related;
pub use run::{Report, render};
pub use score::{ScorePage, render_scores};
pub use stability::{Example, StabilityPage, render_stability};
