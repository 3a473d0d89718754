//! Where the things lie that the labels of an image are about.

use std::borrow::Cow;

use image::GrayImage;

/// 255 on the object of a label, 0 elsewhere, in the size of the image.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ObjectMasks {
    /// Nobody knows where the object lies.
    #[default]
    Unknown,
    /// One object, which all labels are about.
    OfAll(GrayImage),
    /// The object of each label, where there is one.
    OfEach(Vec<Option<GrayImage>>),
}

impl From<Option<GrayImage>> for ObjectMasks {
    fn from(mask: Option<GrayImage>) -> Self {
        mask.map_or(Self::Unknown, Self::OfAll)
    }
}

impl ObjectMasks {
    /// The object of the label of that number; `None` if it is not known, or there is none.
    #[must_use]
    pub fn of(&self, label: usize) -> Option<&GrayImage> {
        match self {
            Self::Unknown => None,
            Self::OfAll(mask) => Some(mask),
            Self::OfEach(masks) => masks.get(label)?.as_ref(),
        }
    }

    /// The objects of all labels together; `None` if none is known.
    #[must_use]
    pub fn whole(&self) -> Option<Cow<'_, GrayImage>> {
        match self {
            Self::Unknown => None,
            Self::OfAll(mask) => Some(Cow::Borrowed(mask)),
            Self::OfEach(masks) => {
                let together = |mut all: GrayImage, mask: &GrayImage| {
                    let pixels = all.iter_mut().zip(mask.iter());
                    pixels.for_each(|(all, one)| *all = (*all).max(*one));
                    all
                };
                let mut known = masks.iter().flatten();
                let first = known.next()?.clone();
                Some(Cow::Owned(known.fold(first, together)))
            }
        }
    }

    /// The masks of all known objects, each made into another.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map<E>(
        self,
        mut change: impl FnMut(GrayImage) -> Result<GrayImage, E>,
    ) -> Result<Self, E> {
        Ok(match self {
            Self::Unknown => Self::Unknown,
            Self::OfAll(mask) => Self::OfAll(change(mask)?),
            Self::OfEach(masks) => {
                let masks = masks
                    .into_iter()
                    .map(|mask| mask.map(&mut change).transpose());
                Self::OfEach(masks.collect::<Result<_, _>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(pixels: [u8; 3]) -> GrayImage {
        GrayImage::from_raw(3, 1, pixels.to_vec()).unwrap()
    }

    #[test]
    fn each_label_has_its_object_and_all_have_theirs_together() {
        let each =
            ObjectMasks::OfEach(vec![Some(mask([255, 0, 0])), None, Some(mask([0, 0, 255]))]);
        assert_eq!(each.of(2), Some(&mask([0, 0, 255])));
        assert_eq!((each.of(1), each.of(3)), (None, None));
        assert_eq!(*each.whole().unwrap(), mask([255, 0, 255]));
        let turned = |mask: GrayImage| Ok::<_, ()>(image::imageops::flip_horizontal(&mask));
        assert_eq!(each.map(turned).unwrap().of(0), Some(&mask([0, 0, 255])));
        let all = ObjectMasks::from(Some(mask([0, 255, 0])));
        assert_eq!(all.of(7), Some(&mask([0, 255, 0])));
        assert_eq!(*all.whole().unwrap(), mask([0, 255, 0]));
        assert!(ObjectMasks::OfEach(vec![None, None]).whole().is_none());
        assert!(ObjectMasks::from(None).whole().is_none());
        assert!(all.map(|_| Err("size")).is_err());
    }
}
