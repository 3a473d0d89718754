//! The network of several labels as its authors' PyTorch code has it: `fixtures/multitask.py` wrote
//! `fixtures/multitask.json`. Weights and images follow from the names of the tensors.

use std::collections::BTreeMap;

use abn_core::attention::{LogitMap, MapConfig, Pool};
use abn_core::gradients::gradients;
use abn_core::loss::{Objective, loss};
use abn_core::mechanism::Mechanism;
use abn_core::outputs::Binary;
use abn_core::pytorch::{from_pytorch, name_of, to_pytorch};
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::state::{State, state_of, with_state};
use abn_core::{Architecture, AttentionConfig, Classifier, ClassifierConfig, Outputs};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde_json::Value;

use crate::case::formula;
use crate::fixtures::number;
use crate::gradients::gradients_of;
use crate::probes::{changes, check_probes, probe};
use crate::zoo::weights;

const SEED: u64 = 0;
/// Of outputs.
const ROUNDING: f64 = 1e-9;

/// A network of the fixture, and what PyTorch makes of it.
struct Multitask {
    json: Value,
    config: ClassifierConfig,
    start: State,
}

/// Everything that the fixture tells of all of its networks.
#[track_caller]
pub(crate) fn check_networks_of_several_labels() {
    let whole: Value = serde_json::from_str(include_str!("../../fixtures/multitask.json")).unwrap();
    assert_eq!(whole["seed"], SEED);
    for case in whole["cases"].as_array().unwrap() {
        let network = Multitask::of(case.clone());
        network.check_export();
        network.check_outputs(&whole);
        network.check_training(&whole);
    }
}

impl Multitask {
    fn of(json: Value) -> Self {
        let named = Architecture::parse(json["ours"].as_str().unwrap()).unwrap();
        let mut network = named.network;
        let blocks = json["blocks"].as_array().unwrap();
        for (stage, blocks) in network.stages.iter_mut().zip(blocks) {
            stage.blocks = blocks.as_u64().unwrap() as usize;
        }
        let is = |name: &str| json["options"][name] == true;
        let attention = AttentionConfig {
            mechanism: match is("residual") {
                true => Mechanism::Residual,
                false => Mechanism::Multiply,
            },
            map: MapConfig::Logit(match is("sigmoid") {
                true => LogitMap::Sigmoid,
                false => LogitMap::Raw,
            }),
            pool: match is("maximum") {
                true => Pool::Maximum,
                false => Pool::Mean,
            },
            ..AttentionConfig::multitask()
        };
        let binary = match json["options"]["logits"].as_u64() {
            Some(2) => Binary::Softmax,
            _ => Binary::Sigmoid,
        };
        let labels = json["labels"][0].as_array().unwrap().len();
        let config = ClassifierConfig {
            network,
            attention: Some(attention),
            outputs: Outputs::of(vec![2; labels]).with(binary),
        };
        config.check().unwrap();
        let parameters = config.cost([224, 224], &Device::flex()).parameters;
        assert_eq!(parameters as u64, json["parameters"].as_u64().unwrap());
        let tensors = json["tensors"].as_object().unwrap().iter();
        let fill = |(name, sides): (&String, &Value)| {
            let sides = sides.as_array().unwrap().iter();
            let shape: Vec<usize> = sides.map(|side| side.as_u64().unwrap() as usize).collect();
            let values = weights(name, &shape);
            (name.clone(), TensorData::new(values, shape))
        };
        let start: State = tensors.map(fill).collect();
        Self {
            json,
            config,
            start,
        }
    }

    fn name(&self) -> &str {
        self.json["name"].as_str().unwrap()
    }

    fn network(&self, device: &Device) -> Classifier {
        let state = from_pytorch(&self.config, self.start.clone(), device).unwrap();
        with_state(self.config.init(device), state).unwrap()
    }

    /// What is exported are the tensors that were imported.
    #[track_caller]
    fn check_export(&self) {
        let state = state_of(&self.network(&Device::flex()));
        assert!(
            to_pytorch(&self.config, &state) == self.start,
            "{}",
            self.name()
        );
    }

    fn images(&self, whole: &Value, device: &Device) -> Tensor<4> {
        let side = self.json["side"].as_u64().unwrap() as usize;
        let count = whole["images"].as_u64().unwrap() as usize;
        let values = formula(SEED, "images", count * 3 * side * side, 7);
        let floats: DType = device.settings().float_dtype.into();
        Tensor::from_data(
            TensorData::new(values, [count, 3, side, side]),
            (device, floats),
        )
    }

