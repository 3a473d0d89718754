//! A label as an archive writes it: a number or a name.

use std::collections::HashSet;
use std::sync::Arc;

use super::MOST_CLASSES;

/// What is said of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    /// The number of its class.
    Number(u32),
    /// The name of its class.
    Name(Arc<str>),
}

/// Makes labels and keeps each name once.
#[derive(Debug, Default)]
pub(crate) struct Interner(HashSet<Arc<str>>);

impl Interner {
    /// The label of a number; an error says what is wrong with it.
    pub(crate) fn number(number: i64) -> Result<Label, String> {
        match u32::try_from(number) {
            Ok(class) if (class as usize) < MOST_CLASSES => Ok(Label::Number(class)),
            _ => Err(format!(
                "has the label {number}: expected 0 to {}",
                MOST_CLASSES - 1
            )),
        }
    }

    /// The label of a name.
    pub(crate) fn name(&mut self, name: &str) -> Result<Label, String> {
        const LONGEST: usize = 200;
        if name.is_empty() {
            return Err("has an empty label".to_owned());
        }
        if name.len() > LONGEST || name.chars().any(char::is_control) {
            return Err(format!(
                "has the label \"{}\": expected the name of a class, in one line of at most \
                 {LONGEST} bytes",
                super::shown(&name.chars().take(20).collect::<String>())
            ));
        }
        if let Some(known) = self.0.get(name) {
            return Ok(Label::Name(Arc::clone(known)));
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        Ok(Label::Name(name))
    }

    /// The label in a text: a number if it is one, else a name.
    pub(crate) fn text(&mut self, text: &str) -> Result<Label, String> {
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
        match text.parse::<i64>() {
            Ok(number) => Self::number(number),
            Err(_) => self.name(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_or_names() {
        let mut interner = Interner::default();
        for (text, number) in [("0", 0), (" 12\n", 12), ("+7", 7), ("099999", 99_999)] {
            assert_eq!(interner.text(text), Ok(Label::Number(number)), "{text}");
        }
        for name in ["cat", "1.0", "0x1", "1 cat", "Häher"] {
            let label = interner.text(&format!("{name}\r\n")).unwrap();
            assert_eq!(label, Label::Name(name.into()));
        }
        assert_eq!(interner.0.len(), 5);
        interner.text("cat").unwrap();
        assert_eq!(interner.0.len(), 5, "a name is kept once");
        for (text, words) in [
            ("-1", "label -1"),
            ("100000", "label 100000"),
            ("", "empty"),
            ("a\nb", "in one line"),
            (&"x".repeat(201), "at most 200"),
        ] {
            let error = interner.text(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
