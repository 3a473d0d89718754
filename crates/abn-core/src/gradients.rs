//! What a batch teaches: the gradients of the training objective.
//!
//! A network with a map for each label perceives an image once for each. What its last stage keeps
//! for the gradient would grow with the labels, so it is taken back label by label: with F the
//! features before the last stage and M_g the map of a label,
//!
//! ```text
//! L = sum over g of L_g(F, M_g) + w L_attention(F)
//! dL_g/dF and dL_g/dM_g are taken one label after the other, and what they sum to goes on down the
//! extractor and the branch once: the gradients of L by the chain rule, in the memory of one label
//! ```

use std::convert::Infallible;

use abn_kernels::ops::repeatedly;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

use crate::attention::{AttentionBranch, AttentionOutput, Maps};
use crate::classifier::{Classifier, Output};
use crate::loss::{Objective, RightClasses, loss, mean_cost};
use crate::loss_scale::scaled;
use crate::outputs::span_of;
use crate::precision::is_single;
use crate::state::{Path, Reading, State};

/// The gradients of the [objective](loss) of a batch, and the output of its forward pass, which has
/// no gradients any more.
///
/// # Shapes
/// `images` `[B, 3, H, W]` on a device with autodiff, as the network's.
pub fn gradients(
    network: &Classifier,
    images: Tensor<4>,
    classes: impl Into<RightClasses>,
    objective: &Objective,
) -> (GradientsParams, Output) {
    let nothing = |_: &_, _: &_| Ok::<_, Infallible>(None);
    let Ok(learned) = gradients_with(network, images, classes, objective, nothing);
    learned
}

/// [The same](gradients) with what is `asked` of images and output beside, `[1]`, which is added to
/// the objective.
///
/// # Errors
/// Those of `asked`.
pub fn gradients_with<E>(
    network: &Classifier,
    images: Tensor<4>,
    classes: impl Into<RightClasses>,
    objective: &Objective,
    asked: impl FnOnce(&Tensor<4>, &Output) -> Result<Option<Tensor<1>>, E>,
) -> Result<(GradientsParams, Output), E> {
    let classes = classes.into();
    let branch = network.branch.as_ref();
    if let Some(branch) = branch.filter(|branch| branch.maps() == Maps::PerGroup) {
        return by_group(network, branch, images, &classes, objective, asked);
    }
    let output = network.forward(images.clone());
    let mut cost = loss(&output, classes, network.outputs(), objective.clone());
    if let Some(asked) = asked(&images, &output)? {
        cost = cost + asked;
    }
    drop(images);
    let output = without_gradients(output);
    Ok((
        GradientsParams::from_grads(scaled(cost).backward(), network),
        output,
    ))
}

/// The same, with one label's perception at a time.
fn by_group<E>(
    network: &Classifier,
    branch: &AttentionBranch,
    images: Tensor<4>,
    classes: &RightClasses,
    objective: &Objective,
    asked: impl FnOnce(&Tensor<4>, &Output) -> Result<Option<Tensor<1>>, E>,
) -> Result<(GradientsParams, Output), E> {
    let penalty = &objective.penalty;
    let features = network.network.extract(images.clone());
    let attention = branch.forward(features.clone());
    let maps = network.dropped(branch, attention.map.clone());
    let mut learned = GradientsAccumulator::new();
    let mut answers = Vec::new();
    // What features and maps add to the objective to first order: its gradient is theirs.
    let of_branch = mean_cost(&attention.logits, classes, network.outputs(), penalty);
    let mut onward = scaled(of_branch.mul_scalar(objective.attention_weight));
    let leaf = |tensor: Tensor<4>| Tensor::from_inner(tensor.inner()).require_grad();
    let mut of_features: Option<Tensor<4>> = None;
    let mut each_label = || {
        for (group, span) in network.outputs().spans().enumerate() {
            let own = maps.clone().narrow(1, group, 1);
            let (seen, map) = (leaf(features.clone()), leaf(own.clone()));
            let attended = network.attend(seen.clone(), map.clone());
            let logits = span_of(&network.perceive(attended), span);
            answers.push(logits.clone().inner());
            let cost = match classes.share(group, logits.clone(), penalty) {
                Some(share) => share * classes.shares().recip(),
                // Nothing is learned from it, and no weight is without a gradient.
                None => logits.sum() * 0.0,
            };
            let mut gradients = scaled(cost).backward();
            if let Some(gradient) = seen.grad_remove(&mut gradients) {
                of_features = Some(match of_features.take() {
                    Some(sum) => sum + gradient,
                    None => gradient,
                });
            }
            if let Some(gradient) = map.grad_remove(&mut gradients) {
                onward = onward.clone() + (own * Tensor::from_inner(gradient)).sum();
            }
            learned.accumulate(network, GradientsParams::from_grads(gradients, network));
        }
    };
    match is_single() {
        true => repeatedly(each_label),
        // Weights are rounded anew for each pass, and would all be kept.
        false => each_label(),
    }
    if let Some(gradient) = of_features {
        onward = onward + (features * Tensor::from_inner(gradient)).sum();
    }
    let output = Output {
        logits: Tensor::from_inner(Tensor::cat(answers, 1)),
        attention: Some(attention),
    };
    if let Some(asked) = asked(&images, &output)? {
        onward = onward + scaled(asked);
    }
    drop((images, maps));
    let output = without_gradients(output);
    let gradients = GradientsParams::from_grads(onward.backward(), network);
    learned.accumulate(network, gradients);
    Ok((learned.grads(), output))
}

