//! How well the maps of a network explain it, beside Grad-CAM of the same network and a Gaussian in
//! the middle: the lead of the trained map, image by image, so that more is better by every
//! measure.

use std::collections::BTreeMap;

use abn_core::explain::{Layer, Method};
use abn_data::{Collection, Loader};
use abn_explain::bootstrap::{Crossed, crossed};
use abn_explain::score::{Better, ClassChoice, Examiner, Metric, Plan};
use abn_run::images::plain_loader;
use abn_run::session::Session;
use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::size::CampaignSize;
use crate::statistics::{holm, of_images, of_runs};

/// The measures of faithfulness, of truth, and of localisation.
const MEASURES: [Metric; 7] = [
    Metric::Road,
    Metric::Insertion,
    Metric::Deletion,
    Metric::Intervention,
    Metric::Pointing,
    Metric::Iou,
    Metric::Auc,
];
/// What is compared: the trained map first.
const METHODS: [Method; 3] = [Method::Attention, Method::GradCam, Method::Centre];
/// Images at a time.
const BATCH: usize = 8;
/// Resamples are drawn alike for every cell, from this seed.
const SEED: u64 = 2026;
/// Chance of any wrong certainty in a whole table, after Holm's correction.
const LEVEL: f64 = 0.05;

/// What a map is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rival {
    /// Grad-CAM of the same network.
    GradCam,
    /// A Gaussian in the middle of the image.
    Centre,
}

impl Rival {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::GradCam, Self::Centre];

    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GradCam => "Grad-CAM",
            Self::Centre => "a Gaussian",
        }
    }

    /// Its place among the methods.
    fn place(self) -> usize {
        match self {
            Self::GradCam => 1,
            Self::Centre => 2,
        }
    }
}

/// The leads of one run's map: by measure and rival a value an image, absent where the measure is
/// not defined for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Explained {
    leads: Vec<MeasuredLeads>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasuredLeads {
    measure: Metric,
    over: Rival,
    images: Vec<Option<f64>>,
}

impl Explained {
    /// Measures the first test images, as many as the scale is given: the predicted class is
    /// explained, Grad-CAM looks at the refined features.
    ///
    /// # Errors
    /// The network has no map, or a sample cannot be read.
    pub(crate) fn measure(
        session: &Session,
        test: &Collection,
        scale: CampaignSize,
    ) -> Result<Self> {
        let (images, steps) = scale.pick((2, 2), (100, 10), (500, 20));
        let test = test.clone().limit(images);
        let plan = Plan {
            weights: session.digest.clone(),
            images: String::new(),
            objects: None,
            methods: METHODS.to_vec(),
            layer: Layer::default(),
            class: ClassChoice::Predicted,
            group: None,
            steps,
            randomised: 0,
            files: None,
            fine_tuned: None,
            check: false,
        };
        let examiner =
            Examiner::new(session, &plan)?.with_interventions(test.interventions.clone());
        let loader = Loader {
            batch_size: BATCH,
            ..plain_loader(&session.config, &test, 1)
        };
        let mut examined = Vec::new();
        for batch in loader.epoch(0, 0) {
            examined.extend(examiner.examine(&batch?)?);
        }
        let mut leads = Vec::new();
        for measure in MEASURES {
            let sign = match measure.better() {
                Better::Less => -1.0,
                Better::More | Better::Neither => 1.0,
            };
            for over in Rival::ALL {
                let images = examined.iter().map(|image| {
                    let of = |place: usize| image.rows.get(place)?.values.get(&measure).copied();
                    Some(sign * (of(0)? - of(over.place())?))
                });
                leads.push(MeasuredLeads {
                    measure,
                    over,
                    images: images.collect(),
                });
            }
        }
        Ok(Self { leads })
    }
}

/// The lead of a row's maps by one measure, in points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lead {
    /// The measure.
    pub(crate) measure: Metric,
    /// Over what.
    pub(crate) over: Rival,
    /// Mean with its 95 % interval (bootstrap over runs and images).
    pub(crate) mean: f64,
    /// Lower end.
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
    /// Runs whose mean is ahead.
    pub(crate) ahead: usize,
    /// Runs measured.
    pub(crate) runs: usize,
    /// Whether its sign is certain among all leads of the table (Holm 1979), for other trainings
    /// and other images.
    pub(crate) certain: bool,
    /// How probable a lead so far from 0 were by chance: of the runs, and of the images.
    chance: f64,
}

