//! Explaining a batch: one forward pass, from which every method takes what it needs.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

use super::eigen::eigen_cam;
use super::gradient::{feature_gradient, input_gradient};
use super::paths::{integrated_gradients, smooth_grad};
use super::perturbation::{rise, score_cam};
use super::{AttentionMap, ExplainError, Explanation, Layer, Method, channel_weights, control};
use crate::attention::AttentionOutput;
use crate::backbone::Head;
use crate::classifier::{Classifier, Features, Output};

/// A forward pass of some images with its features, the network being in evaluation, whatever
/// device it is on: its running statistics are used and left alone. Nothing is kept elsewhere.
///
/// A class by Grad-CAM costs the pass and, from the features on, the network once more with the
/// gradient; the attention map costs nothing more.
#[derive(Debug)]
pub struct ForwardPass<'a> {
    classifier: &'a Classifier,
    images: Tensor<4>,
    output: Output,
    features: Features,
}

impl<'a> ForwardPass<'a> {
    /// Passes the images, `[B, 3, H, W]`, through the network.
    ///
    /// # Panics
    /// Those of [`Classifier::forward`].
    pub fn new(classifier: &'a Classifier, images: Tensor<4>) -> Self {
        let images = images.without_autodiff();
        let (output, features) = classifier.valid().forward_with_features(images.clone());
        Self {
            classifier,
            images,
            output,
            features,
        }
    }

    /// What the network says of the images.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Where the network looks for one class in each image.
    ///
    /// `layer` matters to CAM, which has only one, and to Grad-CAM and Grad-CAM++.
    ///
    /// # Errors
    /// The method does not exist for this network, or the classes do not fit the images or the
    /// network.
    pub fn explain(
        &self,
        method: Method,
        layer: Layer,
        classes: &[usize],
    ) -> Result<Vec<Explanation>, ExplainError> {
        let [batch, _, height, width] = self.images.dims();
        check(self.classifier, batch, method, layer, classes)?;
        let asked = classes;
        let classes = self.indices(asked.iter().copied());
        let features = || self.features(layer, asked);
        let with_gradient = || {
            let features = features();
            let gradient =
                feature_gradient(self.classifier, features.clone(), layer, classes.clone());
            (features, gradient)
        };
        let raw = match method {
            Method::Attention => read(self.attention(asked)?),
            Method::Cam => read(self.cam(features(), classes)?),
            Method::GradCam => {
                let (features, gradient) = with_gradient();
                let weights = channel_weights::grad_cam(gradient);
                read(channel_weights::combine(features, weights))
            }
            Method::GradCamPlusPlus => {
                let (features, gradient) = with_gradient();
                let weights = channel_weights::grad_cam_plus_plus(features.clone(), gradient);
                read(channel_weights::combine(features, weights))
            }
            Method::HiresCam => {
                let (features, gradient) = with_gradient();
                read(channel_weights::sum(features * gradient))
            }
            Method::LayerCam => {
                let (features, gradient) = with_gradient();
                read(channel_weights::sum(features * relu(gradient)))
            }
            Method::EigenCam => eigen_cam(features()),
            Method::ScoreCam => {
                score_cam(&self.classifier.valid(), &self.images, features(), asked)
            }
            Method::Rise => rise(&self.classifier.valid(), &self.images, asked),
            Method::SmoothGrad => {
                let gradient = smooth_grad(self.classifier, &self.images, &classes);
                read(gradient.abs().max_dim(1).reshape([batch, height, width]))
            }
            Method::IntegratedGradients => {
                let gains = integrated_gradients(self.classifier, &self.images, &classes);
                read(channel_weights::sum(gains))
            }
            Method::Files => return Err(ExplainError::FromFiles),
            Method::Uniform => vec![control::uniform(height, width); batch],
            Method::Centre => vec![control::centre(height, width); batch],
            Method::InputGradient => {
                let gradient = input_gradient(self.classifier, self.images.clone(), classes);
                read(gradient.abs().max_dim(1).reshape([batch, height, width]))
            }
        };
        Ok(raw
            .into_iter()
            .map(|raw| Explanation::of(raw, method))
            .collect())
    }

    /// One number an image, on the device.
    fn indices(&self, numbers: impl Iterator<Item = usize>) -> Tensor<1, Int> {
        let numbers: Vec<i64> = numbers.map(|number| number as i64).collect();
        Tensor::from_ints(numbers.as_slice(), &self.images.device())
    }

