//! Our side: a process with one network, which answers every line on stdin by one line of JSON on
//! stdout.
//!
//! | line | does | answer |
//! |---|---|---|
//! | | builds the network | [`Ready`] |
//! | `warm SECONDS` | finds out how many steps take that long | `null` |
//! | `go` | that many steps | [`Repetition`] |
//! | `memory` | | peak memory in bytes, resident or of the device, or `null` |
//! | `check FILE` | leaves weights and images in the file | [`Predictions`] for them |

use std::path::Path;
use std::time::Instant;

use abn_core::explain::{ForwardPass, Layer};
use abn_core::gradients::gradients;
use abn_core::loss::{Objective, loss};
use abn_core::loss_scale::{LossScale, scaling};
use abn_core::precision::{Precision, in_precision};
use abn_core::pytorch::to_pytorch;
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::state::{State, is_buffer, state_of, with_state};
use abn_core::{Classifier, ClassifierConfig, Output};
use abn_kernels::InstructionSet;
use abn_run::weights::to_safetensors;
use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Shape, Tensor, TensorData};

use crate::case::{Case, Mode};
use crate::check::{Predictions, STEPS};
use crate::machine;
use crate::process::{Ready, Repetition, answer, each_line};

/// Seed of weights and images; the time does not depend on it.
const SEED: u64 = 0;
/// Learning rate of the steps of SGD. Small, so that rounding does not grow into another training
/// within a check.
const RATE: f64 = 1e-4;
/// The momentum of all recipes, and the weight decay of most.
const SGD: SgdConfig = SgdConfig {
    momentum: 0.9,
    weight_decay: 1e-4,
};

/// Runs until stdin ends.
///
/// # Errors
/// The case cannot be built, or a line not be answered.
pub(crate) fn run(case: &Case) -> Result<()> {
    let set = InstructionSet::chosen()?;
    let empty = machine::peak_memory();
    let mut workload = Workload::new(case)?;
    answer(&Ready {
        engine: machine::version(),
        empty,
        parameters: Some(case.parameters()?),
        instructions: case.place.is_cpu().then(|| set.to_string()),
    })?;
    let mut steps = 1;
    each_line(|request, argument| match request {
        "warm" => {
            steps = workload.warm_up(argument.parse().context("`warm` without its seconds")?);
            answer(&())
        }
        "go" => answer(&workload.repetition(steps)),
        "memory" => answer(&match case.place.is_cpu() {
            true => machine::peak_memory(),
            false => abn_device::memory_held(&workload.images.device()),
        }),
        "check" => answer(&workload.check(Path::new(argument))?),
        _ => bail!("`{request}` is no request"),
    })
}

/// A network at work on one batch of random images.
struct Workload {
    config: ClassifierConfig,
    mode: Mode,
    precision: Precision,
    loss_scale: Option<LossScale>,
    model: Classifier,
    sgd: Sgd,
    images: Tensor<4>,
    labels: Tensor<2, Int>,
    classes: Vec<usize>,
}

impl Workload {
    fn new(case: &Case) -> Result<Self> {
        let device = abn_device::open(Some(&case.place.device))?;
        ensure!(
            device.supports_dtype(case.place.precision.kind()),
            "`{}` does not compute in {}",
            case.place.device,
            case.place.precision.name()
        );
        let device = match case.mode {
            Mode::Train => device.autodiff(),
            _ => device,
        };
        let config = case.config()?;
        let model = config.init_seeded(SEED, &device);
        let images = Tensor::random(
            [case.batch, 3, case.size, case.size],
            Distribution::Normal(0.0, 1.0),
            &device,
        );
        let classes: Vec<usize> = (0..case.batch).map(|index| index % case.classes).collect();
        let labels = labels_of(&classes, config.outputs.groups());
        let labels = TensorData::new(labels, [case.batch, config.outputs.groups().len()]);
        let labels = Tensor::from_data(labels, &device);
        Ok(Self {
            config,
            mode: case.mode,
            precision: case.place.precision,
            loss_scale: case.place.precision.loss_scale(),
            model,
            sgd: Sgd::new(SGD),
            images,
            labels,
            classes,
        })
    }

    /// One batch, until its numbers are on the host.
    fn step(&mut self) {
        match self.mode {
            Mode::Train => {
                self.train();
            }
            Mode::Infer => {
                let Output { logits, attention } = self.model.forward(self.images.clone());
                logits.into_data();
                attention.map(|attention| attention.map.into_data());
            }
            mode => {
                let method = mode.method().expect("the other modes explain");
                let pass = ForwardPass::new(&self.model, self.images.clone());
                pass.output().logits.clone().into_data();
                let maps = pass.explain(method, Layer::Refined, &self.classes);
                maps.expect("the networks have every method");
            }
        }
    }

