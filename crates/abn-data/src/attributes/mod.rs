//! Photographs with several labels each, in the layouts in which people have them.
//!
//! ```text
//! DIR/labels.csv + images/...                        a column a label, or names, see `table.rs`
//! DIR/list_attr_celeba.txt + img_align_celeba/...    CelebA, see `celeba.rs`
//! DIR/ImageSets/Main/dog_train.txt + JPEGImages/...  VOC 2007 and 2012, see `voc.rs`
//! DIR/annotations/instances_train2017.json + ...     COCO, see `coco.rs`
//! DIR/train_test_split/classification/... + image/   CompCars, see `compcars.rs`
//! DIR/attributes/image_attribute_labels.txt + ...    CUB-200-2011, see `birds.rs`
//! ```
//!
//! What is told of an image is a list of groups of classes of which one is right, `no` and `yes`
//! for most. Nobody may know which: such a label is learned from other images alone.
//!
//! Which images there are is what the lists say: other files in the folder are not looked at, so
//! that images that are added later change nothing. Opening a set reads its lists; an image is
//! decoded when it is asked for, in the loader's threads.

mod birds;
mod celeba;
mod celeba_names;
mod cells;
mod coco;
mod compcars;
mod crop;
pub(crate) mod kept;
mod known;
mod objects;
mod sheet;
mod table;
mod told;
mod voc;
mod voc_boxes;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;
use image::RgbImage;
use image::imageops::crop_imm;

pub use self::celeba_names::CELEBA_ATTRIBUTES;
use self::compcars::Choice;
use self::crop::Crops;
use self::kept::Lists;
use self::known::Matched;
use self::told::Told;
use crate::decode::upright;
use crate::folder::boxes::Boxes;
use crate::folder::table::common_folder;
use crate::pack::{FIT_NOTHING, PackedImages, is_pack, packed_lists};
use crate::{Collection, DataError, Files, Labels, ObjectMasks, Sample, Split, Target, Truth};

/// What is opened of a folder of photographs with several labels each.
#[derive(Debug, Clone, Copy)]
pub struct AttributeFolder<'a> {
    /// The folder, laid out in one of the ways above, which is found out.
    pub dir: &'a Path,
    /// The table that tells the labels, from the folder on, if not the usual one; of CompCars
    /// `make`, `model` or `both`.
    pub labels: Option<&'a str>,
    /// Which images.
    pub split: Split,
    /// Decides which images are held out where nobody did it by hand.
    pub seed: u64,
    /// What is asked for where the objects lie.
    pub truth: Option<Truth>,
    /// The labels of a network, to which those of the folder are matched by name, if they are
    /// known.
    pub known: Option<&'a Labels>,
    /// Images that were there, by their [names](Files::name). Whether their files still are or not,
    /// they keep their places; to read one that is gone is an error.
    pub once: Option<&'a BTreeSet<String>>,
    /// Whether images are cropped to the box of their object, which must be known of each.
    pub crop: bool,
}

/// One split of photographs with several labels each, from a folder or from a pack of it.
///
/// Where nothing is held out by hand, one image in five is, at least one; which, depends on the
/// seed and the images' names below the folder alone. Images come in the order of their list, COCO's
/// in that of their ids.
///
/// # Errors
/// The folder holds no layout that is known, a list is missing, damaged or contradicts itself, an
/// image that it names is not there, a label is unknown for all images, the network that is asked
/// for has labels that the folder lacks, or there is no such truth and no such boxes as asked for.
pub fn attributes(request: &AttributeFolder) -> Result<Collection, DataError> {
    let AttributeFolder { dir, split, .. } = *request;
    let (mut told, source) = opened(request)?;
    told.refuse_unknown()?;
    told.rows.close();
    let (rows, note) = told.rows.of_split(dir, split, request.seed)?;
    let mut notes = vec![told.title(dir)];
    notes.append(&mut told.notes);
    notes.extend(note);
    notes.extend(told.remarks(&rows, split));
    let matched = Matched::of(&told, request.known, &mut notes)?;
    let labels = matched.labels.clone();
    let photographs = Arc::new(Photographs {
        source,
        told,
        rows,
        matched,
    });
    notes.extend(photographs.objects_that_fit_nothing());
    Ok(Collection {
        masked: photographs.masked(),
        samples: photographs.clone(),
        labels,
        notes,
        files: Some(photographs),
        interventions: None,
    })
}

