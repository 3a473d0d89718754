//! Images by their names: paths below the folder of the data set, with `/` between folders.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::Path;

/// The name of what lies at that path below `dir`.
pub(crate) fn name_below(dir: &Path, path: &Path) -> String {
    let below = path.strip_prefix(dir).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// What follows the name of a folder in the names of what lies in it.
pub(super) fn names_in<'a>(
    names: &'a BTreeSet<String>,
    folder: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let begin = format!("{folder}/");
    let from = (Bound::Included(begin.clone()), Bound::Unbounded);
    names
        .range(from)
        .map_while(move |name| name.strip_prefix(&begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_folder_are_those_in_it_alone() {
        let names = ["a", "a-b/1", "a/1", "a/b/2", "ab/3"].map(str::to_owned);
        let names = BTreeSet::from(names);
        let found: Vec<&str> = names_in(&names, "a").collect();
        assert_eq!(found, ["1", "b/2"]);
    }

    #[test]
    fn a_name_is_the_path_below_the_data_set() {
        let name = name_below(Path::new("/data/set"), Path::new("/data/set/train/a/1.jpg"));
        assert_eq!(name, "train/a/1.jpg");
    }
}