    /// A step of the trainer; gives the loss before it.
    fn train(&mut self) -> f32 {
        let weight = self
            .config
            .attention
            .as_ref()
            .map_or(0.0, |attention| attention.loss_weight);
        let objective = Objective::from(weight);
        let (images, labels) = (self.images.clone(), self.labels.clone());
        let factor = self.loss_scale.map_or(1.0, |scale| scale.factor());
        let (gradients, output) = in_precision(self.precision, || {
            let learn = || gradients(&self.model, images, labels.clone(), &objective);
            scaling(factor, learn)
        });
        if let Some(gradients) = LossScale::usable(&mut self.loss_scale, &self.model, gradients) {
            self.model = self.sgd.step(RATE, self.model.clone(), gradients);
        }
        let loss = loss(&output, labels.inner(), &self.config.outputs, objective);
        loss.into_scalar::<f32>()
    }

    /// Works for at least that long and two steps; gives the number of steps that take as long.
    fn warm_up(&mut self, seconds: f64) -> usize {
        self.step();
        let started = Instant::now();
        let mut steps = 0;
        while steps == 0 || started.elapsed().as_secs_f64() < seconds {
            self.step();
            steps += 1;
        }
        let each = started.elapsed().as_secs_f64() / f64::from(steps);
        (seconds / each).round().max(1.0) as usize
    }

    fn repetition(&mut self, steps: usize) -> Repetition {
        let started = Instant::now();
        for _ in 0..steps {
            self.step();
        }
        let seconds = started.elapsed().as_secs_f64();
        Repetition {
            images: steps * self.images.dims()[0],
            seconds,
        }
    }

    /// The weights with batch norms that do something: scales and shifts at random, and the
    /// statistics of the images. Fresh ones change nothing, so a network that lacks one, or has it
    /// in another place, would predict the same; and values would grow from layer to layer until
    /// the map is 0 or 1 by a rounding.
    fn state_of_use(&self) -> Result<State> {
        let device = Device::flex().autodiff();
        let mut state = state_of(&self.model);
        for (name, data) in &mut state {
            let shape = data.shape().clone();
            *data = match name.rsplit('.').next() {
                Some("gamma") => random(shape, 0.5, 1.5, &device),
                Some("beta") => random(shape, -0.2, 0.2, &device),
                Some("running_mean" | "running_var") => TensorData::zeros::<f32, _>(shape),
                _ => continue,
            };
        }
        let model = with_state(self.config.init(&device), state)?;
        let images = self.images.clone().into_data();
        model.forward(Tensor::from_data(images, &device));
        let mut state = state_of(&model);
        for (_, data) in state.iter_mut().filter(|(name, _)| is_buffer(name)) {
            // One pass moves statistics of 0 by a tenth of the way.
            *data = (Tensor::<1>::from_data(data.clone(), &device) * 10.0).into_data();
        }
        Ok(state)
    }

    /// Leaves the weights, under PyTorch's names, and the images in a file; then looks at the
    /// images, and trains, if that is its work. In this order, for in a deep network a few steps
    /// make differences in rounding visible.
    fn check(&mut self, file: &Path) -> Result<Predictions> {
        let state = self.state_of_use()?;
        let mut tensors = to_pytorch(&self.config, &state);
        tensors.insert("images".to_owned(), self.images.clone().into_data());
        std::fs::write(file, to_safetensors(&tensors)?)?;
        self.model = with_state(self.config.init(&self.images.device()), state)?;
        let Output { logits, attention } = match self.mode {
            Mode::Train => self.model.valid().forward(self.images.clone().inner()),
            _ => self.model.forward(self.images.clone()),
        };
        let (attention, map) = match attention {
            Some(attention) => (values(attention.logits), values(attention.map)),
            None => (vec![], vec![]),
        };
        let losses = match self.mode {
            Mode::Train => (0..STEPS).map(|_| self.train()).collect(),
            _ => vec![],
        };
        Ok(Predictions {
            logits: values(logits),
            attention,
            map,
            losses,
        })
    }
}

/// The class of each image; of several labels, whether each is there.
fn labels_of(classes: &[usize], groups: &[usize]) -> Vec<i64> {
    if groups.len() == 1 {
        return classes.iter().map(|class| *class as i64).collect();
    }
    let of_image = |image| (0..groups.len()).map(move |label| ((image + label) % 3 % 2) as i64);
    (0..classes.len()).flat_map(of_image).collect()
}

fn random(shape: Shape, lowest: f64, highest: f64, device: &Device) -> TensorData {
    Tensor::<1>::random(shape, Distribution::Uniform(lowest, highest), device).into_data()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}
