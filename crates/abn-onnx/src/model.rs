//! The whole file: graph, inputs, outputs and what is said beside them.

use abn_core::ClassifierConfig;
use abn_core::state::State;
use abn_data::{Labels, Transform};
use prost::Message;

use crate::error::OnnxError;
use crate::graph::{Graph, Value, fits};
use crate::metadata::describe;
use crate::proto::{
    DataType, DimensionProto, Length, ModelProto, OperatorSetIdProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Version of the operators: the first that resizes with antialiasing.
const OPSET: i64 = 18;
/// Version of the format that came with them (ONNX 1.13).
const IR_VERSION: i64 = 8;
/// Name of the input.
const IMAGES: &str = "images";

/// What images enter the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Normalised ones, `[N, 3, H, W]` floats: what the transform makes of a picture, by the caller.
    Normalized,
    /// Pictures, `[N, H, W, 3]` bytes, all of one size: the graph begins with the transform.
    Pictures,
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// What the network is called.
    pub title: &'a str,
    /// The network.
    pub model: &'a ClassifierConfig,
    /// The names of its classes.
    pub labels: &'a Labels,
    /// What pictures go through before they enter the network.
    pub transform: &'a Transform,
    /// What images enter the graph.
    pub input: Input,
}

/// The network with these weights as an ONNX model: `images` to `logits` `[N, K]` and, with a
/// branch, `attention_logits` `[N, K]` and `map` `[N, M, h, w]`. N, H and W are open; H and W must
/// be at least the network's [smallest side](abn_core::backbone::NetworkConfig::smallest_side).
///
/// # Errors
/// The weights are of another network or more than a file can hold, or the labels do not fit the
/// network's outputs.
pub fn export(what: &Export<'_>, weights: State) -> Result<ModelProto, OnnxError> {
    let (labels, outputs) = (what.labels.sizes(), what.model.outputs.groups().to_vec());
    if labels != outputs {
        return Err(OnnxError::Labels { labels, outputs });
    }
    let mut graph = Graph::new(weights)?;
    let images = Value::input(IMAGES);
    let seen = match what.input {
        Input::Normalized => images,
        Input::Pictures => graph.preprocessed(what.transform, &images),
    };
    let answer = graph.classifier(what.model, &seen)?;
    let classes = known(what.model.outputs.total());
    let mut given = vec![(
        answer.logits,
        "logits",
        vec![named("batch"), classes.clone()],
    )];
    if let (Some(attention), Some(config)) = (answer.attention, &what.model.attention) {
        let maps = known(config.maps.count(&what.model.outputs));
        let size = ["map_height", "map_width"].map(named);
        let map = [named("batch"), maps].into_iter().chain(size).collect();
        given.push((
            attention.logits,
            "attention_logits",
            vec![named("batch"), classes],
        ));
        given.push((attention.map, "map", map));
    }
    for (value, name, _) in &given {
        graph.call(value, name);
    }
    let mut graph = graph.finish()?;
    graph.name = "abn".to_owned();
    graph.input = vec![input(what.input)];
    let output = |(_, name, shape)| info(name, DataType::Float, shape);
    graph.output = given.into_iter().map(output).collect();
    let mut model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "abn".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        ..ModelProto::default()
    };
    describe(&mut model, what)?;
    Ok(model)
}

/// The bytes of a file; the same model gives the same bytes.
///
/// # Errors
/// There are more of them than a file can hold.
pub fn to_bytes(model: &ModelProto) -> Result<Vec<u8>, OnnxError> {
    fits(model.encoded_len())?;
    Ok(model.encode_to_vec())
}

/// The model of a file's bytes, as far as [`proto`](crate::proto) declares it.
///
/// # Errors
/// The bytes are no messages of protobuf.
pub fn from_bytes(bytes: &[u8]) -> Result<ModelProto, OnnxError> {
    ModelProto::decode(bytes).map_err(|error| OnnxError::NotAModel(error.to_string()))
}

