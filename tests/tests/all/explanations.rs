//! Where networks look, by every method: against pytorch-grad-cam, and what must hold whatever the
//! weights.

use abn_core::attention::MapConfig;
use abn_core::backbone::{HeadConfig, NetworkConfig};
use abn_core::explain::{AttentionMap, ExplainError, Explanation, Layer, Method, explain};
use abn_core::state::{is_buffer, state_of, with_state};
use abn_core::{Architecture, AttentionConfig, Classifier, ClassifierConfig, Outputs};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use crate::case::{Case, cases, formula};
use crate::device::device;
use crate::fixtures::{check_close, json, parity, tensors};
use crate::networks::tolerance_of;

const LAYERS: [Layer; 2] = [Layer::Features, Layer::Refined];

fn config(architecture: &str, attention: Option<AttentionConfig>) -> ClassifierConfig {
    let network = Architecture::parse(architecture).unwrap().network;
    ClassifierConfig {
        network,
        attention,
        outputs: Outputs::one(5),
    }
}

/// The same in every run, as the weights are: one unlucky map without a positive value would show
/// nothing.
fn images(batch: usize, device: &Device) -> Tensor<4> {
    let shape = [batch, 3, 32, 32];
    let values = formula(1, "images", shape.iter().product(), 7);
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A classifier on the autodiff device, as in training, whose batch norms have seen something.
fn training(config: &ClassifierConfig) -> Classifier {
    let device = Device::flex().autodiff();
    let mut state = state_of(&config.init(&Device::flex()));
    for (name, data) in &mut state {
        let shape = data.shape().clone();
        if shape.len() > 1 {
            let inputs: usize = if shape.len() == 2 {
                shape[0]
            } else {
                shape[1..].iter().product()
            };
            // Of about the size 1 / sqrt(inputs).
            let exponent = 7 + (usize::BITS - inputs.leading_zeros()) as i32 / 2;
            *data = TensorData::new(formula(1, name, shape.iter().product(), exponent), shape);
        } else if name.ends_with("bias") {
            *data = TensorData::zeros::<f32, _>(shape);
        }
    }
    let classifier = with_state(config.init(&device), state).unwrap();
    classifier.forward(images(4, &device));
    classifier
}

/// Every combination of method and layer that exists for a network with a branch and a linear head.
fn ways() -> impl Iterator<Item = (Method, Layer)> {
    let all = Method::ALL
        .into_iter()
        .flat_map(|method| LAYERS.map(|layer| (method, layer)));
    all.filter(|way| *way != (Method::Cam, Layer::Features))
}

/// The same network with another linear classifier: its weights changed, its bias 0.
fn with_head(config: &ClassifierConfig, change: fn(f32) -> f32) -> Classifier {
    let mut state = state_of(&training(config).valid());
    for (name, data) in state
        .iter_mut()
        .filter(|(name, _)| name.starts_with("network.head."))
    {
        let change = if name.ends_with("bias") {
            |_| 0.0
        } else {
            change
        };
        let values: Vec<f32> = data.iter::<f32>().map(change).collect();
        *data = TensorData::new(values, data.shape().clone());
    }
    with_state(config.init(&Device::flex()), state).unwrap()
}

#[track_caller]
fn check_near(found: &AttentionMap, expected: &AttentionMap, relative: f32) {
    assert_eq!(
        (found.height, found.width),
        (expected.height, expected.width)
    );
    let scale = expected
        .values
        .iter()
        .fold(0.0_f32, |highest, value| highest.max(value.abs()));
    assert!(scale > 0.0, "a map of zeros shows nothing");
    for (found, expected) in found.values.iter().zip(&expected.values) {
        assert!(
            (found - expected).abs() <= relative * scale,
            "{found} instead of {expected} of {scale}"
        );
    }
}

/// The cases with maps of the package, each with its description.
fn explained() -> Vec<(Case, Value)> {
    let folders = cases()
        .into_iter()
        .map(|folder| (parity(&folder).join("explain.json"), folder));
    let found: Vec<_> = folders
        .filter(|(file, _)| file.exists())
        .map(|(file, folder)| (Case::open(&folder), json(&file)))
        .collect();
    assert!(!found.is_empty());
    found
}

/// Method, layer and class of a name such as `gradcam.features.class8`.
fn parse(name: &str) -> (Method, Layer, usize) {
    let parts: Vec<&str> = name.split('.').collect();
    let method = match parts[0] {
        "cam" => Method::Cam,
        "gradcam" => Method::GradCam,
        "gradcampp" => Method::GradCamPlusPlus,
        other => panic!("unknown method {other}"),
    };
    let layer = match parts[1] {
        "features" => Layer::Features,
        "last" => Layer::Refined,
        other => panic!("unknown layer {other}"),
    };
    (
        method,
        layer,
        parts[2].strip_prefix("class").unwrap().parse().unwrap(),
    )
}

/// The maps of a batch one after the other.
fn joined(maps: impl Iterator<Item = AttentionMap>) -> Vec<f32> {
    maps.flat_map(|map| map.values).collect()
}

#[test]
#[ignore = "needs ../shared/parity"]
fn maps_of_every_case() {
    for (case, description) in explained() {
        let expected = tensors(&parity(&case.folder).join("explain.safetensors"));
        let network = case.network(&device());
        let images = case.images("input", &device());
        let [batch, _, height, width] = images.dims();
        for (name, tolerance) in description["tolerance"].as_object().unwrap() {
            let (method, layer, class) = parse(name);
            let maps =
                explain(&network, images.clone(), method, layer, &vec![class; batch]).unwrap();
            let check = |what: &str, map: fn(&Explanation, usize, usize) -> AttentionMap| {
                let found = joined(maps.iter().map(|maps| map(maps, width, height)));
                let name = format!("{name}.{what}");
                let tolerance = tolerance_of(&tolerance[what]).there();
                check_close(
                    &format!("{}: {name}", case.folder),
                    &found,
                    &expected[&name],
                    tolerance,
                );
            };
            check("raw", |maps, _, _| maps.raw.clone());
            check("norm", |maps, _, _| maps.normalized.clone());
            check("final", |maps, width, height| {
                maps.normalized.resize_to(width, height).normalized()
            });
        }
    }
}

#[test]
#[ignore = "needs ../shared/parity"]
fn trained_maps_of_every_case() {
    for case in cases().iter().map(|folder| Case::open(folder)) {
        let images = case.images("input", &device());
        let classes = vec![0; images.dims()[0]];
        let network = case.network(&device());
        let maps = explain(
            &network,
            images,
            Method::Attention,
            Layer::default(),
            &classes,
        )
        .unwrap();
        let found = joined(maps.into_iter().map(|maps| maps.raw));
        let tolerance = tolerance_of(&case.json["eval"]["tolerance"]["attention"]).there();
        check_close(&case.folder, &found, &case.io["attention_f64"], tolerance);
    }
}

/// Behind global pooling every position of a channel has the gradient `weight / (h w)`.
#[test]
fn grad_cam_at_g_is_cam_up_to_a_factor() {
    let device = Device::flex();
    for (name, attention) in [
        ("resnet8", Some(AttentionConfig::abn())),
        ("se-resnet8", None),
        ("wrn-10-1", Some(AttentionConfig::manet())),
        ("densenet-bc-10-4", Some(AttentionConfig::abn())),
    ] {
        let network = training(&config(name, attention));
        let (x, classes) = (images(3, &device), [4, 0, 2]);
        let maps = |method| explain(&network, x.clone(), method, Layer::Refined, &classes).unwrap();
        for (cam, grad_cam) in maps(Method::Cam).iter().zip(maps(Method::GradCam)) {
            let mut scaled = grad_cam.raw;
            let positions = scaled.values.len() as f32;
            scaled
                .values
                .iter_mut()
                .for_each(|value| *value *= positions);
            check_near(&scaled, &cam.raw, 1e-5);
            check_near(&scaled.normalized(), &cam.normalized, 1e-4);
        }
    }
}

/// In training mode the statistics would move with every forward pass, of the network itself or of
/// a copy that shares them; and explanations would depend on the rest of the batch.
#[test]
fn explaining_changes_no_state_bit_by_bit() {
    let config = config("wrn-10-1", Some(AttentionConfig::manet()));
    let config = ClassifierConfig {
        network: config.network.with_dropout(0.5),
        ..config
    };
    let network = training(&config);
    let before = state_of(&network);
    assert!(before.keys().any(|name| is_buffer(name)));
    let evaluated = network.valid();
    for device in [Device::flex(), Device::flex().autodiff()] {
        for (method, layer) in ways() {
            for network in [&network, &evaluated] {
                explain(network, images(2, &device), method, layer, &[1, 3]).unwrap();
                assert!(before == state_of(network), "{method:?} {layer:?}");
            }
        }
    }
    // It is still in training afterwards.
    network.forward(images(4, &Device::flex().autodiff()));
    assert!(before != state_of(&network));
}

#[test]
fn training_and_evaluated_networks_are_explained_alike() {
    let config = config("wrn-10-1", Some(AttentionConfig::abn()));
    let network = training(&ClassifierConfig {
        network: config.network.with_dropout(0.5),
        ..config
    });
    let x = images(2, &Device::flex());
    for (method, layer) in ways() {
        let maps =
            |network: &Classifier| explain(network, x.clone(), method, layer, &[1, 3]).unwrap();
        assert_eq!(
            maps(&network),
            maps(&network.valid()),
            "{method:?} {layer:?}"
        );
    }
}

#[test]
fn an_image_is_explained_as_if_it_were_alone() {
    let network = training(&config("resnet8", Some(AttentionConfig::abn())));
    let x = images(3, &Device::flex());
    for (method, layer) in ways() {
        let together = explain(&network, x.clone(), method, layer, &[4, 1, 0]).unwrap();
        assert_eq!(together.len(), 3);
        let alone = explain(&network, x.clone().narrow(0, 1, 1), method, layer, &[1]).unwrap();
        check_near(&alone[0].raw, &together[1].raw, 1e-4);
    }
}

#[test]
fn maps_are_of_their_layers_size_and_normalized_ones_in_the_unit_interval() {
    let log_sum = AttentionConfig {
        map: MapConfig::LogSum,
        ..AttentionConfig::abn()
    };
    // DenseNet halves the features before the cut, the others behind it.
    for (name, attention, [features, refined]) in [
        ("resnet8", AttentionConfig::abn(), [16, 8]),
        ("se-resnet8", log_sum, [16, 8]),
        ("wrn-10-1", AttentionConfig::manet(), [16, 8]),
        ("densenet-bc-10-4", AttentionConfig::abn(), [8, 8]),
    ] {
        let network = training(&config(name, Some(attention)));
        for (method, layer) in ways() {
            let maps =
                explain(&network, images(2, &Device::flex()), method, layer, &[1, 3]).unwrap();
            let side = match (method, layer) {
                (
                    Method::Uniform
                    | Method::Centre
                    | Method::InputGradient
                    | Method::Rise
                    | Method::SmoothGrad
                    | Method::IntegratedGradients,
                    _,
                ) => 32,
                (Method::Attention, _) | (_, Layer::Features) => features,
                (_, Layer::Refined) => refined,
            };
            for Explanation { raw, normalized } in maps {
                let what = format!("{name} {method:?} {layer:?}");
                assert_eq!(
                    [raw.height, raw.width, normalized.height, normalized.width],
                    [side; 4],
                    "{what}"
                );
                assert!(raw.values.iter().all(|value| value.is_finite()), "{what}");
                assert!(
                    normalized
                        .values
                        .iter()
                        .all(|value| (0.0..=1.0).contains(value)),
                    "{what}"
                );
            }
        }
    }
}

/// A head of several layers with dropout: CAM has no weights to read there, gradients do not mind.
#[test]
fn gradients_explain_vgg() {
    let vgg = config("vgg11-bn", Some(AttentionConfig::abn()));
    let head = HeadConfig::FullyConnected {
        grid: 1,
        hidden: 16,
        dropout: 0.5,
    };
    let network = training(&ClassifierConfig {
        network: NetworkConfig {
            head,
            ..vgg.network
        },
        ..vgg
    });
    let x = images(2, &Device::flex());
    for method in [
        Method::GradCam,
        Method::GradCamPlusPlus,
        Method::InputGradient,
    ] {
        for layer in LAYERS {
            let maps = || explain(&network, x.clone(), method, layer, &[1, 3]).unwrap();
            let first = maps();
            assert_eq!(first, maps(), "{method:?} {layer:?}: dropout is off");
            for Explanation { raw, .. } in first {
                assert!(
                    raw.values.iter().all(|value| value.is_finite()),
                    "{method:?} {layer:?}"
                );
                assert!(
                    raw.values.iter().any(|value| *value != 0.0),
                    "{method:?} {layer:?}"
                );
            }
        }
    }
}

/// A head of zeros has no gradient anywhere.
#[test]
fn maps_of_zeros_stay_zeros() {
    let network = with_head(&config("resnet8", Some(AttentionConfig::abn())), |_| 0.0);
    for (method, layer) in ways() {
        // These do not ask for a gradient.
        if matches!(
            method,
            Method::Attention
                | Method::EigenCam
                | Method::ScoreCam
                | Method::Rise
                | Method::Uniform
                | Method::Centre
        ) {
            continue;
        }
        for maps in explain(&network, images(2, &Device::flex()), method, layer, &[1, 3]).unwrap() {
            for map in [maps.raw, maps.normalized] {
                assert!(
                    map.values.iter().all(|value| *value == 0.0),
                    "{method:?} {layer:?}"
                );
            }
        }
    }
}

/// Features behind a ReLU and negative weights: everything speaks against every class.
#[test]
fn maps_without_a_positive_value_are_zeros_once_rectified() {
    let network = with_head(&config("resnet8", None), |weight| -weight.abs());
    for method in [Method::GradCam, Method::GradCamPlusPlus] {
        let x = images(2, &Device::flex());
        for maps in explain(&network, x, method, Layer::Refined, &[1, 3]).unwrap() {
            assert!(
                maps.raw.values.iter().all(|value| *value <= 0.0),
                "{method:?}"
            );
            assert_eq!(maps.normalized.values, vec![0.0; 64], "{method:?}");
        }
    }
}

#[test]
fn what_a_network_does_not_have_is_refused_with_a_way_out() {
    let device = Device::flex();
    let refused = |network: &Classifier, method, layer, classes: &[usize]| {
        explain(network, images(2, &device), method, layer, classes).unwrap_err()
    };
    let baseline = config("resnet8", None).init(&device);
    let refined = Layer::Refined;
    assert_eq!(
        refused(&baseline, Method::Attention, refined, &[0, 1]),
        ExplainError::NoBranch
    );
    assert_eq!(
        refused(&baseline, Method::Cam, Layer::Features, &[0, 1]),
        ExplainError::CamAtFeatures
    );
    let count = refused(&baseline, Method::Cam, refined, &[0]);
    assert_eq!(
        count.to_string(),
        "1 classes for 2 images: give one for every image"
    );
    let class = refused(&baseline, Method::GradCam, refined, &[0, 5]);
    assert_eq!(
        class,
        ExplainError::Class {
            class: 5,
            classes: 5
        }
    );
    // Asked beforehand, each answer is the same.
    for method in Method::ALL {
        for layer in LAYERS {
            let asked = method.check(&config("resnet8", None), layer);
            assert_eq!(
                explain(&baseline, images(1, &device), method, layer, &[0]).map(drop),
                asked,
                "{method:?}"
            );
        }
    }
    // Its weights are never drawn: they would take 500 MB.
    let vgg = config("vgg16-bn", None).init(&device);
    assert_eq!(
        refused(&vgg, Method::Cam, refined, &[0, 1]),
        ExplainError::NoLinearHead
    );
    assert_eq!(
        Method::Cam.check(&config("vgg16-bn", None), refined),
        Err(ExplainError::NoLinearHead)
    );
    assert!(
        explain(
            &baseline,
            images(1, &device).slice(0..0),
            Method::Cam,
            refined,
            &[]
        )
        .unwrap()
        .is_empty()
    );
}
