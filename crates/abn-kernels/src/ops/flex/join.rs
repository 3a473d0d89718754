//! Features that become one.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::{ChannelsLast, apply, inner};
use crate::layout;

pub(in crate::ops) fn join_batches(parts: Vec<Tensor<4>>) -> Tensor<4> {
    let parts: Vec<ChannelsLast> = parts
        .into_iter()
        .map(|part| ChannelsLast::of(inner(part)))
        .collect();
    let [_, channels, height, width] = parts.first().expect("parts to join").dims();
    let batch = |part: &ChannelsLast| {
        let [batch, rest @ ..] = part.dims();
        assert_eq!(rest, [channels, height, width], "parts of one shape");
        batch
    };
    let dims = [parts.iter().map(batch).sum(), channels, height, width];
    let joined = ChannelsLast::filled(dims, |mut values| {
        let mut copies = Vec::new();
        for part in &parts {
            let from = part.values();
            let (to, rest) = values.split_at_mut(from.len());
            values = rest;
            // Some for each thread.
            let each = from.len().div_ceil(rayon::current_num_threads()).max(1);
            copies.extend(to.chunks_mut(each).zip(from.chunks(each)));
        }
        copies
            .into_par_iter()
            .for_each(|(to, from)| to.copy_from_slice(from));
    });
    Tensor::from_primitive::<Flex>(joined.into_tensor())
}

pub(in crate::ops) fn join_channels(first: Tensor<4>, second: Tensor<4>) -> Tensor<4> {
    apply(JoinChannels, [first, second], |[first, second]| {
        let [batch, a, height, width] = first.dims();
        let b = second.dims()[1];
        assert_eq!(
            second.dims(),
            [batch, b, height, width],
            "channels of the same positions"
        );
        let joined = ChannelsLast::filled([batch, a + b, height, width], |values| {
            layout::join_channels([a, b], [first.values(), second.values()], values);
        });
        (joined.into_tensor(), [a, b])
    })
}

#[derive(Debug)]
struct JoinChannels;

impl Backward<Flex, 2> for JoinChannels {
    /// How many channels each has.
    type State = [usize; 2];

    fn backward(self, ops: Ops<[usize; 2], 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = ChannelsLast::of(gradients.consume::<Flex>(&ops.node));
        let [batch, _, height, width] = gradient.dims();
        let [a, b] = ops.state;
        let (first, second) = ChannelsLast::filled_with([batch, a, height, width], |first| {
            ChannelsLast::filled([batch, b, height, width], |second| {
                layout::split_channels([a, b], gradient.values(), [first, second]);
            })
        });
        for (node, gradient) in ops.parents.into_iter().zip([first, second]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient.into_tensor());
            }
        }
    }
}
