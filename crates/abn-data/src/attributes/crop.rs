//! The one object of each image, to which images are cropped where that is asked for.

use std::path::{Path, PathBuf};

use super::compcars::CarBoxes;
use crate::DataError;
use crate::folder::boxes::{Boxes, Xyxy};

/// The boxes of all images.
pub(super) enum Crops {
    /// There is not one for each image.
    None,
    /// Those of cars, a file each.
    Cars(CarBoxes),
    /// Those of a list, with their lines in it, by row.
    List(PathBuf, Vec<Option<(u64, Xyxy)>>),
    /// Those of a table beside the images; and the folder of images, which may be no part of what
    /// they are called there.
    Table(Boxes, PathBuf),
    /// Those that lie in a pack, by row.
    Packed(PathBuf, Vec<Option<Xyxy>>),
}

/// A box, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) corners: Xyxy,
    pub(super) path: PathBuf,
    /// From 1 on; 0 in what has no lines.
    pub(super) line: u64,
}

impl Crops {
    /// Whether there is a box for each image, as far as that can be told without looking at them.
    pub(super) fn known(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The box of the image of that row and name.
    ///
    /// # Errors
    /// There is none, or not just one.
    pub(super) fn find(&self, row: usize, name: &str) -> Result<Found, DataError> {
        let failed = |path: &Path, line: u64, reason: String| DataError::Crop {
            path: path.into(),
            line,
            image: name.to_owned(),
            reason,
        };
        let none = || "there is no box of it".to_owned();
        let (path, line, corners) = match self {
            Self::None => return Err(failed(Path::new(name), 0, none())),
            Self::Cars(boxes) => {
                let (path, corners) = boxes.find(name)?;
                let corners = corners.ok_or_else(|| failed(&path, 0, none()))?;
                (path, CarBoxes::LINE, corners)
            }
            Self::List(path, boxes) => {
                let found = boxes.get(row).copied().flatten();
                let (line, corners) = found.ok_or_else(|| failed(path, 0, none()))?;
                (path.clone(), line, corners)
            }
            Self::Table(boxes, folder) => {
                let below = Path::new(name).strip_prefix(folder);
                let short = below.map_or(name.into(), Path::to_string_lossy);
                let found = boxes.of([name, &short]);
                let path = boxes.table();
                match found {
                    Some([(line, corners)]) => (path.to_owned(), *line, *corners),
                    Some([_, (line, _), ..]) => {
                        let reason = "there is a second box of it: expected one".to_owned();
                        return Err(failed(path, *line, reason));
                    }
                    Some([]) | None => return Err(failed(path, 0, none())),
                }
            }
            Self::Packed(path, boxes) => {
                let found = boxes.get(row).copied().flatten();
                (
                    path.clone(),
                    0,
                    found.ok_or_else(|| failed(path, 0, none()))?,
                )
            }
        };
        Ok(Found {
            corners,
            path,
            line,
        })
    }

    /// Bytes that change when the box of an image does.
    pub(super) fn state_of(&self, row: usize, name: &str) -> Vec<u8> {
        let found = self.find(row, name).ok();
        format!("{:?}", found.map(|found| found.corners)).into_bytes()
    }

    /// The window of an image of that size that its box holds: x, y, width and height in pixels. A
    /// pixel belongs to the box if its centre does; what lies outside of the image is left out.
    ///
    /// # Errors
    /// It has no box, or that holds no pixel of it.
    pub(super) fn window(
        &self,
        row: usize,
        name: &str,
        size: (u32, u32),
    ) -> Result<[u32; 4], DataError> {
        let Found {
            corners,
            path,
            line,
        } = self.find(row, name)?;
        corners.window(size).ok_or_else(|| {
            let (Xyxy([x0, y0, x1, y1]), (width, height)) = (corners, size);
            DataError::Crop {
                path,
                line,
                image: name.to_owned(),
                reason: format!(
                    "the box from {x0}, {y0} to {x1}, {y1} holds no pixel of the image, which has \
                     {width}x{height}"
                ),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(corners: [f32; 4]) -> Crops {
        Crops::List("boxes.txt".into(), vec![Some((7, Xyxy(corners))), None])
    }

    #[test]
    fn a_window_is_the_part_of_a_box_that_lies_in_the_image() {
        for (corners, window) in [
            ([1.0, 2.0, 4.0, 5.0], [1, 2, 3, 3]),
            // Centres of pixels lie at halves.
            ([0.4, 0.6, 2.5, 2.6], [0, 1, 2, 2]),
            ([-5.0, -5.0, 3.0, 1.0], [0, 0, 3, 1]),
            ([6.0, 3.0, 90.0, 90.0], [6, 3, 4, 5]),
            ([-1e30, 0.0, 1e30, 8.0], [0, 0, 10, 8]),
        ] {
            assert_eq!(list(corners).window(0, "a.jpg", (10, 8)).unwrap(), window);
        }
    }

    #[test]
    fn a_box_without_a_pixel_is_named_with_its_line() {
        for corners in [
            [10.0, 0.0, 20.0, 8.0],
            [3.0, 3.0, 3.0, 5.0],
            [5.0, 3.0, 2.0, 5.0],
            [0.6, 0.0, 1.4, 8.0],
        ] {
            let error = list(corners).window(0, "a.jpg", (10, 8)).unwrap_err();
            assert!(error.is_damage());
            let error = error.to_string();
            for words in ["boxes.txt, line 7", "a.jpg", "holds no pixel", "10x8"] {
                assert!(error.contains(words), "no `{words}` in {error}");
            }
        }
        let error = list([0.0; 4]).window(1, "b.jpg", (10, 8)).unwrap_err();
        assert!(error.to_string().contains("no box"), "{error}");
    }
}
