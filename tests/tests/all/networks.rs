//! Whole networks against the reference: forward, gradients, steps of SGD, after importing its checkpoint.

use std::collections::BTreeMap;

use abn_core::backbone::Architecture;
use abn_core::import::{from_pytorch, pytorch_name};
use abn_core::loss::loss;
use abn_core::state::{State, is_buffer, state_of, with_state};
use abn_core::{AttentionConfig, Classifier, ClassifierConfig, Output};
use abn_train::sgd::{Sgd, SgdConfig};
use abn_train::weights::read_checkpoint;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::Value;

use crate::fixtures::{Reference, check_close, json, l2, number, parity, tensors};

/// Weight of the attention loss in the reference.
const ATTENTION_WEIGHT: f64 = 1.0;

struct Case {
    json: Value,
    io: BTreeMap<String, Reference>,
    config: ClassifierConfig,
    weights: State,
}

impl Case {
    fn open(folder: &str, architecture: &str) -> Self {
        let path = parity(folder);
        let json = json(&path.join("case.json"));
        let config = ClassifierConfig {
            network: Architecture::parse(architecture).unwrap().network,
            attention: Some(AttentionConfig::abn()),
            classes: json["num_classes"].as_u64().unwrap() as usize,
        };
        let checkpoint = read_checkpoint(&path.join("checkpoint.pth.tar")).unwrap();
        let weights = from_pytorch(&config, checkpoint, &Device::flex()).unwrap();
        Self { json, io: tensors(&path.join("io.safetensors")), config, weights }
    }

    fn network(&self, device: &Device) -> Classifier {
        with_state(self.config.init(device), self.weights.clone()).unwrap()
    }

    fn images(&self, name: &str, device: &Device) -> Tensor<4> {
        let Reference { shape, values } = &self.io[name];
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Tensor::from_data(TensorData::new(values, shape.clone()), device)
    }

    fn labels(&self, device: &Device) -> Tensor<1, Int> {
        let labels: Vec<i64> = self.io["train_labels"].values.iter().map(|label| *label as i64).collect();
        Tensor::from_ints(labels.as_slice(), device)
    }

    /// Below this margin another order of summation may flip a ReLU (README.md of the fixtures): gradients then
    /// have a tolerance of their own, and the losses after the first step move with them.
    fn may_flip(&self) -> bool {
        const SAFE_MARGIN: f64 = 4.0;
        number(&self.json["training"]["batch"]["smallest_relu_margin"]) < SAFE_MARGIN
    }

    fn gradient_tolerance(&self) -> f64 {
        let tolerance = &self.json["training"]["gradient_at_start"]["tolerance"];
        number(&tolerance[if self.may_flip() { "rel_if_units_flip" } else { "rel" }])
    }

    /// How much more than its tolerance the loss of a step may move.
    fn leeway(&self, step: usize) -> f64 {
        let usual = number(&self.json["training"]["gradient_at_start"]["tolerance"]["rel"]);
        if step == 0 { 1.0 } else { self.gradient_tolerance() / usual }
    }

    fn check_outputs(&self, output: Output, prefix: &str, tolerance: &Value) {
        let attention = output.attention.unwrap();
        let check = |name: &str, data: TensorData| {
            let values: Vec<f32> = data.iter::<f32>().collect();
            check_close(name, &values, &self.io[&format!("{prefix}{name}_f64")], &tolerance[name]);
        };
        check("logits", output.logits.into_data());
        check("att_logits", attention.logits.into_data());
        check("attention", attention.map.into_data());
    }
}

#[track_caller]
fn check_forward(folder: &str, architecture: &str) {
    let case = Case::open(folder, architecture);
    let device = Device::flex();
    let parameters = case.config.cost([32, 32], &device).parameters;
    assert_eq!(parameters as u64, case.json["parameter_count"].as_u64().unwrap());
    let output = case.network(&device).forward(case.images("input", &device));
    case.check_outputs(output, "", &case.json["eval"]["tolerance"]);
}

/// Collects gradients by PyTorch name, in PyTorch's layout.
struct Gradients<'a> {
    gradients: &'a GradientsParams,
    stages: usize,
    path: Vec<String>,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let gradient = if D == 2 { gradient.swap_dims(0, 1) } else { gradient };
            let values: Vec<f32> = gradient.into_data().iter::<f32>().collect();
            self.found.insert(pytorch_name(&self.path.join("."), self.stages), values);
        }
    }
}

#[track_caller]
fn check_gradients(folder: &str, architecture: &str) {
    let case = Case::open(folder, architecture);
    let device = Device::flex().autodiff();
    let model = case.network(&device);
    let output = model.forward(case.images("train_input", &device));
    let objective = loss(&output, case.labels(&device), ATTENTION_WEIGHT);
    let gradients = GradientsParams::from_grads(objective.backward(), &model);
    let stages = case.config.network.stages.len();
    let mut visitor = Gradients { gradients: &gradients, stages, path: Vec::new(), found: BTreeMap::new() };
    model.visit(&mut visitor);

    let start = &case.json["training"]["gradient_at_start"];
    let relative = case.gradient_tolerance();
    let floor = 1e-3 * number(&start["total_l2"]);
    let expected = start["parameters"].as_object().unwrap();
    assert_eq!(visitor.found.len(), expected.len());
    for (name, row) in expected {
        let (found, truth) = (&visitor.found[name], number(&row["l2"]));
        let allowed = relative * (truth + floor);
        let off = (l2(found) - truth).abs();
        assert!(off <= allowed, "gradient of {name}: norm off by {off:e} of {truth:e}");
        // Elements 0, n/3, n/2 and n-1, without duplicates.
        let mut places = vec![0, found.len() / 3, found.len() / 2, found.len() - 1];
        places.dedup();
        let probes = row["probe"].as_array().unwrap();
        assert_eq!(places.len(), probes.len(), "{name}");
        for (place, probe) in places.into_iter().zip(probes) {
            let off = (f64::from(found[place]) - number(probe)).abs();
            assert!(off <= allowed, "gradient of {name}: element {place} off by {off:e}");
        }
    }
}

