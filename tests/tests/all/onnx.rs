//! Exported ONNX models: what ONNX Runtime computes with them, beside what we compute.
//!
//! `ABN_PYTHON` names a Python that has numpy, onnx and onnxruntime; without it `python3` is asked.
//! `fixtures/onnx/compare.py` runs the models.
#![allow(clippy::print_stdout)] // The figures are what these tests are run for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use abn_core::architecture::{AttentionName, BlockName};
use abn_core::attention::{
    AttentionConfig, LogitMap, MapConfig, MapNorm, MapSource, Maps, Pool, SigmoidMap,
};
use abn_core::backbone::HeadConfig;
use abn_core::mechanism::Mechanism;
use abn_core::mixed::{
    Arrangement, ChannelConfig, MixedAttentionConfig, Pools, SpatialConfig, Squeeze,
};
use abn_core::outputs::Binary;
use abn_core::state::{State, state_of, with_state};
use abn_core::{Architecture, Classifier, ClassifierConfig, Outputs};
use abn_data::{Group, Labels, Normalization, Step, Transform};
use abn_onnx::{Export, Input, export, from_bytes, to_bytes};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::{Value, json};

use crate::program::{fails, succeeds};

/// Largest deviation, relative to the largest value of an output.
const ROUNDING: f64 = 1e-4;
/// The same where bytes are rounded otherwise in resizing.
const RESIZED: f64 = 3e-2;
/// Below this spread, an output would hardly depend on anything.
const VISIBLE: f64 = 1e-3;
/// Cases that one Python compares.
const TOGETHER: usize = 60;

/// A network with weights that are none of a fresh one.
struct Case {
    name: String,
    /// What the figures are told of.
    family: String,
    config: ClassifierConfig,
    /// Batch, height and width of each pass.
    passes: Vec<[usize; 3]>,
}

/// Every layer's weights drawn, gains, shifts and biases too, and statistics near those of images: a
/// fresh network's would hide that one is in the place of another, and others let sums grow over a
/// hundred layers until every sigmoid is 0 or 1.
fn drawn(config: &ClassifierConfig, [height, width]: [usize; 2], seed: u64) -> State {
    let mut rng = Pcg64::seed_from_u64(seed);
    let training = Device::flex().autodiff();
    let mut state = state_of(&config.init_seeded(seed, &training).valid());
    for (name, data) in &mut state {
        let range = match leaf(name) {
            // What a trained block adds is small; else rounding grows from block to block.
            "gamma" if name.contains(".convs.") => 0.1..0.5,
            "gamma" | "gain" => 0.6..1.4,
            "beta" | "bias" | "shift" => -0.3..0.3,
            _ => continue,
        };
        *data = changed(data, |_| rng.random_range(range.clone()));
    }
    let network = with_state(config.init(&training), state).unwrap();
    let shape = [2, 3, height, width];
    let normal = Distribution::Normal(0.0, 1.0);
    let output = network.forward(Tensor::random(shape, normal, &training));
    // What a pass keeps for its gradients is given back when they were asked for.
    let logits = output.logits.sum();
    match output.attention {
        Some(attention) => (logits + attention.logits.sum() + attention.map.sum()).backward(),
        None => logits.backward(),
    };
    let mut state = state_of(&network.valid());
    for (name, data) in &mut state {
        // The statistics of the one batch, of which the running ones took a share.
        let share = match name.ends_with("spatial.norm.running_mean")
            || name.ends_with("spatial.norm.running_var")
        {
            true => 0.01,
            false => 0.1,
        };
        match leaf(name) {
            "running_mean" => {
                *data = changed(data, |mean| mean / share + rng.random_range(-0.2..0.2));
            }
            "running_var" => {
                *data = changed(data, |variance| {
                    let variance = (variance - (1.0 - share)) / share;
                    variance.max(0.05) * rng.random_range(0.7..1.4)
                });
            }
            _ => {}
        }
    }
    state
}

