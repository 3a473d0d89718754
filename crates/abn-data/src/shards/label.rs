//! The label in what is said of a sample: `cls`, else `json`, else `txt`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::archive::{Interner, Label};

/// What of a `json` is looked at, in this order.
#[derive(Deserialize)]
struct Described {
    label: Option<Written>,
    class: Option<Written>,
    cls: Option<Written>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
    Other(#[allow(dead_code)] IgnoredAny),
}

/// The label that the contents of `cls`, `json` and `txt` tell; an error says what is wrong.
pub(super) fn label(interner: &mut Interner, said: [Option<Vec<u8>>; 3]) -> Result<Label, String> {
    let [cls, json, txt] = said;
    if let Some(cls) = cls {
        return text(interner, &cls, "cls");
    }
    let described = json.map(|json| serde_json::from_slice::<Described>(&json));
    let (readable, written) = match described {
        None => (true, None),
        Some(Err(_)) => (false, None),
        Some(Ok(Described { label, class, cls })) => {
            let known = |written: &Written| !matches!(written, Written::Other(_));
            (true, [label, class, cls].into_iter().flatten().find(known))
        }
    };
    match (written, txt) {
        (Some(Written::Number(number)), _) => Interner::number(number),
        (Some(Written::Text(text)), _) => interner.text(&text),
        (_, Some(txt)) => text(interner, &txt, "txt"),
        _ if !readable => Err("has no label: its json cannot be read".to_owned()),
        _ => Err("has no label: expected cls, txt, or json with label, class or cls".to_owned()),
    }
}

fn text(interner: &mut Interner, text: &[u8], field: &str) -> Result<Label, String> {
    match str::from_utf8(text) {
        Ok(text) => interner.text(text),
        Err(_) => Err(format!("has a {field} that is not valid UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: [Option<&str>; 3]) -> Result<Label, String> {
        let said = said.map(|text| text.map(|text| text.as_bytes().to_vec()));
        label(&mut Interner::default(), said)
    }

    fn json(text: &str) -> Result<Label, String> {
        of([None, Some(text), None])
    }

    #[test]
    fn the_first_that_tells_it_decides() {
        let (number, name) = (Label::Number, |name: &str| Label::Name(name.into()));
        assert_eq!(
            of([Some("3"), Some("{\"label\": 4}"), Some("5")]),
            Ok(number(3))
        );
        assert_eq!(of([None, Some("{\"label\": 4}"), Some("5")]), Ok(number(4)));
        assert_eq!(
            of([None, Some("{\"width\": 4}"), Some("cat\n")]),
            Ok(name("cat"))
        );
        assert_eq!(of([None, Some("no json"), Some("5")]), Ok(number(5)));
        assert_eq!(json("{\"cls\": 1, \"class\": \"dog\"}"), Ok(name("dog")));
        assert_eq!(json("{\"label\": [1], \"cls\": \"7\"}"), Ok(number(7)));
        assert_eq!(
            json("{\"label\": null, \"cls\": 2, \"x\": {}}"),
            Ok(number(2))
        );
    }

    #[test]
    fn what_tells_nothing_is_an_error() {
        let deep = format!("{{\"label\": {}", "[".repeat(100_000));
        for (said, words) in [
            ([None, None, None], "has no label: expected cls"),
            ([None, Some("{}"), None], "has no label: expected cls"),
            ([None, Some("[1]"), None], "its json cannot be read"),
            ([None, Some(&deep), None], "its json cannot be read"),
            ([None, Some("{\"label\": -1}"), None], "label -1"),
            ([Some(" "), None, Some("1")], "empty label"),
            ([None, None, Some("a caption\nof two lines")], "in one line"),
        ] {
            let error = of(said).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let bytes = [Some(vec![0xff]), None, None];
        let error = label(&mut Interner::default(), bytes).unwrap_err();
        assert!(error.contains("not valid UTF-8"), "{error}");
    }
}
