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

/// The network's labels and the folders of its classes.
#[derive(Debug)]
pub(crate) struct Matched {
    pub(crate) labels: Labels,
    /// For each class the name of its folder, if there is one.
    pub(crate) folders: Vec<Option<String>>,
    /// What is to be said of it.
    pub(crate) note: Option<String>,
}

/// The classes of a network in a folder.
///
/// A class is known by its word, by word and folder, as words are written where two classes have
/// the same, or by the name of its folder: in this order, so that the run's own folders are always
/// what they were. An imported network may have numbers for names: where none of the names is known
/// and there are as many, folders are taken by their numbers, or else, which is said, in the order
/// of their names.
///
/// # Errors
/// The network lacks a class of the folder, or has several labels.
pub(crate) fn matched(
    dir: &Path,
    known: &Labels,
    found: &Labels,
    folders: Vec<String>,
) -> Result<Matched, DataError> {
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
        let (folders, note) = in_order(folders);
        let folders = folders.into_iter().map(Some).collect();
        let labels = known.clone();
        return Ok(Matched {
            labels,
            folders,
            note,
        });
    }
    if !unknown.is_empty() {
        return Err(DataError::UnknownClasses(UnknownClasses {
            dir: dir.into(),
            names: unknown,
            known: classes,
        }));
    }
    Ok(Matched {
        labels: known.clone(),
        folders: places,
        note: None,
    })
}

/// Folders in the order of the outputs of a network whose classes have no names: by their numbers if
/// they are called 0, 1, 2 and so on, by their names otherwise, and then what is to be said.
fn in_order(mut folders: Vec<String>) -> (Vec<String>, Option<String>) {
    let number = |name: &String| name.parse::<usize>().ok();
    let mut numbers: Vec<Option<usize>> = folders.iter().map(number).collect();
    numbers.sort_unstable();
    if numbers.into_iter().eq((0..folders.len()).map(Some)) {
        folders.sort_by_key(number);
        return (folders, None);
    }
    let first = folders.first().map_or("", String::as_str);
    let note = format!(
        "the run's classes have no names: that the folders in the order of their names are its \
         outputs, class 0 being {first}, is a guess; import with --classes-file, or --data, to \
         name them"
    );
    (folders, Some(note))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
