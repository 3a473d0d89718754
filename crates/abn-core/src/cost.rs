//! What a classifier costs: multiply-adds of its convolutions and linear layers, and its parameters.

use burn::tensor::Device;

use crate::attention::AttentionConfig;
use crate::backbone::residual::ConvShape;
use crate::backbone::{INPUT_CHANNELS, NetworkConfig, StageConfig};
use crate::classifier::ClassifierConfig;
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
        let mut counter = Counter::default();
        let map = extractor(&self.network, image, &mut counter);
        if let Some(attention) = &self.attention {
            branch(attention, &self.network, self.classes, map, &mut counter);
        }
        stage(self.network.last_stage(), map, &mut counter);
        counter.add(self.network.last_stage().outputs(), self.classes, 1, [1, 1]);
        Cost { parameters: self.parameters(device), multiply_adds: counter.0, map }
    }

    /// Trainable parameters. Shapes are known before any weight is drawn, so this is quick for large networks.
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
    fn add(&mut self, inputs: usize, outputs: usize, side: usize, [height, width]: [usize; 2]) {
        self.0 += (inputs * outputs * side * side) as u64 * (height * width) as u64;
    }
}

/// Stem and all stages but the last; returns the size of the features.
fn extractor(network: &NetworkConfig, image: [usize; 2], counter: &mut Counter) -> [usize; 2] {
    counter.add(INPUT_CHANNELS, network.stem, 3, image);
    let before = &network.stages[..network.stages.len() - 1];
    before.iter().fold(image, |size, config| stage(config, size, counter))
}

fn stage(config: &StageConfig, input: [usize; 2], counter: &mut Counter) -> [usize; 2] {
    config.block_inputs().fold(input, |size, (inputs, stride)| {
        let path = config.block.convs(inputs, config.width, stride);
        if let Some(shortcut) = config.block.shortcut(inputs, config.width, stride) {
            conv(shortcut, size, counter);
        }
        path.into_iter().fold(size, |size, shape| conv(shape, size, counter))
    })
}

fn conv((inputs, outputs, side, stride): ConvShape, size: [usize; 2], counter: &mut Counter) -> [usize; 2] {
    let size = size.map(|length| length.div_ceil(stride));
    counter.add(inputs, outputs, side, size);
    size
}

fn branch(
    config: &AttentionConfig,
    network: &NetworkConfig,
    classes: usize,
    map: [usize; 2],
    counter: &mut Counter,
) {
    let last = network.last_stage();
    if let Some(mixed_config) = &config.mixed {
        mixed(mixed_config, last.inputs, map, counter);
    }
    let channels = if config.stage {
        stage(&last.at_stride_one(), map, counter);
        last.outputs()
    } else {
        last.inputs
    };
    counter.add(channels, classes, 1, map);
    counter.add(classes, classes, 1, map);
    counter.add(classes, 1, config.map_kernel, map);
}

fn mixed(config: &MixedAttentionConfig, channels: usize, map: [usize; 2], counter: &mut Counter) {
    let hidden = config.hidden(channels);
    if let Some(channel) = &config.channel {
        let passes = if channel.pools == Pools::Both { 2 } else { 1 };
        counter.add(passes * 2 * channels, hidden, 1, [1, 1]);
    }
    if let Some(spatial) = &config.spatial {
        let planes = match spatial.squeeze {
            Squeeze::Pool => 2,
            Squeeze::Conv => {
                counter.add(channels, hidden, 1, map);
                hidden
            }
        };
        counter.add(planes, 1, spatial.kernel, map);
    }
}
