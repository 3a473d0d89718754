//! The methods, and one function for all of them.

use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Int, Tensor};

use super::activation::{Activation, activation, input_gradient};
use super::{AttentionMap, ExplainError, control, weights};
use crate::backbone::Head;
use crate::classifier::Classifier;

/// A way to ask where a network looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Method {
    /// The trained map M of an attention branch (ABN, MANet): at F's size, the same for every
    /// class.
    Attention,
    /// Class activation mapping (Zhou et al. 2016): G by the weights of the linear classifier.
    Cam,
    /// Grad-CAM (Selvaraju et al. 2017): features by the mean gradient of the class's logit.
    GradCam,
    /// Grad-CAM++ (Chattopadhay et al. 2018): features by a weighted sum of the positive gradients.
    GradCamPlusPlus,
    /// Control: the same everywhere. Normalised, it is zero.
    Uniform,
    /// Control: a Gaussian around the centre of the image.
    Centre,
    /// Control: the gradient at the image, its greatest absolute value over the colours (Simonyan
    /// et al. 2014).
    InputGradient,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 7] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::Uniform,
        Self::Centre,
        Self::InputGradient,
    ];

    /// Whether the method has a map of this network at this layer.
    ///
    /// # Errors
    /// Why it has none.
    pub fn check(self, classifier: &Classifier, layer: Layer) -> Result<(), ExplainError> {
        match self {
            Self::Attention if classifier.branch.is_none() => Err(ExplainError::NoBranch),
            Self::Cam if layer == Layer::Features => Err(ExplainError::CamAtFeatures),
            Self::Cam if !matches!(classifier.network.head, Head::Pooled(_)) => {
                Err(ExplainError::NoLinearHead)
            }
            _ => Ok(()),
        }
    }

    /// Whether negative values, which speak against the class, are left out before normalising: as
    /// their papers have it, by Grad-CAM and Grad-CAM++, but not by CAM.
    pub fn rectifies(self) -> bool {
        matches!(self, Self::GradCam | Self::GradCamPlusPlus)
    }
}

/// Which features Grad-CAM and Grad-CAM++ look at. The other methods have one place of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
pub enum Layer {
    /// F, which the attention branch sees: larger, less certain. Gradients include the path through
    /// the map.
    Features,
    /// G, the last features: what the papers of CAM and Grad-CAM look at.
    #[default]
    Refined,
}

/// Where the network looks in one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// As computed. It has the size of the features, or that of the image for the controls.
    pub raw: AttentionMap,
    /// In [0, 1], rectified where the method does so. A map that is constant, such as one without
    /// any positive value that is rectified, is zero everywhere.
    pub normalized: AttentionMap,
}

impl Explanation {
    fn new(raw: AttentionMap, method: Method) -> Self {
        let kept = if method.rectifies() {
            raw.clone().rectified()
        } else {
            raw.clone()
        };
        Self {
            raw,
            normalized: kept.normalized(),
        }
    }
}

/// Where the network looks for one class in each image, the network being in evaluation, whatever
/// device it is on: its running statistics are used and left alone. Nothing is kept between calls.
///
/// `layer` matters to CAM, which has only one, and to Grad-CAM and Grad-CAM++.
///
/// # Shapes
/// `images` `[B, 3, H, W]`, `classes` `[B]`; returns B explanations.
///
/// # Errors
/// The method does not exist for this network, or the classes do not fit the images or the network.
///
/// # Panics
/// Those of [`Classifier::forward`].
pub fn explain(
    classifier: &Classifier,
    images: Tensor<4>,
    method: Method,
    layer: Layer,
    classes: &[usize],
) -> Result<Vec<Explanation>, ExplainError> {
    let [batch, _, height, width] = images.dims();
    check(classifier, batch, classes)?;
    if batch == 0 {
        return Ok(Vec::new());
    }
    let images = images.without_autodiff();
    let classes: Vec<i64> = classes.iter().map(|class| *class as i64).collect();
    let classes = Tensor::from_ints(classes.as_slice(), &images.device());
    let raw = match method {
        Method::Attention => read(attention(classifier, images)?),
        Method::Cam => read(cam(classifier, images, layer, classes)?),
        Method::GradCam => {
            let Activation { values, gradient } = activation(classifier, images, layer, classes);
            read(weights::combine(values, weights::grad_cam(gradient)))
        }
        Method::GradCamPlusPlus => {
            let Activation { values, gradient } = activation(classifier, images, layer, classes);
            let weights = weights::grad_cam_plus_plus(values.clone(), gradient);
            read(weights::combine(values, weights))
        }
        Method::Uniform => vec![control::uniform(height, width); batch],
        Method::Centre => vec![control::centre(height, width); batch],
        Method::InputGradient => {
            let gradient = input_gradient(classifier, images, classes);
            read(gradient.abs().max_dim(1).reshape([batch, height, width]))
        }
    };
    Ok(raw
        .into_iter()
        .map(|raw| Explanation::new(raw, method))
        .collect())
}

fn check(classifier: &Classifier, images: usize, asked: &[usize]) -> Result<(), ExplainError> {
    if asked.len() != images {
        return Err(ExplainError::Count {
            images,
            classes: asked.len(),
        });
    }
    let classes = classifier.network.head.classes();
    match asked.iter().find(|class| **class >= classes) {
        Some(&class) => Err(ExplainError::Class { class, classes }),
        None => Ok(()),
    }
}

/// The trained map, `[B, h, w]`.
fn attention(classifier: &Classifier, images: Tensor<4>) -> Result<Tensor<3>, ExplainError> {
    let branch = classifier
        .branch
        .as_ref()
        .ok_or(ExplainError::NoBranch)?
        .valid();
    let map = branch
        .forward(classifier.network.valid().extract(images))
        .map;
    let [batch, _, height, width] = map.dims();
    Ok(map.reshape([batch, height, width]))
}

/// CAM, `[B, h, w]`.
fn cam(
    classifier: &Classifier,
    images: Tensor<4>,
    layer: Layer,
    classes: Tensor<1, Int>,
) -> Result<Tensor<3>, ExplainError> {
    if layer == Layer::Features {
        return Err(ExplainError::CamAtFeatures);
    }
    let Head::Pooled(linear) = &classifier.network.head else {
        return Err(ExplainError::NoLinearHead);
    };
    let weights = weights::cam(&linear.valid(), classes);
    Ok(weights::combine(
        classifier.valid().features_at(layer, images),
        weights,
    ))
}

/// The maps of a batch on the host.
fn read(maps: Tensor<3>) -> Vec<AttentionMap> {
    let [_, height, width] = maps.dims();
    let values: Vec<f32> = maps.into_data().iter().collect();
    let maps = values.chunks_exact((height * width).max(1));
    maps.map(|map| AttentionMap {
        height,
        width,
        values: map.to_vec(),
    })
    .collect()
}
