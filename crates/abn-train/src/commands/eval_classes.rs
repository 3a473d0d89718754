//! What `abn eval` tells of a label class by class: who is told rightly, who is confused with whom,
//! and whether the network knows when it is wrong.

use abn_explain::bootstrap::Interval;
use abn_explain::columns::columns;
use abn_run::measure::calibration::Bin;
use abn_run::measure::confusion::{ClassCounts, Pair};
use abn_run::measure::task::Told;
use anyhow::Result;
use serde::Serialize;

use super::predictions::record;
use super::{ends, percent};

/// Classes in a table on a terminal; of more the worst are shown.
const SHOWN: usize = 24;
/// Confused pairs in words.
const PAIRS: usize = 5;
/// Classes up to which the whole matrix is in the JSON.
const DENSE: usize = 1000;
/// Two-sided 95 % of a normal distribution.
const DEVIATIONS: f64 = 1.959_963_984_540_054;

/// The figures of each class, in the order of the logits.
#[derive(Debug, Serialize)]
pub(super) struct ByClass {
    /// 95 % intervals.
    intervals: Intervals,
    /// Mean of what each class with images gets.
    balanced_accuracy: Option<f64>,
    classes: Vec<OfClass>,
    /// Images by right class (rows) and told class (columns); absent of more than a thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion: Option<Vec<Vec<usize>>>,
    /// Different classes, the most confused first.
    confused: Vec<Confused>,
    calibration: Calibrated,
}

#[derive(Debug, Serialize)]
struct Intervals {
    top1: Option<Interval>,
    top5: Option<Interval>,
    balanced_accuracy: Option<Interval>,
}

#[derive(Debug, Serialize)]
struct OfClass {
    name: String,
    images: usize,
    /// Images that are told to be of it.
    told: usize,
    /// Share of its images that are told rightly: its recall.
    top1: Option<f64>,
    interval: Option<Interval>,
    precision: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Confused {
    label: String,
    told: String,
    images: usize,
}

#[derive(Debug, Serialize)]
struct Calibrated {
    /// Expected calibration error.
    ece: Option<f64>,
    bins: Vec<Bin>,
}

impl ByClass {
    /// What was told of classes of these names, of which the right one was among the five likeliest
    /// that often.
    pub(super) fn of(names: &[String], told: &Told, top5: f64) -> Self {
        let Told {
            confusion,
            calibration,
        } = told;
        let counts = confusion.by_class();
        let images: usize = counts.iter().map(|class| class.images).sum();
        let right: usize = counts.iter().map(|class| class.right).sum();
        let of_class = |(name, counts): (&String, &ClassCounts)| OfClass {
            name: name.clone(),
            images: counts.images,
            told: counts.told,
            top1: counts.recall(),
            interval: wilson(counts.right as f64, counts.images),
            precision: counts.precision(),
        };
        let row = |right: usize| (0..names.len()).map(move |told| confusion.count(right, told));
        let pair = |pair: Pair| Confused {
            label: names[pair.right].clone(),
            told: names[pair.told].clone(),
            images: pair.images,
        };
        Self {
            intervals: Intervals {
                top1: wilson(right as f64, images),
                top5: wilson(top5 * images as f64, images),
                balanced_accuracy: of_mean(&counts),
            },
            balanced_accuracy: confusion.balanced_accuracy(),
            classes: names.iter().zip(&counts).map(of_class).collect(),
            confusion: (names.len() <= DENSE)
                .then(|| (0..names.len()).map(|right| row(right).collect()).collect()),
            confused: confusion.confused().into_iter().map(pair).collect(),
            calibration: Calibrated {
                ece: calibration.expected_error(),
                bins: calibration.bins(),
            },
        }
    }

    /// As text: figures of all, a table of the classes, and who is confused.
    pub(super) fn text(&self) -> String {
        let known = |value: Option<f64>| value.map_or("-".to_owned(), percent);
        let interval = |name: &str, interval: Option<Interval>| match interval {
            Some(interval) => format!("{name} {}", ends(Some(interval))),
            None => String::new(),
        };
        let sure = [
            interval("top-1", self.intervals.top1),
            interval("balanced accuracy", self.intervals.balanced_accuracy),
        ];
        let mut text = format!(
            "balanced accuracy {}, calibration error {} (0 is best); 95 % in percent: {}\n\n",
            known(self.balanced_accuracy),
            known(self.calibration.ece),
            sure.join(", ")
        );
        let mut shown: Vec<&OfClass> = self.classes.iter().collect();
        if shown.len() > SHOWN {
            shown.retain(|class| class.images > 0);
            shown.sort_by(|one, other| {
                one.top1
                    .unwrap_or(1.0)
                    .total_cmp(&other.top1.unwrap_or(1.0))
            });
            shown.truncate(SHOWN);
        }
        let row = |class: &&OfClass| {
            vec![
                class.name.clone(),
                class.images.to_string(),
                known(class.top1),
                ends(class.interval),
                known(class.precision),
            ]
        };
        let header = ["class", "images", "told rightly", "95 %", "precision"];
        let header = header.map(str::to_owned).to_vec();
        text += &columns(header, shown.iter().map(row).collect(), 1);
        let more = self.classes.len() - shown.len();
        if more > 0 {
            text += &format!("\nand {more} more that do better or have no images; --json has all");
        }
        if !self.confused.is_empty() {
            let pairs = self.confused.iter().take(PAIRS);
            let word =
                |pair: &Confused| format!("{} as {} ({})", pair.label, pair.told, pair.images);
            let words: Vec<String> = pairs.map(word).collect();
            text += &format!("\n\nconfused most often: {}", words.join(", "));
        }
        text
    }