    /// The features from which the asked classes are told, `[B, C, h, w]`: with a map a group they
    /// are made for these classes.
    fn features(&self, layer: Layer, asked: &[usize]) -> Tensor<4> {
        match (layer, &self.features.refined) {
            (Layer::Features, _) => self.features.extracted.clone(),
            (Layer::Refined, Some(refined)) => refined.clone(),
            (Layer::Refined, None) => {
                let classifier = self.classifier.valid();
                let extracted = self.features.extracted.clone();
                let attended = match &self.output.attention {
                    Some(attention) => {
                        classifier.attend(extracted, self.of_group(&attention.map, asked))
                    }
                    None => extracted,
                };
                classifier.network.refine(attended)
            }
        }
    }

    /// Of each image the map of the asked class's group, `[B, M, h, w]` to `[B, 1, h, w]`.
    fn of_group(&self, maps: &Tensor<4>, asked: &[usize]) -> Tensor<4> {
        let [batch, count, height, width] = maps.dims();
        if count == 1 {
            return maps.clone();
        }
        let spans: Vec<_> = self.classifier.outputs().spans().collect();
        let group = |class: &usize| spans.iter().position(|span| span.contains(class));
        let groups = self.indices(asked.iter().map(|class| group(class).unwrap_or(0)));
        let groups = groups.reshape([batch, 1, 1, 1]);
        let groups = groups.expand([batch, 1, height, width]);
        maps.clone().gather(1, groups)
    }

    /// The logits if the branch had given other maps, `[B, M, h, w]`, of the size and number of its
    /// own: `[B, K]`. `None` without a branch.
    ///
    /// # Panics
    /// The maps are of another size or number.
    pub fn under_map(&self, maps: Tensor<4>) -> Option<Tensor<2>> {
        self.output.attention.as_ref()?;
        let classifier = self.classifier.valid();
        Some(classifier.perceive_under(self.features.extracted.clone(), maps))
    }

    /// The trained map of the asked class's group, `[B, h, w]`.
    fn attention(&self, asked: &[usize]) -> Result<Tensor<3>, ExplainError> {
        let attention = self.output.attention.as_ref();
        let AttentionOutput { map, .. } = attention.ok_or(ExplainError::NoBranch)?;
        let [batch, _, height, width] = map.dims();
        Ok(self.of_group(map, asked).reshape([batch, height, width]))
    }

    /// CAM, `[B, h, w]`.
    fn cam(&self, features: Tensor<4>, classes: Tensor<1, Int>) -> Result<Tensor<3>, ExplainError> {
        let Head::Pooled(linear) = &self.classifier.network.head else {
            return Err(ExplainError::NoLinearHead);
        };
        // What tells the logits tells what they are made of.
        let told = self.classifier.outputs().tell(linear.valid().weight.val());
        let weights = channel_weights::cam(told, classes);
        Ok(channel_weights::combine(features, weights))
    }
}

/// Whether the network has such maps, and the classes that are asked for.
fn check(
    classifier: &Classifier,
    images: usize,
    method: Method,
    layer: Layer,
    asked: &[usize],
) -> Result<(), ExplainError> {
    let pooled = matches!(classifier.network.head, Head::Pooled(_));
    method.check_parts(classifier.branch.is_some(), pooled, layer)?;
    if asked.len() != images {
        return Err(ExplainError::Count {
            images,
            classes: asked.len(),
        });
    }
    let classes = classifier.outputs().total();
    match asked.iter().find(|class| **class >= classes) {
        Some(&class) => Err(ExplainError::Class { class, classes }),
        None => Ok(()),
    }
}

/// Where the network looks for one class in each image, by one method: a
/// [forward pass](ForwardPass) and its [explanation](ForwardPass::explain).
///
/// # Shapes
/// `images` `[B, 3, H, W]`, `classes` `[B]`; returns B explanations.
///
/// # Errors
/// Those of [`ForwardPass::explain`].
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
    let [batch, ..] = images.dims();
    check(classifier, batch, method, layer, classes)?;
    if batch == 0 {
        return Ok(Vec::new());
    }
    ForwardPass::new(classifier, images).explain(method, layer, classes)
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
