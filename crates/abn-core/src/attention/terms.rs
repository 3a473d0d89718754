//! What the training objective may ask of the maps beside the right classes. The papers ask
//! nothing.

use abn_kernels::ops::log1p;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Tensor, TensorData};

use crate::classifier::Classifier;
use crate::mixed::InvalidAttention;
use crate::norm::aside;

/// Keeps logarithms finite.
const MARGIN: f64 = 1e-6;

/// Weights of the terms that are added to the objective; 0 leaves one out. Each term is a mean over
/// images and positions, so that a weight means the same for maps of every size.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", deny_unknown_fields, default)]
pub struct MapTerms {
    /// The mean of the map: as little as possible is bright (Fong & Vedaldi 2017).
    #[serde(skip_serializing_if = "is_nothing")]
    pub area: f64,
    /// Squared difference of neighbours: bright places hang together (L-CAM, Gkartzonika et al.
    /// 2022).
    #[serde(skip_serializing_if = "is_nothing")]
    pub variation: f64,
    /// Entropy of each value as a probability: bright or dark, nothing between.
    #[serde(skip_serializing_if = "is_nothing")]
    pub entropy: f64,
    /// Difference to the map of the mirrored image, mirrored back (SEAM, Wang et al. 2020). Costs a
    /// second pass up to the map.
    #[serde(skip_serializing_if = "is_nothing")]
    pub flip: f64,
    /// Difference of the map at half its size to that of the image at half its size (SEAM). Costs
    /// a second pass up to the map on a quarter of the pixels.
    #[serde(skip_serializing_if = "is_nothing")]
    pub scale: f64,
    /// Cross-entropy against the object, in images of which it is known by a mask or a box.
    #[serde(skip_serializing_if = "is_nothing")]
    pub objects: f64,
}

fn is_nothing(value: &f64) -> bool {
    *value == 0.0
}

/// The objects of a batch, at the size of the maps.
#[derive(Debug, Clone, Default)]
pub struct ObjectShares {
    /// For each map of each image the share of its object in each position, row by row; `None` where
    /// it is not known.
    pub maps: Vec<Option<Vec<f32>>>,
}

impl MapTerms {
    /// Whether nothing is added.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses weights that are none.
    ///
    /// # Errors
    /// One is negative, not finite, or beyond 1e6.
    pub fn check(&self) -> Result<(), InvalidAttention> {
        let weights = [
            self.area,
            self.variation,
            self.entropy,
            self.flip,
            self.scale,
            self.objects,
        ];
        if weights.iter().all(|weight| (0.0..=1e6).contains(weight)) {
            return Ok(());
        }
        Err(InvalidAttention(
            "the weights of the map's terms must be between 0 and 1e6",
        ))
    }

    /// What is added to the objective of a batch, `[1]`; `None` for nothing, and for a network
    /// without a branch.
    ///
    /// # Shapes
    /// `images` `[B, 3, H, W]`, `map` `[B, M, h, w]` as the branch gave it for them.
    pub fn objective(
        &self,
        classifier: &Classifier,
        images: &Tensor<4>,
        map: &Tensor<4>,
        objects: &ObjectShares,
    ) -> Option<Tensor<1>> {
        type Term<'a> = (f64, &'a dyn Fn() -> Option<Tensor<1>>);
        let mirrored = |tensor: Tensor<4>| tensor.flip([3]);
        let looked = |images: Tensor<4>| aside(|| Some(classifier.look(images)?.map));
        let flip = || {
            let other = mirrored(looked(mirrored(images.clone()))?);
            Some((map.clone() - other).abs().mean())
        };
        let scale = || {
            let small = looked(halved(images.clone()))?;
            let own = halved(map.clone());
            let [_, _, height, width] = small.dims();
            let own = own.narrow(2, 0, height).narrow(3, 0, width);
            Some((own - small).abs().mean())
        };
        let terms: [Term; 6] = [
            (self.area, &|| Some(map.clone().mean())),
            (self.variation, &|| variation(map)),
            (self.entropy, &|| Some(entropy(map))),
            (self.flip, &flip),
            (self.scale, &scale),
            (self.objects, &|| beside_objects(map, objects)),
        ];
        let added = terms.iter().filter(|(weight, _)| *weight > 0.0);
        let added = added.filter_map(|(weight, term)| Some(term()? * *weight));
        added.reduce(|sum, term| sum + term)
    }
}

/// Half the height and width by the mean of four; a last row or column without a partner is left
/// out.
fn halved(images: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions {
        kernel_size: [2; 2],
        stride: [2; 2],
        padding: [(0, 0); 2],
        count_include_pad: true,
        ceil_mode: false,
    };
    avg_pool2d(images, options)
}

/// Mean squared difference of a position and its right and its lower neighbour; `None` of maps of
/// one position.
fn variation(map: &Tensor<4>) -> Option<Tensor<1>> {
    let [_, _, height, width] = map.dims();
    let along = |axis: usize, side: usize| {
        (side > 1).then(|| {
            let [first, second] = [0, 1].map(|from| map.clone().narrow(axis, from, side - 1));
            let difference = second - first;
            (difference.clone() * difference).mean()
        })
    };
    let terms = [along(2, height), along(3, width)];
    terms.into_iter().flatten().reduce(|sum, term| sum + term)
}

/// Logarithms of the map and of what it leaves to 1.
fn logarithms(map: &Tensor<4>) -> [Tensor<4>; 2] {
    let inner = map.clone() * (1.0 - 2.0 * MARGIN) + MARGIN;
    [log1p(inner.clone() - 1.0), log1p(-inner)]
}