    /// The matrix as CSV: a line a right class, a column a told class.
    ///
    /// # Errors
    /// The memory for it cannot be written.
    pub(super) fn csv(&self, told: &Told) -> Result<Vec<u8>> {
        let names = self.classes.iter().map(|class| class.name.clone());
        let head: Vec<String> = std::iter::once("label".to_owned()).chain(names).collect();
        let mut bytes = record(&head)?;
        for (right, class) in self.classes.iter().enumerate() {
            let counts = (0..self.classes.len()).map(|other| told.confusion.count(right, other));
            let counts = counts.map(|count| count.to_string());
            let line: Vec<String> = std::iter::once(class.name.clone()).chain(counts).collect();
            bytes.extend(record(&line)?);
        }
        Ok(bytes)
    }
}

/// The score interval of a share (Wilson 1927): it holds for few images too, and for none or all of
/// them right.
fn wilson(right: f64, images: usize) -> Option<Interval> {
    if images == 0 {
        return None;
    }
    let (count, z) = (images as f64, DEVIATIONS);
    let share = right / count;
    let scale = 1.0 + z * z / count;
    let middle = (share + z * z / (2.0 * count)) / scale;
    let spread = (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
    let half = z * spread / scale;
    Some(Interval {
        mean: share,
        low: (middle - half).max(0.0),
        high: (middle + half).min(1.0),
    })
}

/// That of the mean of the classes' shares: their variances add up, each with two right and two wrong
/// images more (Agresti and Coull 1998), so that none is 0.
fn of_mean(counts: &[ClassCounts]) -> Option<Interval> {
    let with_images: Vec<&ClassCounts> = counts.iter().filter(|class| class.images > 0).collect();
    let classes = with_images.len() as f64;
    let variance = |class: &&ClassCounts| {
        let (right, images) = (class.right as f64 + 2.0, class.images as f64 + 4.0);
        let share = right / images;
        share * (1.0 - share) / images
    };
    let spread = with_images.iter().map(variance).sum::<f64>().sqrt() / classes;
    let recalls = with_images.iter().filter_map(|class| class.recall());
    let mean = recalls.sum::<f64>() / classes;
    (classes > 0.0).then(|| Interval {
        mean,
        low: (mean - DEVIATIONS * spread).max(0.0),
        high: (mean + DEVIATIONS * spread).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use abn_run::measure::calibration::Calibration;
    use abn_run::measure::confusion::Confusion;

    use super::*;

    /// Wilson's interval of 8 of 10 is 0.4902 to 0.9433.
    #[test]
    fn intervals_by_hand() {
        let found = wilson(8.0, 10).unwrap();
        assert!((found.low - 0.4902).abs() < 1e-4 && (found.high - 0.9433).abs() < 1e-4);
        let none = wilson(0.0, 5).unwrap();
        assert!(none.low == 0.0 && none.high > 0.4);
        assert!(wilson(0.0, 0).is_none() && of_mean(&[]).is_none());
    }

    #[test]
    fn the_matrix_is_a_table() {
        let mut told = Told {
            confusion: Confusion::new(2),
            calibration: Calibration::default(),
        };
        for (right, class) in [(0, 0), (0, 1), (0, 1), (1, 1)] {
            told.confusion.add(right, class);
            told.calibration.add(0.75, right == class);
        }
        let names = ["a, b", "c"].map(str::to_owned);
        let found = ByClass::of(&names, &told, 1.0);
        let table = String::from_utf8(found.csv(&told).unwrap()).unwrap();
        assert_eq!(table, "label,\"a, b\",c\n\"a, b\",1,2\nc,0,1\n");
        assert_eq!(found.confusion, Some(vec![vec![1, 2], vec![0, 1]]));
        let text = found.text();
        assert!(
            text.contains("confused most often: a, b as c (2)"),
            "{text}"
        );
        assert!(text.contains("calibration error 25.00 %"), "{text}");
    }
}
