//! What COCO's and VOC's files tell: for labels that say what an image shows, and for objects that
//! say where.

pub(crate) mod coco;
pub(crate) mod names;
pub(crate) mod voc;
pub(crate) mod voc_folder;
