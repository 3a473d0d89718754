//! Which class a label means, and what the classes are called.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::{Label, MOST_CLASSES, beside, refused, shown};
use crate::folder::{UnknownClasses, known, words};
use crate::{DataError, Labels};

/// The classes of a data set.
#[derive(Debug)]
pub(crate) struct Classes {
    pub(crate) labels: Labels,
    /// What is to be said of how they were found.
    pub(crate) note: Option<String>,
    /// The class of each number.
    of_number: Vec<usize>,
    /// The class of each name; empty where labels are numbers without names.
    of_name: HashMap<String, usize>,
}

impl Classes {
    /// The classes that the labels `said` mean: numbers into the names that are `given`, numbers
    /// without names up to the largest, or names, sorted. Where the classes of a network are
    /// `known`, they are these: named ones are matched by name, numbers without names are theirs.
    ///
    /// # Errors
    /// Some labels are numbers and others names, all are one class, or the network lacks a class.
    pub(crate) fn of<'a>(
        dir: &Path,
        said: impl Iterator<Item = &'a Label>,
        given: Option<Vec<String>>,
        known: Option<&Labels>,
    ) -> Result<Self, DataError> {
        let (mut numbers, mut names) = (0, BTreeSet::new());
        for label in said {
            match label {
                Label::Number(number) => numbers = numbers.max(*number as usize + 1),
                Label::Name(name) => {
                    names.insert(name.as_ref());
                }
            }
        }
        if names.len() > MOST_CLASSES {
            let found = names.len();
            let reason = format!(
                "it has {found} different labels: expected at most {MOST_CLASSES} classes; check \
                 that its texts are labels"
            );
            return Err(refused(dir, reason));
        }
        match (given, names.first()) {
            (Some(given), _) => Self::named(dir, distinct(given), known),
            (None, Some(name)) if numbers > 0 => {
                let reason = format!(
                    "some labels are numbers and others are names, such as \"{}\"; use one of \
                     them, or put classes.txt with the names, one a line, beside the files",
                    shown(name)
                );
                Err(refused(dir, reason))
            }
            (None, Some(_)) => {
                let names = names.into_iter().map(str::to_owned).collect();
                Self::named(dir, names, known)
            }
            (None, None) => Self::numbered(dir, numbers, known),
        }
    }

    fn named(dir: &Path, names: Vec<String>, known: Option<&Labels>) -> Result<Self, DataError> {
        at_least_two(dir, names.len())?;
        let labels = Labels::one(words::class_words(&words::given(beside(dir))?, &names));
        let Some(known) = known else {
            return Ok(Self {
                labels,
                note: None,
                of_number: (0..names.len()).collect(),
                of_name: names.into_iter().zip(0..).collect(),
            });
        };
        let matched = known::matched(dir, known, &labels, names.clone())?;
        let placed = matched.folders.into_iter().enumerate();
        let of_name: HashMap<String, usize> = placed
            .filter_map(|(class, name)| Some((name?, class)))
            .collect();
        Ok(Self {
            labels: matched.labels,
            note: matched.note,
            of_number: names.iter().map(|name| of_name[name]).collect(),
            of_name,
        })
    }

    /// Classes of numbers, in the words of `classes.tsv` if it has them.
    fn numbered(dir: &Path, count: usize, known: Option<&Labels>) -> Result<Self, DataError> {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let labels = match known {
            Some(known) if known.only().is_some() && known.count() >= count => known.clone(),
            Some(known) => {
                let unknown = known.count()..count;
                return Err(DataError::UnknownClasses(UnknownClasses {
                    dir: dir.into(),
                    names: unknown.map(|number| format!("class {number}")).collect(),
                    known: known.classes().cloned().collect(),
                }));
            }
            None => {
                at_least_two(dir, count)?;
                let words = words::class_words(&words::given(beside(dir))?, &numbers);
                let word = |(word, number): (String, &String)| match &word == number {
                    true => format!("class {number}"),
                    false => word,
                };
                Labels::one(words.into_iter().zip(&numbers).map(word).collect())
            }
        };
        Ok(Self {
            of_number: (0..labels.count()).collect(),
            labels,
            note: None,
            of_name: HashMap::new(),
        })
    }

    /// The class that a label means; an error says what is wrong with it.
    pub(crate) fn class(&self, label: &Label) -> Result<u32, String> {
        let (class, said) = match label {
            Label::Number(number) => (self.of_number.get(*number as usize), number.to_string()),
            Label::Name(name) => (self.of_name.get(name.as_ref()), shown(name)),
        };
        let class = class.and_then(|class| u32::try_from(*class).ok());
        class.ok_or_else(|| {
            format!(
                "has the label {said}, which is none of the {} of its data set",
                self.labels.title()
            )
        })
    }
}

