//! A network case of the parity fixtures: weights, inputs and what the reference makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use abn_core::loss::loss;
use abn_core::pytorch::{from_pytorch, name_of};
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::state::{State, state_of, with_state};
use abn_core::{Architecture, Classifier, ClassifierConfig, Outputs};
use abn_run::weights::read_checkpoint;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde_json::Value;

use crate::device::{device, leeway, wants};
use crate::fixtures::{Reference, Tolerance, check_close, json, l2, number, parity, tensors};
use crate::gradients::gradients_of;

/// Weight of the attention loss in the reference.
const ATTENTION_WEIGHT: f64 = 1.0;

/// A network with the weights, inputs and results of the reference.
pub(crate) struct Case {
    pub(crate) folder: String,
    pub(crate) json: Value,
    pub(crate) io: BTreeMap<String, Reference>,
    pub(crate) config: ClassifierConfig,
    pub(crate) weights: State,
}

/// Every network case of the fixtures, by folder; other cases than today's are tried as well.
pub(crate) fn cases() -> Vec<String> {
    let folders = fs::read_dir(parity(""))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_case = |path: &PathBuf| {
        let case = path.join("case.json");
        case.exists() && !json(&case)["family"].is_null()
    };
    let mut names: Vec<String> = folders
        .filter(is_case)
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| wants(name))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

/// Our name of the network that a case calls.
fn architecture_of(case: &Value) -> String {
    let number = |name: &str| case["reference"]["kwargs"][name].as_u64().unwrap();
    let depth = case["depth"].as_u64().unwrap();
    match case["family"].as_str().unwrap() {
        "resnet" | "imagenet_resnet" => format!("resnet{depth}"),
        "imagenet_se_resnet" => format!("se-resnet{depth}"),
        "wrn" => format!("wrn-{depth}-{}", number("widen_factor")),
        "densenet" => format!("densenet-bc-{depth}-{}", number("growthRate")),
        // The reference's width of a group is 256 / widen_factor, and its classifier fits a factor
        // of 4 only.
        "resnext" => format!(
            "resnext{depth}-{}x{}d",
            number("cardinality"),
            256 / number("widen_factor")
        ),
        other => panic!("unknown family {other}"),
    }
}

/// Odd integers from -255 to 255, times 2^-exponent: weights of two or more dimensions by the
/// fixtures' formula (their README, "Weights without the checkpoint").
pub(crate) fn formula(seed: u64, name: &str, len: usize, exponent: i32) -> Vec<f32> {
    let start = format!("{seed}/{name}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let value = |index: u64| {
        let mut z = start.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 56) as i32 * 2 - 255) as f32 * 2f32.powi(-exponent)
    };
    (1..=len as u64).map(value).collect()
}

/// The tensors that a case's checkpoint would hold.
fn generated(folder: &str, case: &Value) -> State {
    let vectors = tensors(&parity(folder).join("vectors.safetensors"));
    let mut state: State = vectors
        .into_iter()
        .map(|(name, Reference { shape, values })| {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            (name, TensorData::new(values, shape))
        })
        .collect();
    let seed = case["weights"]["seed"].as_u64().unwrap();
    for row in case["state_dict"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let shape: Vec<usize> = row["shape"]
            .as_array()
            .unwrap()
            .iter()
            .map(|side| side.as_u64().unwrap() as usize)
            .collect();
        if shape.len() >= 2 {
            let exponent = case["weights"]["exponents"][name].as_i64().unwrap() as i32;
            let values = formula(seed, name, shape.iter().product(), exponent);
            state.insert(name.to_owned(), TensorData::new(values, shape));
        }
    }
    state
}

impl Case {
    pub(crate) fn open(folder: &str) -> Self {
        let path = parity(folder);
        let json = json(&path.join("case.json"));
        let architecture = Architecture::parse(&architecture_of(&json)).unwrap();
        let config = ClassifierConfig {
            attention: Some(architecture.abn()),
            network: architecture.network,
            outputs: Outputs::one(json["num_classes"].as_u64().unwrap() as usize),
        };
        let file = path.join("checkpoint.pth.tar");
        let generated = generated(folder, &json);
        let checkpoint = if file.exists() {
            read_checkpoint(&file).unwrap()
        } else {
            generated.clone()
        };
        let weights = from_pytorch(&config, checkpoint, &Device::flex()).unwrap();
        // The formula and the file are the same weights.
        assert!(
            weights == from_pytorch(&config, generated, &Device::flex()).unwrap(),
            "{folder}"
        );
        let case = Self {
            folder: folder.to_owned(),
            json,
            io: tensors(&path.join("io.safetensors")),
            config,
            weights,
        };
        let parameters = case
            .config
            .cost([architecture.input; 2], &Device::flex())
            .parameters;
        let expected = case.json["parameter_count"].as_u64().unwrap() as usize;
        assert_eq!(parameters + case.unused_parameters(), expected, "{folder}");
        case
    }

    /// PyTorch's name of a tensor.
    pub(crate) fn name(&self, ours: &str) -> String {
        name_of(ours, &self.config.network)
    }

