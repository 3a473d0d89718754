//! The names of the authors' PyTorch code for facial attributes (ABN_CelebA_PyTorch, v1), whose
//! backbone has torchvision's.
//!
//! | there | in their code for one label |
//! |---|---|
//! | `layer4_att.0.conv1.weight` | `att_layer4.0.conv1.weight` |
//! | `conv_att.weight` | `att_conv2.weight` |
//! | `output_per.7.weight` `[1, C]` | row 7 of `fc.weight` `[G, C]`; two rows of two logits |
//!
//! The code for one label knows how a map is made of class maps; where it is that of the logit,
//! the convolution to the logits is all there is.

use std::collections::BTreeMap;

use burn::tensor::{Shape, TensorData};

/// The linear layers of the attributes.
const HEADS: &str = "output_per.";
/// The layer that they are rows of.
const HEAD: &str = "fc.";
/// The beginnings of the other names, theirs first.
const OTHERS: [(&str, &str); 2] = [("layer4_att.", "att_layer4."), ("conv_att.", "att_conv2.")];
/// More than any network has.
const MOST_HEADS: usize = 1 << 16;

/// What has rows: a tensor, or its shape.
pub(super) trait Rows: Sized {
    /// Those of all parts, one below the other; `None` if they do not fit.
    fn stacked(parts: Vec<Self>) -> Option<Self>;
}

impl Rows for Shape {
    fn stacked(parts: Vec<Self>) -> Option<Self> {
        let (first, others) = parts.split_first()?;
        let (_, columns) = first.split_first()?;
        let fits = |part: &Shape| part.get(1..) == Some(columns);
        if !others.iter().all(fits) {
            return None;
        }
        let rows = parts
            .iter()
            .try_fold(0_usize, |sum, part| sum.checked_add(part[0]))?;
        let sides: Vec<usize> = [rows].into_iter().chain(columns.iter().copied()).collect();
        Some(Shape::from(sides))
    }
}

impl Rows for TensorData {
    fn stacked(parts: Vec<Self>) -> Option<Self> {
        let shape = Shape::stacked(parts.iter().map(|part| part.shape().clone()).collect())?;
        let values = parts.iter().flat_map(TensorData::iter::<f32>);
        Some(TensorData::new::<f32, _>(values.collect(), shape))
    }
}

/// The tensors under the names of the code for one label: every other checkpoint stays as it is.
pub(super) fn to_usual<T: Rows>(checkpoint: BTreeMap<String, T>) -> BTreeMap<String, T> {
    if !checkpoint.keys().any(|name| name.starts_with(HEADS)) {
        return checkpoint;
    }
    let (mut usual, mut heads) = (
        BTreeMap::new(),
        BTreeMap::<String, BTreeMap<usize, T>>::new(),
    );
    for (name, tensor) in checkpoint {
        match numbered(&name) {
            Some((number, leaf)) => {
                heads
                    .entry(leaf.to_owned())
                    .or_default()
                    .insert(number, tensor);
            }
            None => {
                usual.insert(renamed(&name, |(theirs, ours)| (theirs, ours)), tensor);
            }
        }
    }
    for (leaf, rows) in heads {
        // One that is missing leaves the layer too small, which is told where it is compared.
        let rows: Vec<T> = rows.into_values().collect();
        if let Some(stacked) = T::stacked(rows) {
            usual.insert(format!("{HEAD}{leaf}"), stacked);
        }
    }
    usual
}

/// The tensors under the names of the code for several labels, of which there are so many.
pub(super) fn from_usual(
    checkpoint: BTreeMap<String, TensorData>,
    labels: usize,
) -> BTreeMap<String, TensorData> {
    let mut theirs = BTreeMap::new();
    for (name, data) in checkpoint {
        let Some(leaf) = name.strip_prefix(HEAD) else {
            theirs.insert(renamed(&name, |(theirs, ours)| (ours, theirs)), data);
            continue;
        };
        let (rows, columns) = (data.shape()[0], &data.shape()[1..]);
        let values: Vec<f32> = data.iter::<f32>().collect();
        let of_label = rows / labels.max(1);
        let width = of_label * columns.iter().product::<usize>();
        for (number, values) in values.chunks(width.max(1)).enumerate() {
            let sides: Vec<usize> = [of_label].iter().chain(columns).copied().collect();
            let rows = TensorData::new::<f32, _>(values.to_vec(), sides);
            theirs.insert(format!("{HEADS}{number}.{leaf}"), rows);
        }
    }
    theirs
}

/// The number of a head and the name of its tensor.
fn numbered(name: &str) -> Option<(usize, &str)> {
    let (number, leaf) = name.strip_prefix(HEADS)?.split_once('.')?;
    let number = number.parse().ok().filter(|number| *number < MOST_HEADS)?;
    Some((number, leaf))
}

/// The name with its beginning exchanged.
fn renamed(
    name: &str,
    direction: fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> String {
    let exchange = |pair: (&'static str, &'static str)| {
        let (from, to) = direction(pair);
        Some(format!("{to}{}", name.strip_prefix(from)?))
    };
    OTHERS
        .into_iter()
        .find_map(exchange)
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(names: &[(&str, &[usize])]) -> BTreeMap<String, TensorData> {
        let tensor = |(number, (name, shape)): (usize, &(&str, &[usize]))| {
            let len = shape.iter().product();
            let data = TensorData::new(vec![number as f32; len], shape.to_vec());
            ((*name).to_owned(), data)
        };
        names.iter().enumerate().map(tensor).collect()
    }

    #[test]
    fn the_rows_of_the_head_are_layers_there() {
        let theirs = checkpoint(&[
            ("conv1.weight", &[2, 3, 1, 1]),
            ("conv_att.weight", &[11, 4, 1, 1]),
            ("layer4_att.0.bn1.bias", &[4]),
            ("output_per.0.weight", &[1, 4]),
            ("output_per.0.bias", &[1]),
            ("output_per.10.weight", &[1, 4]),
            ("output_per.10.bias", &[1]),
            ("output_per.2.weight", &[1, 4]),
            ("output_per.2.bias", &[1]),
        ]);
        let usual = to_usual(theirs);
        let names: Vec<&str> = usual.keys().map(String::as_str).collect();
        let expected = [
            "att_conv2.weight",
            "att_layer4.0.bn1.bias",
            "conv1.weight",
            "fc.bias",
            "fc.weight",
        ];
        assert_eq!(names, expected);
        // By their numbers, not by their letters.
        let bias: Vec<f32> = usual["fc.bias"].iter::<f32>().collect();
        assert_eq!(bias, [4.0, 8.0, 6.0]);
        assert_eq!(usual["fc.weight"].shape()[..], [3, 4]);
        let again = from_usual(usual, 3);
        assert_eq!(again["output_per.1.bias"].iter::<f32>().next(), Some(8.0));
        assert_eq!(again["output_per.2.weight"].shape()[..], [1, 4]);
        assert!(again.contains_key("layer4_att.0.bn1.bias") && !again.contains_key("fc.bias"));
    }

    #[test]
    fn rows_that_do_not_fit_make_no_layer() {
        let odd = checkpoint(&[
            ("output_per.0.weight", &[1, 4]),
            ("output_per.1.weight", &[1, 5]),
        ]);
        assert!(to_usual(odd).is_empty());
        let numbers = checkpoint(&[("output_per.x.weight", &[1, 4])]);
        assert!(to_usual(numbers).contains_key("output_per.x.weight"));
        let plain = checkpoint(&[("fc.weight", &[2, 4])]);
        assert_eq!(to_usual(plain.clone()), plain);
    }
}
