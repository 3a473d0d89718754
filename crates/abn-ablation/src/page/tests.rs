//! The page of two small campaigns: what it says, and that nothing in it can do harm.

use abn_run::datasets::SHAPES;
use abn_run::measure::records::EpochRecord;
use abn_run::recipe::Recipe;
use image::Rgb;
use serde_json::{Value, json};

use super::*;
use crate::campaign::{Campaign, Group, Name, Row};
use crate::published::Published;
use crate::record::Record;
use crate::table::{Finished, Stability};

const CLASSES: [&str; 3] = ["cat", "<u>dog", "frog"];

fn summary(error: f64) -> Value {
    json!({"images": 400, "loss": 1.0, "perception_loss": 1.0, "top1": 1.0 - error / 100.0, "top5": 1.0})
}

fn recipe(seed: u64) -> Recipe {
    Recipe {
        seed,
        ..CampaignSize::Quick.recipe(&SHAPES, "resnet8").unwrap()
    }
}

/// What sets the recipes of two rows apart.
fn with_rate(rate: u32) -> Recipe {
    Recipe {
        learning_rate: f64::from(rate),
        ..recipe(1)
    }
}

/// A run of two epochs that ends at that error, in percent, and takes every image for a cat.
fn run(name: &str, seed: u64, error: f64, trained: bool) -> Finished {
    let (bright, dark) = (0.25 + error / 100.0, error / 200.0);
    let look = |image: usize| {
        let values = [bright, dark, dark, dark + 0.01 * image as f64];
        json!({"image": image, "predicted": 0, "height": 2, "width": 2, "values": values})
    };
    // Also the map of a branch that is not used points somewhere; it counts for nothing.
    let results = json!({
        "epochs": 2, "best_epoch": 1, "best": summary(error - 1.0), "last": summary(error),
        "pointing": {"images": 9, "trained": 0.75, "untrained": 0.25, "chance": 0.125},
    });
    let record = json!({
        "version": 1, "recipe": recipe(seed), "results": results, "parameters": 250_000, "multiply_adds": 12_500_000,
        "trained_maps": trained, "looks": [look(3), look(5)],
    });
    let epoch = |epoch: usize, error: f64| json!({"epoch": epoch, "learning_rate": 0.1, "train": summary(error), "test": summary(error), "best": false});
    let epochs = [epoch(1, error + 20.0), epoch(2, error)];
    Finished {
        name: name.to_owned(),
        seed,
        learning_rate: 0.05,
        record: serde_json::from_value::<Record>(record).unwrap(),
        epochs: epochs
            .map(|epoch| serde_json::from_value::<EpochRecord>(epoch).unwrap())
            .to_vec(),
    }
}

fn runs(name: &str, errors: &[f64], trained: bool) -> Vec<Finished> {
    let seeds = 1..;
    seeds
        .zip(errors)
        .map(|(seed, &error)| run(&format!("{name}-{seed}"), seed, error, trained))
        .collect()
}

fn published(error: f64, of: &'static str, remark: &'static str) -> Option<Published> {
    Some(Published {
        error,
        of,
        source: "ABN, Table 1",
        remark,
    })
}

fn part(campaign: Campaign, rows: Vec<(Vec<Finished>, Option<Stability>)>) -> Part {
    let picture = |index: usize| RgbImage::from_pixel(4, 4, Rgb([index as u8, 9, 9]));
    let images = [3, 5].map(|index| Shown {
        index,
        picture: picture(index),
        label: Some(index % 4 % 3),
    });
    let label = abn_data::Group {
        name: "class".to_owned(),
        classes: CLASSES.map(str::to_owned).to_vec(),
    };
    Part {
        table: Table::new(campaign, rows),
        images: images.into(),
        label: Some(label),
    }
}