/// The last part of a name.
fn leaf(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn changed(data: &TensorData, change: impl FnMut(f32) -> f32) -> TensorData {
    let values: Vec<f32> = data.iter::<f32>().map(change).collect();
    TensorData::new(values, data.shape().clone())
}

fn labels(outputs: &Outputs) -> Labels {
    let group = |(index, size): (usize, &usize)| Group {
        name: format!("label {index}"),
        classes: (0..*size).map(|class| format!("class {class}")).collect(),
    };
    Labels::of(outputs.groups().iter().enumerate().map(group).collect())
}

impl Case {
    /// Writes model, inputs and what we compute.
    fn write(&self, folder: &Path, number: usize) {
        let stem = format!("{number:04}");
        let [_, height, width] = self.passes[0];
        let state = drawn(&self.config, [height, width], number as u64);
        let classifier = with_state(self.config.init(&Device::flex()), state.clone()).unwrap();
        let what = Export {
            title: &self.name,
            model: &self.config,
            labels: &labels(&self.config.outputs),
            transform: &Transform {
                steps: Vec::new(),
                normalization: Normalization::CIFAR,
            },
            input: Input::Normalized,
        };
        let model = export(&what, state).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        fs::write(
            folder.join(format!("{stem}.onnx")),
            to_bytes(&model).unwrap(),
        )
        .unwrap();
        drop(model);
        let passes: Vec<Value> = self
            .passes
            .iter()
            .enumerate()
            .map(|(pass, size)| passed(&classifier, *size, folder, &format!("{stem}-{pass}")))
            .collect();
        let case = json!({ "passes": passes });
        fs::write(folder.join(format!("{stem}.json")), case.to_string()).unwrap();
    }
}

/// One pass: inputs and outputs as files.
fn passed(classifier: &Classifier, size: [usize; 3], folder: &Path, stem: &str) -> Value {
    let [batch, height, width] = size;
    let shape = [batch, 3, height, width];
    let images = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex());
    let outputs = answered(classifier, images.clone(), folder, stem);
    let images = written(images.into_data(), folder, &format!("{stem}-images"));
    json!({ "inputs": { "images": images }, "outputs": outputs })
}

/// What a network answers, as files.
fn answered(classifier: &Classifier, images: Tensor<4>, folder: &Path, stem: &str) -> Value {
    let output = classifier.forward(images);
    let mut outputs = serde_json::Map::new();
    let mut put = |name: &str, data| {
        outputs.insert(
            name.to_owned(),
            written(data, folder, &format!("{stem}-{name}")),
        );
    };
    put("logits", output.logits.into_data());
    if let Some(attention) = output.attention {
        put("attention_logits", attention.logits.into_data());
        put("map", attention.map.into_data());
    }
    Value::Object(outputs)
}

fn written(data: TensorData, folder: &Path, name: &str) -> Value {
    let values: Vec<u8> = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
    fs::write(folder.join(name), values).unwrap();
    json!({ "file": name, "shape": data.shape().to_vec(), "type": "<f4" })
}

fn python() -> PathBuf {
    std::env::var_os("ABN_PYTHON").map_or("python3".into(), PathBuf::from)
}

/// What the script says of the cases in a folder.
#[track_caller]
fn compared(folder: &Path) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/onnx/compare.py");
    let output = Command::new(python()).arg(script).arg(folder).output();
    let output = output.expect("ABN_PYTHON names a Python with numpy, onnx and onnxruntime");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Compares all cases and tells the largest deviation of each family.
