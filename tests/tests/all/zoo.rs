//! Networks as other authors' PyTorch code has them, with those authors' names: torchvision's,
//! CBAM's, and the CIFAR ResNets of akamaster and kuangliu. `fixtures/zoo.py` wrote
//! `fixtures/zoo.json`.
//!
//! Weights and images follow from the names of the tensors, so neither side needs the other's
//! files.

use std::collections::BTreeMap;

use abn_core::pytorch::from_pytorch;
use abn_core::state::{State, with_state};
use abn_core::{Architecture, Classifier, ClassifierConfig, Outputs};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use serde_json::Value;

use crate::case::formula;
use crate::fixtures::number;

const SEED: u64 = 0;

/// A network that others defined, and what PyTorch makes of it.
pub(crate) struct Foreign {
    pub(crate) json: Value,
    pub(crate) config: ClassifierConfig,
}

/// Every network of the fixture.
pub(crate) fn foreign() -> impl Iterator<Item = Foreign> {
    let mut json: Value = serde_json::from_str(include_str!("../../fixtures/zoo.json")).unwrap();
    assert_eq!(json["seed"], SEED);
    let Value::Array(cases) = json["cases"].take() else {
        panic!("no cases")
    };
    cases.into_iter().map(|json| {
        let network = Architecture::parse(json["ours"].as_str().unwrap())
            .unwrap()
            .network;
        Foreign {
            config: ClassifierConfig {
                network,
                attention: None,
                outputs: Outputs::one(7),
            },
            json,
        }
    })
}

impl Foreign {
    pub(crate) fn name(&self) -> &str {
        self.json["ours"].as_str().unwrap()
    }

    /// The authors' name of what the official ABN repository, and so torchvision, calls that.
    pub(crate) fn theirs(&self, official: &str) -> String {
        if self.name().contains("-basic") {
            official
                .replace("fc.", "linear.")
                .replace(".downsample.", ".shortcut.")
        } else {
            official.to_owned()
        }
    }

    /// The authors' names of all tensors, and their shapes in PyTorch.
    fn shapes(&self) -> BTreeMap<String, Shape> {
        let nothing = from_pytorch(&self.config, State::new(), &Device::flex()).unwrap_err();
        nothing
            .missing
            .into_iter()
            .map(|(name, shape)| (self.theirs(&name), shape))
            .collect()
    }

    /// The network with the weights that follow from its names.
    #[track_caller]
    pub(crate) fn network(&self, device: &Device) -> Classifier {
        let shapes = self.shapes();
        let lines = shapes
            .iter()
            .map(|(name, shape)| format!("{name} {:?}\n", &shape[..]));
        assert_eq!(
            shapes.len() as u64,
            self.json["tensors"].as_u64().unwrap(),
            "{}",
            self.name()
        );
        assert_eq!(
            digest(&lines.collect::<String>()),
            self.json["names"].as_str().unwrap(),
            "{}",
            self.name()
        );
        let parameters = self.config.cost([224, 224], &Device::flex()).parameters as u64;
        assert_eq!(
            parameters,
            self.json["parameters"].as_u64().unwrap(),
            "{}",
            self.name()
        );
        let fill = |(name, shape): (String, Shape)| {
            let values = weights(&name, &shape);
            (name, TensorData::new(values, shape))
        };
        let checkpoint = shapes.into_iter().map(fill).collect();
        let state = from_pytorch(&self.config, checkpoint, device).unwrap();
        with_state(self.config.init(device), state).unwrap()
    }

    pub(crate) fn images(&self, device: &Device) -> Tensor<4> {
        let [height, width] = [0, 1].map(|side| self.json["size"][side].as_u64().unwrap() as usize);
        let values = formula(SEED, "images", 6 * height * width, 7);
        let floats: DType = device.settings().float_dtype.into();
        Tensor::from_data(
            TensorData::new(values, [2, 3, height, width]),
            (device, floats),
        )
    }

    /// The logits of the images are PyTorch's in double precision.
    #[track_caller]
    pub(crate) fn check_logits(&self, allowed: f64) {
        let device = Device::flex();
        let logits = self.network(&device).forward(self.images(&device)).logits;
        let rows = self.json["logits"].as_array().unwrap().iter();
        let expected: Vec<f64> = rows
            .flat_map(|row| row.as_array().unwrap())
            .map(number)
            .collect();
        let found: Vec<f64> = logits.into_data().iter().collect();
        assert_eq!(found.len(), expected.len(), "{}", self.name());
        let off = found
            .iter()
            .zip(expected)
            .map(|(found, truth)| (found - truth).abs())
            .fold(0.0, f64::max);
        assert!(
            off <= allowed,
            "{}: off by {off:e}, allowed {allowed:e}",
            self.name()
        );
    }
}

/// FNV-1a, as the fixture's script has it.
fn digest(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// `weights` of the fixture's script.
pub(crate) fn weights(name: &str, shape: &[usize]) -> Vec<f32> {
    let odd = |exponent| formula(SEED, name, shape.iter().product(), exponent);
    if shape.len() > 1 {
        let fan_in: usize = shape[1..].iter().product();
        let bits = (usize::BITS - fan_in.leading_zeros()) as i32;
        return odd(6 + (bits + 1) / 2);
    }
    let about_one = || odd(9).into_iter().map(|value| 1.0 + value);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&["running_mean", "bias"]) {
        odd(10)
    } else if ends(&["bn2.weight", "bn3.weight"]) {
        about_one().map(|value| value / 2.0).collect()
    } else {
        about_one().collect()
    }
}
