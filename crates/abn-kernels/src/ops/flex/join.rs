//! Batches that become one.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::{ChannelsLast, inner};

pub(in crate::ops) fn join(parts: Vec<Tensor<4>>) -> Tensor<4> {
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
