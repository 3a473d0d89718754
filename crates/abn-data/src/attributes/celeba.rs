//! CelebA as it lies: forty attributes of a face, and where its eyes, nose and mouth are.
//!
//! ```text
//! list_attr_celeba.txt                  the number of images, the names, then `000001.jpg -1  1 ...`
//! list_eval_partition.txt               `000001.jpg 0`: 0 to learn, 1 held out, 2 to test
//! list_landmarks_align_celeba.txt       the same with ten numbers: x and y of five landmarks
//! img_align_celeba/000001.jpg ...       or the images beside the lists
//! ```
//!
//! The lists may also be tables that end in `.csv`, and lie in `Anno/` and `Eval/` as they are
//! published. `list_bbox_celeba` tells boxes in images that were not aligned yet: it is not read.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma};

use super::cells::{Cells, wrong};
use super::crop::Crops;
use super::objects::{Objects, asked};
use super::sheet::Sheet;
use super::told::{MOST_LABELS, Rows, SHOWN, Told, binary};
use crate::annotations::names::{no_image, plain_name};
use crate::error::shown;
use crate::folder::role::Role;
use crate::{DataError, ObjectMasks, Truth};

const FOLDERS: [&str; 3] = ["", "Anno", "Eval"];
/// Where the images may lie.
const IMAGES: [&str; 4] = [
    "img_align_celeba",
    // As Kaggle packs them.
    "img_align_celeba/img_align_celeba",
    "Img/img_align_celeba",
    "",
];
const PARTS: [Role; 3] = [Role::Train, Role::Validation, Role::Test];
/// The landmarks in the order of their list.
const LANDMARKS: [&str; 5] = ["left eye", "right eye", "nose", "left mouth", "right mouth"];
/// What lies within this share of the distance of the eyes from a landmark belongs to it.
const REACH: f32 = 0.4;

/// The part of a face that an attribute is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Eyes,
    Nose,
    Mouth,
    /// Between nose and mouth.
    UpperLip,
}

/// Which part an attribute is about: our reading of its name, published by nobody. Attributes of the
/// whole face, the hair and the chin have no landmark.
const ABOUT: [(&str, Part); 12] = [
    ("Arched_Eyebrows", Part::Eyes),
    ("Bags_Under_Eyes", Part::Eyes),
    ("Bushy_Eyebrows", Part::Eyes),
    ("Eyeglasses", Part::Eyes),
    ("Narrow_Eyes", Part::Eyes),
    ("Big_Nose", Part::Nose),
    ("Pointy_Nose", Part::Nose),
    ("Big_Lips", Part::Mouth),
    ("Mouth_Slightly_Open", Part::Mouth),
    ("Smiling", Part::Mouth),
    ("Wearing_Lipstick", Part::Mouth),
    ("Mustache", Part::UpperLip),
];

/// The lists of a folder.
pub(super) struct Lists {
    attributes: PathBuf,
    parts: Option<PathBuf>,
    landmarks: Option<PathBuf>,
}

impl Lists {
    /// The lists in `dir`, if that of the attributes is there.
    pub(super) fn find(dir: &Path) -> Option<Self> {
        let list = |name: &str| {
            let places = FOLDERS.iter().flat_map(|folder| {
                ["txt", "csv"].map(|ending| dir.join(folder).join(format!("{name}.{ending}")))
            });
            places.into_iter().find(|path| path.is_file())
        };
        Some(Self {
            attributes: list("list_attr_celeba")?,
            parts: list("list_eval_partition"),
            landmarks: list("list_landmarks_align_celeba"),
        })
    }

    /// What they tell.
    ///
    /// # Errors
    /// One of them cannot be read or contradicts another, or an image is not there.
    pub(super) fn read(
        &self,
        dir: &Path,
        once: &BTreeSet<String>,
        truth: Option<Truth>,
    ) -> Result<Told, DataError> {
        asked(dir, truth, None)?;
        let sheet = Sheet::counted(&self.attributes)?;
        sheet.check_header()?;
        let names = sheet.header[1..].to_vec();
        if names.is_empty() || names.len() > MOST_LABELS {
            let reason = format!("it has {} labels: expected 1 to {MOST_LABELS}", names.len());
            return Err(wrong(&sheet.path, 1, 1, reason));
        }
        let parts = self.parts.as_deref().map(Parts::read).transpose()?;
        let (mut rows, mut cells) = (Rows::of(names.len()), Cells::default());
        let mut finder = Finder::new(dir, once);
        sheet.rows(|line, row| {
            let bad = |reason| wrong(&sheet.path, line, 1, reason);
            let image = finder.find(row[0]).map_err(bad)?;
            let split = match &parts {
                Some(parts) => Some(parts.of(row[0]).map_err(bad)?),
                None => None,
            };
            let place = rows.push(image, split, line).map_err(bad)?;
            for (label, name) in names.iter().enumerate() {
                let at = (line, label + 2);
                let class = cells.read(&sheet.path, at, name, row[label + 1])?;
                rows.tell(place, label, class);
            }
            Ok(())
        })?;
        // -1 is what these lists have for 0.
        cells.finish()?;
        let landmarks = self.landmarks.as_deref();
        let landmarks = landmarks.map(|path| Landmarks::read(path, &names, &rows, &mut finder));
        Ok(Told {
            columns: (2..names.len() + 2).collect(),
            groups: binary(names),
            rows,
            objects: Objects::Faces(landmarks.transpose()?.unwrap_or_default()),
            crops: Crops::None,
            notes: match self.parts {
                Some(_) => vec![],
                None => {
                    vec!["list_eval_partition is not there: one image in five is held out".into()]
                }
            },
            source: sheet.path,
        })
    }
}

