//! The curves behind deletion and insertion, for images one by one.

use abn_core::explain::{
    Baseline, Curve, Explanation, ForwardPass, Layer, Method, deletion, insertion,
};
use abn_run::measure::readback::{predicted, probabilities};
use abn_run::session::Session;
use abn_run::view::View;
use burn::tensor::Tensor;

use crate::AnalysisError;

/// What is drawn of each image.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePlan {
    /// What is compared.
    pub methods: Vec<Method>,
    /// Where Grad-CAM and what came after it look.
    pub layer: Layer,
    /// Number of the label whose predicted class is explained.
    pub group: usize,
    /// Steps of deletion and insertion.
    pub steps: usize,
}

/// The curves of one image.
#[derive(Debug, Clone)]
pub struct ImageCurves {
    /// The predicted class, counted in its label.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
    /// Those of each method.
    pub methods: Vec<MethodCurves>,
}

/// The curves of one map (Petsiuk et al. 2018, section 4.2).
#[derive(Debug, Clone)]
pub struct MethodCurves {
    /// How the image is explained.
    pub method: Method,
    /// The map.
    pub map: Explanation,
    /// Probability of the class while pixels are set to the mean colour.
    pub deletion: Curve,
    /// Probability of the class while pixels return to the blurred image.
    pub insertion: Curve,
}

impl ImageCurves {
    /// Explains the class that a network predicts for an image, and asks the network again while
    /// the image goes and comes.
    ///
    /// # Errors
    /// A method has no map of this network.
    pub fn of(session: &Session, view: &View, plan: &CurvePlan) -> Result<Self, AnalysisError> {
        let config = &session.config;
        let image: Tensor<4> = session.stacked(&[view]);
        let pass = ForwardPass::new(&session.classifier, image.clone());
        let logits: Vec<f32> = pass.output().logits.clone().into_data().iter().collect();
        let class = predicted(&logits, &config.model.outputs)[plan.group];
        let asked = config.labels.first_of(plan.group) + class;
        let mut methods = Vec::with_capacity(plan.methods.len());
        for method in &plan.methods {
            let maps = pass.explain(*method, plan.layer, &[asked])?;
            methods.extend(maps.into_iter().map(|map| {
                let curve = |of: fn(_, _, &_, _, _, _) -> Curve, baseline| {
                    let network = &session.classifier;
                    of(
                        network,
                        image.clone(),
                        &map.normalized,
                        asked,
                        baseline,
                        plan.steps,
                    )
                };
                MethodCurves {
                    method: *method,
                    deletion: curve(deletion, Baseline::Zero),
                    insertion: curve(insertion, Baseline::Blur),
                    map,
                }
            }));
        }
        Ok(Self {
            class,
            probability: probabilities(&logits, &config.model.outputs)[asked],
            methods,
        })
    }
}
