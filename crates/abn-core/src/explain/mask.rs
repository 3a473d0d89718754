//! The object in an image, as the truth that a map is measured against.

use super::MapSizeError;

/// Which pixels of one image belong to the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    height: usize,
    width: usize,
    inside: Vec<bool>,
}

impl Mask {
    /// A mask of `height x width` row-major pixels.
    ///
    /// # Errors
    /// If a side is zero or the number of pixels is not `height x width`.
    pub fn new(height: usize, width: usize, inside: Vec<bool>) -> Result<Self, MapSizeError> {
        MapSizeError::check(height, width, inside.len())?;
        Ok(Self {
            height,
            width,
            inside,
        })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether each pixel belongs to the object, row-major.
    pub fn inside(&self) -> &[bool] {
        &self.inside
    }

    /// Fraction of the image that the object covers: what a point drawn at random scores.
    pub fn coverage(&self) -> f64 {
        self.inside.iter().filter(|inside| **inside).count() as f64 / self.inside.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_the_share_of_the_object() {
        assert_eq!(
            Mask::new(1, 4, vec![true, false, false, false])
                .unwrap()
                .coverage(),
            0.25
        );
        assert!(Mask::new(2, 2, vec![true; 3]).is_err());
    }
}
