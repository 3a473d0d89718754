//! What classes are called: words for folders that are named by number.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::text::read_text;
use crate::DataError;

/// The 1,000 synsets of ILSVRC 2012 with the words of WordNet 3.0 (Princeton University, see
/// WORDNET-LICENSE.txt), one a line, sorted: the order of the logits of every ImageNet network.
const SYNSETS: &str = include_str!("synsets.txt");
/// Files that may name the classes of a data set, in order of preference.
const FILES: [&str; 3] = ["classes.tsv", "synset_words.txt", "LOC_synset_mapping.txt"];
/// ImageNet's own lists of its 22,000 synsets have 1 MB.
const MAX_FILE: u64 = 16 << 20;

/// The classes of ImageNet in the order of the logits of its networks.
#[must_use]
pub fn imagenet_classes() -> Vec<String> {
    let folders: Vec<String> = SYNSETS
        .lines()
        .filter_map(entry)
        .map(|(synset, _)| synset.to_owned())
        .collect();
    named(&folders, &SYNSETS.lines().filter_map(entry).collect())
}

/// A name for every class folder: from what is [given], from WordNet, or the folder's own. Each is
/// different.
pub(crate) fn class_words(given: &str, folders: &[String]) -> Vec<String> {
    let mut words: HashMap<&str, &str> = SYNSETS.lines().filter_map(entry).collect();
    words.extend(given.lines().filter_map(entry));
    named(folders, &words)
}

/// Those lines of what is given that are about one of these classes.
pub(super) fn lines_about(given: &str, classes: &BTreeSet<&str>) -> String {
    let about = |line: &&str| entry(line).is_some_and(|(folder, _)| classes.contains(folder));
    let lines: Vec<&str> = given.lines().filter(about).collect();
    lines.join("\n")
}

/// The content of the file that names the classes; empty if there is none.
///
/// # Errors
/// It cannot be read.
pub(crate) fn given(dir: &Path) -> Result<String, DataError> {
    for name in FILES {
        match read_text(
            &dir.join(name),
            MAX_FILE,
            "a class folder and its name, one a line",
        ) {
            Err(DataError::Missing { .. }) => {}
            text => return text,
        }
    }
    Ok(String::new())
}

/// Folder and words of a line: `n01440764 tench, Tinca tinca`, the same with a tab, or with a
/// number in front.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (first, rest) = line.split_once('\t').or_else(|| line.split_once(' '))?;
    let (folder, words) = match rest.split_once('\t') {
        Some(numbered) if first.bytes().all(|byte| byte.is_ascii_digit()) => numbered,
        _ => (first, rest),
    };
    Some((folder.trim(), words.trim()))
}

/// The first of each folder's words, made unique by the folder's name where two are equal.
fn named(folders: &[String], words: &HashMap<&str, &str>) -> Vec<String> {
    let names: Vec<String> = folders
        .iter()
        .map(|folder| {
            words
                .get(folder.as_str())
                .and_then(|words| first_word(words))
                .unwrap_or(folder.clone())
        })
        .collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    names
        .iter()
        .for_each(|name| *uses.entry(name).or_default() += 1);
    let unique = |(name, folder): (&String, &String)| {
        if uses[name.as_str()] == 1 || name == folder {
            name.clone()
        } else {
            format!("{name} ({folder})")
        }
    };
    names.iter().zip(folders).map(unique).collect()
}

/// The first synonym, with blanks for the underscores of WordNet.
fn first_word(words: &str) -> Option<String> {
    let word = words
        .split([',', '\t'])
        .next()
        .unwrap_or_default()
        .trim()
        .replace('_', " ");
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;

    use super::*;

    #[test]
    fn the_table_holds_the_thousand_synsets_in_order() {
        let synsets: Vec<(&str, &str)> = SYNSETS.lines().map(|line| entry(line).unwrap()).collect();
        assert_eq!(synsets.len(), 1000);
        assert!(synsets.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let numbered =
            |id: &str| id.len() == 9 && id[1..].bytes().all(|byte| byte.is_ascii_digit());
        assert!(
            synsets
                .iter()
                .all(|(id, words)| id.starts_with('n') && numbered(id) && !words.is_empty())
        );
        let classes = imagenet_classes();
        for (class, name) in [
            (0, "tench"),
            (281, "tabby"),
            (999, "toilet tissue"),
            (128, "black stork"),
        ] {
            assert_eq!(classes[class], name);
        }
        assert_eq!(
            (classes[134].as_str(), classes[517].as_str()),
            ("crane (n02012849)", "crane (n03126707)")
        );
        assert_eq!(classes[638], "maillot (n03710637)");
        assert_eq!(classes.iter().collect::<HashSet<_>>().len(), 1000);
    }

    #[test]
    fn lines_of_every_known_form_are_read() {
        for line in [
            "n01440764 tench, Tinca tinca",
            "n01440764\ttench, Tinca tinca\r",
            "0\tn01440764\ttench",
            " n01440764\t tench\tmore",
        ] {
            let (folder, words) = entry(line).unwrap();
            assert_eq!(
                (folder, first_word(words).unwrap().as_str()),
                ("n01440764", "tench"),
                "{line}"
            );
        }
        assert_eq!(
            entry("american bulldog\tthe dog"),
            Some(("american bulldog", "the dog"))
        );
        assert_eq!(
            entry("7\tseven"),
            Some(("7", "seven")),
            "a folder may be named by a number"
        );
        assert_eq!(entry(""), None);
        assert_eq!(entry("alone"), None);
    }

    #[test]
    fn a_file_beside_the_folders_comes_before_wordnet() {
        let dir = tempfile::tempdir().unwrap();
        let folders = ["n01440764", "n02012849", "n03126707", "my_cat", "z"].map(String::from);
        let words = || class_words(&given(dir.path()).unwrap(), &folders);
        assert_eq!(
            words(),
            [
                "tench",
                "crane (n02012849)",
                "crane (n03126707)",
                "my_cat",
                "z"
            ]
        );
        fs::write(
            dir.path().join("classes.tsv"),
            "index\twnid\tname\n0\tn01440764\tgreat_fish\n1\tz\tmy_cat\n",
        )
        .unwrap();
        assert_eq!(
            words(),
            [
                "great fish",
                "crane (n02012849)",
                "crane (n03126707)",
                "my_cat",
                "my cat"
            ]
        );
        fs::write(
            dir.path().join("classes.tsv"),
            "z\tmy_cat,\nmy_cat\t\nn01440764\tmy cat\nmy_cat\tmy cat\n",
        )
        .unwrap();
        let same = words();
        assert_eq!(
            (same[0].as_str(), same[3].as_str(), same[4].as_str()),
            ("my cat (n01440764)", "my cat (my_cat)", "my cat (z)")
        );
    }
}
