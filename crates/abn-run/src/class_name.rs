//! A label by its name, and a class by its name or its number.

use std::fmt;

use abn_data::{Group, Labels};

/// There is no such label or class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownClass {
    /// `label` or `class`.
    kind: &'static str,
    asked: String,
    /// What there is instead.
    instead: String,
}

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            asked,
            instead,
        } = self;
        write!(f, "the run has no {kind} `{asked}`; {instead}")
    }
}

impl std::error::Error for UnknownClass {}

/// Number of the label of that name, or of the first if none is named.
///
/// # Errors
/// There is none of that name.
pub fn group_of(labels: &Labels, asked: Option<&str>) -> Result<usize, UnknownClass> {
    let Some(asked) = asked else { return Ok(0) };
    let groups = labels.groups();
    let found = groups.iter().position(|group| group.name == asked);
    found.ok_or_else(|| {
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        UnknownClass {
            kind: "label",
            asked: asked.to_owned(),
            instead: match names[..] {
                [_] => "its images have one label, which needs no name".to_owned(),
                _ => format!("it has {}", names.join(", ")),
            },
        }
    })
}

/// The class of that name, or else of that number, counted from 0 through all labels. A name that
/// is a number counts as a name. `LABEL:CLASS` is a class of that label; the name of one of several
/// labels of two classes, absent and present, is its second.
///
/// # Errors
/// There is no such class, and the nearest name is given; or several labels have it.
pub fn class_of(labels: &Labels, asked: &str) -> Result<usize, UnknownClass> {
    let unknown = |instead: String| UnknownClass {
        kind: "class",
        asked: asked.to_owned(),
        instead,
    };
    let several = labels.groups().len() > 1;
    let mut named = Vec::new();
    let mut number = 0;
    for group in labels.groups() {
        for class in &group.classes {
            if class == asked || (several && asked == format!("{}:{class}", group.name)) {
                named.push((number, group));
            }
            number += 1;
        }
    }
    match named[..] {
        [(number, _)] => Ok(number),
        // Within one label, names may repeat; the first is meant.
        [(number, first), ..] if named.iter().all(|(_, group)| *group == first) => Ok(number),
        [_, ..] => {
            let names = named
                .iter()
                .map(|(_, group)| format!("{}:{asked}", group.name));
            let names: Vec<String> = names.collect();
            Err(unknown(format!("it is one of {}", names.join(", "))))
        }
        [] => match presence(labels, asked).or_else(|| asked.parse().ok()) {
            Some(class) if class < number => Ok(class),
            _ => {
                let last = number.saturating_sub(1);
                Err(unknown(match nearest(labels, asked) {
                    Some(name) => {
                        format!("the nearest is `{name}`, and numbers go from 0 to {last}")
                    }
                    None => format!("numbers go from 0 to {last}"),
                }))
            }
        },
    }
}

/// The class that says that a label of that name is present.
fn presence(labels: &Labels, asked: &str) -> Option<usize> {
    let several = labels.groups().len() > 1;
    let is_meant = |group: &Group| several && group.name == asked && group.classes.len() == 2;
    let group = labels.groups().iter().position(is_meant)?;
    Some(labels.first_of(group) + 1)
}

/// The name that looks most like the one asked for, whatever its case; the first of equals.
fn nearest<'a>(labels: &'a Labels, asked: &str) -> Option<&'a String> {
    let asked = asked.to_lowercase();
    labels
        .classes()
        .min_by_key(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, classes: &[&str]) -> Group {
        Group {
            name: name.to_owned(),
            classes: classes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn names_come_before_numbers() {
        let labels = Labels::one(["cat", "2", "dog"].map(str::to_owned).to_vec());
        let found = ["dog", "2", "0", "1"].map(|asked| class_of(&labels, asked).unwrap());
        assert_eq!(found, [2, 1, 0, 1]);
        let error = class_of(&labels, "Dot").unwrap_err().to_string();
        assert!(
            error.contains("nearest is `dog`") && error.contains("0 to 2"),
            "{error}"
        );
        let refused = |asked| class_of(&labels, asked).is_err();
        assert!(["3", "-1", "", "class:cat"].into_iter().all(refused));
    }

    #[test]
    fn a_label_of_two_classes_names_its_presence() {
        let two = |name| group(name, &["no", "yes"]);
        let labels = Labels::of(vec![
            two("bald"),
            group("7", &["a", "b", "c"]),
            two("smiling"),
        ]);
        let found = ["smiling", "bald", "smiling:no"].map(|asked| class_of(&labels, asked));
        assert_eq!(found, [Ok(6), Ok(1), Ok(5)]);
        // A label of three classes names none of them: that is class number 7, which is not there.
        assert!(class_of(&labels, "7").is_err());
        assert!(class_of(&Labels::one(vec!["no".into(), "yes".into()]), "class").is_err());
    }

    #[test]
    fn a_class_of_any_label_has_a_name() {
        let fine = group("fine", &["oak", "fish"]);
        let labels = Labels::of(vec![fine, group("coarse", &["tree", "fish"])]);
        let found = ["oak", "tree", "coarse:fish", "fine:fish", "3"];
        let found = found.map(|asked| class_of(&labels, asked).unwrap());
        assert_eq!(found, [0, 2, 3, 1, 3]);
        let error = class_of(&labels, "fish").unwrap_err().to_string();
        assert!(error.contains("one of fine:fish, coarse:fish"), "{error}");
        assert_eq!(group_of(&labels, Some("coarse")), Ok(1));
        assert_eq!(group_of(&labels, None), Ok(0));
        let error = group_of(&labels, Some("make")).unwrap_err().to_string();
        assert!(
            error.contains("no label `make`; it has fine, coarse"),
            "{error}"
        );
    }
}
