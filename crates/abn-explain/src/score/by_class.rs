//! Classes whose trained map is inverted: dark on the object, or against the order of Grad-CAM.

use abn_core::explain::Method;
use serde::Serialize;

use super::{Examined, Metric};

/// Fewest images of a class of which that is said.
const FEWEST: usize = 3;

/// The trained map in the images of one class.
#[derive(Debug, Clone, Serialize)]
pub struct ClassMaps {
    /// The class, counted in the label that is explained.
    pub class: usize,
    /// Its images.
    pub images: usize,
    /// Mean AUC, where objects are known.
    pub auc: Option<f64>,
    /// Mean rank correlation with Grad-CAM.
    pub like_grad_cam: Option<f64>,
    /// Whether the map is inverted: an AUC below 1/2, or where no objects are known a negative
    /// correlation with Grad-CAM.
    pub inverted: bool,
}

/// The classes in order; none without a trained map.
pub(super) fn class_maps(images: &[Examined]) -> Vec<ClassMaps> {
    let rows = || {
        let rows = images.iter().flat_map(|image| &image.rows);
        rows.filter(|row| row.method == Method::Attention)
    };
    let Some(last) = rows().map(|row| row.label).max() else {
        return Vec::new();
    };
    let of_class = |class: usize| {
        let own = || rows().filter(move |row| row.label == class);
        let mean = |metric: Metric| {
            let values: Vec<f64> = own()
                .filter_map(|row| row.values.get(&metric).copied())
                .collect();
            let sum: f64 = values.iter().sum();
            (values.len() >= FEWEST).then(|| sum / values.len() as f64)
        };
        let (auc, like_grad_cam) = (mean(Metric::Auc), mean(Metric::LikeGradCam));
        let images = own().count();
        (images > 0).then_some(ClassMaps {
            class,
            images,
            auc,
            like_grad_cam,
            inverted: match (auc, like_grad_cam) {
                (Some(auc), _) => auc < 0.5,
                (None, Some(like)) => like < 0.0,
                (None, None) => false,
            },
        })
    };
    (0..=last).filter_map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::score::Row;

    fn image(label: usize, metric: Metric, value: f64) -> Examined {
        let row = Row {
            image: 0,
            label,
            predicted: label,
            class: label,
            probability: 1.0,
            method: Method::Attention,
            values: BTreeMap::from([(metric, value)]),
            cascade: Vec::new(),
        };
        Examined {
            rows: vec![row],
            ..Examined::default()
        }
    }

    #[test]
    fn a_class_is_inverted_by_its_mean() {
        let mut images: Vec<Examined> =
            [0.2, 0.4, 0.6].map(|auc| image(0, Metric::Auc, auc)).into();
        images.extend([0.9, 0.4, 0.6].map(|auc| image(2, Metric::Auc, auc)));
        images.extend([-0.2, -0.4, 0.1].map(|like| image(3, Metric::LikeGradCam, like)));
        images.push(image(4, Metric::Auc, 0.0));
        let found = class_maps(&images);
        let inverted: Vec<(usize, bool)> = found
            .iter()
            .map(|class| (class.class, class.inverted))
            .collect();
        assert_eq!(inverted, [(0, true), (2, false), (3, true), (4, false)]);
        assert!((found[0].auc.unwrap() - 0.4).abs() < 1e-12);
        assert!(class_maps(&[]).is_empty());
    }
}
