//! How sure the figures of several labels are.

use abn_run::measure::records::Figures;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::bootstrap::{Interval, around};

/// Resamples.
const RESAMPLES: usize = 1000;
/// Seed of the resamples.
const SEED: u64 = 1;

/// The figures of several labels of any number of classes with their 95 % intervals, by a bootstrap
/// over images: whoever is drawn is drawn with all its labels.
#[derive(Debug, Clone, Serialize)]
pub struct GroupIntervals {
    /// Mean of the labels' top-1.
    pub mean_top1: Option<Interval>,
    /// Fraction of the images whose labels are all told rightly.
    pub all_right: Option<Interval>,
    /// Label by label.
    pub groups: Vec<GroupInterval>,
}

/// The figure of one label.
#[derive(Debug, Clone, Serialize)]
pub struct GroupInterval {
    /// What the label is about.
    pub name: String,
    /// Fraction of the images told rightly.
    pub top1: Option<Interval>,
}

/// The intervals around what was found of images of which each label is told rightly, wrongly, or
/// is not known; `None` of one label.
pub fn group_intervals(found: &Figures, right: &[Vec<Option<bool>>]) -> Option<GroupIntervals> {
    let Figures::Labels {
        mean_top1,
        all_right,
        groups,
        ..
    } = found
    else {
        return None;
    };
    let mut of_groups = vec![Vec::new(); groups.len()];
    let [mut of_mean, mut of_all] = [const { Vec::new() }; 2];
    let mut random = Pcg64::seed_from_u64(SEED);
    for _ in 0..RESAMPLES {
        let mut draw = || &right[random.random_range(0..right.len())];
        let drawn: Vec<&Vec<Option<bool>>> = (0..right.len()).map(|_| draw()).collect();
        let of_group = |group: usize| share(drawn.iter().filter_map(|labels| labels[group]));
        let top1: Vec<Option<f64>> = (0..groups.len()).map(of_group).collect();
        let known: Vec<f64> = top1.iter().flatten().copied().collect();
        for (values, value) in of_groups.iter_mut().zip(top1) {
            values.extend(value);
        }
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        of_mean.extend((!known.is_empty()).then_some(mean));
        let together = |labels: &&Vec<Option<bool>>| labels.iter().flatten().all(|right| *right);
        of_all.extend(share(drawn.iter().map(together)));
    }
    Some(GroupIntervals {
        mean_top1: around(Some(*mean_top1), of_mean),
        all_right: around(Some(*all_right), of_all),
        groups: groups
            .iter()
            .zip(of_groups)
            .map(|(group, resampled)| GroupInterval {
                name: group.name.clone(),
                top1: around(Some(group.hits.top1), resampled),
            })
            .collect(),
    })
}

/// How many of these are so; `None` of nothing.
fn share(values: impl Iterator<Item = bool>) -> Option<f64> {
    let (mut all, mut so) = (0, 0);
    for value in values {
        all += 1;
        so += usize::from(value);
    }
    (all > 0).then(|| so as f64 / f64::from(all))
}

#[cfg(test)]
mod tests {
    use abn_run::measure::records::{GroupFigures, Hits};

    use super::*;

    fn figures(mean_top1: f64, all_right: f64, groups: [(&str, f64); 2]) -> Figures {
        let group = |(name, top1): (&str, f64)| GroupFigures {
            name: name.to_owned(),
            hits: Hits { top1, top5: 1.0 },
        };
        Figures::Labels {
            mean_top1,
            all_right,
            groups: groups.map(group).into(),
            attributes: None,
        }
    }

    /// 400 images: the first label right in half of them, the second always, and not known of a
    /// quarter.
    #[test]
    fn intervals_are_those_of_the_normal_distribution() {
        let image = |image: usize| {
            vec![
                Some(image.is_multiple_of(2)),
                (image >= 100).then_some(true),
            ]
        };
        let right: Vec<_> = (0..400).map(image).collect();
        let found = figures(0.75, 0.5, [("half", 0.5), ("all", 1.0)]);
        let intervals = group_intervals(&found, &right).unwrap();
        let half = intervals.groups[0].top1.unwrap();
        // The standard error is 0.025.
        assert!((half.low - 0.451).abs() < 0.008 && (half.high - 0.549).abs() < 0.008);
        assert_eq!(intervals.all_right, Some(half));
        let all = intervals.groups[1].top1.unwrap();
        assert_eq!((all.low, all.high), (1.0, 1.0));
        let mean = intervals.mean_top1.unwrap();
        assert!((mean.low - 0.7255).abs() < 0.004 && (mean.high - 0.7745).abs() < 0.004);
    }

    #[test]
    fn one_label_or_no_image_has_none() {
        let hits = Hits {
            top1: 1.0,
            top5: 1.0,
        };
        assert!(group_intervals(&Figures::Label(hits), &[]).is_none());
        let found = figures(0.0, 0.0, [("a", 0.0), ("b", 0.0)]);
        let intervals = group_intervals(&found, &[]).unwrap();
        assert!(intervals.all_right.is_none() && intervals.groups[0].top1.is_none());
    }
}
