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

    /// The share of the object in each position of a map of that size, row by row.
    ///
    /// # Panics
    /// A side is 0.
    pub fn shares(&self, width: usize, height: usize) -> Vec<f32> {
        let pixels = |position: usize, of: usize, from: usize| {
            position * from / of..((position + 1) * from).div_ceil(of)
        };
        let share = |row: usize, column: usize| {
            let rows = pixels(row, height, self.height);
            let columns = pixels(column, width, self.width);
            let count = rows.len() * columns.len();
            let inside = rows.flat_map(|y| columns.clone().map(move |x| y * self.width + x));
            inside.filter(|place| self.inside[*place]).count() as f32 / count as f32
        };
        (0..height)
            .flat_map(|row| (0..width).map(move |column| share(row, column)))
            .collect()
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
    fn shares_are_those_of_the_pixels_below_a_position() {
        let inside = [1, 1, 0, 0, 1, 0, 0, 0].map(|inside| inside == 1);
        let mask = Mask::new(2, 4, inside.to_vec()).unwrap();
        assert_eq!(mask.shares(2, 1), [0.75, 0.0]);
        assert_eq!(
            mask.shares(4, 2),
            inside.map(|inside| f32::from(u8::from(inside)))
        );
        // Of three columns the middle one lies above the second and the third pixel.
        assert_eq!(mask.shares(3, 1)[1], 0.25);
    }

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
