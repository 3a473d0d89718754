//! How the page is to be read.

use maud::{Markup, html};

use super::difference::diamond;

/// What stands for what, and how far it goes.
const NOTES: [(&str, &str); 7] = [
    (
        "Error",
        "Top-1 error on the test images after the last epoch: no epoch is chosen by the images it \
         is measured on. Only the map's finds of the object are of the best epoch's weights.",
    ),
    (
        "Spread",
        "Standard deviation over the runs, which differ in nothing but their seed unless the group \
         says so.",
    ),
    (
        "Interval",
        "95 % interval of the difference to the baseline by Welch's t, from the few runs that \
         there are. The more differences one reads, the more of these intervals miss by chance: \
         nothing is corrected for their number.",
    ),
    (
        "Same direction",
        "The interval holds nothing but the sign of the published difference; opposite: nothing \
         but the other sign; undecided: it holds zero.",
    ),
    (
        "Published figure",
        "As printed, mostly of a single training. One of another network or data set says in which \
         direction an effect goes, not how large it should be here.",
    ),
    (
        "Maps",
        "IoU is the share of the positions looked at by one of two runs that both look at. What \
         maps of different images reach is owed to habit, such as looking at the centre: only what \
         is beyond it is about the image.",
    ),
    (
        "Leads",
        "Of the trained map over Grad-CAM of the same network, and over a Gaussian, in points: \
         plus is better by every measure. The interval is a bootstrap over runs and images; behind \
         it, the runs that are ahead. Bold is a sign that is certain for other trainings and images \
         with all leads of a campaign taken together (Student's t over runs, Holm).",
    ),
];

/// The last section.
pub(super) fn reading() -> Markup {
    html! {
        section aria-labelledby="reading" {
            h2 #reading { "How to read this page" }
            dl.meanings {
                dt { "Bars" }
                dd {
                    "Differences to the baseline, on one scale for all of a group: "
                    (sign(html! { line.interval x1="2" x2="38" y1="9" y2="9" {} circle cx="20" cy="9" r="4" {} }))
                    " mean and interval, "
                    (sign(html! { @for x in ["12", "19", "29"] { circle.run cx=(x) cy="9" r="2.2" {} } }))
                    " single runs, "
                    (sign(diamond(20.0)))
                    " published difference. Only an interval without zero is coloured: "
                    span.lower { "lower error" } ", " span.higher { "higher error" } "."
                }
                @for (name, meaning) in NOTES { dt { (name) } dd { (meaning) } }
            }
        }
    }
}

/// A sign as the bars have it.
fn sign(drawing: Markup) -> Markup {
    html! { svg.sign.open viewBox="0 0 40 18" aria-hidden="true" { (drawing) } }
}
