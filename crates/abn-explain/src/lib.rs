//! Measures how good the explanations of a trained run are.
//!
//! - [`method::chosen`]: which methods a network has an answer by. The methods themselves are
//!   [`abn_core::explain`]'s.
//! - [`score`]: every method by every measure, image by image.
//! - [`stability`]: the maps of several runs on the same images, compared two by two.
//! - [`bootstrap`](bootstrap::bootstrap): a mean over images with its interval.
//!
//! Batches and runs in, figures out; the tables of both are pure functions of the figures.
//!
//! ```
//! use abn_core::explain::{Layer, Method};
//! use abn_core::state::state_of;
//! use abn_data::Split;
//! use abn_explain::score::{ClassChoice, Examiner, Plan, Scores, table};
//! use abn_run::datasets::{Request, SHAPES};
//! use abn_run::images::plain_loader;
//! use abn_run::recipe::{Recipe, RunConfig};
//! use abn_run::session::Session;
//! use burn::tensor::Device;
//!
//! let device = Device::flex();
//! let images = SHAPES.open(&Request::of(Split::HeldOut, None))?.limit(4);
//! let config = RunConfig::new(Recipe::of(&SHAPES, None), images.labels.clone())?;
//! let weights = state_of(&config.model.init_seeded(0, &device));
//! let run = Session::of(config, weights, String::new(), device)?;
//!
//! let plan = Plan {
//!     weights: run.digest.clone(),
//!     images: String::new(),
//!     objects: None,
//!     methods: vec![Method::Attention, Method::GradCam],
//!     layer: Layer::Refined,
//!     class: ClassChoice::Predicted,
//!     group: None,
//!     steps: 4,
//!     randomised: 0,
//!     files: None,
//!     fine_tuned: None,
//!     check: false,
//! };
//! let examiner = Examiner::new(&run, &plan)?;
//! let mut rows = Vec::new();
//! for batch in plain_loader(&run.config, &images, 0).epoch(0, 0) {
//!     rows.extend(examiner.examine(&batch?)?);
//! }
//! let scores = Scores::of(&plan.methods, &rows);
//! assert_eq!(scores.images, 4);
//! assert!(table::text(&scores).contains("insertion"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod attributes;
pub mod bootstrap;
pub mod boxes;
pub mod columns;
mod error;
pub mod groups;
pub mod method;
pub mod paired;
pub mod score;
pub mod stability;
#[cfg(feature = "files")]
pub mod store;

pub use error::AnalysisError;