/// What a training left of a tensor.
struct After {
    norm: f64,
    change: f64,
    mean: f64,
    rms: f64,
}

fn summaries(before: &State, after: &State, stages: usize) -> BTreeMap<String, After> {
    let row = |(name, data): (&String, &TensorData)| {
        let (old, new): (Vec<f32>, Vec<f32>) = (before[name].iter().collect(), data.iter().collect());
        let change: Vec<f32> = new.iter().zip(&old).map(|(new, old)| new - old).collect();
        let count = new.len() as f64;
        let mean = new.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let norm = l2(&new);
        (pytorch_name(name, stages), After { norm, change: l2(&change), mean, rms: norm / count.sqrt() })
    };
    after.iter().map(row).collect()
}

#[track_caller]
fn check_training(folder: &str, architecture: &str, run: &str) {
    let case = Case::open(folder, architecture);
    let run_json = &case.json["training"]["runs"][run];
    let optimizer = &run_json["optimizer"];
    let mut sgd = Sgd::new(SgdConfig {
        momentum: number(&optimizer["momentum"]),
        weight_decay: number(&optimizer["weight_decay"]),
    });
    let device = Device::flex().autodiff();
    let mut model = case.network(&device);
    let steps = run_json["steps"].as_u64().unwrap() as usize;
    let mut after = State::new();
    for step in 0..=steps {
        let output = model.forward(case.images("train_input", &device));
        let objective = loss(&output, case.labels(&device), ATTENTION_WEIGHT);
        let value = f64::from(objective.clone().into_scalar::<f32>());
        let off = (value - number(&run_json["losses_f64"][step])).abs();
        let allowed = number(&run_json["tolerance"]["losses_abs_per_step"][step]) * case.leeway(step);
        assert!(off <= allowed, "{run} loss {step}: off by {off:e}, allowed {allowed:e}");
        if step < steps {
            let gradients = GradientsParams::from_grads(objective.backward(), &model);
            model = sgd.step(number(&optimizer["lr"]), model, gradients);
            after = state_of(&model);
        }
    }
    check_norms(&case, run_json, &after);
    if run == "gentle" {
        let fresh = with_state(case.config.init(&Device::flex()), after).unwrap();
        let output = fresh.forward(case.images("input", &Device::flex()));
        case.check_outputs(output, "gentle_post_", &run_json["post_train"]["tolerance"]);
    }
}

/// Parameters and, with PyTorch's unbiased variance, running statistics after the steps.
#[track_caller]
fn check_norms(case: &Case, run_json: &Value, after: &State) {
    let tolerance = &run_json["tolerance"];
    let found = summaries(&case.weights, after, case.config.network.stages.len());
    let total = number(&run_json["total_delta_l2"]);
    for (name, row) in run_json["parameters_after_f64"].as_object().unwrap() {
        let After { norm, change, mean, rms } = found[name];
        let truth = number(&row["l2"]);
        let allowed = number(&tolerance["param_l2_rel"]) * truth.max(1e-3);
        assert!((norm - truth).abs() <= allowed, "{name}: norm {norm} instead of {truth}");
        let off = (mean - number(&row["mean"])).abs();
        assert!(off <= number(&tolerance["param_mean_abs_over_rms"]) * rms, "{name}: mean off by {off:e}");
        let truth = number(&row["delta_l2"]);
        let allowed = number(&tolerance["param_delta_rel"]) * (truth + 1e-3 * total);
        assert!((change - truth).abs() <= allowed, "{name}: changed by {change} instead of {truth}");
    }
    let relative = number(&tolerance["buffer_l2_rel"]);
    let mut buffers = 0;
    for (name, row) in run_json["buffers_after_f64"].as_object().unwrap() {
        let (truth, norm) = (number(&row["l2"]), found[name].norm);
        assert!((norm - truth).abs() <= relative * truth, "{name}: norm {norm} instead of {truth}");
        buffers += 1;
    }
    assert_eq!(buffers, after.keys().filter(|name| is_buffer(name)).count());
}

#[test]
#[ignore = "needs ../shared/parity"]
fn forward_resnet20() {
    check_forward("cifar_resnet20", "resnet20");
}

#[test]
#[ignore = "needs ../shared/parity"]
fn forward_resnet56_of_cifar100() {
    check_forward("cifar_resnet56_c100", "resnet56");
}

#[test]
#[ignore = "needs ../shared/parity"]
fn gradients_resnet20() {
    check_gradients("cifar_resnet20", "resnet20");
}

#[test]
#[ignore = "needs ../shared/parity"]
fn gradients_resnet56_of_cifar100() {
    check_gradients("cifar_resnet56_c100", "resnet56");
}

#[test]
#[ignore = "needs ../shared/parity"]
fn training_resnet20() {
    check_training("cifar_resnet20", "resnet20", "main");
    check_training("cifar_resnet20", "resnet20", "gentle");
}

#[test]
#[ignore = "needs ../shared/parity"]
fn training_resnet56_of_cifar100() {
    check_training("cifar_resnet56_c100", "resnet56", "main");
    check_training("cifar_resnet56_c100", "resnet56", "gentle");
}