/// Two groups: one with published figures, of which a row is better, one undecided and one not yet;
/// one with maps that are compared and an incomplete row.
fn mechanism() -> Part {
    let mut rates = 1..;
    let mut row = |name: &str, seeds| Row::new(name, &with_rate(rates.next().unwrap_or(0)), seeds);
    let campaign = Campaign {
        name: Name::Mechanism,
        title: "What the <b>map</b> does",
        question: "Is a < b?",
        source: "ABN & MANet",
        groups: vec![
            Group::new(
                "resnet8 <i>",
                vec![
                    row("F", 3).published(published(31.0, "CIFAR-100", "")),
                    row("M.F", 3).published(published(30.5, "CIFAR-100", "from another paper")),
                    row("<script>x</script>", 2).published(published(
                        30.0,
                        "CIFAR-10",
                        "from another paper",
                    )),
                    row("later", 3).published(published(29.0, "CIFAR-10", "")),
                ],
            ),
            Group::new("seeds", vec![row("ABN", 3), row("MANet", 3)]),
        ],
    };
    let stability = Stability {
        runs: 3,
        images: 500,
        with_best: Some(0.412),
        pairs: Some((0.401, 0.391, 0.411)),
        other_images: Some(0.222),
        rank_correlation: None,
        empty: 0.0125,
    };
    part(
        campaign,
        vec![
            (runs("plain", &[40.0, 41.0, 42.0], false), None),
            (runs("times", &[30.0, 30.5, 31.0], true), None),
            (runs("plus<\"&", &[39.0, 44.0], true), None),
            (vec![], None),
            (runs("abn", &[28.0, 32.0, 34.0], true), Some(stability)),
            (vec![], None),
        ],
    )
}

/// One seed a row; the first run is also the first of the other campaign.
fn cost() -> Part {
    let row = |name: &str, rate| Row::new(name, &with_rate(rate), 1);
    let campaign = Campaign {
        name: Name::Cost,
        title: "Cost",
        question: "?",
        source: "",
        groups: vec![Group::new(
            "resnet8",
            vec![row("original", 1), row("SENet", 9)],
        )],
    };
    part(
        campaign,
        vec![
            (runs("plain", &[40.0], false), None),
            (runs("se", &[39.5], false), None),
        ],
    )
}

fn page() -> Page {
    Page {
        scale: CampaignSize::Quick,
        command: "cargo xtask ablation --data 'a<b'".to_owned(),
        parts: vec![mechanism(), cost()],
        speeds: BTreeMap::from([(
            "plain-1".to_owned(),
            Speed {
                training: 1234.5,
                inference: 45.67,
            },
        )]),
        failed: vec![Failure {
            name: "broken".to_owned(),
            cause: "out of <memory>".to_owned(),
        }],
        damaged: vec![Failure {
            name: "torn".to_owned(),
            cause: "no checksum".to_owned(),
        }],
    }
}

fn html() -> String {
    render(&page()).unwrap()
}

/// The page from `start` to the next `end`.
fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let from = html
        .find(start)
        .unwrap_or_else(|| panic!("{start} is not in the page"));
    html[from..].split(end).next().unwrap_or_default()
}

/// The row of that name in the first table that has one.
fn row(html: &str, name: &str) -> String {
    between(html, &format!("<tr><th scope=\"row\">{name}"), "</tr>").to_owned()
}