    #[track_caller]
    fn check_outputs(&self, whole: &Value) {
        let device = Device::flex();
        let output = self.network(&device).forward(self.images(whole, &device));
        let attention = output.attention.unwrap();
        let eval = &self.json["eval"];
        let differences = |logits: Tensor<2>| -> Vec<f64> {
            let values: Vec<f64> = logits.into_data().iter().collect();
            values.chunks(2).map(|pair| pair[1] - pair[0]).collect()
        };
        let rows = |rows: &Value| -> Vec<f64> {
            let rows = rows.as_array().unwrap().iter();
            rows.flat_map(|row| row.as_array().unwrap())
                .map(number)
                .collect()
        };
        self.check_close(
            "attention",
            &differences(attention.logits),
            &rows(&eval["attention"]),
        );
        let perception = rows(&eval["perception"]);
        match self.config.outputs.learned().total() == self.config.outputs.total() {
            true => {
                let found: Vec<f64> = output.logits.into_data().iter().collect();
                self.check_close("perception", &found, &perception);
            }
            false => self.check_close("perception", &differences(output.logits), &perception),
        }
        let [images, maps, height, width] = attention.map.dims();
        let shape = [images, maps, height, width].map(|side| side as u64);
        for (side, expected) in shape.iter().zip(eval["maps"].as_array().unwrap()) {
            assert_eq!(*side, expected.as_u64().unwrap());
        }
        let values: Vec<f64> = attention.map.into_data().iter().collect();
        let corners: Vec<f64> = values.chunks(height * width).map(|map| map[1]).collect();
        let expected: Vec<f64> = eval["corner"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(number)
            .collect();
        self.check_close("corner", &corners, &expected);
        let truth = [number(&eval["maps"][4]), number(&eval["maps"][5])];
        let found = probe("maps", &values);
        let scale = truth[0];
        self.check_close(
            "maps",
            &found.map(|value| value / scale),
            &truth.map(|value| value / scale),
        );
    }

    #[track_caller]
    fn check_close(&self, what: &str, found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{} {what}", self.name());
        for (found, truth) in found.iter().zip(expected) {
            let off = (found - truth).abs();
            assert!(
                off <= ROUNDING * truth.abs().max(1.0),
                "{} {what}: off by {off:e}",
                self.name()
            );
        }
    }

    /// The loss of each step, the first gradient, and what all steps changed, running statistics
    /// among them.
    #[track_caller]
    fn check_training(&self, whole: &Value) {
        let device = Device::flex().autodiff();
        let mut network = self.network(&device);
        let mut sgd = Sgd::new(SgdConfig {
            momentum: number(&whole["momentum"]),
            weight_decay: number(&whole["decay"]),
        });
        let labels = self.json["labels"].as_array().unwrap();
        let values: Vec<i64> = labels
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|label| label.as_i64().unwrap())
            .collect();
        let shape = [labels.len(), values.len() / labels.len()];
        let classes = Tensor::<2, Int>::from_data(TensorData::new(values, shape), &device);
        for (step, expected) in self.json["losses"].as_array().unwrap().iter().enumerate() {
            let (images, classes) = (self.images(whole, &device), classes.clone());
            let objective = Objective::from(1.0);
            let (gradients, output) = gradients(&network, images, classes.clone(), &objective);
            let loss = loss(&output, classes.inner(), network.outputs(), objective);
            let found = loss.into_data().iter::<f64>().next().unwrap();
            self.check_close("loss", &[found], &[number(expected)]);
            if step == 0 {
                self.check_probes("gradients", gradients_of(&network, &gradients));
            }
            network = sgd.step(number(&whole["rate"]), network, gradients);
        }
        let before = state_of(&self.network(&device));
        let after = state_of(&network);
        self.check_probes("changes", changes(&before, &after));
    }

    #[track_caller]
    fn check_probes(&self, what: &str, ours: BTreeMap<String, Vec<f64>>) {
        let theirs = ours
            .iter()
            .flat_map(|(name, values)| self.theirs(name, values))
            .collect();
        let expected = self.json[what].as_object().unwrap();
        check_probes(&format!("{} {what}", self.name()), expected, theirs);
    }

    /// A tensor under its name there; the head is a layer for each label.
    fn theirs(&self, ours: &str, values: &[f64]) -> Vec<(String, Vec<f64>)> {
        let official = name_of(ours, &self.config.network);
        let labels = self.config.outputs.groups().len();
        let Some(leaf) = official.strip_prefix("fc.") else {
            let name = official
                .replace("att_layer4.", "layer4_att.")
                .replace("att_conv2.", "conv_att.");
            return vec![(name, values.to_vec())];
        };
        let parts = values.chunks(values.len() / labels).enumerate();
        let named =
            |(label, part): (usize, &[f64])| (format!("output_per.{label}.{leaf}"), part.to_vec());
        parts.map(named).collect()
    }
}
