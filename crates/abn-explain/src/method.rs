//! Which methods explain a network: those asked for, or the usual ones that it has.

use abn_core::ClassifierConfig;
use abn_core::explain::{Layer, Method};

use crate::AnalysisError;

/// The methods asked for, each once; or, if none is, those of `otherwise` that this network has.
///
/// # Errors
/// The network lacks a method that was asked for.
pub fn chosen(
    asked: &[Method],
    otherwise: &[Method],
    config: &ClassifierConfig,
    layer: Layer,
) -> Result<Vec<Method>, AnalysisError> {
    if asked.is_empty() {
        let has = |name: &Method| name.check(config, layer).is_ok();
        return Ok(otherwise.iter().copied().filter(has).collect());
    }
    let mut methods = Vec::new();
    for name in asked {
        let missing = |source| AnalysisError::NoMethod {
            method: *name,
            source,
        };
        name.check(config, layer).map_err(missing)?;
        if !methods.contains(name) {
            methods.push(*name);
        }
    }
    Ok(methods)
}

#[cfg(test)]
mod tests {
    use abn_core::{Architecture, AttentionConfig, Outputs};

    use super::Method::{Attention, Cam, GradCam, GradCamPlusPlus};
    use super::*;

    fn network(name: &str, attention: Option<AttentionConfig>) -> ClassifierConfig {
        ClassifierConfig {
            network: Architecture::parse(name).unwrap().network,
            attention,
            outputs: Outputs::one(3),
        }
    }

    #[test]
    fn the_usual_methods_are_those_that_the_network_has() {
        let usual = |network: &ClassifierConfig, layer| {
            chosen(&[], &Method::DRAWN, network, layer).unwrap()
        };
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
        let error = chosen(&[Cam, Attention], &[], &baseline, Layer::Refined).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("no attention branch"), "{error}: {cause}");
        assert!(error.to_string().contains("map by attention"), "{error}");
        assert!(chosen(&[Cam], &[], &baseline, Layer::Features).is_err());
    }
}
