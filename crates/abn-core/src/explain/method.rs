//! The methods, and one function for all of them.

use burn::module::Module;
use burn::serde::{Deserialize, Serialize};
use burn::tensor::{Int, Tensor};

use super::activation::{Activation, activation, input_gradient};
use super::{AttentionMap, ExplainError, channel_weights, control};
use crate::backbone::{Head, HeadConfig};
use crate::classifier::{Classifier, ClassifierConfig};

/// A way to ask where a network looks. Its name, as typed and as stored, is [`Method::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Method {
    /// The trained map of the attention branch
    #[default]
    Attention,
    /// Class activation mapping (Zhou et al. 2016), for networks that end in pooling and one linear
    /// layer
    Cam,
    /// Grad-CAM (Selvaraju et al. 2017)
    GradCam,
    /// Grad-CAM++ (Chattopadhay et al. 2018)
    #[cfg_attr(feature = "clap", value(name = "grad-cam++"))]
    #[serde(rename = "grad-cam++")]
    GradCamPlusPlus,
    /// Control: the same everywhere
    Uniform,
    /// Control: a Gaussian around the centre of the image
    Centre,
    /// Control: the gradient at each pixel of the image
    #[cfg_attr(feature = "clap", value(name = "gradient"))]
    #[serde(rename = "gradient")]
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

    /// What is drawn unless methods are named; the controls know less than these.
    pub const DRAWN: [Self; 4] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
    ];

    /// The name as typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Cam => "cam",
            Self::GradCam => "grad-cam",
            Self::GradCamPlusPlus => "grad-cam++",
            Self::Uniform => "uniform",
            Self::Centre => "centre",
            Self::InputGradient => "gradient",
        }
    }

    /// The name as its authors write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "Attention",
            Self::Cam => "CAM",
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::Uniform => "Uniform",
            Self::Centre => "Centre",
            Self::InputGradient => "Gradient",
        }
    }

    /// What its map shows, for a reader who sees it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Attention => {
                "The map of the attention branch, as it weights the features: trained, and the \
                 same whatever class is asked about."
            }
            Self::Cam => {
                "The last features, weighted by what the classifier makes of each for the class. \
                 Dark is what speaks most against it."
            }
            Self::GradCam => {
                "The features, weighted by how much each raises the score of the class. Only what \
                 speaks for it."
            }
            Self::GradCamPlusPlus => {
                "As Grad-CAM, by the positive gradients alone, so that several or small objects \
                 count."
            }
            Self::Uniform => "A control: the same everywhere.",
            Self::Centre => "A control: the centre of the image, whatever lies there.",
            Self::InputGradient => {
                "A control: how much each pixel changes the score of the class. Edges light up in \
                 every network."
            }
        }
    }

    /// Whether the method has a map of that network at that layer.
    ///
    /// # Errors
    /// Why it has none.
    pub fn check(self, config: &ClassifierConfig, layer: Layer) -> Result<(), ExplainError> {
        match self {
            Self::Attention if config.attention.is_none() => Err(ExplainError::NoBranch),
            Self::Cam if layer == Layer::Features => Err(ExplainError::CamAtFeatures),
            Self::Cam if config.network.head != HeadConfig::Pooled => {
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

    /// Whether the method has a choice of the layer that it looks at.
    pub fn has_layers(self) -> bool {
        matches!(self, Self::GradCam | Self::GradCamPlusPlus)
    }
}

/// Which features Grad-CAM and Grad-CAM++ look at. The other methods have one place of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(crate = "burn::serde", rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Layer {
    /// Those before the last stage, which an attention branch sees: finer, less certain
    Features,
    /// The last features, as in the papers
    #[default]
    Refined,
}

impl Layer {
    /// The name as typed and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Refined => "refined",
        }
    }
}

/// Where the network looks in one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The map as computed. It has the size of the features, or that of the image for the controls.
    pub raw: AttentionMap,
    /// The map in [0, 1], rectified where the method does so. A map that is constant, such as one
    /// without any positive value that is rectified, is zero everywhere.
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
            read(channel_weights::combine(
                values,
                channel_weights::grad_cam(gradient),
            ))
        }
        Method::GradCamPlusPlus => {
            let Activation { values, gradient } = activation(classifier, images, layer, classes);
            let weights = channel_weights::grad_cam_plus_plus(values.clone(), gradient);
            read(channel_weights::combine(values, weights))
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
    let weights = channel_weights::cam(&linear.valid(), classes);
    Ok(channel_weights::combine(
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