#[test]
fn text_is_escaped_and_nothing_is_loaded() {
    let html = html();
    for text in [
        "&lt;b&gt;map",
        "resnet8 &lt;i&gt;",
        "&lt;script&gt;",
        "Is a &lt; b?",
        "'a&lt;b'",
        "out of &lt;memory&gt;",
    ] {
        assert!(html.contains(text), "{text}");
    }
    for text in ["<script", "<b>", "<i>", "<u>", "plus<", "NaN", "inf<"] {
        assert!(!html.contains(text), "{text}");
    }
    assert_eq!(
        html.matches("url(").count(),
        html.matches("url(data:image/png;base64,").count()
    );
    assert!(html.contains(r#"href="./runs/plus&lt;&quot;&amp;-1/report.html""#));
}

#[test]
fn every_run_counts_once() {
    // Six rows of three seeds and two of one are planned, and 3 + 3 + 2 + 3 and 1 + 1 runs
    // finished; one is in both.
    assert!(html().contains("Scale quick · 2 campaigns · 12 of 18 runs finished"));
}

#[test]
fn means_differences_and_verdicts_stand_in_their_rows() {
    let html = html();
    let (baseline, better) = (row(&html, "F"), row(&html, "M.F"));
    assert!(
        baseline.contains("41.00 ± 1.00") && baseline.matches("baseline").count() == 2,
        "{baseline}"
    );
    assert!(
        better.contains("30.50 ± 0.50") && better.contains(r#"<span class="lower">−10.50</span>"#),
        "{better}"
    );
    // Welch: variances 1/3 and 0.25/3, 2.94 degrees of freedom, t = 3.2206.
    assert!(better.contains("−12.58 to −8.42"), "{better}");
    assert!(
        better.contains("30.50<sup>a</sup>")
            && better.contains("−0.50<")
            && better.contains("✓ same direction")
    );
    let undecided = row(&html, "&lt;script");
    assert!(
        undecided.contains(">2 runs<") && undecided.contains(">undecided<"),
        "{undecided}"
    );
    assert!(undecided.contains(r#"class="open""#) && !undecided.contains(r#"class="higher""#));
    let later = row(&html, "later");
    assert!(
        later.matches("not yet").count() == 2 && later.contains("29.00") && later.contains("−2.00"),
        "{later}"
    );
}

/// The runs to come may speak against what those say that there are.
#[test]
fn an_unfinished_row_has_a_difference_but_no_verdict() {
    let mut page = page();
    let Table { campaign, .. } = page.parts[0].table.clone();
    let rows = vec![
        (runs("plain", &[40.0, 41.0, 42.0], false), None),
        (runs("times", &[30.0, 30.5], true), None),
    ];
    page.parts[0].table = Table::new(campaign, rows);
    let html = render(&page).unwrap();
    let better = row(&html, "M.F");
    assert!(
        better.contains("2 of 3 runs") && better.contains(">not yet<"),
        "{better}"
    );
    assert!(
        better.contains("−10.75") && !better.contains("same direction"),
        "{better}"
    );
}

#[test]
fn the_origin_of_published_figures_is_visible() {
    let html = html();
    assert_eq!(
        html.matches("<sup>a</sup> from another paper").count(),
        1,
        "a remark of two figures is said once"
    );
    // All are of one table, but of two data sets.
    assert!(between(&html, "published error", "</th>").contains("ABN, Table 1"));
    assert!(row(&html, "M.F").contains("CIFAR-100") && row(&html, "later").contains("CIFAR-10<"));
    assert!(html.contains("Published: ABN &amp; MANet"));
}

#[test]
fn the_overview_counts_and_judges_not() {
    let html = html();
    let contents = between(&html, "<nav", "</nav>");
    let counts =
        "3 published differences: 1 in the same direction, 1 undecided, 1 not yet comparable";
    assert!(
        contents.contains("href=\"#mechanism\"") && contents.contains(counts),
        "{contents}"
    );
    assert!(
        contents.contains("href=\"#cost\"") && contents.contains(">no published differences<"),
        "{contents}"
    );
    assert!(html.contains("<section class=\"campaign\" id=\"mechanism\""));
    assert!(html.contains("does not follow") && html.contains("<code>broken</code>"));
    assert!(between(&html, "cannot be used", "</div>").contains("<code>torn</code> no checksum"));
    let calm = Page {
        scale: CampaignSize::Short,
        failed: vec![],
        damaged: vec![],
        ..page()
    };
    let calm = render(&calm).unwrap();
    assert!(!calm.contains("class=\"notice\""));
}

#[test]
fn one_seed_has_a_difference_without_an_interval() {
    let html = html();
    let cost = between(&html, "id=\"cost\"", "</section>");
    let line = row(cost, "SENet");
    assert!(
        line.contains(r#"<span class="open">−0.50</span>"#) && line.contains("no interval"),
        "{line}"
    );
    assert_eq!(cost.matches("No interval: of a single run").count(), 1);
    assert!(
        !cost.contains("published error")
            && !between(&html, "id=\"mechanism\"", "</section>").contains("No interval: of")
    );
}

#[test]
fn maps_and_costs_have_tables_where_they_are_known() {
    let html = html();
    let maps = between(&html, "aria-label=\"Maps: seeds\"", "</table>");
    for text in [
        "by chance 12.5",
        "75.00 ± 0.00",
        "500 images",
        "0.412",
        "0.391 to 0.411",
        "0.222",
        "1.2 %",
    ] {
        assert!(maps.contains(text), "{text} in {maps}");
    }
    let found = between(&html, "aria-label=\"Maps: resnet8", "</table>");
    assert!(
        found.contains(">M.F<") && !found.contains(">F<"),
        "a network without a map has none to find anything"
    );
    let costs = between(&html, "aria-label=\"Cost\"", "</table>");
    assert!(
        costs.contains("0.250")
            && costs.contains("12.5")
            && costs.contains("1,234")
            && costs.contains("45.7"),
        "{costs}"
    );
    assert!(!between(&html, "id=\"cost\"", "</section>").contains("aria-label=\"Maps:"));
}

#[test]
fn curves_need_two_epochs_and_are_percent() {
    let html = html();
    let chart = between(&html, "<figure class=\"chart\"", "</figure>");
    assert!(
        chart.contains("ink-3") && !chart.contains("ink-4"),
        "the row without a run has no line"
    );
    assert!(
        chart.contains("F ends at 41.00%") && chart.contains("M.F ends at 30.50%"),
        "{chart}"
    );
    let mut short = page();
    short.parts = vec![cost()];
    for line in short.parts[0]
        .table
        .sections
        .iter_mut()
        .flat_map(|section| &mut section.lines)
    {
        line.runs.iter_mut().for_each(|run| run.epochs.truncate(1));
    }
    assert!(!render(&short).unwrap().contains("<figure"));
}

#[test]
fn every_picture_is_embedded_once_and_wrong_predictions_are_crossed() {
    let html = html();
    // Two photographs, and two maps of each first run: of "plain" in both campaigns, "times",
    // "plus", "abn" and "se".
    assert_eq!(
        (
            html.matches("--photo:url").count(),
            html.matches("--map:url").count()
        ),
        (2, 10)
    );
    let looks = between(
        &html,
        "aria-label=\"Maps over images: resnet8 &lt;i&gt;\"",
        "</table>",
    );
    assert_eq!(looks.matches("class=\"look ").count(), 2 * (1 + 3));
    assert!(
        looks.matches("Grad-CAM, seed 1").count() == 1
            && looks.matches("trained map, seed 1").count() == 2
    );
    // The first image is a cat, the second is not.
    assert_eq!(looks.matches("✗ cat").count(), 3);
    assert!(looks.contains("Grad-CAM of F over test image 3") && looks.contains("&lt;u&gt;dog"));
}

#[test]
fn an_image_that_a_run_did_not_look_at_has_no_map() {
    let mut page = page();
    page.parts[1].images[0].index = 77;
    assert_eq!(render(&page).unwrap().matches(">no map<").count(), 2);
    page.parts[1].images[0].picture = RgbImage::new(0, 0);
    assert!(render(&page).is_err(), "an image without pixels");
}

#[test]
fn every_run_leads_to_its_report() {
    let html = html();
    let runs = between(&html, "Every run: 11 runs", "</details>");
    let first = between(runs, "<tr><th scope=\"row\">F", "</tr>");
    assert!(
        first.contains("./runs/plain-1/report.html") && first.contains("<td>0.05</td>"),
        "{first}"
    );
    assert!(
        first.contains("<td>40.00</td>") && first.contains("<td>39.00</td><td>1</td>"),
        "{first}"
    );
}

#[test]
fn nothing_finished_is_a_page_too() {
    let mut page = page();
    for part in &mut page.parts {
        let campaign = part.table.campaign.clone();
        let rows = campaign.rows().map(|_| (vec![], None)).collect();
        part.table = Table::new(campaign, rows);
    }
    let html = render(&page).unwrap();
    assert!(
        html.contains("0 of 18 runs finished")
            && html.matches(">no run finished yet<").count() == 2
    );
    assert!(
        !html.contains("<figure") && !html.contains("<details") && !html.contains("class=\"look ")
    );
}
