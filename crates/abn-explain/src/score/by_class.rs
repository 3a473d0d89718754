//! Classes whose trained map is inverted: dark on the object, or against the order of Grad-CAM.

use abn_core::explain::Method;
use abn_run::measure::inverted::{ImageMean, inverted};
use serde::Serialize;

use super::{Examined, Metric};

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
    /// Whether the map is inverted for certain: an AUC below 1/2, or where no objects are known a
    /// negative correlation with Grad-CAM.
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
            ImageMean::of(own().filter_map(|row| row.values.get(&metric).copied()))
        };
        let (auc, like_grad_cam) = (mean(Metric::Auc), mean(Metric::LikeGradCam));
        let images = own().count();
        (images > 0).then_some(ClassMaps {
            class,
            images,
            auc: auc.mean(),
            like_grad_cam: like_grad_cam.mean(),
            inverted: inverted(&auc, &like_grad_cam).is_some(),
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
        let many = |class: usize, metric: Metric, values: [f64; 2]| {
            let values = values.repeat(4).into_iter();
            values.map(move |value| image(class, metric, value))
        };
        let mut images: Vec<Examined> = many(0, Metric::Auc, [0.3, 0.5]).collect();
        images.extend(many(2, Metric::Auc, [0.9, 0.4]));
        images.extend(many(3, Metric::LikeGradCam, [-0.2, -0.4]));
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
