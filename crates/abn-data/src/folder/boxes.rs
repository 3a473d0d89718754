//! Where the objects lie, as boxes: a table beside the images with the columns image, x0, y0, x1
//! and y1.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};
use image::{GrayImage, Luma};

use super::text::read_text;
use crate::DataError;
use crate::error::shown;

/// ImageNet's 1.3 million images have boxes in 100 MB.
const MAX_FILE: u64 = 256 << 20;
const COLUMNS: [&str; 5] = ["image", "x0", "y0", "x1", "y1"];

/// The boxes of every image of a table, by the name that it gives the image.
#[derive(Debug, Clone)]
pub(crate) struct Boxes {
    /// The table.
    path: PathBuf,
    /// With the line of each.
    of_image: HashMap<String, Vec<(u64, Xyxy)>>,
}

/// A box in pixels of the image; a pixel belongs to it if its centre does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Xyxy(pub(crate) [f32; 4]);

impl Xyxy {
    #[cfg(test)]
    fn holds(self, x: u32, y: u32) -> bool {
        let Self([x0, y0, x1, y1]) = self;
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        x0 <= x && x < x1 && y0 <= y && y < y1
    }

    /// The columns and rows of an image of that size that it holds.
    fn pixels(self, (width, height): (u32, u32)) -> [Range<u32>; 2] {
        let Self([x0, y0, x1, y1]) = self;
        let pixels = |start: f32, end: f32, length: u32| {
            // The first pixel whose centre lies behind an edge.
            let behind = |edge: f32| (f64::from(edge) - 0.5).ceil();
            let place = |edge: f32| behind(edge).clamp(0.0, f64::from(length)) as u32;
            place(start)..place(end)
        };
        [pixels(x0, x1, width), pixels(y0, y1, height)]
    }

    /// The part of it that lies in an image of that size: x, y, width and height in pixels; `None`
    /// if it holds none.
    pub(crate) fn window(self, size: (u32, u32)) -> Option<[u32; 4]> {
        let [columns, rows] = self.pixels(size);
        let window = [
            columns.start,
            rows.start,
            columns.len() as u32,
            rows.len() as u32,
        ];
        self.reaches(size).then_some(window)
    }

    /// Whether it holds any pixel of an image of that size.
    fn reaches(self, size: (u32, u32)) -> bool {
        self.pixels(size).iter().all(|pixels| !pixels.is_empty())
    }
}

