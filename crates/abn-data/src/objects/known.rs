//! Which classes of a folder are which of a network: by name, never by place.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use super::told::Told;
use crate::folder::known::{self, Matched};
use crate::{DataError, Labels};

/// Numbers the classes of all objects, and the numbers of the classes, as a network does, whose
/// labels come back; those of the folder itself if there is no network.
///
/// # Errors
/// The network lacks a class of the folder, or has several labels an image.
pub(super) fn matched(
    told: &mut Told,
    dir: &Path,
    network: Option<&Labels>,
) -> Result<Labels, DataError> {
    let own = Labels::one(told.classes.clone());
    let Some(network) = network.filter(|network| **network != own) else {
        return Ok(own);
    };
    if network.only().is_none() {
        let reason = format!(
            "its objects have one class each, and the run has {} labels",
            network.groups().len()
        );
        let path = dir.into();
        return Err(DataError::Lists { path, reason });
    }
    let names: Vec<String> = told
        .classes
        .iter()
        .map(|class| class.nfc().collect())
        .collect();
    let Matched {
        labels, folders, ..
    } = known::matched(dir, network, &Labels::one(names.clone()), names.clone())?;
    // Where each class of the folder is in the network.
    let place_of = |name: &String| folders.iter().position(|of| of.as_ref() == Some(name));
    let numbered = names.iter().map(|name| place_of(name).unwrap_or_default());
    let numbered: Vec<usize> = numbered.collect();
    let mut numbers = vec![None; labels.count()];
    for (place, number) in numbered.iter().zip(&told.numbers) {
        numbers[*place] = *number;
    }
    for object in told.images.iter_mut().flat_map(|image| &mut image.objects) {
        object.class = numbered[object.class];
    }
    told.numbers = numbers;
    Ok(labels)
}
