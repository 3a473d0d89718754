//! What the images of a batch are made of.
//!
//! Images that have their size already stay bytes until somebody computes with them: a quarter of
//! the memory on the way to another device. Those of a detector were resized after normalisation,
//! and are numbers. Those take dozens of megabytes, and fresh from the operating system memory is
//! filled with zeros page by page, so theirs is used again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Normalization;

/// The pixels of a batch.
#[derive(Clone, PartialEq)]
pub struct Pixels(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Bytes {
        /// Red, green and blue of each position. `[B, H, W, 3]`
        bytes: Vec<u8>,
        /// Positions of an image.
        positions: usize,
        normalization: Normalization,
    },
    Planes(Planes),
}

/// Normalised values `[B, 3, H, W]`. Dropped, they give their memory to the next batch of their
/// loader.
struct Planes {
    values: Vec<f32>,
    shelf: Option<Arc<Shelf>>,
}

impl Pixels {
    /// Of images with so many positions each, still to be normalised. `[B, H, W, 3]`
    pub(crate) fn of_bytes(bytes: Vec<u8>, positions: usize, normalization: Normalization) -> Self {
        Self(Kind::Bytes {
            bytes,
            positions,
            normalization,
        })
    }

    /// Normalised values, whose memory goes to that shelf in the end. `[B, 3, H, W]`
    pub(crate) fn of_planes(values: Vec<f32>, shelf: &Arc<Shelf>) -> Self {
        Self(Kind::Planes(Planes {
            values,
            shelf: Some(Arc::clone(shelf)),
        }))
    }

    /// All normalised values, row-major. `[B, 3, H, W]`
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        match &self.0 {
            Kind::Planes(planes) => planes.values.clone(),
            Kind::Bytes {
                bytes,
                positions,
                normalization,
            } => normalization.planes_of(bytes, *positions),
        }
    }

    /// The bytes as they are, and what becomes of each byte in each channel; `None` of images that
    /// are numbers already. `[B, H, W, 3]`
    #[must_use]
    pub fn bytes(&self) -> Option<(&[u8], [[f32; 256]; 3])> {
        match &self.0 {
            Kind::Planes(_) => None,
            Kind::Bytes {
                bytes,
                normalization,
                ..
            } => Some((bytes, normalization.values())),
        }
    }

    /// The images at these places among `all`.
    pub(crate) fn only(&self, places: &[usize], all: usize) -> Self {
        fn of<T: Copy>(values: &[T], places: &[usize], all: usize) -> Vec<T> {
            let image = values.len() / all.max(1);
            let images = places.iter().map(|place| &values[place * image..][..image]);
            images.flatten().copied().collect()
        }
        match &self.0 {
            Kind::Planes(planes) => of(&planes.values, places, all).into(),
            Kind::Bytes {
                bytes,
                positions,
                normalization,
            } => Self::of_bytes(of(bytes, places, all), *positions, *normalization),
        }
    }
}

impl From<Vec<f32>> for Pixels {
    fn from(values: Vec<f32>) -> Self {
        Self(Kind::Planes(Planes {
            values,
            shelf: None,
        }))
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values().fmt(formatter)
    }
}

impl Clone for Planes {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            shelf: None,
        }
    }
}

impl PartialEq for Planes {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Drop for Planes {
    fn drop(&mut self) {
        if let Some(shelf) = &self.shelf {
            shelf.put(std::mem::take(&mut self.values));
        }
    }
}

/// Memory that waits to be used again.
pub(crate) struct Shelf {
    free: Mutex<Vec<Vec<f32>>>,
    /// How many are kept.
    most: usize,
}

impl Shelf {
    /// A shelf for the memory of so many batches.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            free: Mutex::default(),
            most,
        }
    }

    /// Values that somebody had, or none.
    pub(crate) fn take(&self) -> Vec<f32> {
        self.free().pop().unwrap_or_default()
    }

    fn put(&self, values: Vec<f32>) {
        let mut free = self.free();
        if free.len() < self.most {
            free.push(values);
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<f32>>> {
        // Nothing that holds the lock can panic half-way.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_no_more_than_was_asked_for() {
        let shelf = Arc::new(Shelf::new(1));
        let values = vec![1.0, 2.0];
        let place = values.as_ptr();
        let pixels = Pixels::of_planes(values, &shelf);
        let copy = pixels.clone();
        drop((pixels, Pixels::of_planes(vec![3.0], &shelf)));
        assert_eq!(shelf.free().len(), 1);
        let again = shelf.take();
        assert_eq!((again.as_ptr(), &again[..]), (place, &[1.0, 2.0][..]));
        drop(copy);
        assert_eq!(shelf.take(), Vec::<f32>::new());
    }

    #[test]
    fn bytes_become_the_planes_of_each_image() {
        let normalization = Normalization {
            mean: [0.0, 0.2, 0.0],
            std: [1.0, 0.5, 1.0],
        };
        let bytes = vec![0, 51, 255, 255, 102, 0, 51, 51, 51, 0, 0, 0];
        let pixels = Pixels::of_bytes(bytes.clone(), 2, normalization);
        let expected = [0.0, 1.0, 0.0, 0.4, 1.0, 0.0, 0.2, 0.0, 0.0, -0.4, 0.2, 0.0];
        for (value, expected) in pixels.values().iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{pixels:?}");
        }
        let (same, table) = pixels.bytes().unwrap();
        assert_eq!((same, table[1][51]), (&bytes[..], 0.0));
        let second = pixels.only(&[1], 2);
        assert_eq!(second.values(), pixels.values()[6..]);
        assert_eq!(
            Pixels::from(second.values()).only(&[0], 1).values(),
            second.values()
        );
        assert!(Pixels::from(vec![1.0]).bytes().is_none());
    }
}