fn input(input: Input) -> ValueInfoProto {
    let [batch, height, width] = ["batch", "height", "width"].map(named);
    match input {
        Input::Normalized => info(
            IMAGES,
            DataType::Float,
            vec![batch, known(3), height, width],
        ),
        Input::Pictures => info(
            IMAGES,
            DataType::Uint8,
            vec![batch, height, width, known(3)],
        ),
    }
}

fn known(length: usize) -> Length {
    Length::Known(length as i64)
}

fn named(name: &str) -> Length {
    Length::Named(name.to_owned())
}

fn info(name: &str, kind: DataType, shape: Vec<Length>) -> ValueInfoProto {
    let axis = |length| DimensionProto {
        value: Some(length),
    };
    let shape = TensorShapeProto {
        dim: shape.into_iter().map(axis).collect(),
    };
    let tensor_type = TensorTypeProto {
        elem_type: kind.into(),
        shape: Some(shape),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
        doc_string: String::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test that cannot go on should panic.
mod tests {
    use std::collections::BTreeSet;

    use abn_core::attention::{AttentionConfig, LogitMap, MapConfig, MapNorm, MapSource, Maps};
    use abn_core::attention::{Pool, SigmoidMap};
    use abn_core::mixed::{Arrangement, MixedAttentionConfig};
    use abn_core::outputs::{Binary, Outputs};
    use abn_core::state::shapes_of;
    use abn_core::{Architecture, architecture::AttentionName};
    use abn_data::{Normalization, Step};
    use burn::tensor::{Device, Shape, TensorData};

    use super::*;
    use crate::proto::GraphProto;

    /// Members of every family in every kind of block.
    const NETWORKS: [&str; 9] = [
        "resnet8",
        "resnet8-basic-a",
        "resnet44",
        "se-resnet8",
        "cbam-wrn-10-1",
        "densenet-bc-10-4",
        "resnext11-2x4d",
        "resnet18",
        "vgg11-bn-conv4",
    ];

    fn network(name: &str) -> ClassifierConfig {
        let mut network = Architecture::parse(name).unwrap().network;
        if let abn_core::backbone::HeadConfig::FullyConnected { hidden, .. } = &mut network.head {
            *hidden = 8;
        }
        ClassifierConfig {
            network,
            attention: None,
            outputs: Outputs::of(vec![2, 2]),
        }
    }

    fn with(attention: AttentionConfig, binary: Binary) -> ClassifierConfig {
        let config = network("resnet8");
        ClassifierConfig {
            attention: Some(attention),
            outputs: config.outputs.clone().with(binary),
            ..config
        }
    }

    fn labels(config: &ClassifierConfig) -> Labels {
        let names = |size: &usize| (0..*size).map(|class| format!("class {class}")).collect();
        let group = |(index, size)| abn_data::Group {
            name: format!("label {index}"),
            classes: names(size),
        };
        let groups = config.outputs.groups().iter().enumerate();
        Labels::of(groups.map(group).collect())
    }

    /// Zeros for every weight: what they are is no matter here.
    fn state(config: &ClassifierConfig) -> State {
        let shapes = shapes_of(&config.init(&Device::flex()));
        let zeros = |(name, shape): (String, Shape)| {
            let values = vec![0.0_f32; shape.num_elements()];
            (name, TensorData::new(values, shape))
        };
        shapes.into_iter().map(zeros).collect()
    }

    fn exported(config: &ClassifierConfig, input: Input) -> Result<ModelProto, OnnxError> {
        exported_with(config, input, state(config))
    }

    fn exported_with(
        config: &ClassifierConfig,
        input: Input,
        state: State,
    ) -> Result<ModelProto, OnnxError> {
        let crops = vec![
            Step::ResizeShorter { size: 20 },
            Step::CenterCrop { size: 32 },
        ];
        let what = Export {
            title: "a network",
            model: config,
            labels: &labels(config),
            transform: &Transform {
                steps: crops,
                normalization: Normalization::CIFAR,
            },
            input,
        };
        export(&what, state)
    }

    /// Every operand is there before it is read, no name is given twice, every weight of the state
    /// is an initializer, and the outputs are given.
    #[track_caller]
    fn check_graph(what: &str, config: &ClassifierConfig, graph: &GraphProto) {
        let mut given = BTreeSet::new();
        for name in graph
            .input
            .iter()
            .map(|input| &input.name)
            .chain(graph.initializer.iter().map(|tensor| &tensor.name))
        {
            assert!(given.insert(name), "{what}: {name} twice");
        }
        let mut nodes = BTreeSet::new();
        for node in &graph.node {
            assert!(nodes.insert(&node.name), "{what}: node {} twice", node.name);
            for operand in node.input.iter().filter(|name| !name.is_empty()) {
                assert!(
                    given.contains(operand),
                    "{what}: {} reads {operand}",
                    node.name
                );
            }
            for value in &node.output {
                assert!(given.insert(value), "{what}: {value} twice");
            }
        }
        for tensor in &graph.initializer {
            let count: i64 = tensor.dims.iter().product();
            let bytes = match DataType::try_from(tensor.data_type).unwrap() {
                DataType::Float => 4,
                DataType::Int64 => 8,
                _ => 1,
            };
            assert_eq!(
                tensor.raw_data.len() as i64,
                count * bytes,
                "{what}: {}",
                tensor.name
            );
        }
        let held: BTreeSet<&String> = graph.initializer.iter().map(|it| &it.name).collect();
        for name in shapes_of(&config.init(&Device::flex())).keys() {
            assert!(held.contains(name), "{what}: no {name}");
        }
        let read: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
        for tensor in &graph.initializer {
            assert!(
                read.contains(&tensor.name),
                "{what}: nobody reads {}",
                tensor.name
            );
        }
        let outputs: Vec<&str> = graph.output.iter().map(|output| &*output.name).collect();
        let expected: &[&str] = match config.attention {
            Some(_) => &["logits", "attention_logits", "map"],
            None => &["logits"],
        };
        assert_eq!(outputs, expected, "{what}");
        for output in &graph.output {
            assert!(
                given.contains(&output.name),
                "{what}: nobody gives {}",
                output.name
            );
        }
    }

    /// Both inputs, and read back from bytes.
    #[track_caller]
    fn check(what: &str, config: &ClassifierConfig) {
        for input in [Input::Normalized, Input::Pictures] {
            let model = exported(config, input).unwrap();
            check_graph(what, config, model.graph.as_ref().unwrap());
            let bytes = to_bytes(&model).unwrap();
            assert_eq!(from_bytes(&bytes).unwrap(), model, "{what}");
        }
    }

    #[test]
    fn every_family_with_every_branch() {
        for name in NETWORKS {
            let plain = network(name);
            let architecture = Architecture::parse(name).unwrap();
            for attention in AttentionName::ALL {
                let config = ClassifierConfig {
                    attention: architecture.attention(attention),
                    ..plain.clone()
                };
                check(&format!("{name} with {}", attention.name()), &config);
            }
        }
    }

    #[test]
    fn every_map() {
        let sigmoid = |source, norm, smoothing| {
            MapConfig::Sigmoid(SigmoidMap {
                norm,
                smoothing,
                ..SigmoidMap::of(source)
            })
        };
        let mut found = vec![
            MapConfig::LogSum,
            MapConfig::Logit(LogitMap::Raw),
            MapConfig::Logit(LogitMap::Sigmoid),
        ];
        for source in [
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
                found.extend([1, 3].map(|smoothing| sigmoid(source, norm, smoothing)));
            }
        }
        for map in found {
            for maps in [Maps::One, Maps::PerGroup] {
                for pool in [Pool::Mean, Pool::Maximum] {
                    for binary in [Binary::Softmax, Binary::Sigmoid] {
                        let attention = AttentionConfig {
                            map,
                            maps,
                            pool,
                            ..AttentionConfig::abn()
                        };
                        if attention.check().is_ok() {
                            check(
                                &format!("{attention:?} {binary:?}"),
                                &with(attention, binary),
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_arrangement_of_the_mixed_module() {
        for arrangement in [
            Arrangement::ChannelSpatial,
            Arrangement::SpatialChannel,
            Arrangement::Parallel,
            Arrangement::ParallelDoubleSigmoid,
        ] {
            for mixed in [
                MixedAttentionConfig::default(),
                MixedAttentionConfig::cbam(),
            ] {
                let mixed = MixedAttentionConfig {
                    arrangement,
                    ..mixed
                };
                let attention = AttentionConfig {
                    mixed: Some(mixed),
                    ..AttentionConfig::manet()
                };
                check(
                    &format!("{arrangement:?}"),
                    &with(attention, Binary::Softmax),
                );
            }
        }
    }

    #[test]
    fn the_same_weights_are_the_same_bytes() {
        let config = with(AttentionConfig::multitask(), Binary::Sigmoid);
        let weights = state(&config);
        let bytes = || {
            to_bytes(&exported_with(&config, Input::Pictures, weights.clone()).unwrap()).unwrap()
        };
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let config = with(AttentionConfig::abn(), Binary::Softmax);
        let name = "network.stages.1.blocks.0.convs.1.conv.weight";
        let refused = |change: &dyn Fn(&mut State)| {
            let mut state = state(&config);
            change(&mut state);
            exported_with(&config, Input::Normalized, state).unwrap_err()
        };
        let missing = refused(&|state| drop(state.remove(name)));
        assert!(matches!(&missing, OnnxError::Missing { name: of, .. } if of == name));
        assert!(missing.to_string().contains("[32, 32, 3, 3]"), "{missing}");
        let flat = TensorData::new(vec![0.0_f32; 9], [3, 3]);
        let shape = refused(&|state| drop(state.insert(name.to_owned(), flat.clone())));
        let text = shape.to_string();
        assert!(
            text.contains("[3, 3] in the weights") && text.contains(name),
            "{text}"
        );
        let double = TensorData::new(vec![0.0_f64; 32 * 32 * 9], [32, 32, 3, 3]);
        let double = refused(&|state| drop(state.insert(name.to_owned(), double.clone())));
        assert!(matches!(double, OnnxError::NotSingle { .. }), "{double}");
        let more = refused(&|state| drop(state.insert("more".to_owned(), flat.clone())));
        assert!(more.to_string().contains("1 tensors") && more.to_string().contains("`more`"));
    }

    #[test]
    fn labels_of_other_sizes_are_refused() {
        let config = network("resnet8");
        let what = Export {
            title: "a network",
            model: &config,
            labels: &Labels::one(vec!["one".to_owned()]),
            transform: &Transform {
                steps: vec![],
                normalization: Normalization::CIFAR,
            },
            input: Input::Normalized,
        };
        let error = export(&what, state(&config)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the labels have [1] classes, the network [2, 2]"
        );
    }

    #[test]
    fn a_model_tells_what_a_picture_goes_through() {
        let config = with(AttentionConfig::multitask(), Binary::Sigmoid);
        let model = exported(&config, Input::Normalized).unwrap();
        let told = |key: &str| {
            let found = model.metadata_props.iter().find(|entry| entry.key == key);
            let value = &found.unwrap().value;
            serde_json::from_str::<serde_json::Value>(value).unwrap()
        };
        let preprocessing = told("abn.preprocessing");
        assert_eq!(preprocessing["inside"], false);
        let steps = serde_json::json!([{ "resize_shorter": 20 }, { "center_crop": 32 }]);
        assert_eq!(preprocessing["steps"], steps);
        let mean = preprocessing["mean"][2].as_f64().unwrap();
        assert!((mean - 0.4465).abs() < 1e-6);
        assert_eq!(told("abn.labels")[1]["classes"][0], "class 0");
        let words = "resize the shorter side to 20, then crop 32 x 32 out of the middle";
        assert!(model.doc_string.contains(words), "{}", model.doc_string);
        let read: ClassifierConfig = serde_json::from_value(told("abn.network")).unwrap();
        assert_eq!(read, config);
    }

    #[test]
    fn more_than_a_file_can_hold_is_refused() {
        assert_eq!(fits((1 << 31) - 1), Ok(()));
        let bytes = 1 << 31;
        assert_eq!(fits(bytes), Err(OnnxError::TooLarge { bytes }));
    }

    #[test]
    fn bytes_that_are_no_model_are_an_error() {
        assert!(matches!(
            from_bytes(&[0x3a, 0xff, 1]),
            Err(OnnxError::NotAModel(_))
        ));
    }
}
