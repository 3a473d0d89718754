//! Labelled images for attention branch networks: reading, augmenting, batching in order.
//!
//! - A [`Collection`] is one split of a data set: [`Shapes`] and [`Scenes`] (built in), [`cifar10`],
//!   [`cifar100`], [`svhn()`], [`image_folder`], [`attributes()`] (several labels an image), [`objects()`]
//!   (boxes), with the feature `tar` `tar_shards`, and with the feature `parquet` the function of that
//!   name. Its samples implement Burn's `Dataset`, so Burn's own transforms apply.
//! - [`pack()`] puts all of a folder of photographs into one file, which [`packed`] opens like the
//!   folder and [`verify`] compares with its checksums.
//! - A [`Transform`] is the list of [`Step`]s between file and network; it is data and goes into a
//!   run's record.
//! - A [`Loader`] makes [`Batch`]es in parallel.
//! - [`check_folder`] and [`check_collections`] look at every image before anybody trains.
//! - [`read_image`] reads one file from outside, [`GrayMap`] one that is meant as a map.
//!
//! One decision shapes the crate: **order and augmentation are pure functions of (seed, epoch,
//! index)**. No generator lives from one sample to the next. Therefore the number of worker threads
//! changes nothing, an epoch can be entered at any batch, and an interrupted run continues exactly
//! as if it had not been. Burn's loaders give each worker a part of the data and batches arrive as
//! they are ready, which permits none of this.
//!
//! Batches hold plain `f32` values; tensors and devices are the trainer's.
//!
//! ```
//! use abn_data::{Loader, Normalization, Shapes, Split, Step, Transform};
//!
//! let shapes = Shapes::new(0, Split::Train, 100).collection();
//! let loader = Loader {
//!     dataset: shapes.samples,
//!     transform: Transform {
//!         steps: vec![Step::PadCrop { padding: 4 }, Step::Flip],
//!         normalization: Normalization::CIFAR,
//!     },
//!     batch_size: 32,
//!     workers: 2,
//!     seed: 0,
//!     shuffled: true,
//!     masks: false,
//!     skips: Default::default(),
//!     canvas: Default::default(),
//!     drop_last: false,
//! };
//! assert_eq!(loader.batches(), 4);
//! for batch in loader.epoch(0, 0) {
//!     let batch = batch?;
//!     assert_eq!(batch.pixels.values().len(), batch.len() * 3 * 32 * 32);
//! }
//! # Ok::<(), abn_data::DataError>(())
//! ```

mod annotations;
#[cfg(any(feature = "tar", feature = "parquet"))]
mod archive;
mod attributes;
mod canvas;
mod check;
mod cifar;
mod class_names;
mod decode;
mod drawn;
mod error;
mod folder;
mod gray_map;
mod interventions;
mod labels;
mod loader;
mod mat;
mod normalization;
mod object_masks;
mod objects;
mod ordered;
mod pack;
#[cfg(feature = "parquet")]
mod parquet;
mod photographs;
mod pixels;
mod random;
mod sample;
mod scenes;
mod shapes;
#[cfg(feature = "tar")]
mod shards;
mod shares;
mod skips;
mod svhn;
mod target;
mod transform;
mod twins;

#[cfg(feature = "parquet")]
pub use self::parquet::{holds_parquet, parquet};
pub use attributes::{AttributeFolder, CELEBA_ATTRIBUTES, attributes};
/// What samples come from; Burn's.
pub use burn_dataset::Dataset;
pub use canvas::{Canvas, Padding, Within, groups};
pub use check::{
    ClassCount, Finding, LabelReport, Odd, Place, Report, Same, SameWhat, Sizes, SplitReport,
    Watch, Without, check_collections, check_folder, unreadable,
};
pub use cifar::{Cifar100Labels, cifar10, cifar100};
pub use class_names::class_names;
pub use decode::{image_of, read_image};
pub use error::DataError;
pub use folder::{
    ImageFolder, Truth, UnknownClasses, image_folder, imagenet_classes, is_image_name,
};
pub use gray_map::GrayMap;
pub use interventions::{Change, Intervention, Interventions};
pub use labels::{Group, Labels};
pub use loader::{Batch, Batches, Loader, Source};
pub use normalization::Normalization;
pub use object_masks::ObjectMasks;
pub use objects::{ObjectFolder, objects};
pub use pack::{
    PackError, PackOptions, Packed, PackedLabels, Stored, Verified, is_pack, pack, packed, verify,
};
pub use photographs::photographs;
pub use pixels::Pixels;
pub use random::splitmix64;
pub use sample::{Collection, Files, ImageDataset, Sample, Split};
pub use scenes::Scenes;
pub use shapes::Shapes;
#[cfg(feature = "tar")]
pub use shards::{holds_shards, tar_shards};
pub use shares::Shares;
pub use skips::Skips;
pub use svhn::svhn;
pub use target::{Counts, Object, Target};
pub use transform::{Channels, Placement, Step, Transform, Window};
pub use twins::{Twins, twins};
