//! Does the network need what the map shows? Measures that ask the network again with parts of the
//! image taken away.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Bool, Tensor, TensorData};

use super::AttentionMap;
use crate::classifier::Classifier;

/// Images of one forward pass: a curve of many steps needs no more memory than one of few.
const BATCH: usize = 32;
/// The blur of Petsiuk et al.: a Gaussian of deviation 5, cut to 11 pixels.
const BLUR_RADIUS: usize = 5;
const BLUR_DEVIATION: f32 = 5.0;

/// What stands where the image is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Baseline {
    /// 0 after normalisation: the mean colour. Petsiuk et al. delete to it.
    Zero,
    /// The blurred image, which has no sharp edge of its own. Petsiuk et al. insert into it.
    Blur,
}

impl Baseline {
    /// The image to be seen where another is taken away.
    ///
    /// # Shapes
    /// `[B, C, H, W]` to the same.
    pub fn of(self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Zero => images.zeros_like(),
            Self::Blur => blurred(images),
        }
    }
}

/// Each channel under a Gaussian; at the borders only what lies within the image counts.
fn blurred(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let planes = images.reshape([batch * channels, 1, height, width]);
    let share = smoothed(planes.ones_like());
    (smoothed(planes) / share).reshape([batch, channels, height, width])
}

fn smoothed(planes: Tensor<4>) -> Tensor<4> {
    let weights: Vec<f32> = (0..=2 * BLUR_RADIUS)
        .map(|at| libm::expf(-0.5 * ((at as f32 - BLUR_RADIUS as f32) / BLUR_DEVIATION).powi(2)))
        .collect();
    let kernel =
        |shape| Tensor::<4>::from_data(TensorData::new(weights.clone(), shape), &planes.device());
    let size = weights.len();
    let (column, row) = (kernel([1, 1, size, 1]), kernel([1, 1, 1, size]));
    let options = |padding| ConvOptions::new([1, 1], padding, [1, 1], 1);
    let planes = conv2d(planes, column, None, options([BLUR_RADIUS, 0]));
    conv2d(planes, row, None, options([0, BLUR_RADIUS]))
}

/// The probability of a class while the image changes, at equal shares of its pixels from none to
/// all.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Probabilities at 0, 1/n, ..., 1 of the pixels.
    pub probabilities: Vec<f64>,
}

impl Curve {
    /// The area under the curve, by trapezoids: the score of deletion (less is better) and
    /// insertion (more is better).
    pub fn area(&self) -> f64 {
        let steps = self
            .probabilities
            .windows(2)
            .map(|pair| (pair[0] + pair[1]) / 2.0);
        steps.sum::<f64>() / (self.probabilities.len().max(2) - 1) as f64
    }
}

/// Deletion (Petsiuk et al. 2018, section 4.2): the probability of the class while the pixels are
/// taken away, those of the highest map values first.
///
/// # Shapes
/// `image` `[1, C, H, W]`; the map is brought to H x W.
///
/// # Panics
/// Those of [`Classifier::forward`]; the class is none of the network's.
pub fn deletion(
    classifier: &Classifier,
    image: Tensor<4>,
    map: &AttentionMap,
    class: usize,
    baseline: Baseline,
    steps: usize,
) -> Curve {
    let gone = baseline.of(image.clone());
    replacement(classifier, image, gone, map, class, steps)
}

/// Insertion (Petsiuk et al. 2018, section 4.2): the probability of the class while the image's
/// pixels return, those of the highest map values first. Shapes and panics are those of
/// [`deletion`].
pub fn insertion(
    classifier: &Classifier,
    image: Tensor<4>,
    map: &AttentionMap,
    class: usize,
    baseline: Baseline,
    steps: usize,
) -> Curve {
    let empty = baseline.of(image.clone());
    replacement(classifier, empty, image, map, class, steps)
}

/// The probability of the class while the pixels of one image are replaced by those of another.
fn replacement(
    classifier: &Classifier,
    from: Tensor<4>,
    to: Tensor<4>,
    map: &AttentionMap,
    class: usize,
    steps: usize,
) -> Curve {
    let [_, channels, height, width] = from.dims();
    let mut shares = replaced(map, [height, width], steps);
    let mut probabilities = Vec::with_capacity(steps + 1);
    loop {
        let part: Vec<Vec<bool>> = shares.by_ref().take(BATCH).collect();
        if part.is_empty() {
            break;
        }
        let shape = [part.len(), channels, height, width];
        let replaced = TensorData::new(part.concat(), [part.len(), 1, height, width]);
        let replaced = Tensor::<4, Bool>::from_data(replaced, &from.device()).expand(shape);
        let images = from
            .clone()
            .expand(shape)
            .mask_where(replaced, to.clone().expand(shape));
        probabilities.extend(probabilities_of(
            classifier,
            images,
            &vec![class; part.len()],
        ));
    }
    Curve { probabilities }
}

