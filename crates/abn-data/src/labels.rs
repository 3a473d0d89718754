//! What is to be told of an image: one label or several, each a group of classes of which one is
//! right.

use serde::{Deserialize, Serialize};

/// A label: a group of classes of which one is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What the label is about, such as `fine`, `make` or `smiling`.
    pub name: String,
    /// Its classes.
    pub classes: Vec<String>,
}

/// The classes of a label that is absent or present.
const ATTRIBUTE: [&str; 2] = ["no", "yes"];

impl Group {
    /// A label that is absent or present, in this order.
    #[must_use]
    pub fn attribute(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            classes: ATTRIBUTE.map(str::to_owned).to_vec(),
        }
    }
}

/// The labels of every image of a data set. Classes are numbered through all groups, in the order
/// in which a network's outputs lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels(Vec<Group>);

/// Name of the only label of an image, where nobody has chosen it among others.
const UNNAMED: &str = "class";
/// More labels than this are counted in a title instead of named.
const NAMED: usize = 4;

impl Labels {
    /// One label an image, which needs no name.
    #[must_use]
    pub fn one(classes: Vec<String>) -> Self {
        let name = UNNAMED.to_owned();
        Self(vec![Group { name, classes }])
    }

    /// Several labels an image.
    #[must_use]
    pub fn of(groups: Vec<Group>) -> Self {
        Self(groups)
    }

    /// The labels.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.0
    }

    /// The classes, if there is one label an image.
    #[must_use]
    pub fn only(&self) -> Option<&[String]> {
        match &self.0[..] {
            [group] => Some(&group.classes),
            _ => None,
        }
    }

    /// Whether there is one label an image, and that needs no name.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        matches!(&self.0[..], [group] if group.name == UNNAMED)
    }

    /// Number of classes of each label.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        self.0.iter().map(|group| group.classes.len()).collect()
    }

    /// Names of all classes, group after group.
    pub fn classes(&self) -> impl Iterator<Item = &String> {
        self.0.iter().flat_map(|group| &group.classes)
    }

    /// Number of all classes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.classes().count()
    }

    /// How many classes there are, in words: `10 classes`, `100 fine and 20 coarse classes`.
    #[must_use]
    pub fn title(&self) -> String {
        let counted = |group: &Group| match (group.classes.len(), group.name.as_str()) {
            (count, UNNAMED) => count.to_string(),
            (count, name) => format!("{count} {name}"),
        };
        match &self.0[..] {
            groups @ [_, .., last] if groups.len() <= NAMED => {
                let first: Vec<String> = groups[..groups.len() - 1].iter().map(counted).collect();
                format!("{} and {} classes", first.join(", "), counted(last))
            }
            [group] => format!("{} classes", counted(group)),
            groups => format!("{} labels with {} classes", groups.len(), self.count()),
        }
    }

    /// Name of a class of a group; empty if there is none.
    #[must_use]
    pub fn name(&self, group: usize, class: usize) -> &str {
        let classes = self.0.get(group).map(|group| &group.classes);
        classes
            .and_then(|classes| classes.get(class))
            .map_or("", String::as_str)
    }

    /// The group of a class that is numbered through all groups, and its number there.
    #[must_use]
    pub fn place(&self, number: usize) -> Option<(usize, usize)> {
        let mut left = number;
        for (group, size) in self.sizes().into_iter().enumerate() {
            if left < size {
                return Some((group, left));
            }
            left -= size;
        }
        None
    }

    /// Number of the first class of a group.
    #[must_use]
    pub fn first_of(&self, group: usize) -> usize {
        self.sizes().iter().take(group).sum()
    }
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
    fn classes_are_numbered_through_all_groups() {
        let fine = group("fine", &["oak", "maple", "wolf"]);
        let labels = Labels::of(vec![fine, group("coarse", &["tree", "mammal"])]);
        assert_eq!((labels.count(), labels.sizes()), (5, vec![3, 2]));
        let places: Vec<_> = (0..6).map(|number| labels.place(number)).collect();
        assert_eq!(
            places[2..],
            [Some((0, 2)), Some((1, 0)), Some((1, 1)), None]
        );
        assert_eq!((labels.first_of(0), labels.first_of(1)), (0, 3));
        assert_eq!((labels.name(1, 0), labels.name(1, 2)), ("tree", ""));
        assert!(labels.only().is_none());
        assert_eq!(labels.title(), "3 fine and 2 coarse classes");
        assert_eq!(Labels::one(vec![String::new(); 10]).title(), "10 classes");
        let many = Labels::of(vec![group("smiling", &["no", "yes"]); 40]);
        assert_eq!(many.title(), "40 labels with 80 classes");
    }
}