impl Boxes {
    /// The table in `dir`: `boxes.tsv`, `boxes.csv`, or one such as `head_boxes.tsv`; the first by
    /// name.
    ///
    /// # Errors
    /// The folder or the table cannot be read, or a row of it is no box.
    pub(crate) fn find(dir: &Path) -> Result<Option<Self>, DataError> {
        let failed = |source| DataError::Read {
            path: dir.into(),
            source,
        };
        let mut tables = Vec::new();
        for entry in dir.read_dir().map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if separator(&path).is_some() {
                tables.push(path);
            }
        }
        tables
            .into_iter()
            .min()
            .map(|table| Self::read(&table))
            .transpose()
    }

    fn read(path: &Path) -> Result<Self, DataError> {
        let text = read_text(path, MAX_FILE, "a table of boxes")?;
        let delimiter = separator(path).unwrap_or(b'\t');
        let mut table = ReaderBuilder::new()
            .delimiter(delimiter)
            .trim(Trim::All)
            .from_reader(text.as_bytes());
        let unusable = |line: u64, reason: String| DataError::Table {
            path: path.into(),
            line,
            reason,
        };
        let unreadable = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            unusable(line, error.to_string())
        };
        let header = table.headers().map_err(unreadable)?.clone();
        let places = COLUMNS.map(|column| header.iter().position(|name| name == column));
        if places.contains(&None) {
            return Err(unusable(
                1,
                format!(
                    "its columns are {}",
                    shown(&header.iter().collect::<Vec<_>>().join(", "))
                ),
            ));
        }
        let mut of_image: HashMap<String, Vec<(u64, Xyxy)>> = HashMap::new();
        for row in table.records() {
            let row = row.map_err(unreadable)?;
            let line = row.position().map_or(1, csv::Position::line);
            let fields =
                places.map(|place| place.and_then(|place| row.get(place)).unwrap_or_default());
            let corners = xyxy(&fields).ok_or_else(|| unusable(line, in_words(&row)))?;
            of_image
                .entry(fields[0].replace('\\', "/"))
                .or_default()
                .push((line, corners));
        }
        Ok(Self {
            path: path.into(),
            of_image,
        })
    }

    /// The table.
    pub(crate) fn table(&self) -> &Path {
        &self.path
    }

    /// The names that the table gives to images, in no certain order, with how many boxes each has.
    pub(super) fn images(&self) -> impl Iterator<Item = (&str, usize)> {
        let images = self.of_image.iter();
        images.map(|(name, boxes)| (name.as_str(), boxes.len()))
    }

    /// How many boxes the image has that may be named in these ways, and how many of them hold no
    /// pixel of it; `None` if the table does not name it.
    pub(super) fn outside(&self, names: [&str; 2], size: (u32, u32)) -> Option<(usize, usize)> {
        let boxes = self.of(names)?;
        let outside = boxes.iter().filter(|(_, corners)| !corners.reaches(size));
        Some((boxes.len(), outside.count()))
    }

    /// Line and corners of the boxes of the image that may be named in these ways.
    pub(crate) fn of(&self, names: [&str; 2]) -> Option<&[(u64, Xyxy)]> {
        let mut names = names.into_iter();
        names
            .find_map(|name| self.of_image.get(name))
            .map(Vec::as_slice)
    }

    /// Whether the table has a box of the image that may be named in these ways.
    pub(super) fn names(&self, names: [String; 2]) -> bool {
        names.iter().any(|name| self.of_image.contains_key(name))
    }

    /// The boxes of the image that may be named in these ways.
    pub(super) fn in_words(&self, names: [String; 2]) -> String {
        let [long, short] = &names;
        let corners = |(_, corners): &(u64, Xyxy)| *corners;
        let boxes = self.of([long, short]);
        let boxes: Option<Vec<Xyxy>> = boxes.map(|boxes| boxes.iter().map(corners).collect());
        format!("{boxes:?}")
    }

    /// The boxes of the image as a mask; `None` if the table names none, or none with a pixel in
    /// the image. The image may be named from the folder of the table or from that of the classes.
    pub(super) fn mask(&self, names: [&str; 2], size: (u32, u32)) -> Option<GrayImage> {
        let boxes = self.of(names)?.iter().map(|(_, corners)| *corners);
        mask_of(&boxes.collect::<Vec<_>>(), size)
    }
}

/// Boxes as a mask of an image of that width and height; `None` if none holds a pixel of it.
pub(crate) fn mask_of(boxes: &[Xyxy], size: (u32, u32)) -> Option<GrayImage> {
    let mut mask = GrayImage::new(size.0, size.1);
    for corners in boxes {
        let [columns, rows] = corners.pixels(size);
        for (x, y) in rows.flat_map(|y| columns.clone().map(move |x| (x, y))) {
            mask.put_pixel(x, y, Luma([255]));
        }
    }
    boxes
        .iter()
        .any(|corners| corners.reaches(size))
        .then_some(mask)
}

/// What separates the columns of a table of boxes; `None` for another file.
pub(crate) fn separator(path: &Path) -> Option<u8> {
    let stem = path.file_stem()?.to_str()?;
    match path.extension()?.to_str()? {
        _ if stem != "boxes" && !stem.ends_with("_boxes") => None,
        "tsv" => Some(b'\t'),
        "csv" => Some(b','),
        _ => None,
    }
}

/// The corners of a row; `None` if they are no numbers.
fn xyxy(fields: &[&str; 5]) -> Option<Xyxy> {
    let number = |text: &str| text.parse::<f32>().ok().filter(|number| number.is_finite());
    let [_, x0, y0, x1, y1] = *fields;
    Some(Xyxy([number(x0)?, number(y0)?, number(x1)?, number(y1)?]))
}

fn in_words(row: &StringRecord) -> String {
    format!(
        "it says {}",
        shown(&row.iter().collect::<Vec<_>>().join(", "))
    )
}

