//! What `abn predict --csv` prints: an image a line, a probability a column.

use abn_data::Labels;
use abn_run::measure::attributes::are_attributes;
use anyhow::{Context, Result};

/// The head: `image`, then the classes of one label, the labels where each has two classes, absent
/// and present, or else every class as `LABEL:CLASS`.
///
/// # Errors
/// The memory for the line cannot be written.
pub(super) fn head(labels: &Labels) -> Result<String> {
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
    record("image", names)
}

/// The line of an image with the probabilities of all classes, in the order of the head.
///
/// # Errors
/// The memory for the line cannot be written.
pub(super) fn line(labels: &Labels, image: &str, probabilities: &[f64]) -> Result<String> {
    let shown: Vec<f64> = match are_attributes(labels) {
        true => probabilities.iter().skip(1).step_by(2).copied().collect(),
        false => probabilities.to_vec(),
    };
    record(image, shown.iter().map(f64::to_string).collect())
}

/// A line without its end.
fn record(first: &str, others: Vec<String>) -> Result<String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(std::iter::once(first.to_owned()).chain(others))?;
    let bytes = table.into_inner().context("a line of CSV is not written")?;
    Ok(String::from_utf8(bytes)?.trim_end_matches('\n').to_owned())
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
    fn names_are_quoted_where_they_must_be() {
        let classes = ["a", "b, c", "the \"d\""].map(str::to_owned);
        let one = Labels::one(classes.into());
        assert_eq!(head(&one).unwrap(), r#"image,a,"b, c","the ""d""""#);
        let said = line(&one, "x,y.png", &[0.5, 0.25, 0.25]).unwrap();
        assert_eq!(said, r#""x,y.png",0.5,0.25,0.25"#);
    }

    #[test]
    fn a_label_of_two_classes_has_one_column() {
        let yes = |name| group(name, &["no", "yes"]);
        let labels = Labels::of(vec![yes("red"), yes("large")]);
        assert_eq!(head(&labels).unwrap(), "image,red,large");
        let said = line(&labels, "a.png", &[0.25, 0.75, 1.0, 0.0]).unwrap();
        assert_eq!(said, "a.png,0.75,0");
    }

    #[test]
    fn every_class_of_other_labels_has_a_column() {
        let labels = Labels::of(vec![
            group("fine", &["oak", "rose"]),
            group("coarse", &["tree"]),
        ]);
        assert_eq!(
            head(&labels).unwrap(),
            "image,fine:oak,fine:rose,coarse:tree"
        );
        let said = line(&labels, "a.png", &[0.5, 0.5, 1.0]).unwrap();
        assert_eq!(said, "a.png,0.5,0.5,1");
    }
}