/// Which pixels of an image of height and width are replaced after 0, 1, ... of so many steps, those
/// of the highest map values first: what deletion takes away and insertion brings back.
pub fn replaced(
    map: &AttentionMap,
    [height, width]: [usize; 2],
    steps: usize,
) -> impl Iterator<Item = Vec<bool>> {
    let turns = turns(&map.resize_to(width, height).values);
    let steps = steps.max(1);
    (0..=steps).map(move |step| {
        let count = (step * turns.len()).div_ceil(steps);
        turns.iter().map(|turn| *turn < count).collect()
    })
}

/// When the turn of each position comes: that of the highest value first, of equal ones in reading
/// order, of those that are not finite last.
pub(super) fn turns(values: &[f32]) -> Vec<usize> {
    let height = |index: usize| {
        if values[index].is_finite() {
            values[index]
        } else {
            f32::NEG_INFINITY
        }
    };
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| height(*b).total_cmp(&height(*a)));
    let mut turns = vec![0; values.len()];
    order
        .into_iter()
        .enumerate()
        .for_each(|(turn, index)| turns[index] = turn);
    turns
}

/// The probability of each image's class among those of its group.
///
/// # Shapes
/// `images` `[B, C, H, W]`, B classes.
///
/// # Panics
/// Those of [`Classifier::forward`]; a class is none of the network's.
pub fn probabilities_of(classifier: &Classifier, images: Tensor<4>, classes: &[usize]) -> Vec<f64> {
    let logits = classifier.forward(images).logits;
    let [_, count] = logits.dims();
    let probabilities = classifier.outputs().softmax(logits);
    let values: Vec<f32> = probabilities.into_data().iter().collect();
    values
        .chunks_exact(count)
        .zip(classes)
        .map(|(row, class)| f64::from(row[*class]))
        .collect()
}

/// What the network makes of the image seen through the map (Chattopadhay et al. 2018, section
/// 4.1): the image, in its normalised colours, times the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// Probability of the class for the image itself, the paper's Y.
    pub whole: f64,
    /// Probability of the class for the image times the map, the paper's O.
    pub explained: f64,
}

impl Confidence {
    /// Each image under its map, which should be [normalised](AttentionMap::normalized); `whole`
    /// are the probabilities of the classes for the images themselves. A map with values that are
    /// not finite shows nothing.
    ///
    /// # Shapes
    /// `images` `[B, C, H, W]`, B maps, classes and probabilities.
    ///
    /// # Panics
    /// Those of [`Classifier::forward`]; a class is none of the network's; there are not B maps.
    pub fn measure(
        classifier: &Classifier,
        images: Tensor<4>,
        maps: &[&AttentionMap],
        classes: &[usize],
        whole: &[f64],
    ) -> Vec<Self> {
        let [batch, _, height, width] = images.dims();
        let shown = |value: f32| if value.is_finite() { value } else { 0.0 };
        let values: Vec<f32> = maps
            .iter()
            .flat_map(|map| map.resize_to(width, height).values)
            .map(shown)
            .collect();
        let maps = TensorData::new(values, [batch, 1, height, width]);
        let maps = Tensor::<4>::from_data(maps, &images.device());
        let explained = probabilities_of(classifier, images * maps, classes);
        explained
            .into_iter()
            .zip(whole)
            .map(|(explained, whole)| Self {
                whole: *whole,
                explained,
            })
            .collect()
    }

    /// What is lost, as a share of the whole: the mean over images is the average drop. Less is
    /// better; a gain is no loss.
    pub fn drop(&self) -> f64 {
        if self.whole > 0.0 {
            ((self.whole - self.explained) / self.whole).max(0.0)
        } else {
            0.0
        }
    }

