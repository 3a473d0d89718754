//! The images that no batch has, because they cannot be read.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::DataError;

/// The images of a data set that are skipped, by index, with the reason. Threads share it: whoever
/// meets an unreadable image adds it.
///
/// Every image keeps its index. So the order of an epoch, the augmentation and the place of each
/// batch are as if nothing were skipped, and only the batches of such images are smaller: a data
/// set from which their files were removed gives the same batches, bit by bit.
#[derive(Debug, Default)]
pub struct Skips {
    found: RwLock<BTreeMap<usize, String>>,
    /// How many may be skipped; `None` if an unreadable image that is not known is an error.
    most: Option<usize>,
}

impl Skips {
    /// Skips the images that are known, and none else: another one that cannot be read is an error.
    #[must_use]
    pub fn known(known: BTreeMap<usize, String>) -> Self {
        Self {
            found: RwLock::new(known),
            most: None,
        }
    }

    /// Skips those that are known and whatever cannot be read, up to `most` together.
    #[must_use]
    pub fn up_to(most: usize, known: BTreeMap<usize, String>) -> Self {
        Self {
            most: Some(most),
            ..Self::known(known)
        }
    }

    /// Whether the image is skipped.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        self.found().contains_key(&index)
    }

    /// Number of images that are skipped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found().len()
    }

    /// Whether no image is skipped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, with the reasons.
    #[must_use]
    pub fn all(&self) -> BTreeMap<usize, String> {
        self.found().clone()
    }

    /// What `read` gives of an image; `None` if the image is skipped, from now on, too.
    ///
    /// # Errors
    /// An error that is not about the image's file alone, or any if nothing may be skipped that is
    /// not known; [`DataError::TooManyUnreadable`] if it is one too many.
    pub fn read<T>(
        &self,
        index: usize,
        read: impl FnOnce() -> Result<T, DataError>,
    ) -> Result<Option<T>, DataError> {
        if self.holds(index) {
            return Ok(None);
        }
        match (read(), self.most) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), Some(most)) if error.is_damage() => self.skip(index, error, most),
            (Err(error), _) => Err(error),
        }
    }

    fn skip<T>(&self, index: usize, error: DataError, most: usize) -> Result<Option<T>, DataError> {
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= most {
            return Err(DataError::TooManyUnreadable {
                found: found.len() + 1,
                most,
                source: Box::new(error),
            });
        }
        found.insert(index, error.in_full());
        Ok(None)
    }

    fn found(&self) -> RwLockReadGuard<'_, BTreeMap<usize, String>> {
        // Nothing that holds the lock can panic half-way.
        self.found.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truncated() -> Result<u8, DataError> {
        Err(DataError::Truncated {
            path: "a.jpg".into(),
            size: 7,
        })
    }

    #[test]
    fn what_is_unknown_is_an_error_unless_some_may_be_skipped() {
        let skips = Skips::known(BTreeMap::from([(3, "gone".to_owned())]));
        assert_eq!(skips.read(3, || unreachable!()).unwrap(), None::<u8>);
        assert_eq!(skips.read(4, || Ok(7)).unwrap(), Some(7));
        assert!(skips.read(5, truncated).is_err());
        assert_eq!(skips.len(), 1);

        let skips = Skips::up_to(2, skips.all());
        assert_eq!(skips.read(5, truncated).unwrap(), None);
        assert_eq!(skips.read(5, || Ok(7)).unwrap(), None, "it stays skipped");
        assert!(skips.all()[&5].starts_with("a.jpg is a truncated JPEG"));
        let error = skips.read(6, truncated).unwrap_err().to_string();
        assert!(error.contains("3 images") && error.contains('2'), "{error}");
    }

    #[test]
    fn a_fault_that_is_not_the_images_is_an_error() {
        let skips = Skips::up_to(9, BTreeMap::new());
        let panic = || -> Result<u8, DataError> {
            Err(DataError::Panic {
                batch: 0,
                message: String::new(),
            })
        };
        assert!(skips.read(0, panic).is_err());
        assert!(skips.is_empty());
    }
}
