//! Every variant of the mixed attention module against the reference: output, gates and gradients.

use abn_core::Architecture;
use abn_core::mixed::{
    Arrangement, ChannelConfig, MixedAttention, MixedAttentionConfig, Pools, SpatialConfig, Squeeze,
};
use abn_core::pytorch::{name_of, renamed};
use abn_core::state::{State, shapes_of, with_state};
use burn::module::{Module, ParamGroup};
use burn::optim::GradientsParams;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use crate::fixtures::{Reference, check_close, json, parity, tensors};
use crate::gradients::gradients_of;
use crate::networks::tolerance_of;

fn config_of(variant: &Value) -> MixedAttentionConfig {
    let channel = variant["channel"].as_object().map(|channel| ChannelConfig {
        pools: match channel["pools"].as_array().unwrap().as_slice() {
            [one] if one == "avg" => Pools::Average,
            [one] if one == "max" => Pools::Maximum,
            _ => Pools::Both,
        },
        mlp_bias: channel["mlp_bias"].as_bool().unwrap(),
    });
    let spatial = variant["spatial"].as_object().map(|spatial| SpatialConfig {
        squeeze: if spatial["squeeze"] == "conv" {
            Squeeze::Conv
        } else {
            Squeeze::Pool
        },
        kernel: spatial["kernel"].as_u64().unwrap() as usize,
        norm: spatial["norm"].as_bool().unwrap(),
    });
    let arrangement = match variant["arrangement"].as_str().unwrap() {
        "channel_spatial" => Arrangement::ChannelSpatial,
        "spatial_channel" => Arrangement::SpatialChannel,
        "parallel" => Arrangement::Parallel,
        "parallel_double_sigmoid" => Arrangement::ParallelDoubleSigmoid,
        other => panic!("{other}"),
    };
    let reduction = variant["reduction"].as_u64().unwrap() as usize;
    MixedAttentionConfig {
        reduction,
        channel,
        spatial,
        arrangement,
    }
}

fn data(reference: &Reference) -> TensorData {
    let values: Vec<f32> = reference.values.iter().map(|value| *value as f32).collect();
    TensorData::new(values, reference.shape.clone())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// PyTorch's name; what is not part of a network has the same in all.
fn pytorch_name(ours: &str) -> String {
    name_of(ours, &Architecture::parse("resnet20").unwrap().network)
}

#[track_caller]
fn check(variant: &Value) {
    let file = variant["file"].as_str().unwrap();
    let channels = variant["channels"].as_u64().unwrap() as usize;
    let reference = tensors(&parity("mixed_attention").join(file));
    let tolerance = &variant["tolerance"];
    let device = Device::flex().autodiff();
    let fresh = config_of(variant).init(channels, &device);

    let names = variant["tensors"].as_object().unwrap();
    let weights: State = names
        .keys()
        .map(|name| (name.clone(), data(&reference[name])))
        .collect();
    let weights = renamed(&fresh, weights, pytorch_name).unwrap();
    let trained = |name: &String| !abn_core::state::is_buffer(name);
    let parameters: usize = shapes_of(&fresh)
        .iter()
        .filter(|(name, _)| trained(name))
        .map(|(_, shape)| shape.num_elements())
        .sum();
    assert_eq!(
        parameters as u64,
        variant["parameter_count"].as_u64().unwrap(),
        "{file}"
    );
    // The fixtures were computed in evaluation mode, with gradients.
    let module: MixedAttention = with_state(fresh, weights)
        .unwrap()
        .freeze_group(ParamGroup::from_predicate("spatial.norm"));

    let input = Tensor::<4>::from_data(data(&reference["input"]), &device).require_grad();
    let output = module.forward(input.clone());
    let close = |name: &str, found: Vec<f64>, truth: &str| {
        check_close(
            &format!("{file} {name}"),
            &found,
            &reference[truth],
            tolerance_of(&tolerance[name]),
        );
    };
    close("output", values(output.clone()), "output_f64");
    if variant["arrangement"] == "channel_spatial"
        && let Some(channel) = &module.channel
    {
        close(
            "channel_map",
            values(sigmoid(channel.forward(input.clone()))),
            "channel_map",
        );
    }

    let weighted = output * Tensor::from_data(data(&reference["grad_output"]), &device);
    let gradients = weighted.sum().backward();
    close(
        "grad_input",
        values(input.grad(&gradients).unwrap()),
        "grad_input",
    );
    let gradients = GradientsParams::from_grads(gradients, &module);
    let found = gradients_of(&module, &gradients);
    let expected = names
        .keys()
        .filter(|name| !name.starts_with("spatial.norm."))
        .count();
    assert_eq!(found.len(), expected, "{file}");
    for (ours, found) in found {
        let name = format!("grad.{}", pytorch_name(&ours));
        close(&name, found, &name);
    }
}

#[test]
#[ignore = "needs ../shared/parity"]
fn every_variant() {
    let case = json(&parity("mixed_attention").join("case.json"));
    let variants = case["variants"].as_array().unwrap();
    assert!(variants.len() >= 26);
    for variant in variants {
        check(variant);
    }
}
