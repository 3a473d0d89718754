//! What a run of an attention branch network is: everything that decides it, what lies in its
//! folder, and how it is measured.
//!
//! - A [`Recipe`](recipe::Recipe) is what decides a training; with its labels it is a
//!   [`RunConfig`](recipe::RunConfig), the whole of `config.json`.
//! - A [`DataSet`](datasets::DataSet) is one value: name, labels, place, defaults, how it opens.
//! - A [`Task`](measure::task::Task) is what a training learns: objective, totals, figures, and
//!   which figure is the best.
//! - A [`Session`](session::Session) is a run opened for use, a [`View`](view::View) an image as
//!   its network sees it.
//! - With the feature `files`, a `folder::run_dir::RunDir` is a run on a disk. Without it
//!   everything is made of bytes and values.
//!
//! Nothing here prints, trains, or knows a command line.
//!
//! ```
//! use std::path::Path;
//!
//! use abn_core::state::state_of;
//! use abn_run::datasets::{Request, SHAPES};
//! use abn_run::recipe::{Recipe, RunConfig};
//! use abn_run::session::Session;
//! use abn_run::view::View;
//! use burn::tensor::Device;
//!
//! let device = Device::flex();
//! let images = SHAPES.open(&Request::of(abn_data::Split::HeldOut, None))?;
//! let config = RunConfig::new(Recipe::of(&SHAPES, None), images.labels)?;
//!
//! // The weights of a checkpoint would come from `abn_run::weights::from_safetensors`.
//! let weights = state_of(&config.model.init_seeded(0, &device));
//! let run = Session::of(config, weights, String::new(), device)?;
//!
//! let image = image::RgbImage::new(40, 30);
//! let seen = run.look_at(&View::of(image, Path::new("black"), &run.config)?)?;
//! assert_eq!(seen.logits.len(), 8);
//! assert_eq!(seen.maps.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod class_name;
pub mod datasets;
pub mod detector_session;
pub mod digest;
mod error;
#[cfg(feature = "files")]
pub mod folder;
pub mod images;
pub mod measure;
pub mod recipe;
pub mod self_check;
pub mod session;
pub mod training_images;
pub mod unreadable;
pub mod view;
#[cfg(feature = "files")]
pub mod warm_start;
pub mod weights;

pub use error::RunError;
