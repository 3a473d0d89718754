//! Methods of explanation by the names that are typed, and what a reader must know of each.

use abn_core::Classifier;
use abn_core::explain::{Layer, Method};
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A method as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// The trained map of the attention branch
    #[default]
    Attention,
    /// Class activation mapping (Zhou et al. 2016), for networks that end in pooling and one linear
    /// layer
    Cam,
    /// Grad-CAM (Selvaraju et al. 2017)
    GradCam,
    /// Grad-CAM++ (Chattopadhay et al. 2018)
    #[value(name = "grad-cam++")]
    #[serde(rename = "grad-cam++")]
    GradCamPlusPlus,
    /// Control: the same everywhere
    Uniform,
    /// Control: a Gaussian around the centre of the image
    Centre,
    /// Control: the gradient at each pixel of the image
    Gradient,
}

impl MethodName {
    /// What is drawn unless methods are named; the controls know less than these.
    pub const DRAWN: [Self; 4] = [
        Self::Attention,
        Self::Cam,
        Self::GradCam,
        Self::GradCamPlusPlus,
    ];

    /// The method.
    pub fn method(self) -> Method {
        match self {
            Self::Attention => Method::Attention,
            Self::Cam => Method::Cam,
            Self::GradCam => Method::GradCam,
            Self::GradCamPlusPlus => Method::GradCamPlusPlus,
            Self::Uniform => Method::Uniform,
            Self::Centre => Method::Centre,
            Self::Gradient => Method::InputGradient,
        }
    }

    /// The name as typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Cam => "cam",
            Self::GradCam => "grad-cam",
            Self::GradCamPlusPlus => "grad-cam++",
            Self::Uniform => "uniform",
            Self::Centre => "centre",
            Self::Gradient => "gradient",
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
            Self::Gradient => "Gradient",
        }
    }

    /// What its map shows, in a sentence.
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
            Self::Gradient => {
                "A control: how much each pixel changes the score of the class. Edges light up in \
                 every network."
            }
        }
    }
}

/// Features that Grad-CAM and Grad-CAM++ look at, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LayerName {
    /// Those before the last stage, which an attention branch sees: finer, less certain
    Features,
    /// The last features, as in the papers
    #[default]
    Refined,
}

impl LayerName {
    /// The layer.
    pub fn layer(self) -> Layer {
        match self {
            Self::Features => Layer::Features,
            Self::Refined => Layer::Refined,
        }
    }
}

/// The methods asked for, each once; or, if none is, those of `otherwise` that this network has.
///
/// # Errors
/// The network lacks a method that was asked for.
pub fn chosen(
    asked: &[MethodName],
    otherwise: &[MethodName],
    classifier: &Classifier,
    layer: Layer,
) -> Result<Vec<MethodName>> {
    if asked.is_empty() {
        let has = |name: &MethodName| name.method().check(classifier, layer).is_ok();
        return Ok(otherwise.iter().copied().filter(has).collect());
    }
    let mut methods = Vec::new();
    for name in asked {
        name.method()
            .check(classifier, layer)
            .with_context(|| format!("--methods {}", name.name()))?;
        if !methods.contains(name) {
            methods.push(*name);
        }
    }
    Ok(methods)
}

#[cfg(test)]
mod tests {
    use abn_core::{Architecture, AttentionConfig, ClassifierConfig};
    use burn::tensor::Device;

    use super::MethodName::{Attention, Cam, GradCam, GradCamPlusPlus};
    use super::*;

    /// Without weights: they are drawn when first looked at.
    fn network(name: &str, attention: Option<AttentionConfig>) -> Classifier {
        let network = Architecture::parse(name).unwrap().network;
        ClassifierConfig {
            network,
            attention,
            classes: 3,
        }
        .init(&Device::flex())
    }

    #[test]
    fn names_are_those_typed() {
        for name in MethodName::value_variants() {
            assert_eq!(name.to_possible_value().unwrap().get_name(), name.name());
        }
    }

    #[test]
    fn the_usual_methods_are_those_that_the_network_has() {
        let usual =
            |network: &Classifier, layer| chosen(&[], &MethodName::DRAWN, network, layer).unwrap();
        let abn = network("resnet8", Some(AttentionConfig::abn()));
        assert_eq!(
            usual(&abn, Layer::Refined),
            [Attention, Cam, GradCam, GradCamPlusPlus]
        );
        assert_eq!(
            usual(&abn, Layer::Features),
            [Attention, GradCam, GradCamPlusPlus]
        );
        let baseline = network("resnet8", None);
        assert_eq!(
            usual(&baseline, Layer::Refined),
            [Cam, GradCam, GradCamPlusPlus]
        );
        let vgg = network("vgg11-bn", None);
        assert_eq!(usual(&vgg, Layer::Refined), [GradCam, GradCamPlusPlus]);
    }

    #[test]
    fn what_is_asked_for_comes_in_that_order_once_or_is_refused() {
        let baseline = network("resnet8", None);
        let asked = chosen(&[GradCam, Cam, GradCam], &[], &baseline, Layer::Refined).unwrap();
        assert_eq!(asked, [GradCam, Cam]);
        let error = format!(
            "{:#}",
            chosen(&[Cam, Attention], &[], &baseline, Layer::Refined).unwrap_err()
        );
        assert!(
            error.contains("--methods attention") && error.contains("no attention branch"),
            "{error}"
        );
        assert!(chosen(&[Cam], &[], &baseline, Layer::Features).is_err());
    }
}
