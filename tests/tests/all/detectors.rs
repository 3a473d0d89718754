//! Detectors as torchvision has them: `fixtures/detectors.py` wrote `fixtures/detectors.json`.
//! Weights and images follow from the names of the tensors.

use abn_boxes::{BoundingBox, ByMode, Detection, DetectorConstants, Size};
use abn_core::detect::{Detector, DetectorConfig, Frozen, Images, Lot, Neck, Objects};
use abn_core::pytorch::{detector_from_pytorch, detector_name_of, detector_to_pytorch};
use abn_core::sgd::{Sgd, SgdConfig};
use abn_core::state::{State, state_of, with_state};
use abn_core::{Architecture, AttentionConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde_json::Value;

use crate::case::formula;
use crate::fixtures::number;
use crate::gradients::gradients_of;
use crate::probes::{changes, check_probes, probe};
use crate::zoo::weights;

const SEED: u64 = 0;
/// Of outputs and losses.
const ROUNDING: f64 = 1e-9;
/// Images are padded to multiples of it.
const MULTIPLE: usize = 32;

/// Everything that the fixture tells of all of its detectors.
#[track_caller]
pub(crate) fn check_detectors() {
    let whole: Value = serde_json::from_str(include_str!("../../fixtures/detectors.json")).unwrap();
    assert_eq!(whole["seed"], SEED);
    for case in list(&whole["cases"]) {
        let case = Case::of(&whole, case.clone());
        case.check_names();
        case.check_outputs();
        case.check_training();
    }
}

struct Case<'a> {
    whole: &'a Value,
    json: Value,
    config: DetectorConfig,
    start: State,
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

impl<'a> Case<'a> {
    fn of(whole: &'a Value, json: Value) -> Self {
        let named = match json["bottlenecks"] == true {
            true => "resnet50",
            false => "resnet18",
        };
        let mut network = Architecture::parse(named).unwrap().network;
        for (stage, blocks) in network.stages.iter_mut().zip(list(&json["blocks"])) {
            stage.blocks = count(blocks);
        }
        let pyramid = json["neck"] == "fpn";
        let mut constants = DetectorConstants::fpn();
        let sizes = [16.0, 24.0, 32.0, 48.0, 64.0];
        constants.anchors.sizes = match pyramid {
            true => sizes.map(|size| vec![size]).into(),
            false => vec![sizes.to_vec()],
        };
        constants.rpn.sampled = 1_000_000;
        constants.regions.sampled = 1_000_000;
        constants.rpn.before_nms = ByMode {
            training: 400,
            testing: 300,
        };
        constants.rpn.after_nms = ByMode {
            training: 120,
            testing: 60,
        };
        let config = DetectorConfig {
            region_attention: None,
            network,
            neck: match pyramid {
                true => Neck::Pyramid {
                    channels: count(&whole["channels"]),
                    hidden: count(&whole["hidden"]),
                },
                false => Neck::LastStage,
            },
            attention: (json["abn"] == true).then(AttentionConfig::abn),
            classes: count(&whole["classes"]),
            frozen: match json["frozen"] == true {
                true => Frozen::PRETRAINED,
                false => Frozen::NOTHING,
            },
            constants,
        };
        config.check().unwrap();
        let fill = |(name, sides): (&String, &Value)| {
            let shape: Vec<usize> = list(sides).iter().map(count).collect();
            let mut values = weights(name, &shape);
            let small = name.contains("rpn.head.") || name.contains("box_predictor");
            if small && shape.len() > 1 {
                values.iter_mut().for_each(|value| *value /= 64.0);
            }
            (name.clone(), TensorData::new(values, shape))
        };
        let start = json["tensors"]
            .as_object()
            .unwrap()
            .iter()
            .map(fill)
            .collect();
        Self {
            whole,
            json,
            config,
            start,
        }
    }

    fn name(&self) -> &str {
        self.json["name"].as_str().unwrap()
    }

    fn detector(&self, device: &Device) -> Detector {
        let state = detector_from_pytorch(&self.config, self.start.clone(), device).unwrap();
        with_state(self.config.init(device), state).unwrap()
    }

    /// What is exported are the tensors that were imported, also from names of older files.
    #[track_caller]
    fn check_names(&self) {
        let device = Device::flex();
        let state = state_of(&self.detector(&device));
        let exported = detector_to_pytorch(&self.config, &state);
        assert!(exported == self.start, "{}", self.name());
        let older = |(name, data): (&String, &TensorData)| {
            let mut older = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.");
            for level in 0..4 {
                older = older.replace(&format!("_blocks.{level}.0."), &format!("_blocks.{level}."));
            }
            (older, data.clone())
        };
        let older: State = self.start.iter().map(older).collect();
        assert!(older.keys().ne(self.start.keys()));
        let found = detector_from_pytorch(&self.config, older, &device).unwrap();
        let present = detector_from_pytorch(&self.config, self.start.clone(), &device).unwrap();
        assert!(found == present, "{}", self.name());
    }

    fn images(&self, device: &Device) -> Images {
        let side = |size: &Value| [count(&size[0]), count(&size[1])];
        let sizes: Vec<[usize; 2]> = list(&self.whole["sizes"]).iter().map(side).collect();
        let most = |axis: usize| sizes.iter().map(|size| size[axis]).max().unwrap();
        let [height, width] = [most(0), most(1)].map(|side| side.next_multiple_of(MULTIPLE));
        let mut pixels = vec![0.0_f32; sizes.len() * 3 * height * width];
        for (number, [rows, columns]) in sizes.iter().copied().enumerate() {
            let own = formula(SEED, &format!("image {number}"), 3 * rows * columns, 7);
            for (line, values) in own.chunks(columns).enumerate() {
                let (channel, row) = (line / rows, line % rows);
                let at = ((number * 3 + channel) * height + row) * width;
                pixels[at..at + columns].copy_from_slice(values);
            }
        }
        let floats: DType = device.settings().float_dtype.into();
        let pixels = TensorData::new(pixels, [sizes.len(), 3, height, width]);
        Images {
            pixels: Tensor::from_data(pixels, (device, floats)),
            sizes: sizes
                .iter()
                .map(|[rows, columns]| Size::new(*rows, *columns))
                .collect(),
        }
    }

    fn objects(&self) -> Vec<Objects> {
        let of_image = |objects: &Value| Objects {
            boxes: list(&objects[0]).iter().map(bounds).collect(),
            labels: list(&objects[1]).iter().map(count).collect(),
        };
        list(&self.whole["objects"]).iter().map(of_image).collect()
    }

    #[track_caller]
    fn check_close(&self, what: &str, found: &[f64], expected: &[f64]) {
        let context = format!("{} {what}", self.name());
        assert_eq!(found.len(), expected.len(), "{context}");
        for (found, truth) in found.iter().zip(expected) {
            let off = (found - truth).abs();
            let bound = ROUNDING * truth.abs().max(1.0);
            assert!(off <= bound, "{context}: {found} is not {truth}");
        }
    }

    /// Levels, what is said of anchors, and what is found.
    #[track_caller]
    fn check_outputs(&self) {
        let device = Device::flex();
        let (detector, images) = (self.detector(&device), self.images(&device));
        let features = detector.features(images.pixels.clone());
        let expected = list(&self.json["levels"]);
        assert_eq!(features.levels.len(), expected.len());
        for (number, (level, expected)) in features.levels.iter().zip(expected).enumerate() {
            let shape = numbers(&Value::from(expected.as_array().unwrap()[..4].to_vec()));
            let dims = level.dims().map(|side| side as f64);
            self.check_close("shape of a level", &dims, &shape);
            let what = format!("level {number}");
            self.check_probe(&what, &values(level.clone()), &expected[4], &expected[5]);
        }
        let said = detector.rpn.forward(&features.levels);
        let mut start = 0;
        for (number, grid) in said.grids.iter().enumerate() {
            let [batch, _, values_of_offsets] = said.offsets.dims();
            let anchors = self.config.constants.anchors.per_cell(number);
            let len = grid.height * grid.width * anchors;
            // torchvision's levels have the anchors as channels.
            let as_channels = |rows: Tensor<3>, each: usize| {
                let rows = rows.narrow(1, start, len);
                let grid = [batch, grid.height, grid.width, anchors * each];
                values(rows.reshape(grid).permute([0, 3, 1, 2]))
            };
            for (what, rows, each) in [
                ("logits", said.logits.clone().unsqueeze_dim::<3>(2), 1),
                ("offsets", said.offsets.clone(), values_of_offsets),
            ] {
                let expected = &self.json[what][number];
                let what = format!("{what} {number}");
                self.check_probe(&what, &as_channels(rows, each), &expected[0], &expected[1]);
            }
            start += len;
        }
        let (found, attention) = detector.detect(&images);
        for (found, expected) in found.iter().zip(list(&self.json["found"])) {
            self.check_found(found, expected);
        }
        assert_eq!(attention.is_some(), self.json["abn"] == true);
        if let Some(attention) = attention {
            let rows = list(&self.json["occurs"]).iter().flat_map(list);
            let expected: Vec<f64> = rows.map(number).collect();
            let pairs: Vec<f64> = attention.logits.into_data().iter().collect();
            let found: Vec<f64> = pairs.chunks(2).map(|pair| pair[1] - pair[0]).collect();
            self.check_close("occurs", &found, &expected);
            let expected = &self.json["map"];
            self.check_probe("map", &values(attention.map), &expected[0], &expected[1]);
        }
    }

    #[track_caller]
    fn check_probe(&self, what: &str, values: &[f64], norm: &Value, along: &Value) {
        let found = probe(what, values).map(|value| value / number(norm));
        let expected = [1.0, number(along) / number(norm)];
        self.check_close(what, &found, &expected);
    }

    #[track_caller]
    fn check_found(&self, found: &[Detection], expected: &Value) {
        let labels: Vec<f64> = found.iter().map(|one| one.label as f64).collect();
        self.check_close("labels", &labels, &numbers(&expected["labels"]));
        let scores: Vec<f64> = found.iter().map(|one| one.score).collect();
        self.check_close("scores", &scores, &numbers(&expected["scores"]));
        let corners = |one: &Detection| <[f64; 4]>::from(one.bounds);
        let boxes: Vec<f64> = found.iter().flat_map(corners).collect();
        let rows = list(&expected["boxes"]).iter().flat_map(list);
        let expected: Vec<f64> = rows.map(number).collect();
        self.check_close("boxes", &boxes, &expected);
    }

    /// The losses of each step, the first gradient, and what all steps changed.
    #[track_caller]
    fn check_training(&self) {
        let device = Device::flex().autodiff();
        let mut detector = self.detector(&device);
        let mut sgd = Sgd::new(SgdConfig {
            momentum: number(&self.whole["momentum"]),
            weight_decay: number(&self.whole["decay"]),
        });
        let (images, objects) = (self.images(&device), self.objects());
        let theirs = |ours: std::collections::BTreeMap<String, Vec<f64>>| -> Vec<_> {
            let name = |ours: &str| detector_name_of(ours, &self.config.network);
            ours.into_iter()
                .map(|(ours, values)| (name(&ours), values))
                .collect()
        };
        for (step, expected) in list(&self.json["losses"]).iter().enumerate() {
            let lot = Lot {
                seed: 0,
                epoch: 0,
                images: &[0, 1],
            };
            let losses = detector.losses(&images, &objects, lot);
            for (name, found) in [
                ("loss_classifier", Some(&losses.classes)),
                ("loss_box_reg", Some(&losses.boxes)),
                ("loss_objectness", Some(&losses.objectness)),
                ("loss_rpn_box_reg", Some(&losses.proposals)),
                ("loss_attention", losses.attention.as_ref()),
            ] {
                assert_eq!(found.is_some(), expected[name].is_number(), "{name}");
                if let Some(found) = found {
                    let found: Vec<f64> = found.clone().into_data().iter().collect();
                    let what = format!("{name} of step {step}");
                    self.check_close(&what, &found, &[number(&expected[name])]);
                }
            }
            let gradients = losses.total().backward();
            let gradients = GradientsParams::from_grads(gradients, &detector);
            if step == 0 {
                let found = theirs(gradients_of(&detector, &gradients));
                let expected = self.json["gradients"].as_object().unwrap();
                check_probes(&format!("{} gradient", self.name()), expected, found);
            }
            detector = sgd.step(number(&self.whole["rate"]), detector, gradients);
        }
        let before = state_of(&self.detector(&device));
        let found = theirs(changes(&before, &state_of(&detector)));
        let expected = self.json["changes"].as_object().unwrap();
        check_probes(&format!("{} change", self.name()), expected, found);
    }
}

fn bounds(corners: &Value) -> BoundingBox {
    let corners: [f64; 4] = numbers(corners).try_into().unwrap();
    corners.into()
}

fn values(tensor: Tensor<4>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}