/// What is told of the images of a folder or pack, and where they are read.
fn opened(request: &AttributeFolder) -> Result<(Told, Source), DataError> {
    let AttributeFolder { dir, crop, .. } = *request;
    if is_pack(dir) {
        let (lists, images) = packed_lists(request)?;
        let Lists { told, .. } = lists;
        return Ok((told, Source::Pack(images)));
    }
    let none = BTreeSet::new();
    let told = in_folder(request, request.once.unwrap_or(&none))?;
    let dir = dir.to_owned();
    Ok((told, Source::Folder { dir, crop }))
}

/// Finds out how a folder is laid out, and reads its lists.
fn in_folder(request: &AttributeFolder, once: &BTreeSet<String>) -> Result<Told, DataError> {
    let AttributeFolder { dir, crop, .. } = *request;
    if dir.is_file() {
        return Err(DataError::NoAttributes { path: dir.into() });
    }
    if !dir.is_dir() {
        return Err(missing(dir, "check the path"));
    }
    let told = laid_out(request, once)?;
    match crop && !told.crops.known() {
        true => Err(DataError::NoBoxes { path: dir.into() }),
        false => Ok(told),
    }
}

fn laid_out(request: &AttributeFolder, once: &BTreeSet<String>) -> Result<Told, DataError> {
    let AttributeFolder {
        dir, labels, truth, ..
    } = *request;
    if let (Some(lists), Some(choice)) = (compcars::Lists::find(dir), Choice::named(labels)) {
        return lists.read(dir, choice, once, truth);
    }
    if labels.is_none() {
        if let Some(lists) = celeba::Lists::find(dir) {
            return lists.read(dir, once, truth);
        }
        if let Some(lists) = voc::Lists::find(dir)? {
            return lists.read(dir, once, truth);
        }
        if let Some(files) = coco::find(dir)? {
            return coco::read(files, dir, request.split, once, truth);
        }
        if let Some(lists) = birds::Lists::find(dir) {
            return lists.read(dir, once, truth);
        }
    }
    let mut told = table::read(dir, labels, once, truth)?;
    if request.crop
        && let Some(boxes) = Boxes::find(dir)?
    {
        let folder = common_folder(|| told.rows.names()).unwrap_or_default();
        told.crops = Crops::Table(boxes, folder.into());
    }
    Ok(told)
}

/// Whether a folder that holds no classes holds lists of several labels an image.
pub(crate) fn tells_several(dir: &Path) -> bool {
    let found = [
        compcars::Lists::find(dir).is_some(),
        celeba::Lists::find(dir).is_some(),
        matches!(voc::Lists::find(dir), Ok(Some(_))),
        matches!(coco::find(dir), Ok(Some(_))),
        birds::Lists::find(dir).is_some(),
        table::there(dir).is_ok(),
    ];
    found.contains(&true)
}

fn missing(path: &Path, advice: &str) -> DataError {
    DataError::Missing {
        path: path.into(),
        expected:
            "a table with a column that names the image and a column a label, or the lists of \
                   CelebA, VOC, COCO, CompCars or CUB-200-2011"
                .into(),
        advice: advice.into(),
    }
}

/// Images, decoded when asked for.
struct Photographs {
    source: Source,
    told: Told,
    /// What is told of each sample, by its place in `told`.
    rows: Vec<u32>,
    matched: Matched,
}

/// Where images are read.
enum Source {
    Folder {
        dir: PathBuf,
        /// Whether they are cropped.
        crop: bool,
    },
    Pack(PackedImages),
}