    /// Whether the map alone makes the network surer: the share of images is the increase in
    /// confidence. More is better.
    pub fn increases(&self) -> bool {
        self.explained > self.whole
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{Architecture, AttentionConfig, ClassifierConfig, Outputs};

    #[test]
    fn the_area_is_that_of_trapezoids() {
        assert_eq!(
            Curve {
                probabilities: vec![1.0, 0.5, 0.0]
            }
            .area(),
            0.5
        );
        assert_eq!(
            Curve {
                probabilities: vec![1.0, 0.0, 0.0]
            }
            .area(),
            0.25
        );
    }

    #[test]
    fn the_highest_values_come_first_and_equal_ones_in_reading_order() {
        assert_eq!(turns(&[0.1, 0.9, 0.5, 0.9]), [3, 0, 2, 1]);
        assert_eq!(turns(&[f32::NAN, -1.0]), [1, 0]);
    }

    #[test]
    fn drop_and_increase_by_hand() {
        let confidence = |whole, explained| Confidence { whole, explained };
        close(confidence(0.8, 0.2).drop(), 0.75);
        assert_eq!(
            (
                confidence(0.5, 0.6).drop(),
                confidence(0.5, 0.6).increases()
            ),
            (0.0, true)
        );
        assert!(!confidence(0.5, 0.5).increases());
        assert_eq!(confidence(0.0, 0.0).drop(), 0.0);
    }

    fn classifier() -> Classifier {
        let network = Architecture::parse("resnet8").unwrap().network;
        let config = ClassifierConfig {
            network,
            attention: Some(AttentionConfig::abn()),
            outputs: Outputs::one(3),
        };
        config.init_seeded(4, &Device::flex())
    }

    fn image() -> Tensor<4> {
        let values: Vec<f32> = (0..3 * 16 * 16)
            .map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0)
            .collect();
        Tensor::from_data(TensorData::new(values, [1, 3, 16, 16]), &Device::flex())
    }

    fn left() -> AttentionMap {
        let values = (0..256)
            .map(|index| if index % 16 < 8 { 1.0 } else { 0.0 })
            .collect();
        AttentionMap::new(16, 16, values).unwrap()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    #[test]
    fn curves_go_from_the_image_to_the_baseline_and_back() {
        let (classifier, image, map) = (classifier(), image(), left());
        let probability = |image| probabilities_of(&classifier, image, &[2])[0];
        for baseline in [Baseline::Zero, Baseline::Blur] {
            let (whole, empty) = (
                probability(image.clone()),
                probability(baseline.of(image.clone())),
            );
            let deleted = deletion(&classifier, image.clone(), &map, 2, baseline, 40).probabilities;
            assert_eq!(deleted.len(), 41);
            close(deleted[0], whole);
            close(deleted[40], empty);
            let inserted =
                insertion(&classifier, image.clone(), &map, 2, baseline, 4).probabilities;
            close(inserted[0], empty);
            close(inserted[4], whole);
        }
    }

    #[test]
    fn half_way_the_map_decides_which_half_is_gone() {
        let (classifier, image, map) = (classifier(), image(), left());
        let right = image.clone().slice([0..1, 0..3, 0..16, 8..16]);
        let halved = Tensor::cat(vec![right.zeros_like(), right], 3);
        let expected = probabilities_of(&classifier, halved, &[1])[0];
        close(
            deletion(&classifier, image, &map, 1, Baseline::Zero, 2).probabilities[1],
            expected,
        );
    }

    #[test]
    fn a_blur_keeps_a_flat_image_and_flattens_another() {
        let flat = Tensor::<4>::ones([1, 3, 16, 16], &Device::flex()) * 0.7;
        let found: Vec<f32> = Baseline::Blur.of(flat).into_data().iter().collect();
        assert!(found.iter().all(|value| (value - 0.7).abs() < 1e-6));
        let deviation = |image: Tensor<4>| {
            let values: Vec<f32> = image.into_data().iter().collect();
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            values
                .iter()
                .map(|value| (value - mean).powi(2))
                .sum::<f32>()
        };
        assert!(deviation(Baseline::Blur.of(image())) < 0.1 * deviation(image()));
    }

    #[test]
    fn under_a_map_of_ones_the_image_is_itself_and_under_zeros_nothing() {
        let (classifier, image) = (classifier(), image());
        let probability = |image| probabilities_of(&classifier, image, &[0])[0];
        let whole = probability(image.clone());
        let under = |value: f32| {
            let map = AttentionMap::new(2, 2, vec![value; 4]).unwrap();
            Confidence::measure(&classifier, image.clone(), &[&map], &[0], &[whole])[0]
        };
        close(under(1.0).explained, whole);
        let nothing = probability(image.zeros_like());
        close(under(0.0).explained, nothing);
        close(under(f32::NAN).explained, nothing);
    }
}