/// Mean of -M ln M - (1 - M) ln (1 - M).
fn entropy(map: &Tensor<4>) -> Tensor<1> {
    let [bright, dark] = logarithms(map);
    -(map.clone() * bright + (-map.clone() + 1.0) * dark).mean()
}

/// Mean cross-entropy of the map against the known objects.
fn beside_objects(map: &Tensor<4>, objects: &ObjectShares) -> Option<Tensor<1>> {
    let [batch, each, height, width] = map.dims();
    let (count, positions) = (batch * each, height * width);
    let known = |number: usize| {
        let shares = objects.maps.get(number)?.as_ref()?;
        (shares.len() == positions).then_some(shares)
    };
    let seen = (0..count).filter(|number| known(*number).is_some()).count();
    if seen == 0 {
        return None;
    }
    let mut shares = vec![0.0_f32; count * positions];
    let mut weights = shares.clone();
    for number in 0..count {
        if let Some(found) = known(number) {
            let place = number * positions..(number + 1) * positions;
            shares[place.clone()].copy_from_slice(found);
            weights[place].fill(1.0);
        }
    }
    let tensor = |values| {
        Tensor::<4>::from_data(
            TensorData::new(values, [batch, each, height, width]),
            &map.device(),
        )
    };
    let (shares, weights) = (tensor(shares), tensor(weights));
    let [bright, dark] = logarithms(map);
    let each = shares.clone() * bright + (-shares + 1.0) * dark;
    Some(-(each * weights).sum() / (seen * positions) as f64)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::state::state_of;
    use crate::{Architecture, AttentionConfig, ClassifierConfig, Outputs};

    fn map(values: [f32; 4]) -> Tensor<4> {
        Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 1, 2, 2])
    }

    #[track_caller]
    fn close(found: Option<Tensor<1>>, expected: f32) {
        let found = found.unwrap().into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    #[test]
    fn terms_by_hand() {
        let map = map([0.5, 0.25, 0.0, 1.0]);
        // Down: 0.5 and 0.75; right: 0.25 and 1.
        close(
            variation(&map),
            (0.25 + 0.5625) / 2.0 + (0.0625 + 1.0) / 2.0,
        );
        let quarter = -(0.25_f32 * 0.25_f32.ln() + 0.75 * 0.75_f32.ln());
        close(Some(entropy(&map)), (2.0_f32.ln() + quarter) / 4.0);
        let objects = |image| ObjectShares { maps: vec![image] };
        let known = objects(Some(vec![1.0, 0.0, 0.0, 1.0]));
        close(
            beside_objects(&map, &known),
            (2.0_f32.ln() - 0.75_f32.ln()) / 4.0,
        );
        assert!(beside_objects(&map, &objects(None)).is_none());
    }

    #[test]
    fn a_network_costs_what_its_terms_weigh() {
        let network = Architecture::parse("resnet8").unwrap().network;
        let config = ClassifierConfig {
            network,
            attention: Some(AttentionConfig::abn()),
            outputs: Outputs::one(3),
        };
        let classifier = config.init_seeded(4, &Device::flex());
        let row =
            Tensor::<1>::from_floats([0.1, 0.9, -0.4, 0.3, 0.3, -0.4, 0.9, 0.1], &Device::flex());
        let mirrored = row.reshape([1, 1, 1, 8]).expand([1, 3, 8, 8]);
        let map = classifier.look(mirrored.clone()).unwrap().map;
        let objective = |terms: MapTerms, images: &Tensor<4>, map: &Tensor<4>| {
            terms.objective(&classifier, images, map, &ObjectShares::default())
        };
        let area = MapTerms {
            area: 2.0,
            ..MapTerms::default()
        };
        close(
            objective(area, &mirrored, &map),
            2.0 * map.clone().mean().into_scalar::<f32>(),
        );
        assert!(objective(MapTerms::default(), &mirrored, &map).is_none());
        // A mirrored map of a mirrored image: no more than rounding apart.
        let flip = MapTerms {
            flip: 1.0,
            ..MapTerms::default()
        };
        let image = Tensor::cat(vec![mirrored.clone(), mirrored.clone() * 0.5], 2);
        let own = classifier.look(image.clone()).unwrap().map;
        let other = classifier
            .look(image.clone().flip([3]))
            .unwrap()
            .map
            .flip([3]);
        let expected = (own.clone() - other).abs().mean().into_scalar::<f32>();
        close(objective(flip, &image, &own), expected);
        let scale = MapTerms {
            scale: 1.0,
            ..MapTerms::default()
        };
        assert!(objective(scale, &image, &own).is_some());
    }

    #[test]
    fn a_second_pass_leaves_the_running_statistics_alone() {
        let config = ClassifierConfig {
            network: Architecture::parse("resnet8").unwrap().network,
            attention: Some(AttentionConfig::abn()),
            outputs: Outputs::one(3),
        };
        let device = Device::flex().autodiff();
        let classifier = config.init_seeded(4, &device);
        let images = Tensor::<4>::ones([2, 3, 16, 16], &device);
        let map = classifier.look(images.clone()).unwrap().map;
        let before = state_of(&classifier);
        let terms = MapTerms {
            flip: 1.0,
            scale: 1.0,
            ..MapTerms::default()
        };
        let objective = terms.objective(&classifier, &images, &map, &ObjectShares::default());
        assert!(objective.is_some());
        assert_eq!(state_of(&classifier), before);
        classifier.look(images);
        assert_ne!(state_of(&classifier), before, "a pass of its own counts");
    }
}
