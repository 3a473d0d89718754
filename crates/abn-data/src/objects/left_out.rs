//! Images that a detector learns nothing from, as torchvision's reference training leaves them out.

use super::told::{Image, Told, counted, is_tiny};
use crate::{Counts, DataError};

/// How many images are left out, and why.
#[derive(Debug, Default, PartialEq)]
pub(super) struct LeftOut {
    without_object: usize,
    crowds_alone: usize,
    boxes_of_nothing: usize,
    /// With those that stay.
    all: usize,
}

/// Why one is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    WithoutObject,
    CrowdsAlone,
    BoxesOfNothing,
}

impl LeftOut {
    /// Leaves them out.
    ///
    /// # Errors
    /// None would stay.
    pub(super) fn of(told: &mut Told) -> Result<Self, DataError> {
        let mut left_out = Self {
            all: told.images.len(),
            ..Self::default()
        };
        told.images.retain(|image| {
            let why = why(image);
            match why {
                None => {}
                Some(Why::WithoutObject) => left_out.without_object += 1,
                Some(Why::CrowdsAlone) => left_out.crowds_alone += 1,
                Some(Why::BoxesOfNothing) => left_out.boxes_of_nothing += 1,
            }
            why.is_none()
        });
        match told.images.is_empty() {
            true => Err(DataError::Lists {
                path: told.source.clone(),
                reason: "no image to learn from has an object to learn from".into(),
            }),
            false => Ok(left_out),
        }
    }

    /// What to say of it.
    pub(super) fn note(&self) -> Option<String> {
        let reasons = [
            (self.without_object, "without objects"),
            (self.crowds_alone, "with crowds alone"),
            (
                self.boxes_of_nothing,
                "with boxes alone that lie outside or are a pixel wide or high at most",
            ),
        ];
        let count: usize = reasons.iter().map(|(count, _)| count).sum();
        let reasons = reasons.into_iter().filter(|(count, _)| *count > 0);
        let reasons: Vec<String> = reasons
            .map(|(count, why)| format!("{count} {why}"))
            .collect();
        (count > 0).then(|| {
            format!(
                "left out of {}, because nothing is learned from them: {}",
                counted(self.all, "image"),
                reasons.join(", ")
            )
        })
    }
}

/// Why an image is left out, if it is.
fn why(image: &Image) -> Option<Why> {
    let is_crowd = |counts| counts == Counts::Crowd;
    let mut objects = image.objects.iter();
    let shows_nothing = objects.clone().all(is_tiny);
    let teaches = objects
        .clone()
        .any(|object| !is_crowd(object.counts) && image.inside(object).is_some());
    match (image.objects.is_empty(), teaches && !shows_nothing) {
        (true, _) => Some(Why::WithoutObject),
        (false, true) => None,
        (false, false) if objects.all(|object| is_crowd(object.counts)) => Some(Why::CrowdsAlone),
        (false, false) => Some(Why::BoxesOfNothing),
    }
}
