//! Which classes are told for which, as a matrix and in words.

use std::collections::BTreeMap;

use abn_run::measure::confusion::{ClassCounts, Confusion, Pair};
use maud::{Markup, html};

use crate::figures::head;
use crate::gallery::{Shot, cards};
use crate::heatmap::Drawing;
use crate::numbers::percent;

/// Classes of a matrix with numbers in it, and of one without; of more there is none.
const NUMBERED: usize = 16;
const DRAWN: usize = 100;
/// Confused pairs in the table.
const PAIRS: usize = 12;

/// The classes and what was told of their images.
#[derive(Debug, Clone)]
pub struct ConfusedClasses {
    /// Names in the order of the logits.
    pub names: Vec<String>,
    /// What was told.
    pub confusion: Confusion,
    /// Some of the images, by right and told class.
    pub examples: BTreeMap<(usize, usize), Vec<Shot>>,
    /// How their maps are drawn.
    pub drawing: Drawing,
}

impl ConfusedClasses {
    /// A matrix up to a hundred classes, and the pairs that are confused most often.
    pub(crate) fn section(&self) -> Markup {
        let counts = self.confusion.by_class();
        let pairs = self.confusion.confused();
        html! {
            section aria-labelledby="confusion" {
                h2 #confusion { "What is taken for what" }
                p.note {
                    "The test images by the class that they are of (rows) and the class that they \
                     are told to be of (columns): the best epoch tells "
                    (balanced(&self.confusion)) " of a class's images rightly, as a mean over the \
                     classes."
                    @if self.names.len() > DRAWN {
                        " Of so many classes the pairs that are confused most often are shown."
                    }
                }
                @if self.names.len() <= DRAWN { (self.matrix(&counts)) }
                @if !pairs.is_empty() { (self.pairs(&pairs, &counts)) }
                @if !self.examples.is_empty() { (self.examples()) }
            }
        }
    }

    /// Images of every pair that has some: where it looks when it takes one for the other.
    fn examples(&self) -> Markup {
        let of = |wrong: bool| {
            let pairs = self.examples.iter();
            pairs.filter(move |((right, told), _)| (right != told) == wrong)
        };
        html! {
            details.examples {
                summary {
                    "Images of " (self.examples.len()) " cells"
                    @if self.examples.values().flatten().any(|shot| shot.map.is_some()) {
                        ", each beside its map: where it looks when it takes one class for another"
                    }
                }
                @for (pair, shots) in of(true).chain(of(false)) {
                    section id=(place(*pair)) tabindex="-1" {
                        h3 {
                            (self.names[pair.0])
                            @if pair.0 != pair.1 { " told as " (self.names[pair.1]) } @else { " told rightly" }
                            " " a.small href="#confusion" { "back" }
                        }
                        (cards(&shots.iter().collect::<Vec<_>>(), &self.drawing))
                    }
                }
            }
        }
    }