impl Photographs {
    fn row(&self, index: usize) -> usize {
        self.rows[index] as usize
    }

    /// Whether it is known where any object lies.
    fn masked(&self) -> bool {
        match &self.source {
            Source::Folder { .. } => self.told.objects.known(),
            Source::Pack(images) => images.masked,
        }
    }

    /// Where the objects lie is said of no image: then its words are of others.
    fn objects_that_fit_nothing(&self) -> Option<String> {
        let mut rows = self.rows.iter().map(|row| *row as usize);
        match &self.source {
            Source::Folder { .. } => {
                let names = rows.map(|row| self.told.rows.name(row));
                self.told.objects.fits_nothing(names)
            }
            Source::Pack(images) => {
                let fits = !images.masked || rows.any(|row| images.entries.has_masks(row));
                (!fits).then(|| FIT_NOTHING.to_owned())
            }
        }
    }

    /// The image of a row, and where its objects lie.
    fn read(&self, row: usize) -> Result<(RgbImage, ObjectMasks), DataError> {
        let (name, classes) = (self.told.rows.name(row), self.told.rows.numbers(row));
        let (image, masks, crop) = match &self.source {
            Source::Folder { dir, crop } => {
                let (image, orientation) = upright(&dir.join(name))?;
                let (objects, size) = (&self.told.objects, image.dimensions());
                let masks = objects.of(row, name, size, orientation, classes)?;
                (image, masks, *crop)
            }
            Source::Pack(images) => {
                let (image, masks) = images.entries.read(row, name, classes.len())?;
                (image, masks, images.crop)
            }
        };
        if !crop {
            return Ok((image, masks));
        }
        let window = self.told.crops.window(row, name, image.dimensions())?;
        Ok(cropped(&image, masks, window))
    }
}

/// The window of an image and of the masks of its objects.
pub(crate) fn cropped(
    image: &RgbImage,
    masks: ObjectMasks,
    [x, y, width, height]: [u32; 4],
) -> (RgbImage, ObjectMasks) {
    let image = crop_imm(image, x, y, width, height).to_image();
    let cut = |mask| Ok::<_, Infallible>(crop_imm(&mask, x, y, width, height).to_image());
    let masks = masks.map(cut).unwrap_or_else(|never| match never {});
    (image, masks)
}

impl Dataset<Sample, DataError> for Photographs {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let row = self.row(index);
        let (image, masks) = self.read(row)?;
        Ok(Sample {
            image,
            target: Target::Classes(self.matched.target(self.told.rows.classes(row))),
            masks: self.matched.masks(masks),
        })
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Files for Photographs {
    fn name(&self, index: usize) -> String {
        self.told.rows.name(self.row(index)).to_owned()
    }

    fn path(&self, index: usize) -> Option<PathBuf> {
        match &self.source {
            Source::Folder { dir, .. } => Some(dir.join(self.told.rows.name(self.row(index)))),
            Source::Pack(_) => None,
        }
    }

    fn sha256(&self, index: usize) -> Option<[u8; 32]> {
        match &self.source {
            Source::Folder { .. } => None,
            Source::Pack(images) => Some(images.entries.source_of(self.row(index))),
        }
    }

    fn target(&self, index: usize) -> Option<Target> {
        let classes = self.told.rows.classes(self.row(index));
        Some(Target::Classes(self.matched.target(classes)))
    }

    fn counts(&self) -> Vec<usize> {
        let labels = &self.matched.labels;
        let mut counts = vec![0; labels.count()];
        let firsts: Vec<usize> = (0..labels.groups().len())
            .map(|group| labels.first_of(group))
            .collect();
        for row in &self.rows {
            let target = self.matched.target(self.told.rows.classes(*row as usize));
            for (first, class) in firsts.iter().zip(target) {
                if let Some(class) = class {
                    counts[first + class] += 1;
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests;
