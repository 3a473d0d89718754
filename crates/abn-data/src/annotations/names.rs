//! What lists call images and classes, as far as it can be taken.

use crate::error::shown;
use crate::folder::table::plain;

/// Refuses names of labels and classes that cannot be shown.
///
/// # Errors
/// It has no letter, too many, or one that steers a terminal: the reason.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    const MOST_LETTERS: usize = 200;
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.contains(char::is_control) {
        return Err(format!("the name {} has control characters", shown(name)));
    }
    match name.chars().count() {
        0..=MOST_LETTERS => Ok(()),
        letters => Err(format!(
            "a name has {letters} letters: expected at most {MOST_LETTERS}"
        )),
    }
}

/// The shortest path that a list may mean by the name of an image.
///
/// # Errors
/// It leads out of the folder, or cannot be shown: the reason.
pub(crate) fn plain_name(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("the image is missing".to_owned());
    }
    if name.contains(char::is_control) {
        return Err(format!("the name {} has control characters", shown(name)));
    }
    let path = plain(&name.replace('\\', "/")).filter(|path| !path.is_empty());
    path.ok_or_else(|| format!("{} lies outside the folder", shown(name)))
}

/// Why an image of a list is not taken.
pub(crate) fn no_image(name: &str) -> String {
    format!("there is no image {}", shown(name))
}
