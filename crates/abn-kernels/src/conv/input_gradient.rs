//! The gradient of the input: a convolution of the output's gradient with the turned kernel.
//!
//! Under a stride, input rows and columns fall into phases that meet different parts of the kernel;
//! each phase is a pass of its own, without any multiplication by an inserted zero.

use rayon::prelude::*;

use crate::buffer::Output;
use crate::simd::InstructionSet;

use super::Convolution;
use super::gather::Finish;
use super::panels::{Panels, Weights};
use super::pass::{Pass, Side};
use super::taps::{Tap, Taps};
use super::winograd::{self, Kernels, Tiles, Winograd};

/// The weights of a convolution in the order in which the input's gradient reads them, where it is
/// that of Winograd's algorithm: kernels of each group, turned by half a turn.
#[derive(Debug)]
pub struct Turned(Option<Vec<Kernels>>);

impl Turned {
    /// # Panics
    /// The length of `weight` does not fit the shapes.
    pub fn new(set: InstructionSet, geometry: &Convolution, weight: &[f32]) -> Self {
        assert_eq!(
            weight.len(),
            geometry.weight_len(),
            "weight of {geometry:?}"
        );
        if !Tiles::Two.serves_gradients(geometry) {
            return Self(None);
        }
        let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
        let groups = weight.chunks_exact((group_out * group_in * 9).max(1));
        let kernels = groups.map(|values| {
            let weights = Weights {
                values,
                output: 9,
                input: group_in * 9,
            };
            let channels = [group_out, group_in];
            Kernels::new(set, Tiles::Two, geometry.groups, channels, weights, true)
        });
        Self(Some(kernels.collect()))
    }
}

/// Gradient of the input, given that of the output (both channels last): `input_gradient[i] = sum
/// over the outputs o that see i of output_gradient[o] * weight`.
///
/// # Panics
/// A length does not fit the shapes.
pub fn input_gradient(
    set: InstructionSet,
    geometry: &Convolution,
    weight: &[f32],
    output_gradient: &[f32],
    input_gradient: &mut [f32],
) {
    let turned = match input_gradient.is_empty() {
        true => Turned(None),
        false => Turned::new(set, geometry, weight),
    };
    input_gradient_by(
        set,
        geometry,
        weight,
        &turned,
        output_gradient,
        input_gradient,
    );
}

/// The same with weights that are [turned](Turned) already, of that convolution and those values.
///
/// # Panics
/// A length does not fit the shapes.
pub fn input_gradient_by(
    set: InstructionSet,
    geometry: &Convolution,
    weight: &[f32],
    turned: &Turned,
    output_gradient: &[f32],
    input_gradient: &mut [f32],
) {
    assert_eq!(
        input_gradient.len(),
        geometry.input_len(),
        "input of {geometry:?}"
    );
    assert_eq!(
        weight.len(),
        geometry.weight_len(),
        "weight of {geometry:?}"
    );
    assert_eq!(
        output_gradient.len(),
        geometry.output_len(),
        "output of {geometry:?}"
    );
    if input_gradient.is_empty() {
        return;
    }
    if let Turned(Some(kernels)) = turned {
        let shape = Winograd {
            batch: geometry.batch,
            reads: geometry.output(),
            first_read: geometry.padding_before.map(|padding| padding as isize - 2),
            writes: geometry.input,
        };
        let (finish, output) = (Finish::default(), Output::new(input_gradient));
        return winograd::pass(set, &shape, kernels, output_gradient, finish, output);
    }
    let (kernel, group_in) = (geometry.kernel[0] * geometry.kernel[1], geometry.group_in());
    let covered: Vec<[Phase; 2]> = Phase::of(geometry, 0)
        .into_iter()
        .flat_map(|row| {
            Phase::of(geometry, 1)
                .into_iter()
                .map(move |column| [row.clone(), column])
        })
        .filter(|phases| phases.iter().all(|phase| phase.positions > 0))
        .collect();
    if covered.iter().flatten().any(|phase| phase.taps.is_empty()) {
        input_gradient
            .par_chunks_mut(1 << 14)
            .for_each(|part| part.fill(0.0));
    }
    let output = Output::new(input_gradient);
    for phases in covered
        .into_iter()
        .filter(|phases| phases.iter().all(|phase| !phase.taps.is_empty()))
    {
        let each = |function: fn(&Phase) -> usize| [0, 1].map(|axis| function(&phases[axis]));
        let taps = Taps::new(
            [phases[0].taps.clone(), phases[1].taps.clone()],
            geometry.group_out(),
            geometry.groups,
        );
        let panels: Vec<Panels> = weight
            .chunks_exact(geometry.group_out() * group_in * kernel)
            .map(|values| {
                let weights = Weights {
                    values,
                    output: kernel,
                    input: group_in * kernel,
                };
                taps.pack(set, group_in, geometry.kernel[1], weights)
            })
            .collect();
        let pass = Pass {
            batch: geometry.batch,
            positions: each(|phase| phase.positions),
            groups: geometry.groups,
            reads: Side {
                size: geometry.output(),
                channels: geometry.channels_out,
                step: [1, 1],
            },
            first_read: [phases[0].first_read, phases[1].first_read],
            taps,
            writes: Side {
                size: geometry.input,
                channels: geometry.channels_in,
                step: geometry.stride,
            },
            first_write: each(|phase| phase.first),
        };
        pass.run(set, output_gradient, &panels, Finish::default(), output);
    }
}

/// The rows (or columns) of the input at one remainder of the stride.
#[derive(Debug, Clone)]
struct Phase {
    first: usize,
    positions: usize,
    /// First output that the first of them was seen by; outside where negative.
    first_read: isize,
    taps: Vec<Tap>,
}

impl Phase {
    fn of(geometry: &Convolution, axis: usize) -> Vec<Self> {
        let stride = geometry.stride[axis];
        let phases = (0..stride).map(|first| {
            let positions = geometry.input[axis].saturating_sub(first).div_ceil(stride);
            // Input i is value k of the kernel of output (i + padding - k * dilation) / stride.
            let padded = (first + geometry.padding_before[axis]) as isize;
            let mut met: Vec<(usize, isize)> = (0..geometry.kernel[axis])
                .map(|index| (index, padded - (index * geometry.dilation[axis]) as isize))
                .filter(|(_, at)| at.rem_euclid(stride as isize) == 0)
                .map(|(index, at)| (index, at.div_euclid(stride as isize)))
                .collect();
            met.reverse();
            let first_read = met.first().map_or(0, |&(_, at)| at);
            let taps = met.into_iter().map(|(index, at)| Tap {
                index,
                offset: (at - first_read) as usize,
            });
            Self {
                first,
                positions,
                first_read,
                taps: taps.collect(),
            }
        });
        phases.collect()
    }
}
