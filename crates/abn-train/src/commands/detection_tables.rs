//! COCO's figures as tables of text.

use abn_boxes::coco::{CategoryFigures, Stats};
use abn_explain::columns::columns;
use abn_run::measure::objects::ObjectFigures;

/// The twelve figures: precision and recall by overlap, size and number of detections.
pub(super) fn together(stats: &Stats) -> String {
    let row = |name: &str, ious: &str, areas: &str, most: &str, value: f64| {
        [name, ious, areas, most, &percent(value)].map(str::to_owned)
    };
    let (precision, recall, all) = ("average precision", "average recall", "0.50 to 0.95");
    let rows = [
        row(precision, all, "all", "100", stats.ap),
        row(precision, "0.50", "all", "100", stats.ap50),
        row(precision, "0.75", "all", "100", stats.ap75),
        row(precision, all, "small", "100", stats.ap_small),
        row(precision, all, "medium", "100", stats.ap_medium),
        row(precision, all, "large", "100", stats.ap_large),
        row(recall, all, "all", "1", stats.ar1),
        row(recall, all, "all", "10", stats.ar10),
        row(recall, all, "all", "100", stats.ar100),
        row(recall, all, "small", "100", stats.ar_small),
        row(recall, all, "medium", "100", stats.ar_medium),
        row(recall, all, "large", "100", stats.ar_large),
    ];
    let header = ["", "overlap", "objects", "detections", "%"].map(str::to_owned);
    columns(header.into(), rows.map(Vec::from).into(), 3)
}

/// The figures of each class of a run that is there or was found; of others how many there are.
pub(super) fn by_class(figures: &ObjectFigures) -> String {
    let classes = || figures.categories.iter().map(|class| &class.coco);
    let seen = |class: &&CategoryFigures| class.objects + class.detections > 0;
    let table = by_category(classes().filter(seen));
    match classes().count() - classes().filter(seen).count() {
        0 => table,
        others => format!("{table}\n{others} classes are neither there nor found"),
    }
}

/// COCO's figures of each category.
pub(super) fn by_category<'a>(categories: impl Iterator<Item = &'a CategoryFigures>) -> String {
    let rows = categories.map(|category| {
        let stats = &category.stats;
        let values = [stats.ap, stats.ap50, stats.ap75, stats.ar100].map(percent);
        let counts = [category.objects, category.detections].map(|count| count.to_string());
        let name = [category.name.clone()];
        name.into_iter().chain(counts).chain(values).collect()
    });
    let header = [
        "category",
        "objects",
        "detections",
        "AP",
        "AP50",
        "AP75",
        "AR100",
    ];
    columns(header.map(str::to_owned).into(), rows.collect(), 1)
}

/// A figure as COCO's users write it; nothing where no object counts.
fn percent(figure: f64) -> String {
    match figure < 0.0 {
        true => "-".to_owned(),
        false => format!("{:.1}", 100.0 * figure),
    }
}