/// Finds the images of the lists.
struct Finder<'a> {
    dir: &'a Path,
    once: &'a BTreeSet<String>,
    /// The folder of the last one, where the next one will be.
    folder: &'static str,
}

impl<'a> Finder<'a> {
    fn new(dir: &'a Path, once: &'a BTreeSet<String>) -> Self {
        let folder = IMAGES[0];
        Self { dir, once, folder }
    }

    /// The path below the folder of the image of that name.
    fn find(&mut self, name: &str) -> Result<String, String> {
        let plain = plain_name(name)?;
        for folder in [self.folder].into_iter().chain(IMAGES) {
            let path = below(folder, &plain);
            if self.dir.join(&path).is_file() || self.once.contains(&path) {
                self.folder = folder;
                return Ok(path);
            }
        }
        Err(no_image(name))
    }
}

fn below(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// What each image is for.
struct Parts {
    path: PathBuf,
    of: HashMap<String, Role>,
}

impl Parts {
    fn read(path: &Path) -> Result<Self, DataError> {
        let sheet = Sheet::bare(path, &["image_id", "partition"])?;
        let mut of = HashMap::new();
        if sheet.header.len() != 2 {
            let reason = format!("it has {} columns: expected 2", sheet.header.len());
            return Err(wrong(path, 1, 1, reason));
        }
        sheet.rows(|line, row| {
            let number: Option<usize> = row[1].parse().ok();
            let role = number.and_then(|number| PARTS.get(number).copied());
            let role = role.ok_or_else(|| {
                let reason = format!("it says {}: expected 0, 1 or 2", shown(row[1]));
                wrong(path, line, 2, reason)
            })?;
            match of.insert(row[0].to_owned(), role) {
                Some(_) => {
                    let reason = format!("{} is named a second time", shown(row[0]));
                    Err(wrong(path, line, 1, reason))
                }
                None => Ok(()),
            }
        })?;
        let path = path.into();
        Ok(Self { path, of })
    }

    fn of(&self, name: &str) -> Result<Role, String> {
        self.of.get(name).copied().ok_or_else(|| {
            let list = self.path.file_name().unwrap_or_default().to_string_lossy();
            format!("{list} does not name {}", shown(name))
        })
    }
}

/// Where eyes, nose and mouth of each face are.
#[derive(Default)]
pub(super) struct Landmarks {
    path: PathBuf,
    /// The part that each label is about.
    parts: Vec<Option<Part>>,
    /// The line of each image and x and y of its landmarks, by row.
    of: Vec<Option<(u32, [i16; 10])>>,
}

impl Landmarks {
    fn read(
        path: &Path,
        labels: &[String],
        rows: &Rows,
        finder: &mut Finder,
    ) -> Result<Self, DataError> {
        let sheet = Sheet::counted(path)?;
        if sheet.header.len() != 11 {
            let reason = format!(
                "it has {} columns: expected the image, and x and y of five landmarks",
                sheet.header.len()
            );
            return Err(wrong(path, 1, 1, reason));
        }
        let mut of = vec![None; rows.len()];
        sheet.rows(|line, row| {
            let mut numbers = [0; 10];
            for (number, (column, text)) in numbers.iter_mut().zip(row.iter().enumerate().skip(1)) {
                *number = text.parse().map_err(|_| {
                    let reason = format!("it says {}: expected a whole number", shown(text));
                    wrong(path, line, column + 1, reason)
                })?;
            }
            // There may be landmarks of images that are left out of the lists.
            let place = finder.find(row[0]).ok().and_then(|name| rows.place(&name));
            if let Some(place) = place {
                of[place] = Some((line as u32, numbers));
            }
            Ok(())
        })?;
        let about = |label: &String| ABOUT.iter().find(|(name, _)| name == label);
        Ok(Self {
            path: path.into(),
            parts: labels
                .iter()
                .map(|label| about(label).map(|(_, part)| *part))
                .collect(),
            of,
        })
    }

    /// Whether any is known.
    pub(super) fn known(&self) -> bool {
        self.parts.iter().any(Option::is_some) && self.of.iter().any(Option::is_some)
    }

    /// Bytes that change when the landmarks of an image do, or what it shows.
    pub(super) fn state_of(&self, row: usize, classes: &[u16]) -> Vec<u8> {
        let numbers = self
            .of
            .get(row)
            .copied()
            .flatten()
            .map(|(_, numbers)| numbers);
        format!("{numbers:?} {classes:?}").into_bytes()
    }

    /// The part that each label is about which the image of that row and size shows: where a label is
    /// absent, it is nowhere.
    ///
    /// # Errors
    /// A landmark lies outside of it.
    pub(super) fn masks(
        &self,
        row: usize,
        classes: &[u16],
        size: (u32, u32),
    ) -> Result<ObjectMasks, DataError> {
        let Some((line, numbers)) = self.of.get(row).copied().flatten() else {
            return Ok(ObjectMasks::Unknown);
        };
        let (pairs, _) = numbers.as_chunks::<2>();
        for (number, [x, y]) in pairs.iter().enumerate() {
            let within = |at: i16, length: u32| (0..=i64::from(length)).contains(&i64::from(at));
            if !within(*x, size.0) || !within(*y, size.1) {
                return Err(DataError::Landmark {
                    path: self.path.clone(),
                    line: line.into(),
                    column: 2 * number + 2,
                    landmark: LANDMARKS[number],
                    at: (*x, *y),
                    size,
                });
            }
        }
        let face = Face::of(pairs);
        // Several labels are about the same part.
        let mut drawn: Vec<(Part, GrayImage)> = Vec::new();
        let mut mask = |part: Part| match drawn.iter().find(|(known, _)| *known == part) {
            Some((_, mask)) => mask.clone(),
            None => {
                let mask = face.mask(part, size);
                drawn.push((part, mask.clone()));
                mask
            }
        };
        let shown = self.parts.iter().zip(classes);
        let masks = shown.map(|(part, class)| part.filter(|_| *class == SHOWN).map(&mut mask));
        Ok(ObjectMasks::OfEach(masks.collect()))
    }
}

/// The landmarks of a face, and how far each reaches, in pixels.
struct Face {
    points: [[f32; 2]; 5],
    reach: f32,
}

impl Face {
    fn of(pairs: &[[i16; 2]]) -> Self {
        let mut points = [[0.0; 2]; 5];
        for (point, pair) in points.iter_mut().zip(pairs) {
            *point = pair.map(f32::from);
        }
        let [left, right, ..] = points;
        let reach = REACH * distance(left, right);
        Self {
            points,
            reach: reach.max(1.0),
        }
    }

    /// 255 on a part of the face.
    fn mask(&self, part: Part, (width, height): (u32, u32)) -> GrayImage {
        let [left, right, nose, one, other] = self.points;
        // Lines that the part is near to; a point is a line without length.
        let lines = match part {
            Part::Eyes => vec![[left, left], [right, right]],
            Part::Nose => vec![[nose, nose]],
            Part::Mouth => vec![[one, other]],
            Part::UpperLip => {
                let middle = [0, 1].map(|axis| f32::midpoint(one[axis], other[axis]));
                vec![[nose, middle]]
            }
        };
        let ends = || lines.iter().flatten();
        // The part lies within its ends and what they reach.
        let range = |axis: usize, length: u32| {
            let least = ends().map(|end| end[axis]).fold(f32::MAX, f32::min);
            let most = ends().map(|end| end[axis]).fold(f32::MIN, f32::max);
            let place = |at: f32| at.clamp(0.0, length as f32) as u32;
            place(least - self.reach)..place(most + self.reach + 1.0)
        };
        let (columns, rows) = (range(0, width), range(1, height));
        let mut mask = GrayImage::new(width, height);
        for (x, y) in rows.flat_map(|y| columns.clone().map(move |x| (x, y))) {
            let pixel = [x as f32 + 0.5, y as f32 + 0.5];
            if lines.iter().any(|line| to_line(pixel, *line) <= self.reach) {
                mask.put_pixel(x, y, Luma([255]));
            }
        }
        mask
    }
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    let [x, y] = [a[0] - b[0], a[1] - b[1]];
    (x * x + y * y).sqrt()
}

/// How far a point is from the nearest of a line between two others.
fn to_line(point: [f32; 2], [start, end]: [[f32; 2]; 2]) -> f32 {
    let along = [end[0] - start[0], end[1] - start[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let dot = (point[0] - start[0]) * along[0] + (point[1] - start[1]) * along[1];
    let share = if length > 0.0 {
        (dot / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    distance(
        point,
        [start[0] + share * along[0], start[1] + share * along[1]],
    )
}
