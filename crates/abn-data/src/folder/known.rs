//! Which folders of a data set are which classes of a network: by name, never by place.

use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use crate::{DataError, Labels};

/// Classes of a folder that a network does not know.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} has {} that the run lacks: {}; it has {}",
    dir.display(),
    if names.len() == 1 { "a class".to_owned() } else { format!("{} classes", names.len()) },
    crate::error::listed(names),
    crate::error::listed(known)
)]
pub struct UnknownClasses {
    /// The folder.
    pub dir: PathBuf,
    /// Its classes that are unknown.
    pub names: Vec<String>,
    /// The classes of the network.
    pub known: Vec<String>,
}

/// The network's labels, and for each class of them the name of its folder, if there is one.
///
/// A class is known by its word, by word and folder, as words are written where two classes have
/// the same, or by the name of its folder: in this order, so that the run's own folders are always
/// what they were. An imported network may have numbers for names: where none of the
/// names is known and there are as many, they are taken in order.
///
/// # Errors
/// The network lacks a class of the folder, or has several labels.
pub(crate) fn matched(
    dir: &Path,
    known: &Labels,
    found: &Labels,
    folders: Vec<String>,
) -> Result<(Labels, Vec<Option<String>>), DataError> {
    let classes: Vec<String> = known.classes().map(|name| name.nfc().collect()).collect();
    let mut places = vec![None; classes.len()];
    let mut unknown = Vec::new();
    for (folder, word) in folders.iter().zip(found.classes()) {
        let first = word.split(" (").next().unwrap_or(word);
        let both = format!("{first} ({folder})");
        let place = [word, &both, folder]
            .into_iter()
            .find_map(|name| classes.iter().position(|class| class == name));
        match place.filter(|place| places[*place].is_none()) {
            Some(place) => places[place] = Some(folder.clone()),
            None => unknown.push(word.clone()),
        }
    }
    let by_number = |name: &String| name.strip_prefix("class ").is_some_and(is_number);
    if unknown.len() == classes.len() && classes.iter().all(by_number) {
        return Ok((known.clone(), folders.into_iter().map(Some).collect()));
    }
    if !unknown.is_empty() {
        return Err(DataError::UnknownClasses(UnknownClasses {
            dir: dir.into(),
            names: unknown,
            known: classes,
        }));
    }
    Ok((known.clone(), places))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
