//! A map re-weights features: one value for each position (ABN section 3.2, equations 1 and 2).

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::{Buffers, Input, Output};
use crate::simd::{InstructionSet, Kernel, SUMMED, Simd};

/// How a map `m` re-weights features `f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `m f`.
    Multiply,
    /// `(1 + m) f`.
    Residual,
}

/// `m f` or `(1 + m) f`, with `features` and what is written `[positions, channels]` and `map`
/// `[positions]`.
///
/// # Panics
/// Lengths do not fit.
pub fn attend(
    set: InstructionSet,
    channels: usize,
    mechanism: Mechanism,
    features: Buffers,
    map: &[f32],
) {
    let (input, output) = features.split();
    run(
        set,
        Attend {
            channels,
            mechanism,
            map,
            input,
            output,
            products: None,
        },
    );
}

/// The gradient of the features, `m g` or `(1 + m) g`, made from that of the output, `g`, and the
/// gradient of the map, the sum of `g f` over the channels, into `map_gradient` (`[positions]`).
///
/// # Panics
/// Lengths do not fit.
pub fn attend_backward(
    set: InstructionSet,
    channels: usize,
    mechanism: Mechanism,
    features: &[f32],
    map: &[f32],
    gradient: Buffers,
    map_gradient: &mut [f32],
) {
    let (input, output) = gradient.split();
    assert_eq!(features.len(), input.len(), "features of an attention");
    assert_eq!(map_gradient.len(), map.len(), "gradient of a map");
    let products = Some(Products {
        features: Input::new(features),
        sums: Output::new(map_gradient),
    });
    run(
        set,
        Attend {
            channels,
            mechanism,
            map,
            input,
            output,
            products,
        },
    );
}

/// Values of a part: some pages of the caches.
const PART: usize = 32 * 1024;

fn run(set: InstructionSet, attend: Attend) {
    let (channels, positions) = (attend.channels, attend.map.len());
    assert!(
        channels > 0 && attend.input.len() == positions * channels,
        "features of an attention"
    );
    assert_eq!(
        attend.output.len(),
        attend.input.len(),
        "output of an attention"
    );
    let part = PART.div_ceil(channels);
    (0..positions.div_ceil(part))
        .into_par_iter()
        .for_each(|index| {
            set.run(Walk {
                attend,
                positions: index * part..((index + 1) * part).min(positions),
            });
        });
}

#[derive(Clone, Copy)]
struct Attend<'a> {
    channels: usize,
    mechanism: Mechanism,
    map: &'a [f32],
    input: Input<'a>,
    output: Output<'a>,
    products: Option<Products<'a>>,
}

/// The sums of `input * features` over the channels.
#[derive(Clone, Copy)]
struct Products<'a> {
    features: Input<'a>,
    sums: Output<'a>,
}

struct Walk<'a> {
    attend: Attend<'a>,
    positions: Range<usize>,
}

impl Kernel for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Attend {
            channels,
            mechanism,
            map,
            input,
            output,
            products,
        } = self.attend;
        assert!(self.positions.end * channels <= input.len().min(output.len()));
        assert!(products.is_none_or(|products| {
            self.positions.end * channels <= products.features.len()
                && self.positions.end <= products.sums.len()
        }));
        for (position, &weight) in self.positions.clone().zip(&map[self.positions]) {
            // SAFETY: the positions are checked; nobody else writes them; in place, values are read
            // before.
            unsafe {
                let weight = S::splat(weight);
                let mut sums = [S::splat(0.0); 2];
                let mut channel = 0;
                while channel < channels {
                    let sum = &mut sums[channel % SUMMED / S::LANES];
                    let count = (channels - channel).min(S::LANES);
                    let at = position * channels + channel;
                    let value = S::load_up_to(input.pointer().add(at), count);
                    if let Some(products) = products {
                        let features = S::load_up_to(products.features.pointer().add(at), count);
                        *sum = S::mul_add(value, features, *sum);
                    }
                    let weighted = match mechanism {
                        Mechanism::Multiply => S::mul(value, weight),
                        Mechanism::Residual => S::mul_add(value, weight, value),
                    };
                    S::store_up_to(output.pointer().add(at), weighted, count);
                    channel += S::LANES;
                }
                if let Some(products) = products {
                    products.sums.pointer().add(position).write(S::sum(sums));
                }
            }
        }
    }
}
