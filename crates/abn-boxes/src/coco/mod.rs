//! COCO's files and COCO's figures.
//!
//! - [`Instances`]: the truth, as `instances_val2017.json` has it, read as a stream.
//! - [`Detected`]: what was found, as results files have it, read as a stream and written.
//! - [`evaluate`]: the twelve figures of pycocotools, with all curves.
//!
//! Ids are those of the files: they may have gaps and may be 0. pycocotools takes an object of id 0
//! for one that nobody found; here its id means nothing, as if objects were renumbered from 1.

mod bounded;
mod detected;
mod evaluate;
mod figures;
mod instances;
mod matching;
mod names;
mod numbers;
mod protocol;

pub use detected::{Detected, read_results, write_results};
pub use evaluate::{Curves, Evaluation, OfCategory, evaluate};
pub use figures::{CategoryFigures, Figures, Stats};
pub use instances::{Annotation, Category, Image, Instances};
pub use names::{CATEGORIES, names_by_number};
pub use protocol::{Area, IOUS, MAX_DETECTIONS, RECALLS, iou_thresholds, recall_thresholds};
