//! A check of the measures themselves (MetaQuantus, Hedström et al. 2023): what is hardly changed
//! must hardly be judged otherwise, what is destroyed must be judged worse. And two things that a
//! reader should know of a measure: whether others agree with it, and how often a Gaussian in the
//! middle of the image, which knows nothing of the network, pleases it better.

use std::collections::BTreeMap;

use abn_core::explain::{AttentionMap, Method, rank_correlation};
use serde::Serialize;

use super::{Better, Examined, Metric, Row};
use crate::bootstrap::{Interval, bootstrap};

/// Seed of the resamples.
const SEED: u64 = 2023;
/// Change by a nudge, as a share of the spread over images, that a measure may show.
const CALM: f64 = 0.25;

/// What is known of one measure.
#[derive(Debug, Clone, Serialize)]
pub struct Reliability {
    /// Which.
    pub metric: Metric,
    /// Mean change by noise of a fiftieth of the map's range, as a share of the measure's standard
    /// deviation over images.
    pub nudged: f64,
    /// Share of the images, ties counted half, of which the map is judged worse once its values lie
    /// in random places; half is chance.
    pub wrecked: Interval,
    /// Share of the images in which a Gaussian is judged better than the map, if it was measured.
    pub prefers_centre: Option<Interval>,
    /// Mean rank correlation with the other measures of the order in which they put the methods,
    /// image by image; `None` for fewer than three methods.
    pub agreement: Option<f64>,
    /// Whether it bears a nudge and sees a wreck.
    pub believed: bool,
}

/// The check of each measure that says which way is better, if the maps were changed for it.
pub(super) fn reliabilities(methods: &[Method], images: &[Examined]) -> Vec<Reliability> {
    let measures = Metric::ALL.into_iter();
    let judged = measures.filter_map(|metric| sign(metric).map(|sign| (metric, sign)));
    let agreements = agreements(methods, images);
    judged
        .filter_map(|(metric, sign)| of(metric, sign, methods, images, &agreements))
        .collect()
}

fn sign(metric: Metric) -> Option<f64> {
    match metric.better() {
        Better::More => Some(1.0),
        Better::Less => Some(-1.0),
        Better::Neither => None,
    }
}

fn of(
    metric: Metric,
    sign: f64,
    methods: &[Method],
    images: &[Examined],
    agreements: &BTreeMap<Metric, f64>,
) -> Option<Reliability> {
    let own = |image: &Examined| image.rows.first()?.values.get(&metric).copied();
    let checked = images.iter().filter_map(|image| {
        let checked = image.checked.as_ref()?;
        let nudged = checked.nudged.get(&metric).copied()?;
        let wrecked = checked.wrecked.get(&metric).copied()?;
        Some((own(image)?, nudged, wrecked))
    });
    let checked: Vec<(f64, f64, f64)> = checked.collect();
    let count = checked.len() as f64;
    let mean = checked.iter().map(|(own, ..)| own).sum::<f64>() / count;
    let squares = checked.iter().map(|(own, ..)| (own - mean).powi(2));
    let spread = (squares.sum::<f64>() / count).sqrt();
    let change = checked.iter().map(|(own, nudged, _)| (own - nudged).abs());
    let change = change.sum::<f64>() / count;
    let win = |difference: f64| match difference.total_cmp(&0.0) {
        _ if difference == 0.0 => 0.5,
        std::cmp::Ordering::Greater => 1.0,
        _ => 0.0,
    };
    let worse: Vec<f64> = checked
        .iter()
        .map(|(own, _, wrecked)| win(sign * (own - wrecked)))
        .collect();
    let wrecked = bootstrap(&worse, SEED)?;
    let centre = methods.iter().position(|method| *method == Method::Centre);
    let preferred = centre.filter(|centre| *centre > 0).and_then(|centre| {
        let better: Vec<f64> = images
            .iter()
            .filter_map(|image| {
                let centre = image.rows.get(centre)?.values.get(&metric)?;
                Some(win(sign * (centre - own(image)?)))
            })
            .collect();
        bootstrap(&better, SEED)
    });
    let nudged = if spread > 0.0 { change / spread } else { 0.0 };
    Some(Reliability {
        metric,
        nudged,
        wrecked,
        prefers_centre: preferred,
        agreement: agreements.get(&metric).copied(),
        believed: spread > 0.0 && nudged < CALM && wrecked.low > 0.5,
    })
}

