//! What a classifier costs: multiply-adds of its convolutions and linear layers, and its
//! parameters.

use burn::tensor::Device;

use crate::attention::{AttentionConfig, MapConfig};
use crate::backbone::{NetworkConfig, StageConfig};
use crate::classifier::ClassifierConfig;
use crate::conv::ConvShape;
use crate::mixed::{MixedAttentionConfig, Pools, Squeeze};
use crate::outputs::Outputs;
use crate::state::{is_buffer, shapes_of};

/// Cost of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Trainable parameters.
    pub parameters: usize,
    /// Multiply-adds of convolutions and linear layers.
    pub multiply_adds: u64,
    /// Height and width of the attention map, or of the features where it would be.
    pub map: [usize; 2],
}

/// A convolution of a network for images of one size; a linear layer is one of side 1 over one
/// position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// The convolution.
    pub shape: ConvShape,
    /// Height and width of what comes in.
    pub size: [usize; 2],
}

impl Layer {
    /// Height and width of what goes out.
    pub fn output_size(&self) -> [usize; 2] {
        self.size.map(|length| length.div_ceil(self.shape.stride))
    }

    /// Multiply-adds of one image.
    pub fn multiply_adds(&self) -> u64 {
        let [height, width] = self.output_size();
        let ConvShape {
            inputs,
            outputs,
            side,
            groups,
            ..
        } = self.shape;
        let of_position = inputs / groups * outputs * side * side;
        of_position as u64 * (height * width) as u64
    }
}

impl ClassifierConfig {
    /// The cost for images of that height and width. The device only holds the empty network.
    pub fn cost(&self, image: [usize; 2], device: &Device) -> Cost {
        let (layers, map) = self.walk(image);
        Cost {
            parameters: self.parameters(device),
            multiply_adds: layers.0.iter().map(Layer::multiply_adds).sum(),
            map,
        }
    }

    /// Convolutions and linear layers for images of that height and width: those of the feature
    /// extractor, the attention branch, and the last stage and the head, once for each map.
    pub fn layers(&self, image: [usize; 2]) -> Vec<Layer> {
        self.walk(image).0.0
    }

    /// The layers, and the size of the map or of the features where it would be.
    fn walk(&self, image: [usize; 2]) -> (Layers, [usize; 2]) {
        let (mut layers, classes) = (Layers::default(), self.outputs.learned().total());
        let map = extractor(&self.network, image, &mut layers);
        if let Some(attention) = &self.attention {
            branch(attention, &self.network, &self.outputs, map, &mut layers);
        }
        let maps = self.attention.as_ref().map(|attention| attention.maps);
        // Each group is perceived by itself.
        for _ in 0..maps.unwrap_or_default().count(&self.outputs) {
            stage(self.network.last_stage(), map, &mut layers);
            let channels = self.network.last_stage().outputs();
            for (inputs, outputs) in self.network.head.layers(channels, classes) {
                layers.convolve(ConvShape::new(inputs, outputs, 1), [1, 1]);
            }
        }
        (layers, map)
    }

    /// Trainable parameters. Shapes are known before any weight is drawn, so this is quick for
    /// large networks.
    fn parameters(&self, device: &Device) -> usize {
        let shapes = shapes_of(&self.init(device));
        let parameters = shapes.iter().filter(|(name, _)| !is_buffer(name));
        parameters.map(|(_, shape)| shape.num_elements()).sum()
    }
}

#[derive(Default)]
struct Layers(Vec<Layer>);

impl Layers {
    /// A convolution of maps of that size; returns the size of what it gives.
    fn convolve(&mut self, shape: ConvShape, size: [usize; 2]) -> [usize; 2] {
        let layer = Layer { shape, size };
        self.0.push(layer);
        layer.output_size()
    }
}

/// Stem and all stages but the last; returns the size of the features.
fn extractor(network: &NetworkConfig, image: [usize; 2], layers: &mut Layers) -> [usize; 2] {
    let size = network
        .stem
        .conv()
        .map_or(image, |shape| layers.convolve(shape, image));
    let size = if network.stem.pools() {
        size.map(|length| length.div_ceil(2))
    } else {
        size
    };
    network
        .extractor()
        .iter()
        .fold(size, |size, config| stage(config, size, layers))
}

fn stage(config: &StageConfig, input: [usize; 2], layers: &mut Layers) -> [usize; 2] {
    let halved = |size: [usize; 2]| size.map(|length| length / 2);
    let input = if config.begins_with_pool() {
        halved(input)
    } else {
        input
    };
    let size = config.block_inputs().fold(input, |size, (inputs, stride)| {
        let (path, shortcut) = config.block.convs(inputs, stride);
        if let Some(shortcut) = shortcut {
            layers.convolve(shortcut, size);
        }
        let size = path
            .into_iter()
            .fold(size, |size, shape| layers.convolve(shape, size));
        if let Some(attention) = config.block.attention() {
            mixed(attention, config.outputs(), size, layers);
        }
        size
    });
    match config.transition() {
        Some(transition) => halved(layers.convolve(transition, size)),
        None => size,
    }
}

fn branch(
    config: &AttentionConfig,
    network: &NetworkConfig,
    outputs: &Outputs,
    map: [usize; 2],
    layers: &mut Layers,
) {
    let outputs = &config.learned(outputs);
    let (own, classes) = (network.branch_stage(), outputs.learned().total());
    if let Some(mixed_config) = &config.mixed {
        mixed(mixed_config, own.inputs, map, layers);
    }
    if config.stage {
        stage(&own, map, layers);
    }
    layers.convolve(ConvShape::new(config.channels(&own), classes, 1), map);
    if let MapConfig::Logit(_) = config.map {
        return;
    }
    layers.convolve(ConvShape::new(classes, classes, 1), map);
    if let Some(shape) = config.map.conv(config.maps, outputs) {
        layers.convolve(shape, map);
    }
}

fn mixed(config: &MixedAttentionConfig, channels: usize, map: [usize; 2], layers: &mut Layers) {
    let hidden = config.hidden(channels);
    if let Some(channel) = &config.channel {
        let passes = if channel.pools == Pools::Both { 2 } else { 1 };
        for _ in 0..passes {
            layers.convolve(ConvShape::new(channels, hidden, 1), [1, 1]);
            layers.convolve(ConvShape::new(hidden, channels, 1), [1, 1]);
        }
    }
    if let Some(spatial) = &config.spatial {
        let planes = match spatial.squeeze {
            Squeeze::Pool => 2,
            Squeeze::Conv => {
                layers.convolve(ConvShape::new(channels, hidden, 1), map);
                hidden
            }
        };
        layers.convolve(ConvShape::new(planes, 1, spatial.kernel), map);
    }
}
