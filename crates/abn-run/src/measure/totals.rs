//! Sums over images, exact to save and to continue.

use serde::{Deserialize, Serialize};

use super::objects::DetectionLosses;

/// Rank that still counts as found in top-5.
pub(super) const TOP: usize = 5;

/// Sums over images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Totals {
    /// Images so far.
    pub(super) images: usize,
    /// Sum of the perception losses.
    pub(super) perception: f64,
    /// Sum of the attention losses, if there is a branch.
    pub(super) attention: Option<f64>,
    /// Sum of what was asked of the maps, if something was.
    pub(super) maps: Option<f64>,
    /// Images whose labels are all told rightly.
    pub(super) all_right: usize,
    /// Label by label; empty before the first image.
    pub(super) groups: Vec<GroupTotals>,
    /// Sums of a detector's losses; of a classifier nothing.
    pub(super) detection: Option<DetectionLosses>,
}

/// Images whose right class of one label is among the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupTotals {
    pub(super) top1: usize,
    pub(super) top5: usize,
    /// Images of which the label is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) unknown: usize,
    /// Images of the second class, of a label of two.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) positive: usize,
    /// Those of them that are told rightly.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) found: usize,
}

/// Whether nothing was counted, as for most labels.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl GroupTotals {
    fn plus(&mut self, other: &Self) {
        let Self {
            top1,
            top5,
            unknown,
            positive,
            found,
        } = other;
        self.top1 += top1;
        self.top5 += top5;
        self.unknown += unknown;
        self.positive += positive;
        self.found += found;
    }
}

impl Totals {
    /// Images so far.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Adds what is summed over other images of the same task.
    pub fn plus(&mut self, other: &Self) {
        let add = |sum: &mut Option<f64>, other: Option<f64>| {
            if let Some(other) = other {
                *sum.get_or_insert(0.0) += other;
            }
        };
        self.images += other.images;
        self.perception += other.perception;
        add(&mut self.attention, other.attention);
        add(&mut self.maps, other.maps);
        self.all_right += other.all_right;
        if self.groups.len() < other.groups.len() {
            self.groups
                .resize(other.groups.len(), GroupTotals::default());
        }
        for (own, other) in self.groups.iter_mut().zip(&other.groups) {
            own.plus(other);
        }
        if let Some(other) = &other.detection {
            let own = self.detection.unwrap_or_default();
            self.detection = Some(own.plus(other, 1.0));
        }
    }

    /// Images, counting of each the share of its labels that is known.
    pub(super) fn labelled(&self) -> f64 {
        let unknown: usize = self.groups.iter().map(|group| group.unknown).sum();
        self.images as f64 - unknown as f64 / self.groups.len().max(1) as f64
    }
}

/// The sums as a manifest has them: of one label an image as ever, of several with a list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Label(LabelTotals),
    Labels(LabelsTotals),
    Objects(ObjectsTotals),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectsTotals {
    images: usize,
    attention: Option<f64>,
    detection: DetectionLosses,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelTotals {
    images: usize,
    perception: f64,
    attention: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maps: Option<f64>,
    top1: usize,
    top5: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsTotals {
    images: usize,
    perception: f64,
    attention: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maps: Option<f64>,
    all_right: usize,
    groups: Vec<GroupTotals>,
}

impl From<Stored> for Totals {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Label(LabelTotals { images: 0, .. }) => Self::default(),
            Stored::Label(LabelTotals {
                images,
                perception,
                attention,
                maps,
                top1,
                top5,
            }) => Self {
                images,
                perception,
                attention,
                maps,
                all_right: top1,
                groups: vec![GroupTotals {
                    top1,
                    top5,
                    ..GroupTotals::default()
                }],
                detection: None,
            },
            Stored::Objects(ObjectsTotals {
                images,
                attention,
                detection,
            }) => Self {
                images,
                attention,
                detection: Some(detection),
                ..Self::default()
            },
            Stored::Labels(LabelsTotals {
                images,
                perception,
                attention,
                maps,
                all_right,
                groups,
            }) => Self {
                images,
                perception,
                attention,
                maps,
                all_right,
                groups,
                detection: None,
            },
        }
    }
}

impl From<Totals> for Stored {
    fn from(totals: Totals) -> Self {
        let Totals {
            images,
            perception,
            attention,
            maps,
            all_right,
            groups,
            detection,
        } = totals;
        if let Some(detection) = detection {
            return Self::Objects(ObjectsTotals {
                images,
                attention,
                detection,
            });
        }
        match groups[..] {
            [] | [_] => {
                let GroupTotals { top1, top5, .. } = groups.first().copied().unwrap_or_default();
                Self::Label(LabelTotals {
                    images,
                    perception,
                    attention,
                    maps,
                    top1,
                    top5,
                })
            }
            _ => Self::Labels(LabelsTotals {
                images,
                perception,
                attention,
                maps,
                all_right,
                groups,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_stored_as_ever_and_come_back() {
        let line = r#"{"images":2,"perception":1.5,"attention":null,"top1":1,"top5":2}"#;
        let totals: Totals = serde_json::from_str(line).unwrap();
        assert_eq!(
            (totals.images, totals.all_right, totals.groups.len()),
            (2, 1, 1)
        );
        assert_eq!(serde_json::to_string(&totals).unwrap(), line);
        let none = r#"{"images":0,"perception":0.0,"attention":null,"top1":0,"top5":0}"#;
        assert_eq!(serde_json::to_string(&Totals::default()).unwrap(), none);
        assert_eq!(
            serde_json::from_str::<Totals>(none).unwrap(),
            Totals::default()
        );
        let several = Totals {
            all_right: 1,
            groups: vec![
                GroupTotals {
                    top1: 1,
                    top5: 2,
                    unknown: 1,
                    positive: 1,
                    found: 1
                };
                2
            ],
            ..totals
        };
        let detected = Totals {
            images: 3,
            attention: Some(0.5),
            detection: Some(DetectionLosses {
                classes: 1.0,
                boxes: 2.0,
                objectness: 3.0,
                proposals: 4.0,
                region_attention: Some(0.5),
            }),
            ..Totals::default()
        };
        let mut twice = detected.clone();
        twice.plus(&detected);
        let losses = twice.detection.unwrap();
        assert_eq!((twice.images, twice.attention), (6, Some(1.0)));
        assert_eq!((losses.boxes, losses.region_attention), (4.0, Some(1.0)));
        let mut both = Totals::default();
        both.plus(&several);
        assert_eq!(both, several);
        both.plus(&several);
        assert_eq!((both.all_right, both.groups[1].top5), (2, 4));
        for totals in [several, detected] {
            let text = serde_json::to_string(&totals).unwrap();
            assert_eq!(serde_json::from_str::<Totals>(&text).unwrap(), totals);
        }
    }
}
