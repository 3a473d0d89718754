//! The frame of every page: one HTML file without scripts that loads nothing, not even a favicon.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// Forbids what the page does not do, so that hostile text in it could load nothing either.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// A whole page. All text is escaped where it enters the markup.
pub(crate) fn page(title: &str, subtitle: &str, body: &Markup) -> String {
    page_with("", title, subtitle, body)
}

/// A whole page with rules of its own after the common ones.
pub fn page_with(style: &str, title: &str, subtitle: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                header {
                    h1 { (title) }
                    @if !subtitle.is_empty() { p.subtitle { (subtitle) } }
                }
                main { (body) }
            }
        }
    };
    page.into_string()
}
