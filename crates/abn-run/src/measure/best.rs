//! Which figure of the held-out images decides which epoch is the best.

use abn_data::Labels;
use serde::{Deserialize, Serialize};

use super::attributes::are_attributes;
use super::records::Figures;
use crate::recipe::RecipeError;

/// A figure that an epoch is chosen by: more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum BestFigure {
    /// Top-1, of several labels its mean
    Top1,
    /// Mean of the labels' accuracies
    MeanAccuracy,
    /// Mean of the labels' balanced accuracies
    Balanced,
    /// Mean of the labels' average precisions
    Map,
}

impl BestFigure {
    /// Its name as it is typed and written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Top1 => "top1",
            Self::MeanAccuracy => "mean-accuracy",
            Self::Balanced => "balanced",
            Self::Map => "map",
        }
    }

    /// The same where a run of these labels must say it: the mean accuracy of labels of two classes
    /// is their mean top-1, which is what every run is chosen by unless it says otherwise.
    ///
    /// # Errors
    /// Labels of more than two classes, or a single one, have no such figure.
    pub fn of_labels(self, labels: &Labels) -> Result<Option<Self>, RecipeError> {
        match self {
            Self::Top1 => Ok(None),
            _ if !are_attributes(labels) => Err(RecipeError::range(
                "best",
                format!(
                    "top1 or left out: {} is a figure of several labels of two classes each, and \
                     this data set has {}",
                    self.name(),
                    labels.title()
                ),
            )),
            Self::MeanAccuracy => Ok(None),
            Self::Balanced | Self::Map => Ok(Some(self)),
        }
    }
}

impl Figures {
    /// The figure that decides which epoch is the best, where the run says another than the
    /// [usual](Self::best) one; `None` where it is not defined, which is never the best.
    pub fn best_by(&self, figure: Option<BestFigure>) -> Option<f64> {
        let attributes = self.attributes();
        match figure {
            Some(BestFigure::Balanced) => attributes?.balanced_accuracy,
            Some(BestFigure::Map) => attributes?.mean_average_precision,
            Some(BestFigure::Top1 | BestFigure::MeanAccuracy) | None => self.best(),
        }
    }

    /// What that figure is called.
    pub fn best_name_by(&self, figure: Option<BestFigure>) -> &'static str {
        match figure {
            Some(BestFigure::Balanced) => "balanced",
            Some(BestFigure::Map) => "mAP",
            Some(BestFigure::Top1 | BestFigure::MeanAccuracy) | None => self.best_name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use abn_data::Group;

    use super::*;
    use crate::measure::attributes::{Attributes, Counts, Scores};

    fn labels(sizes: &[usize]) -> Labels {
        let classes = |count: &usize| (0..*count).map(|class| class.to_string()).collect();
        let groups = sizes.iter().enumerate();
        let group = |(number, count): (usize, &usize)| Group {
            name: format!("label {number}"),
            classes: classes(count),
        };
        Labels::of(groups.map(group).collect())
    }

    #[test]
    fn only_what_is_not_usual_is_said() {
        let attributes = labels(&[2, 2]);
        let said = |figure: BestFigure| figure.of_labels(&attributes).unwrap();
        assert_eq!(said(BestFigure::Top1), None);
        assert_eq!(said(BestFigure::MeanAccuracy), None);
        assert_eq!(said(BestFigure::Map), Some(BestFigure::Map));
        assert_eq!(said(BestFigure::Balanced), Some(BestFigure::Balanced));
    }

    #[test]
    fn labels_of_more_classes_have_no_such_figure() {
        for labels in [labels(&[2]), labels(&[2, 3])] {
            assert_eq!(BestFigure::Top1.of_labels(&labels).unwrap(), None);
            let others = [
                BestFigure::MeanAccuracy,
                BestFigure::Balanced,
                BestFigure::Map,
            ];
            for figure in others {
                let error = figure.of_labels(&labels).unwrap_err().to_string();
                let expected = format!("best must be top1 or left out: {}", figure.name());
                assert!(error.starts_with(&expected), "{error}");
            }
        }
    }

    #[test]
    fn what_is_not_defined_is_no_figure() {
        // Present nowhere, so that there is no precision to average.
        let counts = Counts {
            images: 4,
            right: 3,
            positive: 0,
            found: 0,
        };
        let found = Attributes::of([("never", counts)].into_iter(), 4);
        let figures = Figures::Labels {
            mean_top1: 0.75,
            all_right: 0.75,
            groups: Vec::new(),
            attributes: Some(found.with(&[Scores::default()])),
        };
        assert_eq!(figures.best_by(None), Some(0.75));
        assert_eq!(figures.best_by(Some(BestFigure::Map)), None);
        assert_eq!(figures.best_by(Some(BestFigure::Balanced)), None);
        assert_eq!(figures.best_name_by(Some(BestFigure::Map)), "mAP");
    }
}