#[track_caller]
fn check(cases: &[Case], together: usize) {
    let mut largest: BTreeMap<(&str, String), (f64, &str)> = BTreeMap::new();
    let mut failed = Vec::new();
    for (part, some) in cases.chunks(together).enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let first = part * together;
        for (index, case) in some.iter().enumerate() {
            case.write(folder.path(), first + index);
        }
        let lines = compared(folder.path());
        let passes: usize = some.iter().map(|case| case.passes.len()).sum();
        assert!(lines.len() >= passes, "every pass is compared");
        if let [one] = some {
            // Hours may pass before the end: what is known is told.
            let deviations = lines.iter().filter_map(|line| line["deviation"].as_f64());
            println!("{}: {:.1e}", one.name, deviations.fold(0.0, f64::max));
        }
        for line in lines {
            let number: usize = line["case"].as_str().unwrap().parse().unwrap();
            let (case, output) = (&cases[number], line["output"].as_str().unwrap());
            let deviation = line["deviation"].as_f64().unwrap_or(f64::INFINITY);
            let spread = line["spread"].as_f64().unwrap_or(0.0);
            let place = (&*case.family, output.to_owned());
            let entry = largest.entry(place).or_insert((0.0, &case.name));
            if deviation >= entry.0 {
                *entry = (deviation, &case.name);
            }
            if deviation > ROUNDING || spread < VISIBLE {
                failed.push(format!("{}: {line}", case.name));
            }
        }
    }
    for ((family, output), (deviation, name)) in &largest {
        println!("{family}, {output}: {deviation:.1e}, of {name}");
    }
    println!("{} networks", cases.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A network by name; the hidden layers of VGG's head would be hundreds of megabytes.
fn case(name: &str, attention: Option<AttentionConfig>, outputs: Outputs) -> Case {
    let architecture = Architecture::parse(name).unwrap();
    let mut network = architecture.network;
    if let HeadConfig::FullyConnected { hidden, .. } = &mut network.head {
        *hidden = 96;
    }
    let module = BlockName::split(name).0 != BlockName::Plain;
    let family = match network.family {
        family if module => format!("{family} with modules"),
        family if architecture.input == 224 => format!("{family} for photographs"),
        family => family.to_string(),
    };
    let passes = match architecture.input {
        224 => vec![[2, 64, 64], [1, 45, 77]],
        _ => vec![[3, 32, 32], [1, 21, 13]],
    };
    let named = AttentionName::of(attention.as_ref()).name();
    Case {
        name: format!("{name} with {named}"),
        family,
        config: ClassifierConfig {
            network,
            attention,
            outputs,
        },
        passes,
    }
}

/// A network with every attention of a name.
fn with_every_attention(name: &str) -> Vec<Case> {
    let architecture = Architecture::parse(name).unwrap();
    let of = |attention| {
        let outputs = match attention {
            AttentionName::Mtabn => Outputs::of(vec![2; 3]),
            AttentionName::MtabnResidual => Outputs::of(vec![2; 4]).with(Binary::Sigmoid),
            _ => Outputs::one(5),
        };
        case(name, architecture.attention(attention), outputs)
    };
    AttentionName::ALL.map(of).into()
}

/// What no table has, and of the table what has a few million parameters.
const SMALL: [&str; 26] = [
    "resnet8",
    "resnet14-basic",
    "resnet14-basic-a",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet44-basic",
    "resnet56-basic",
    "resnet110-basic",
    "resnet56-basic-a",
    "resnet50-cifar",
    "se-resnet8",
    "se-resnet44",
    "cbam-resnet8-basic-a",
    "cbam-resnet20",
    "wrn-10-2",
    "wrn-16-4",
    "cbam-wrn-10-1",
    "se-wrn-16-2",
    "densenet-bc-10-4",
    "densenet-bc-100-12",
    "resnext11-2x4d",
    "se-resnext11-3x5d",
    "vgg11-bn",
    "vgg13-bn-conv4",
];

/// Every named attention on small members of all families.
#[test]
#[ignore = "needs a Python with onnx and onnxruntime, by ABN_PYTHON"]
fn families_are_what_onnx_runtime_computes() {
    let cases: Vec<Case> = SMALL.into_iter().flat_map(with_every_attention).collect();
    check(&cases, TOGETHER / 3);
}

/// The rest of the table, one after the other: gigabytes, and half an hour. `ABN_NETWORKS` names
/// some of them, separated by commas.
#[test]
#[ignore = "needs a Python with onnx and onnxruntime, by ABN_PYTHON, and minutes"]
fn large_networks_are_what_onnx_runtime_computes() {
    let only = std::env::var("ABN_NETWORKS").ok();
    let is_meant = |name: &str| match &only {
        Some(names) => names.split(',').any(|one| one == name),
        None => !SMALL.contains(&name),
    };
    let published = Architecture::published().into_iter();
    let meant = published.filter(|published| is_meant(&published.name));
    let mut cases: Vec<Case> = meant
        .flat_map(|it| with_every_attention(&it.name))
        .collect();
    if !is_meant("vgg16-bn") {
        return check(&cases, 1);
    }
    // VGG at its own size needs no averages, and its own head is wide.
    let mut own = case("vgg16-bn", Some(AttentionConfig::abn()), Outputs::one(1000));
    own.config.network = Architecture::parse("vgg16-bn").unwrap().network;
    own.passes = vec![[1, 224, 224]];
    cases.push(own);
    check(&cases, 1);
}

/// The maps of the branch: sources, norms, smoothing, one or one a group.
fn maps() -> Vec<MapConfig> {
    let mut maps = vec![
        MapConfig::LogSum,
        MapConfig::Logit(LogitMap::Raw),
        MapConfig::Logit(LogitMap::Sigmoid),
    ];
    for source in [
        MapSource::Convolution { kernel: 1 },
        MapSource::Convolution { kernel: 3 },
        MapSource::Class,
        MapSource::LogSum,
    ] {
        for norm in [
            MapNorm::Batch,
            MapNorm::Image,
            MapNorm::MinMax,
            MapNorm::Softmax,
            MapNorm::None,
        ] {
            maps.extend([1, 5].map(|smoothing| {
                MapConfig::Sigmoid(SigmoidMap {
                    norm,
                    smoothing,
                    ..SigmoidMap::of(source)
                })
            }));
        }
    }
    maps
}

/// A small network with that branch.
fn branch(what: &str, attention: AttentionConfig, outputs: Outputs) -> Option<Case> {
    let found = Case {
        name: format!("{what}: {attention:?} {outputs:?}"),
        family: what.to_owned(),
        ..case("resnet8", Some(attention), outputs)
    };
    found.config.check().is_ok().then_some(found)
}

/// Every option of the branch.
#[test]
#[ignore = "needs a Python with onnx and onnxruntime, by ABN_PYTHON"]
fn branches_are_what_onnx_runtime_computes() {
    let mut cases = Vec::new();
    let mechanisms = [
        Mechanism::Identity,
        Mechanism::Multiply,
        Mechanism::Residual,
    ];
    for (index, map) in maps().into_iter().enumerate() {
        for maps in [Maps::One, Maps::PerGroup] {
            for groups in [vec![5], vec![2; 4], vec![2, 3, 2]] {
                for binary in [Binary::Softmax, Binary::Sigmoid] {
                    let attention = AttentionConfig {
                        map,
                        maps,
                        pool: [Pool::Mean, Pool::Maximum][index % 2],
                        mechanism: mechanisms[cases.len() % 3],
                        stage: index % 5 != 0,
                        norm: index % 4 != 0,
                        ..AttentionConfig::abn()
                    };
                    let outputs = Outputs::of(groups.clone()).with(binary);
                    cases.extend(branch("maps", attention, outputs));
                }
            }
        }
    }
    check(&cases, TOGETHER);
}

/// Every variant of the mixed attention module, in the branch and in every block.
#[test]
#[ignore = "needs a Python with onnx and onnxruntime, by ABN_PYTHON"]
fn modules_are_what_onnx_runtime_computes() {
    let with = |pools| [false, true].map(|mlp_bias| Some(ChannelConfig { pools, mlp_bias }));
    let channels = [Pools::Average, Pools::Maximum, Pools::Both]
        .into_iter()
        .flat_map(with);
    let channels: Vec<_> = channels.chain([None]).collect();
    let with = |(squeeze, kernel, norm)| {
        Some(SpatialConfig {
            squeeze,
            kernel,
            norm,
        })
    };
    let spatials = [
        (Squeeze::Pool, 3, false),
        (Squeeze::Pool, 7, true),
        (Squeeze::Conv, 3, true),
        (Squeeze::Conv, 7, false),
    ];
    let spatials: Vec<_> = spatials.into_iter().map(with).chain([None]).collect();
    let mut cases = Vec::new();
    for channel in &channels {
        for spatial in &spatials {
            for arrangement in [
                Arrangement::ChannelSpatial,
                Arrangement::SpatialChannel,
                Arrangement::Parallel,
                Arrangement::ParallelDoubleSigmoid,
            ] {
                let mixed = MixedAttentionConfig {
                    reduction: 4,
                    channel: channel.clone(),
                    spatial: spatial.clone(),
                    arrangement,
                };
                let attention = AttentionConfig {
                    mixed: Some(mixed.clone()),
                    ..AttentionConfig::manet()
                };
                cases.extend(branch("modules", attention, Outputs::one(5)));
                let names = ["resnet8", "wrn-10-1", "resnext11-2x4d"];
                let mut in_blocks = case(names[cases.len() / 2 % 3], None, Outputs::one(5));
                let network = in_blocks.config.network;
                in_blocks.config.network = network.with_block_attention(Some(&mixed)).unwrap();
                in_blocks.name = format!("blocks with {mixed:?}");
                in_blocks.family = "modules".to_owned();
                cases.push(in_blocks);
            }
        }
    }
    check(&cases, TOGETHER);
}

/// A picture of noise, with a border of another brightness that a wrong crop would show.
fn noise((width, height): (u32, u32), seed: u64) -> RgbImage {
    let mut rng = Pcg64::seed_from_u64(seed);
    RgbImage::from_fn(width, height, |x, y| {
        let bright = if x < 9 || y < 9 { 100 } else { 0 };
        Rgb(std::array::from_fn(|_| bright + rng.random_range(0..150)))
    })
}

/// The preprocessing in the graph: crops and borders are exact, what is resized is as near as the
/// rounding of bytes lets it be.
#[test]
#[ignore = "needs a Python with onnx and onnxruntime, by ABN_PYTHON"]
fn pictures_are_what_a_view_sees() {
    let resize = |width, height| Step::Resize { width, height };
    let (shorter, crop) = (
        |size| Step::ResizeShorter { size },
        |size| Step::CenterCrop { size },
    );
    // Steps, sizes of pictures, and the deviation that is allowed.
    let mut cases = vec![(vec![], vec![(32, 20), (33, 50)], ROUNDING)];
    let sides: Vec<u32> = (28..40).collect();
    let sizes = sides.iter().map(|side| (*side, 67 - side));
    cases.push((vec![crop(32)], sizes.collect(), ROUNDING));
    let longer = sides
        .iter()
        .flat_map(|side| [(32, 4 + side), (4 + side, 32)]);
    cases.push((vec![shorter(32), crop(32)], longer.collect(), ROUNDING));
    let large = vec![(90, 61), (61, 90), (200, 133), (17, 41), (400, 40)];
    cases.push((vec![shorter(37), crop(32)], large.clone(), RESIZED));
    cases.push((vec![shorter(20), crop(32)], large.clone(), RESIZED));
    cases.push((vec![resize(45, 31)], large, RESIZED));
    for (number, (steps, sizes, allowed)) in cases.into_iter().enumerate() {
        let attention = Some(AttentionConfig::manet());
        let config = case("resnet8", attention, Outputs::one(5)).config;
        let state = drawn(&config, [32, 32], number as u64);
        let classifier = with_state(config.init(&Device::flex()), state.clone()).unwrap();
        let transform = Transform {
            steps: steps.clone(),
            normalization: Normalization::CIFAR,
        };
        let what = Export {
            title: "pictures",
            model: &config,
            labels: &labels(&config.outputs),
            transform: &transform,
            input: Input::Pictures,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let model = to_bytes(&export(&what, state).unwrap()).unwrap();
        fs::write(path.join("0.onnx"), model).unwrap();
        let mut passes = Vec::new();
        for (pass, (width, height)) in sizes.into_iter().enumerate() {
            let picture = noise((width, height), pass as u64);
            fs::write(path.join(format!("{pass}-images")), picture.as_raw()).unwrap();
            let images = json!({
                "file": format!("{pass}-images"),
                "shape": [1, height, width, 3],
                "type": "|u1",
            });
            let seen = transform.fixed(picture).unwrap();
            let planes = transform.normalization.planes(&seen);
            let shape = [1, 3, seen.height() as usize, seen.width() as usize];
            let seen = Tensor::from_data(TensorData::new(planes, shape), &Device::flex());
            let outputs = answered(&classifier, seen, path, &pass.to_string());
            passes.push(json!({ "inputs": { "images": images }, "outputs": outputs }));
        }
        fs::write(path.join("0.json"), json!({ "passes": passes }).to_string()).unwrap();
        let lines = compared(path);
        assert_eq!(lines.len(), 3 * passes.len(), "three outputs each");
        let deviation = |line: &Value| line["deviation"].as_f64().unwrap_or(f64::INFINITY);
        let largest = lines.iter().map(deviation).fold(0.0, f64::max);
        println!("{steps:?}: {largest:.1e}");
        assert!(largest <= allowed, "{steps:?}: {lines:?}");
    }
}

#[test]
fn a_run_becomes_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let train = "train --dataset scenes --limit 16 --arch resnet8 --attention mtabn --epochs 1";
    succeeds(path, &format!("{train} --out run"));
    let said = succeeds(path, "export run --out a.onnx --json").out;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["file"], "a.onnx");
    succeeds(path, "export run --out b.onnx");
    let read = |name: &str| fs::read(path.join(name)).unwrap();
    assert_eq!(
        read("a.onnx"),
        read("b.onnx"),
        "the same run, the same bytes"
    );
    succeeds(path, "export run --out c.onnx --with-preprocessing");
    let kinds = ["a.onnx", "c.onnx"].map(|name| {
        let graph = from_bytes(&read(name)).unwrap().graph.unwrap();
        let outputs: Vec<String> = graph.output.iter().map(|it| it.name.clone()).collect();
        assert_eq!(outputs, ["logits", "attention_logits", "map"]);
        let input = graph.input[0].r#type.clone().unwrap().tensor_type.unwrap();
        input.elem_type
    });
    assert_eq!(kinds, [1, 2], "floats, bytes");
    fails(path, "export run --out a.onnx", 1, &["`a.onnx` exists"]);
    let refused = "export run --out d.safetensors --with-preprocessing";
    fails(path, refused, 1, &["--with-preprocessing is for .onnx"]);
    fails(path, "export run --out d.pb", 1, &[".safetensors", ".onnx"]);
    assert!(!path.join("d.pb").exists() && !path.join("d.safetensors").exists());
}
