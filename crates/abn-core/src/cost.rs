//! What a classifier costs: multiply-adds of its convolutions and linear layers, and its
//! parameters.

use burn::tensor::Device;

use crate::attention::AttentionConfig;
use crate::backbone::{NetworkConfig, StageConfig};
use crate::classifier::ClassifierConfig;
use crate::conv::ConvShape;
use crate::mixed::{MixedAttentionConfig, Pools, Squeeze};
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

impl ClassifierConfig {
    /// The cost for images of that height and width. The device only holds the empty network.
    pub fn cost(&self, image: [usize; 2], device: &Device) -> Cost {
        let (mut counter, classes) = (Counter::default(), self.outputs.total());
        let map = extractor(&self.network, image, &mut counter);
        if let Some(attention) = &self.attention {
            branch(attention, &self.network, classes, map, &mut counter);
        }
        stage(self.network.last_stage(), map, &mut counter);
        let channels = self.network.last_stage().outputs();
        for (inputs, outputs) in self.network.head.layers(channels, classes) {
            counter.add(ConvShape::new(inputs, outputs, 1), [1, 1]);
        }
        Cost {
            parameters: self.parameters(device),
            multiply_adds: counter.0,
            map,
        }
    }

    /// Trainable parameters. Shapes are known before any weight is drawn, so this is quick for
    /// large networks.
    fn parameters(&self, device: &Device) -> usize {
        let shapes = shapes_of(&self.init(device));
        let parameters = shapes.iter().filter(|(name, _)| !is_buffer(name));
        parameters.map(|(_, shape)| shape.num_elements()).sum()
    }
}

/// Sum of multiply-adds.
#[derive(Default)]
struct Counter(u64);

impl Counter {
    /// A convolution that gives maps of that size.
    fn add(&mut self, shape: ConvShape, [height, width]: [usize; 2]) {
        let ConvShape {
            inputs,
            outputs,
            side,
            groups,
            ..
        } = shape;
        self.0 += (inputs / groups * outputs * side * side) as u64 * (height * width) as u64;
    }

    /// A convolution of maps of that size; returns the size of what it gives.
    fn convolve(&mut self, shape: ConvShape, size: [usize; 2]) -> [usize; 2] {
        let size = size.map(|length| length.div_ceil(shape.stride));
        self.add(shape, size);
        size
    }
}

/// Stem and all stages but the last; returns the size of the features.
fn extractor(network: &NetworkConfig, image: [usize; 2], counter: &mut Counter) -> [usize; 2] {
    let size = network
        .stem
        .conv()
        .map_or(image, |shape| counter.convolve(shape, image));
    let size = if network.stem.pools() {
        size.map(|length| length.div_ceil(2))
    } else {
        size
    };
    network
        .extractor()
        .iter()
        .fold(size, |size, config| stage(config, size, counter))
}

fn stage(config: &StageConfig, input: [usize; 2], counter: &mut Counter) -> [usize; 2] {
    let halved = |size: [usize; 2]| size.map(|length| length / 2);
    let input = if config.begins_with_pool() {
        halved(input)
    } else {
        input
    };
    let size = config.block_inputs().fold(input, |size, (inputs, stride)| {
        let (path, shortcut) = config.block.convs(inputs, stride);
        if let Some(shortcut) = shortcut {
            counter.convolve(shortcut, size);
        }
        let size = path
            .into_iter()
            .fold(size, |size, shape| counter.convolve(shape, size));
        if let Some(attention) = config.block.attention() {
            mixed(attention, config.outputs(), size, counter);
        }
        size
    });
    match config.transition() {
        Some(transition) => halved(counter.convolve(transition, size)),
        None => size,
    }
}

fn branch(
    config: &AttentionConfig,
    network: &NetworkConfig,
    classes: usize,
    map: [usize; 2],
    counter: &mut Counter,
) {
    let own = network.branch_stage();
    if let Some(mixed_config) = &config.mixed {
        mixed(mixed_config, own.inputs, map, counter);
    }
    if config.stage {
        stage(&own, map, counter);
    }
    counter.add(ConvShape::new(config.channels(&own), classes, 1), map);
    counter.add(ConvShape::new(classes, classes, 1), map);
    if let Some(shape) = config.map_conv(classes) {
        counter.add(shape, map);
    }
}

fn mixed(config: &MixedAttentionConfig, channels: usize, map: [usize; 2], counter: &mut Counter) {
    let hidden = config.hidden(channels);
    if let Some(channel) = &config.channel {
        let passes = if channel.pools == Pools::Both { 2 } else { 1 };
        counter.add(ConvShape::new(passes * 2 * channels, hidden, 1), [1, 1]);
    }
    if let Some(spatial) = &config.spatial {
        let planes = match spatial.squeeze {
            Squeeze::Pool => 2,
            Squeeze::Conv => {
                counter.add(ConvShape::new(channels, hidden, 1), map);
                hidden
            }
        };
        counter.add(ConvShape::new(planes, 1, spatial.kernel), map);
    }
}