/// The name of a file as tables write it, with slashes.
pub(super) fn name_in_table(path: &Path) -> String {
    path.iter()
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn table(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_pixel_belongs_to_a_box_if_its_centre_does() {
        let (dir, _) = table(
            "head_boxes.tsv",
            "image\tx0\ty0\tx1\ty1\nimages/a/1.jpg\t0.5\t-3\t2.4\t1\n",
        );
        let boxes = Boxes::find(dir.path()).unwrap().unwrap();
        let mask = boxes.mask(["images/a/1.jpg", "a/1.jpg"], (4, 2)).unwrap();
        assert_eq!(mask.into_raw(), [255, 255, 0, 0, 0, 0, 0, 0]);
        assert_eq!(boxes.mask(["images/a/2.jpg", "a/2.jpg"], (4, 2)), None);
    }

    #[test]
    fn boxes_of_an_image_are_joined_and_columns_found_by_name() {
        let text =
            "id,y1,x1,y0,x0,image\n7,1,1,0,0,a/1.jpg\n8,2,3,1,2,a/1.jpg\n9,0,0,0,0,a/2.jpg\n";
        let (dir, _) = table("boxes.csv", text);
        let boxes = Boxes::find(dir.path()).unwrap().unwrap();
        let mask = boxes.mask(["images/a/1.jpg", "a/1.jpg"], (3, 2)).unwrap();
        assert_eq!(mask.into_raw(), [255, 0, 0, 0, 0, 255]);
        assert_eq!(
            boxes.mask(["images/a/2.jpg", "a/2.jpg"], (3, 2)),
            None,
            "a box without a pixel"
        );
    }

    #[test]
    fn a_box_reaches_an_image_if_a_mask_of_it_has_a_pixel() {
        let edges = [
            -1.5, -0.5, -0.4, 0.0, 0.5, 0.6, 1.5, 1.6, 2.4, 2.5, 3.5, 1e30,
        ];
        let size = (3, 2);
        let mut reaching = 0;
        for (x0, x1) in edges.iter().flat_map(|x0| edges.map(|x1| (*x0, x1))) {
            for (y0, y1) in edges.iter().flat_map(|y0| edges.map(|y1| (*y0, y1))) {
                let corners = Xyxy([x0, y0, x1, y1]);
                let pixels = (0..3).flat_map(|x| (0..2).map(move |y| (x, y)));
                let expected = pixels.into_iter().any(|(x, y)| corners.holds(x, y));
                assert_eq!(corners.reaches(size), expected, "{corners:?}");
                let drawn = mask_of(&[corners], size).unwrap_or(GrayImage::new(3, 2));
                let held = |x, y| Luma([if corners.holds(x, y) { 255 } else { 0 }]);
                assert_eq!(drawn, GrayImage::from_fn(3, 2, held), "{corners:?}");
                reaching += usize::from(expected);
            }
        }
        // 35 + 10 + 6 pairs of edges have a column's centre between them, 35 + 10 a row's.
        assert_eq!(reaching, 51 * 45);
    }

    #[test]
    fn only_tables_of_boxes_are_looked_at() {
        for name in ["classes.tsv", "boxes.txt", "boxes", "inboxes.tsv"] {
            let (dir, _) = table(name, "no table");
            assert!(Boxes::find(dir.path()).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn a_damaged_table_is_refused_with_its_line() {
        let header = "image\tx0\ty0\tx1\ty1\n";
        for (text, words) in [
            ("", "is empty"),
            ("image\tx\ty\n", "line 1: its columns are image, x, y"),
            (
                &format!("{header}a.jpg\t1\t2\tthree\t4\n"),
                "line 2: it says a.jpg, 1, 2, three, 4",
            ),
            (&format!("{header}a.jpg\t1\t2\tNaN\t4\n"), "line 2"),
            (&format!("{header}a.jpg\t1\t2\t3\t4\nb.jpg\t1\n"), "line 3"),
        ] {
            let (dir, _) = table("boxes.tsv", text);
            let error = Boxes::find(dir.path()).unwrap_err().to_string();
            assert!(
                error.contains(words) && error.contains("boxes.tsv"),
                "{error}"
            );
        }
    }
}