fn at_least_two(dir: &Path, count: usize) -> Result<(), DataError> {
    if count >= 2 {
        return Ok(());
    }
    let found = if count == 0 { "no class" } else { "one class" };
    let reason = format!("it has {found}: expected two or more; check its labels");
    Err(refused(dir, reason))
}

/// Names that are there twice, made different by their numbers.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *uses.entry(name).or_default() += 1;
    }
    let name = |(number, name): (usize, &String)| match uses[name.as_str()] {
        1 => name.clone(),
        _ => format!("{name} ({number})"),
    };
    names.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[u32]) -> Vec<Label> {
        numbers.iter().copied().map(Label::Number).collect()
    }

    fn texts(names: &[&str]) -> Vec<Label> {
        names
            .iter()
            .map(|name| Label::Name((*name).into()))
            .collect()
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn of(
        labels: &[Label],
        given: Option<&[&str]>,
        known: Option<&[&str]>,
    ) -> Result<Classes, String> {
        let dir = tempfile::tempdir().unwrap();
        let known = known.map(|names| Labels::one(strings(names)));
        let classes = Classes::of(
            dir.path(),
            labels.iter(),
            given.map(strings),
            known.as_ref(),
        );
        classes.map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(classes: &Classes, names: &[&str], labels: &[Label], expected: &[u32]) {
        assert_eq!(classes.labels.only().unwrap(), names);
        let found: Vec<u32> = labels
            .iter()
            .map(|label| classes.class(label).unwrap())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers_and_names_become_classes() {
        let (by_number, by_name) = (numbers(&[2, 0, 2]), texts(&["dog", "cat", "dog"]));
        let classes = of(&by_number, None, None).unwrap();
        check(
            &classes,
            &["class 0", "class 1", "class 2"],
            &by_number,
            &[2, 0, 2],
        );
        assert!(
            classes
                .class(&Label::Number(3))
                .unwrap_err()
                .contains("label 3, which is none")
        );
        let classes = of(&by_name, None, None).unwrap();
        check(&classes, &["cat", "dog"], &by_name, &[1, 0, 1]);
        assert!(classes.class(&Label::Name("elk".into())).is_err());
        let given = ["dog", "cat", "elk"];
        let classes = of(&by_number, Some(&given), None).unwrap();
        check(&classes, &given, &by_number, &[2, 0, 2]);
        check(&classes, &given, &by_name, &[0, 1, 0]);
        let classes = of(&by_number, Some(&["crane", "cat", "crane"]), None).unwrap();
        check(
            &classes,
            &["crane (0)", "cat", "crane (2)"],
            &by_number,
            &[2, 0, 2],
        );
    }

    #[test]
    fn the_classes_of_a_network_are_matched_by_name() {
        let known = ["ant", "cat", "dog"];
        let by_name = texts(&["dog", "cat"]);
        check(
            &of(&by_name, None, Some(&known)).unwrap(),
            &known,
            &by_name,
            &[2, 1],
        );
        // The same numbers, whatever the network calls them.
        let by_number = numbers(&[1, 0]);
        check(
            &of(&by_number, None, Some(&known)).unwrap(),
            &known,
            &by_number,
            &[1, 0],
        );
        // Numbers with names are matched by these.
        let given = of(&by_number, Some(&["dog", "cat"]), Some(&known)).unwrap();
        check(&given, &known, &by_number, &[1, 2]);
        let error = of(&numbers(&[3]), None, Some(&known)).unwrap_err();
        assert!(error.contains("class 3"), "{error}");
        assert!(of(&texts(&["elk", "cat"]), None, Some(&known)).is_err());
    }

    #[test]
    fn a_mixture_and_a_single_class_are_refused() {
        let mixed = [numbers(&[1]), texts(&["cat"])].concat();
        for (labels, words) in [
            (mixed, "others are names, such as \"cat\""),
            (texts(&["cat", "cat"]), "it has one class"),
            (numbers(&[0]), "it has one class"),
        ] {
            let error = of(&labels, None, None).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