/// The leads of the runs of a row; those that are not defined for any image are left out.
pub(crate) fn leads(runs: &[Explained]) -> Vec<Lead> {
    let mut values: BTreeMap<(Metric, Rival), Vec<Vec<Option<f64>>>> = BTreeMap::new();
    for of in runs.iter().flat_map(|run| &run.leads) {
        let images = of.images.iter().map(|lead| lead.map(|lead| 100.0 * lead));
        let key = (of.measure, of.over);
        values.entry(key).or_default().push(images.collect());
    }
    let of_measure = |measure: Metric, over: Rival| {
        let runs = values.get(&(measure, over))?;
        let Crossed {
            interval,
            deviation,
        } = crossed(runs, SEED)?;
        let means: Vec<f64> = runs.iter().filter_map(|run| mean(run)).collect();
        Some(Lead {
            measure,
            over,
            mean: interval.mean,
            low: interval.low,
            high: interval.high,
            ahead: means.iter().filter(|mean| **mean > 0.0).count(),
            runs: means.len(),
            certain: false,
            chance: of_runs(&means).max(of_images(interval.mean, deviation)),
        })
    };
    let measures = MEASURES.into_iter();
    let each = measures.flat_map(|measure| Rival::ALL.map(|over| of_measure(measure, over)));
    each.flatten().collect()
}

/// Mean over the images for which a measure is defined.
fn mean(images: &[Option<f64>]) -> Option<f64> {
    let known: Vec<f64> = images.iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Says which of the leads of a table are certain.
pub(crate) fn judge(leads: &mut [&mut Lead]) {
    let chances: Vec<f64> = leads.iter().map(|lead| lead.chance).collect();
    for (lead, certain) in leads.iter_mut().zip(holm(&chances, LEVEL)) {
        lead.certain = certain;
    }
}

impl Lead {
    /// What a column of it is called.
    pub(crate) fn heading(measure: Metric, over: Rival) -> String {
        format!("{} over {}", measure.name(), over.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(road: &[f64]) -> Explained {
        Explained {
            leads: vec![MeasuredLeads {
                measure: Metric::Road,
                over: Rival::GradCam,
                images: road.iter().copied().map(Some).chain([None]).collect(),
            }],
        }
    }

    #[test]
    fn leads_are_points_and_count_the_runs_ahead() {
        let found = leads(&[run(&[0.01, 0.03]), run(&[-0.02, 0.0])]);
        assert_eq!(found.len(), 1);
        let lead = &found[0];
        assert!((lead.mean - 0.5).abs() < 1e-9, "{lead:?}");
        assert_eq!((lead.ahead, lead.runs), (1, 2));
        assert!(lead.low < lead.mean && lead.mean < lead.high);
        assert!(leads(&[]).is_empty());
    }

    /// Three runs whose means are 1.1, 1.2 and 1.3: t is 20.8, a chance of 0.0023. Alone that is
    /// certain, beside thirty others it is not.
    #[test]
    fn a_lead_is_certain_only_among_all() {
        let lead = || {
            let runs = [0.011, 0.012, 0.013].map(|mean| {
                let images = (0..60).map(|image| mean + f64::from(image % 3 - 1) * 1e-3);
                run(&images.collect::<Vec<f64>>())
            });
            leads(&runs)
        };
        let mut alone = lead();
        judge(&mut alone.iter_mut().collect::<Vec<_>>());
        assert!(alone[0].certain, "{alone:?}");
        let mut many: Vec<Lead> = (0..31).flat_map(|_| lead()).collect();
        judge(&mut many.iter_mut().collect::<Vec<_>>());
        assert!(many.iter().all(|lead| !lead.certain));
        let mut lone = leads(&[run(&[0.01, 0.02, 0.03])]);
        judge(&mut lone.iter_mut().collect::<Vec<_>>());
        assert!(!lone[0].certain, "one training says nothing of another");
    }
}
