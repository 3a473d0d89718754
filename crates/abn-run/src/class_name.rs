//! A class by its name or its number.

use anyhow::{Context, Result};

/// The class of that name, or else of that number, counted from 0. A name that is a number counts
/// as a name.
///
/// # Errors
/// There is no such class; the nearest name is given.
pub fn class_of(classes: &[String], asked: &str) -> Result<usize> {
    let named = classes.iter().position(|name| name == asked);
    let numbered = || asked.parse().ok().filter(|number| *number < classes.len());
    named.or_else(numbered).with_context(|| {
        let last = classes.len().saturating_sub(1);
        match nearest(classes, asked) {
            Some(name) => format!(
                "the run has no class `{asked}`; the nearest is `{name}`, and numbers go from 0 to \
                 {last}"
            ),
            None => format!("the run has no class `{asked}`; numbers go from 0 to {last}"),
        }
    })
}

/// The name that looks most like the one asked for, whatever its case; the first of equals.
fn nearest<'a>(classes: &'a [String], asked: &str) -> Option<&'a String> {
    let asked = asked.to_lowercase();
    classes
        .iter()
        .min_by_key(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_numbers() {
        let classes = ["cat", "2", "dog"].map(str::to_owned);
        let found = ["dog", "2", "0", "1"].map(|asked| class_of(&classes, asked).unwrap());
        assert_eq!(found, [2, 1, 0, 1]);
        let error = class_of(&classes, "Dot").unwrap_err().to_string();
        assert!(
            error.contains("nearest is `dog`") && error.contains("0 to 2"),
            "{error}"
        );
        assert!(
            ["3", "-1", ""]
                .iter()
                .all(|asked| class_of(&classes, asked).is_err())
        );
    }
}