fn without_gradients(output: Output) -> Output {
    let of_branch = |attention: AttentionOutput| AttentionOutput {
        logits: attention.logits.inner(),
        map: attention.map.inner(),
    };
    Output {
        logits: output.logits.inner(),
        attention: output.attention.map(of_branch),
    }
}

/// The gradients of a module on the host, by the names of its parameters. A parameter that has
/// none is left out.
pub fn by_name<M: Module>(module: &M, gradients: &GradientsParams) -> State {
    let mut reader = Reader {
        gradients,
        path: Path::default(),
        reading: Reading::default(),
    };
    module.visit(&mut reader);
    reader.reading.read().into_iter().collect()
}

struct Reader<'a> {
    gradients: &'a GradientsParams,
    path: Path,
    reading: Reading,
}

impl ModuleVisitor for Reader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.reading.add(self.path.name(), gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Int};

    use super::*;
    use crate::attention::MapConfig;
    use crate::mechanism::Mechanism;
    use crate::{Architecture, AttentionConfig, ClassifierConfig, Outputs};

    const OUTPUTS: [usize; 3] = [2, 3, 2];

    fn network(mechanism: Mechanism, device: &Device) -> Classifier {
        ClassifierConfig {
            network: Architecture::parse("resnet8").unwrap().network,
            attention: Some(AttentionConfig {
                maps: Maps::PerGroup,
                mechanism,
                map: MapConfig::convolution(3),
                ..AttentionConfig::abn()
            }),
            outputs: Outputs::of(OUTPUTS.to_vec()),
        }
        .init_seeded(2, device)
    }

    fn brightness(_: &Tensor<4>, output: &Output) -> Result<Option<Tensor<1>>, Infallible> {
        let map = output.attention.as_ref().map(|branch| branch.map.clone());
        Ok(map.map(|map| map.mean() * 3.0))
    }

    #[test]
    fn label_by_label_the_gradients_are_those_of_all_at_once() {
        let device = Device::flex().autodiff();
        let images = Tensor::random([2, 3, 16, 16], Distribution::Default, &device);
        let classes = Tensor::<2, Int>::from_ints([[1, 2, 0], [0, 0, 1]], &device);
        let objective = Objective::from(0.5);
        let known = [
            None,
            Some(vec![vec![0, 1], vec![1], vec![0]]),
            Some(vec![vec![1], vec![], vec![0]]),
        ];
        for mechanism in [
            Mechanism::Multiply,
            Mechanism::Residual,
            Mechanism::Identity,
        ] {
            for known in &known {
                let right = || match known {
                    None => RightClasses::from(classes.clone()),
                    Some(rows) => RightClasses::known(classes.clone(), rows.clone()),
                };
                let network = network(mechanism, &device);
                let output = network.forward(images.clone());
                let cost = loss(&output, right(), network.outputs(), objective.clone());
                let cost = cost + brightness(&images, &output).unwrap().unwrap();
                let joint = GradientsParams::from_grads(cost.backward(), &network);
                let (split, found) =
                    gradients_with(&network, images.clone(), right(), &objective, brightness)
                        .unwrap();
                assert_eq!(found.logits.into_data(), output.logits.into_data());
                let [joint, split] = [joint, split].map(|given| by_name(&network, &given));
                assert_eq!(joint.len(), split.len());
                for ((name, joint), (other, split)) in joint.iter().zip(&split) {
                    let case = format!("{mechanism:?} {known:?} {name}");
                    assert_eq!(name, other, "{case}");
                    for (one, other) in joint.iter::<f32>().zip(split.iter::<f32>()) {
                        let off = (one - other).abs();
                        assert!(off <= 1e-5 + 1e-4 * one.abs(), "{case}: {one} {other}");
                    }
                }
            }
        }
    }

    /// Nothing is known of any image: every weight has a gradient, and it is 0.
    #[test]
    fn of_nothing_nothing_is_learned() {
        let device = Device::flex().autodiff();
        let network = network(Mechanism::Multiply, &device);
        let images = Tensor::random([2, 3, 16, 16], Distribution::Default, &device);
        let classes = Tensor::<2, Int>::zeros([2, OUTPUTS.len()], &device);
        let right = RightClasses::known(classes, vec![vec![]; OUTPUTS.len()]);
        let (found, _) = gradients(&network, images, right, &Objective::from(1.0));
        let known = by_name(&network, &found);
        assert!(known.len() > 20);
        let mut values = known.values().flat_map(|data| data.iter::<f32>());
        assert!(values.all(|value| value == 0.0));
    }
}
