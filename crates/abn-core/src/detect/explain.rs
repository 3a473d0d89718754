//! Why a detection is there: maps of single boxes.
//!
//! Only the heads are differentiated: the gradient is that of the logit of a detection's class, for
//! its own region before any suppression, at the level of features that the region was pooled from.

use abn_boxes::{BoundingBox, Detection};
use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::detector::{Detector, Features, FoundInImages, Images};
use super::map::map_of_image;
use super::pooling::Pooling;
use crate::explain::{AttentionMap, MapSizeError};

/// A way to ask for the reason of a detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum BoxMethod {
    /// ODAM (Zhao & Chan 2023): each value of the features by its own gradient
    Odam,
    /// Grad-CAM (Selvaraju et al. 2017): each channel by its mean gradient; shows all objects of the
    /// class
    GradCam,
    /// The trained map of the detection's own region, of a detector with such a branch
    Region,
    /// The map of the attention branch, the same for all detections of an image
    Attention,
}

impl BoxMethod {
    /// All methods, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Odam, Self::GradCam, Self::Region, Self::Attention];

    /// The name as typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Odam => "odam",
            Self::GradCam => "grad-cam",
            Self::Region => "region",
            Self::Attention => "attention",
        }
    }

    /// The name as its authors write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Odam => "ODAM",
            Self::GradCam => "Grad-CAM",
            Self::Region => "Region's map",
            Self::Attention => "Attention",
        }
    }
}

impl Detector {
    /// The methods that this detector has.
    pub fn box_methods(&self) -> Vec<BoxMethod> {
        let has = |method: &BoxMethod| match method {
            BoxMethod::Odam | BoxMethod::GradCam => true,
            BoxMethod::Region => self.region_branch.is_some(),
            BoxMethod::Attention => self.branch.is_some(),
        };
        BoxMethod::ALL.into_iter().filter(has).collect()
    }

    /// Makes ready to tell why detections of an image that is alone in its batch are there.
    ///
    /// `found` is what was found in these features.
    pub fn reasons<'a>(
        &'a self,
        images: &'a Images,
        features: &'a Features,
        found: &'a FoundInImages,
    ) -> Reasons<'a> {
        Reasons {
            // As classifiers are explained: statistics of evaluation, no gradient for any weight.
            watched: self.valid().freeze().train(),
            methods: self.box_methods(),
            images,
            features,
            found,
        }
    }
}

/// Why the detections of an image are there.
pub struct Reasons<'a> {
    watched: Detector,
    methods: Vec<BoxMethod>,
    images: &'a Images,
    features: &'a Features,
    found: &'a FoundInImages,
}

/// The features that a region was pooled from, and the gradient of its logit at each value, both
/// `[1, C, h, w]`.
struct Cause {
    values: Tensor<4>,
    gradient: Tensor<4>,
}

impl Reasons<'_> {
    /// The raw map of a detection by every method that the detector has, over the whole image
    /// without its padding.
    ///
    /// # Errors
    /// A map has no values.
    ///
    /// # Panics
    /// The detection is not one of those that were found.
    pub fn maps(
        &self,
        detection: &Detection,
    ) -> Result<Vec<(BoxMethod, AttentionMap)>, MapSizeError> {
        let region = self.found.regions[0][detection.region];
        let cause = self.cause(region, detection.label);
        let mut maps = Vec::new();
        for method in &self.methods {
            let map = match method {
                BoxMethod::Odam => Some(self.over_image(cause.odam())?),
                BoxMethod::GradCam => Some(self.over_image(cause.grad_cam())?),
                BoxMethod::Region => {
                    let of_region = |maps: &Tensor<4>| {
                        let map = maps.clone().narrow(0, detection.region, 1);
                        over_region(&map, &region, self.images)
                    };
                    self.found.maps.as_ref().map(of_region).transpose()?
                }
                BoxMethod::Attention => {
                    let attention = self.features.attention.as_ref();
                    let map = attention.map(|attention| self.over_image(attention.map.clone()));
                    map.transpose()?
                }
            };
            maps.extend(map.map(|map| (*method, map)));
        }
        Ok(maps)
    }

    fn over_image(&self, map: Tensor<4>) -> Result<AttentionMap, MapSizeError> {
        let [_, _, height, width] = map.dims();
        let values: Vec<f32> = map.into_data().iter().collect();
        let (padded, image) = (self.images.padded(), self.images.sizes[0]);
        map_of_image(&values, [height, width], padded, image)
    }

    fn cause(&self, region: BoundingBox, label: usize) -> Cause {
        let levels = self.watched.region_levels(&self.features.levels);
        let level = Pooling::level(levels, &region, self.images.largest());
        let values = levels[level].clone();
        let leaf = values.clone().autodiff().require_grad();
        let mut watched: Vec<Tensor<4>> = levels
            .iter()
            .map(|level| level.clone().autodiff())
            .collect();
        watched[level] = leaf.clone();
        let said = self
            .watched
            .regions_of(&watched, &[vec![region]], self.images);
        let logit = said.logits.narrow(1, label, 1).sum();
        let mut gradients = logit.backward();
        let gradient = leaf
            .grad_remove(&mut gradients)
            .expect("the logit depends on the features of its region");
        Cause { values, gradient }
    }
}

