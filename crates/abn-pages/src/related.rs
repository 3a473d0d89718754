//! What else there is to see about a run: links to the pages beside the report, and how the missing
//! ones are made.

use std::path::Path;

use maud::{Markup, html};

/// A page about the run besides its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// What it is called.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// Where it lies, relative to the report.
    pub file: &'static str,
    /// Whether it lies there.
    pub exists: bool,
    /// The command that makes it.
    pub command: String,
}

impl Related {
    /// The pages of a run in that folder, none of them there yet. A baseline, which has no
    /// attention maps, is compared by Grad-CAM.
    pub fn of(run: &Path, has_attention: bool) -> Vec<Self> {
        let folder = quoted(&run.display().to_string());
        let below = quoted(&run.join("explanations").display().to_string());
        let method = if has_attention {
            ""
        } else {
            " --method grad-cam"
        };
        let page = |name, shows, file, command| Self {
            name,
            shows,
            file,
            exists: false,
            command,
        };
        vec![
            page(
                "Explanations",
                "where it looks in images of your own",
                "explanations/index.html",
                format!("abn explain {folder} IMAGES --out {below}"),
            ),
            page(
                "Score",
                "how good its explanations are, by every method",
                "score.html",
                format!("abn score {folder}"),
            ),
            page(
                "Stability",
                "how alike it looks to other trainings",
                "stability.html",
                format!("abn stability {folder} OTHER_RUN{method} --out {folder}"),
            ),
        ]
    }
}

/// A path as an argument in a shell: in quotes if it holds more than plain characters.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let needs_none = !path.is_empty() && path.chars().all(plain);
    if needs_none {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// The list; nothing without pages.
pub(crate) fn related(pages: &[Related]) -> Markup {
    html! {
        @if !pages.is_empty() {
            section aria-labelledby="related" {
                h2 #related { "More about this run" }
                dl.related {
                    @for page in pages {
                        div {
                            dt {
                                @if page.exists { a href=(page.file) { (page.name) } }
                                @else { (page.name) }
                            }
                            dd { (page.shows) @if !page.exists { ": " code { (page.command) } } }
                        }
                    }
                }
                p.note {
                    "This list is of when the report was written. The training command, given \
                     again, writes it anew."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_linked_once_they_exist_and_have_a_command_before() {
        let mut pages = Related::of(Path::new("runs/abn"), true);
        pages[1].exists = true;
        let html = related(&pages).into_string();
        assert!(
            html.contains("<a href=\"score.html\">Score</a>") && !html.contains("abn score"),
            "{html}"
        );
        assert!(
            html.contains("<code>abn stability runs/abn OTHER_RUN --out runs/abn</code>"),
            "{html}"
        );
        assert_eq!(html.matches("<a ").count(), 1);
        assert!(related(&[]).into_string().is_empty());
    }

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        let pages = Related::of(Path::new("my runs/it's"), false);
        assert_eq!(pages[1].command, r"abn score 'my runs/it'\''s'");
        assert!(
            pages[2].command.contains("--method grad-cam"),
            "a baseline has no attention maps"
        );
    }
}
