//! The table of `abn predict --format csv`: an image a line, a probability a column, or the classes
//! that are likeliest.

use abn_data::Labels;
use abn_run::measure::attributes::are_attributes;

/// The columns: `image`, then the classes of one label, the labels where each has two classes, absent
/// and present, or else every class as `LABEL:CLASS`.
pub(super) fn columns(labels: &Labels) -> Vec<String> {
    let groups = labels.groups().iter();
    let names: Vec<String> = match labels.only() {
        Some(classes) => classes.to_vec(),
        None if are_attributes(labels) => groups.map(|group| group.name.clone()).collect(),
        None => groups
            .flat_map(|group| {
                let classes = group.classes.iter();
                classes.map(|class| format!("{}:{class}", group.name))
            })
            .collect(),
    };
    std::iter::once("image".to_owned()).chain(names).collect()
}

/// The cells behind the first of an image with the probabilities of all classes.
pub(super) fn cells(labels: &Labels, probabilities: &[f64]) -> Vec<String> {
    let shown: Vec<f64> = match are_attributes(labels) {
        true => probabilities.iter().skip(1).step_by(2).copied().collect(),
        false => probabilities.to_vec(),
    };
    shown.iter().map(f64::to_string).collect()
}

/// The columns of the likeliest classes: `image,label,probability,label_2,probability_2`.
pub(super) fn top_columns(count: usize) -> Vec<String> {
    let pair = |place: usize| match place {
        1 => ["label".to_owned(), "probability".to_owned()],
        place => [format!("label_{place}"), format!("probability_{place}")],
    };
    let pairs = (1..=count).flat_map(pair);
    std::iter::once("image".to_owned()).chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use abn_data::Group;

    use super::*;

    fn group(name: &str, classes: &[&str]) -> Group {
        Group {
            name: name.to_owned(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        }
    }

    #[test]
    fn one_label_has_a_column_a_class() {
        let one = Labels::one(["a", "b, c"].map(str::to_owned).into());
        assert_eq!(columns(&one), ["image", "a", "b, c"]);
        assert_eq!(cells(&one, &[0.5, 0.25]), ["0.5", "0.25"]);
    }

    #[test]
    fn a_label_of_two_classes_has_one_column() {
        let yes = |name| group(name, &["no", "yes"]);
        let labels = Labels::of(vec![yes("red"), yes("large")]);
        assert_eq!(columns(&labels), ["image", "red", "large"]);
        assert_eq!(cells(&labels, &[0.25, 0.75, 1.0, 0.0]), ["0.75", "0"]);
    }

    #[test]
    fn every_class_of_other_labels_has_a_column() {
        let labels = Labels::of(vec![
            group("fine", &["oak", "rose"]),
            group("coarse", &["tree"]),
        ]);
        assert_eq!(
            columns(&labels),
            ["image", "fine:oak", "fine:rose", "coarse:tree"]
        );
        assert_eq!(cells(&labels, &[0.5, 0.5, 1.0]), ["0.5", "0.5", "1"]);
    }

    #[test]
    fn the_likeliest_are_counted() {
        let names = ["image", "label", "probability", "label_2", "probability_2"];
        assert_eq!(top_columns(2), names);
    }
}