impl Cause {
    /// `[1, 1, h, w]`
    fn odam(&self) -> Tensor<4> {
        relu((self.values.clone() * self.gradient.clone()).sum_dim(1))
    }

    /// `[1, 1, h, w]`
    fn grad_cam(&self) -> Tensor<4> {
        let weights = self.gradient.clone().mean_dim(2).mean_dim(3);
        relu((self.values.clone() * weights).sum_dim(1))
    }
}

/// The map of a region laid over the image, zero beyond it. As many cells as pixels, or 256 a side
/// at most: regions lie between the cells of features.
fn over_region(
    map: &Tensor<4>,
    region: &BoundingBox,
    images: &Images,
) -> Result<AttentionMap, MapSizeError> {
    const MOST: usize = 256;
    let [_, _, height, width] = map.dims();
    let values: Vec<f32> = map.clone().into_data().iter().collect();
    let own = AttentionMap::new(height, width, values)?;
    let size = images.sizes[0];
    let (rows, columns) = (size.height.min(MOST), size.width.min(MOST));
    let place = |number: usize, count: usize, side: usize, from: f64, to: f64, cells: usize| {
        let at = (number as f64 + 0.5) * side as f64 / count as f64;
        let within = (at - from) / (to - from);
        (0.0..1.0)
            .contains(&within)
            .then_some((within * cells as f64) as usize)
    };
    let mut values = vec![0.0; rows * columns];
    for row in 0..rows {
        let y = place(row, rows, size.height, region.y1, region.y2, height);
        for column in 0..columns {
            let x = place(column, columns, size.width, region.x1, region.x2, width);
            if let (Some(y), Some(x)) = (y, x) {
                values[row * columns + column] = own.values[y * width + x];
            }
        }
    }
    AttentionMap::new(rows, columns, values)
}

#[cfg(test)]
mod tests {
    use abn_boxes::Size;
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn tensor(values: &[f32], shape: [usize; 4]) -> Tensor<4> {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::from_data(data, &Device::flex())
    }

    #[test]
    fn the_map_of_a_region_lies_where_the_region_is() {
        let map = tensor(&[1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2]);
        let images = Images {
            pixels: tensor(&[0.0; 3 * 64], [1, 3, 8, 8]),
            sizes: vec![Size::new(4, 6)],
        };
        let region = BoundingBox::new(2.0, 0.0, 6.0, 2.0);
        let found = over_region(&map, &region, &images).unwrap();
        assert_eq!((found.height, found.width), (4, 6));
        let rows: Vec<&[f32]> = found.values.chunks(6).collect();
        assert_eq!(rows[0], [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(rows[1], [0.0, 0.0, 3.0, 3.0, 4.0, 4.0]);
        assert_eq!((rows[2], rows[3]), (&[0.0; 6][..], &[0.0; 6][..]));
    }
}
