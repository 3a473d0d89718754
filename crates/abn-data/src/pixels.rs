//! Memory of batches that is used again.
//!
//! The pixels of a batch take dozens of megabytes. Fresh from the operating system they are filled
//! with zeros page by page, which costs more time than writing what belongs there.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// The values of a batch. Dropped, they give their memory to the next batch of their loader.
pub struct Pixels {
    values: Vec<f32>,
    shelf: Option<Arc<Shelf>>,
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

impl Pixels {
    /// Values that go to that shelf in the end.
    pub(crate) fn of(values: Vec<f32>, shelf: &Arc<Shelf>) -> Self {
        Self {
            values,
            shelf: Some(Arc::clone(shelf)),
        }
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        if let Some(shelf) = &self.shelf {
            shelf.put(std::mem::take(&mut self.values));
        }
    }
}

impl Deref for Pixels {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl From<Vec<f32>> for Pixels {
    fn from(values: Vec<f32>) -> Self {
        Self {
            values,
            shelf: None,
        }
    }
}

impl Clone for Pixels {
    fn clone(&self) -> Self {
        self.values.clone().into()
    }
}

impl PartialEq for Pixels {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_no_more_than_was_asked_for() {
        let shelf = Arc::new(Shelf::new(1));
        let pixels = Pixels::of(vec![1.0, 2.0], &shelf);
        let copy = pixels.clone();
        let place = pixels.as_ptr();
        drop((pixels, Pixels::of(vec![3.0], &shelf)));
        assert_eq!(shelf.free().len(), 1);
        let again = shelf.take();
        assert_eq!((again.as_ptr(), &again[..]), (place, &[1.0, 2.0][..]));
        drop(copy);
        assert_eq!(shelf.take(), Vec::<f32>::new());
    }
}