/// For each measure the mean over the others of the rank correlation of the orders in which both
/// put the methods, over all images where both do.
fn agreements(methods: &[Method], images: &[Examined]) -> BTreeMap<Metric, f64> {
    let mut sums: BTreeMap<(Metric, Metric), (f64, usize)> = BTreeMap::new();
    if methods.len() < 3 {
        return BTreeMap::new();
    }
    for image in images {
        let orders: Vec<(Metric, AttentionMap)> = Metric::ALL
            .into_iter()
            .filter_map(|metric| Some((metric, order(image, metric, methods.len())?)))
            .collect();
        for (place, (one, first)) in orders.iter().enumerate() {
            for (other, second) in &orders[..place] {
                if let Some(correlation) = rank_correlation(first, second) {
                    let sum = sums.entry((*one, *other)).or_default();
                    *sum = (sum.0 + correlation, sum.1 + 1);
                }
            }
        }
    }
    let of = |metric: Metric| {
        let pairs = sums
            .iter()
            .filter(|((one, other), _)| *one == metric || *other == metric);
        let means: Vec<f64> = pairs.map(|(_, (sum, count))| sum / *count as f64).collect();
        (!means.is_empty()).then(|| (metric, means.iter().sum::<f64>() / means.len() as f64))
    };
    Metric::ALL.into_iter().filter_map(of).collect()
}

/// The methods in a row, as high as a measure puts them; `None` if it is not defined for all.
fn order(image: &Examined, metric: Metric, methods: usize) -> Option<AttentionMap> {
    let sign = sign(metric)?;
    let value = |row: &Row| Some((sign * row.values.get(&metric)?) as f32);
    let values: Option<Vec<f32>> = image.rows.iter().map(value).collect();
    AttentionMap::new(1, methods, values?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Checked;

    fn image(own: [f64; 3], nudged: f64, wrecked: f64) -> Examined {
        let row = |method, insertion: f64| Row {
            image: 0,
            label: 0,
            predicted: 0,
            class: 0,
            probability: 1.0,
            method,
            values: BTreeMap::from([
                (Metric::Insertion, insertion),
                (Metric::Deletion, 1.0 - insertion),
                (Metric::Auc, -insertion),
            ]),
            cascade: Vec::new(),
        };
        let changed = |value| BTreeMap::from([(Metric::Insertion, value)]);
        Examined {
            rows: [Method::Attention, Method::GradCam, Method::Centre]
                .into_iter()
                .zip(own)
                .map(|(method, value)| row(method, value))
                .collect(),
            checked: Some(Checked {
                nudged: changed(nudged),
                wrecked: changed(wrecked),
            }),
            ..Examined::default()
        }
    }

    #[test]
    fn a_measure_is_believed_if_it_bears_a_nudge_and_sees_a_wreck() {
        let methods = [Method::Attention, Method::GradCam, Method::Centre];
        let good: Vec<Examined> = (0..40)
            .map(|number| {
                let own = 0.5 + 0.01 * f64::from(number);
                image([own, 0.4, 0.95], own + 0.001, own - 0.3)
            })
            .collect();
        let found = reliabilities(&methods, &good);
        let [insertion] = &found[..] else {
            panic!("{found:?}");
        };
        assert!(insertion.believed, "{insertion:?}");
        assert_eq!(insertion.wrecked.mean, 1.0);
        // The Gaussian has 0.95 throughout, the map 0.5 to 0.89.
        assert_eq!(insertion.prefers_centre.unwrap().mean, 1.0);
        // Deletion agrees wholly, AUC disagrees wholly.
        assert!(insertion.agreement.unwrap().abs() < 1e-12);
        let blind: Vec<Examined> = (0..40)
            .map(|number| {
                let own = 0.5 + 0.01 * f64::from(number);
                image([own, 0.4, 0.3], own, own)
            })
            .collect();
        let found = reliabilities(&methods, &blind);
        assert!(!found[0].believed && found[0].wrecked.mean == 0.5);
        let restless: Vec<Examined> = (0..40)
            .map(|number| {
                let own = 0.5 + 0.01 * f64::from(number);
                image([own, 0.4, 0.3], own + 0.2, own - 0.3)
            })
            .collect();
        assert!(!reliabilities(&methods, &restless)[0].believed);
    }
}
