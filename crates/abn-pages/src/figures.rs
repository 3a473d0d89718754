//! What pages show figures in: a name over a value, a bar, the head of a table.

use maud::{Markup, html};

use crate::numbers::percent;

/// A name, a value and a note on it, as an entry of a `dl.figures`.
pub(crate) fn figure(name: &str, value: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd.value { (value) }
            dd.note { (note) }
        }
    }
}

/// A row of a `dl.bars`: name, bar, percentage.
pub(crate) fn bar(name: &str, fraction: f64, ink: &str) -> Markup {
    let length = if fraction.is_finite() {
        fraction.clamp(0.0, 1.0) * 100.0
    } else {
        0.0
    };
    html! {
        div class=(ink) {
            dt { (name) }
            dd { span.track { span.fill style={ "width:" (format!("{length:.1}")) "%" } {} } }
            dd.value { (percent(fraction)) }
        }
    }
}

/// The head of a table with a name for each column.
pub fn head<T: maud::Render>(columns: impl IntoIterator<Item = T>) -> Markup {
    html! {
        thead { tr { @for column in columns { th scope="col" { (column) } } } }
    }
}

/// The name with a capital, to stand alone; one that has a capital already, such as mAP, stays.
pub(crate) fn capitalised(name: &str) -> String {
    if name.chars().any(char::is_uppercase) {
        return name.to_owned();
    }
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_in_their_track() {
        assert!(bar("x", 2.0, "").into_string().contains("width:100.0%"));
        assert!(bar("x", f64::NAN, "").into_string().contains("width:0.0%"));
    }

    #[test]
    fn a_head_names_its_columns() {
        let head = head(["a", "<b>"]).into_string();
        let expected = r#"<tr><th scope="col">a</th><th scope="col">&lt;b&gt;</th></tr>"#;
        assert_eq!(head, format!("<thead>{expected}</thead>"));
    }
}