    fn matrix(&self, counts: &[ClassCounts]) -> Markup {
        let numbered = self.names.len() <= NUMBERED;
        let kind = if numbered {
            "confusion"
        } else {
            "confusion fine"
        };
        html! {
            div.scroll tabindex="0" role="region" aria-label="Matrix of classes" {
                table class=(kind) {
                    thead {
                        tr {
                            th { "is, told" }
                            @for name in &self.names { th scope="col" title=(name) { span { (name) } } }
                        }
                    }
                    tbody {
                        @for (right, name) in self.names.iter().enumerate() {
                            tr {
                                th scope="row" title=(name) { (name) }
                                @for told in 0..self.names.len() {
                                    (self.cell((right, told), counts[right].images, numbered))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn cell(&self, (right, told): (usize, usize), images: usize, numbered: bool) -> Markup {
        let count = self.confusion.count(right, told);
        if count == 0 {
            return html! { td {} };
        }
        let share = 100.0 * count as f64 / images as f64;
        let ink = if right == told { "right" } else { "wrong" };
        let words = format!(
            "{count} of {images} {} told as {}",
            self.names[right], self.names[told]
        );
        html! {
            td class=(ink) style={ "--strength:" (format!("{share:.0}")) "%" } title=(words) {
                @let number = html! { @if numbered { (count) } @else { span.unseen { (count) } } };
                @if self.examples.contains_key(&(right, told)) {
                    a href={ "#" (place((right, told))) } aria-label=(words) { (number) }
                } @else { (number) }
            }
        }
    }

    fn pairs(&self, pairs: &[Pair], counts: &[ClassCounts]) -> Markup {
        let more = pairs.len().saturating_sub(PAIRS);
        html! {
            details open[self.names.len() > NUMBERED] {
                summary { "The pairs that are confused most often" }
                table.numbers.scores {
                    (head(["class", "told as", "images", "of all of the class"]))
                    tbody {
                        @for pair in pairs.iter().take(PAIRS) {
                            tr {
                                th scope="row" { (self.names[pair.right]) }
                                td {
                                    @let at = (pair.right, pair.told);
                                    @if self.examples.contains_key(&at) {
                                        a href={ "#" (place(at)) } { (self.names[pair.told]) }
                                    } @else { (self.names[pair.told]) }
                                }
                                td { (pair.images) }
                                td { (percent(pair.images as f64 / counts[pair.right].images as f64)) }
                            }
                        }
                    }
                }
                @if more > 0 { p.note { "And " (more) " more pairs; " code { "abn eval RUN --json" } " has all." } }
            }
        }
    }
}

/// Where the images of a pair of right and told class are.
fn place((right, told): (usize, usize)) -> String {
    format!("told-{right}-{told}")
}

fn balanced(confusion: &Confusion) -> String {
    confusion
        .balanced_accuracy()
        .map_or("–".to_owned(), percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(count: usize, told: &[(usize, usize)]) -> String {
        let mut confusion = Confusion::new(count);
        told.iter()
            .for_each(|(right, told)| confusion.add(*right, *told));
        let names = (0..count).map(|class| format!("<class {class}>")).collect();
        let (examples, drawing) = (BTreeMap::new(), Drawing::default());
        let classes = ConfusedClasses {
            names,
            confusion,
            examples,
            drawing,
        };
        classes.section().into_string()
    }

    #[test]
    fn a_small_matrix_has_numbers() {
        let page = classes(3, &[(0, 0), (0, 0), (0, 2), (1, 1)]);
        assert!(
            page.contains(r#"<td class="right" style="--strength:67%""#),
            "{page}"
        );
        assert!(
            page.contains("1 of 3 &lt;class 0&gt; told as &lt;class 2&gt;"),
            "{page}"
        );
        assert_eq!(page.matches("<td></td>").count(), 6);
    }

    #[test]
    fn cells_with_images_lead_to_them() {
        let mut confusion = Confusion::new(2);
        confusion.add(0, 0);
        confusion.add(0, 1);
        let shot = Shot {
            image: image::RgbImage::new(2, 2),
            map: None,
            map_of: None,
            mask: None,
            file: Some("a & b.png".to_owned()),
            verdicts: vec![],
        };
        let page = ConfusedClasses {
            names: vec!["x".to_owned(), "y".to_owned()],
            confusion,
            examples: BTreeMap::from([((0, 1), vec![shot])]),
            drawing: Drawing::default(),
        };
        let page = page.section().into_string();
        assert_eq!(
            page.matches(r##"href="#told-0-1""##).count(),
            2,
            "cell and pair"
        );
        assert!(page.contains(r#"id="told-0-1""#) && page.contains("a &amp; b.png"));
        assert!(!page.contains("told-0-0"));
    }

    #[test]
    fn many_classes_are_pairs() {
        let page = classes(101, &[(0, 100), (0, 100), (7, 8)]);
        assert!(!page.contains("class=\"confusion"));
        assert!(page.find("&lt;class 100&gt;") < page.find("&lt;class 8&gt;"));
        assert!(classes(100, &[(0, 1)]).contains("confusion fine"));
    }
}
