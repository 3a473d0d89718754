//! The maps of one image as numbers, for scripts: a file beside the page that the page links.

use abn_core::explain::{AttentionMap, Layer, Method};
use serde::{Serialize, Serializer};

use crate::explanations::MethodMaps;

/// The maps as computed, before they are normalised, in full precision.
///
/// ```json
/// {"path": "cat.png", "class": 3, "label": "cat", "layer": "refined",
///  "maps": {"cam": {"height": 8, "width": 8, "values": [...]}, "grad-cam": {...}}}
/// ```
///
/// With a trained map among them its three fields stand outside as well, where they were when it
/// was the only one.
#[derive(Debug, Serialize)]
pub struct RawMaps<'a> {
    path: &'a str,
    /// The class that the maps are of.
    class: usize,
    label: &'a str,
    /// Where Grad-CAM and Grad-CAM++ looked.
    layer: Layer,
    #[serde(flatten)]
    attention: Option<&'a AttentionMap>,
    #[serde(serialize_with = "by_name")]
    maps: &'a [MethodMaps],
}

impl<'a> RawMaps<'a> {
    /// The maps of the class of that number and name, in the image at `path`.
    pub fn new(
        path: &'a str,
        (class, label): (usize, &'a str),
        layer: Layer,
        maps: &'a [MethodMaps],
    ) -> Self {
        let attention = maps.iter().find(|maps| maps.method == Method::Attention);
        Self {
            path,
            class,
            label,
            layer,
            attention: attention.map(|maps| &maps.maps.raw),
            maps,
        }
    }
}

/// The maps of every label of an image.
#[derive(Debug, Serialize)]
pub struct RawLabels<'a> {
    path: &'a str,
    /// Where Grad-CAM and Grad-CAM++ looked.
    layer: Layer,
    labels: Vec<RawLabel<'a>>,
}

#[derive(Debug, Serialize)]
struct RawLabel<'a> {
    name: &'a str,
    /// The class that the maps are of, counted through all labels.
    class: usize,
    #[serde(serialize_with = "by_name")]
    maps: &'a [MethodMaps],
}

impl<'a> RawLabels<'a> {
    /// The maps in the image at `path`, as many of each label: whose class has that number.
    pub fn new(
        path: &'a str,
        layer: Layer,
        labels: &'a [(String, usize)],
        maps: &'a [MethodMaps],
    ) -> Self {
        let each = (maps.len() / labels.len().max(1)).max(1);
        let of_labels = labels.iter().zip(maps.chunks(each));
        let of_label = |((name, class), maps): (&'a (String, usize), &'a [MethodMaps])| RawLabel {
            name,
            class: *class,
            maps,
        };
        Self {
            path,
            layer,
            labels: of_labels.map(of_label).collect(),
        }
    }
}

/// An object by the names that are typed, in the order asked for.
fn by_name<S: Serializer>(maps: &&[MethodMaps], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(maps.iter().map(|maps| (maps.method.name(), &maps.maps.raw)))
}

#[cfg(test)]
mod tests {
    use abn_core::explain::Explanation;

    use super::*;

    fn maps(method: Method, value: f32) -> MethodMaps {
        let raw = AttentionMap::new(1, 1, vec![value]).unwrap();
        MethodMaps {
            method,
            label: None,
            maps: Explanation {
                normalized: raw.clone().normalized(),
                raw,
            },
        }
    }

    #[test]
    fn the_form_that_scripts_read() {
        let cam = [maps(Method::GradCam, 0.1), maps(Method::Attention, 0.5)];
        let json = |maps| {
            serde_json::to_string(&RawMaps::new("a.png", (3, "cat"), Layer::Features, maps))
                .unwrap()
        };
        assert_eq!(
            json(&cam),
            concat!(
                r#"{"path":"a.png","class":3,"label":"cat","layer":"features","height":1,"width":1,"values":[0.5],"#,
                r#""maps":{"grad-cam":{"height":1,"width":1,"values":[0.1]},"attention":{"height":1,"width":1,"values":[0.5]}}}"#
            )
        );
        assert_eq!(
            json(&cam[..1]),
            r#"{"path":"a.png","class":3,"label":"cat","layer":"features","maps":{"grad-cam":{"height":1,"width":1,"values":[0.1]}}}"#
        );
    }
}