    /// Parameters of the reference that its own forward pass never uses: ResNeXt's `bn_att`.
    pub(crate) fn unused_parameters(&self) -> usize {
        let attention = self.config.attention.as_ref().unwrap();
        if attention.norm {
            0
        } else {
            2 * self.config.network.branch_stage().outputs()
        }
    }

    pub(crate) fn network(&self, device: &Device) -> Classifier {
        with_state(self.config.init(device), self.weights.clone()).unwrap()
    }

    pub(crate) fn images(&self, name: &str, device: &Device) -> Tensor<4> {
        let Reference { shape, values } = &self.io[name];
        let floats: DType = device.settings().float_dtype.into();
        Tensor::from_data(
            TensorData::new(values.clone(), shape.clone()),
            (device, floats),
        )
    }

    pub(crate) fn labels(&self, device: &Device) -> Tensor<2, Int> {
        let labels: Vec<i64> = self.io["train_labels"]
            .values
            .iter()
            .map(|label| *label as i64)
            .collect();
        let count = labels.len();
        Tensor::from_data(TensorData::new(labels, [count, 1]), device)
    }

    /// Logits, attention logits and map of the images `input`, against those whose names begin with
    /// `prefix`.
    #[track_caller]
    pub(crate) fn check_outputs(
        &self,
        weights: &State,
        prefix: &str,
        tolerance: impl Fn(&str) -> Tolerance,
    ) {
        let device = device();
        let network = with_state(self.config.init(&device), weights.clone()).unwrap();
        let output = network.forward(self.images("input", &device));
        let attention = output.attention.unwrap();
        let check = |name: &str, data: TensorData| {
            let values: Vec<f64> = data.iter::<f64>().collect();
            check_close(
                &format!("{}: {prefix}{name}", self.folder),
                &values,
                &self.io[&format!("{prefix}{name}_f64")],
                tolerance(name).there(),
            );
        };
        check("logits", output.logits.into_data());
        check("att_logits", attention.logits.into_data());
        check("attention", attention.map.into_data());
    }
}

/// The network in training on the images `train_input`: the loss and what follows from it.
impl Case {
    fn objective(&self, model: &Classifier, device: &Device) -> Tensor<1> {
        let output = model.forward(self.images("train_input", device));
        let outputs = &self.config.outputs;
        loss(&output, self.labels(device), outputs, ATTENTION_WEIGHT)
    }

    /// Norms and probed elements of the gradient of every parameter at the start, to a relative
    /// tolerance.
    #[track_caller]
    pub(crate) fn check_gradients(&self, relative: f64) {
        let device = device().autodiff();
        let model = self.network(&device);
        let relative = relative * leeway();
        let gradients =
            GradientsParams::from_grads(self.objective(&model, &device).backward(), &model);
        let gradients = gradients_of(&model, &gradients).into_iter();
        let gradients: BTreeMap<_, _> = gradients
            .map(|(ours, values)| (self.name(&ours), values))
            .collect();

        let start = &self.json["training"]["gradient_at_start"];
        let floor = 1e-3 * number(&start["total_l2"]);
        let rows = start["parameters"].as_object().unwrap().iter();
        let expected: Vec<_> = rows.filter(|(_, row)| !row.is_null()).collect();
        assert_eq!(gradients.len(), expected.len());
        for (name, row) in expected {
            let (found, truth) = (&gradients[name], number(&row["l2"]));
            let allowed = relative * (truth + floor);
            let off = (l2(found) - truth).abs();
            assert!(
                off <= allowed,
                "{}: gradient of {name}: norm off by {off:e} of {truth:e}",
                self.folder
            );
            // Elements 0, n/3, n/2 and n-1, without duplicates.
            let mut places = vec![0, found.len() / 3, found.len() / 2, found.len() - 1];
            places.dedup();
            let probes = row["probe"].as_array().unwrap();
            assert_eq!(places.len(), probes.len(), "{name}");
            for (place, probe) in places.into_iter().zip(probes) {
                let off = (found[place] - number(probe)).abs();
                assert!(
                    off <= allowed,
                    "{}: gradient of {name}: element {place} off by {off:e}",
                    self.folder
                );
            }
        }
    }

    /// The losses before each of so many steps of SGD and after the last, and the state after the
    /// last step.
    pub(crate) fn train(&self, run: &str, steps: usize) -> (Vec<f64>, State) {
        let optimizer = &self.json["training"]["runs"][run]["optimizer"];
        let mut sgd = Sgd::new(SgdConfig {
            momentum: number(&optimizer["momentum"]),
            weight_decay: number(&optimizer["weight_decay"]),
        });
        let device = device().autodiff();
        let mut model = self.network(&device);
        let (mut losses, mut after) = (Vec::new(), State::new());
        for step in 0..=steps {
            let objective = self.objective(&model, &device);
            losses.push(objective.clone().into_data().iter::<f64>().next().unwrap());
            if step < steps {
                let gradients = GradientsParams::from_grads(objective.backward(), &model);
                model = sgd.step(number(&optimizer["lr"]), model, gradients);
                after = state_of(&model);
            }
        }
        (losses, after)
    }
}
