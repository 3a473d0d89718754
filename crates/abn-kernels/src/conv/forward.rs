//! The forward pass.

use crate::buffer::Output;
use crate::norm::Affine;
use crate::simd::InstructionSet;

use super::Convolution;
use super::activated;
use super::gather::Finish;
use super::panels::{Panels, Weights};
use super::pass::{Pass, Side};
use super::taps::{Tap, Taps};
use super::winograd::{self, Kernels, Tiles, Winograd};

/// How a forward pass adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Every product by itself.
    Direct,
    /// Winograd's algorithm in tiles of 2x2 where it serves and saves much: it rounds no more than
    /// plain sums, for it adds up fewer products.
    Small,
    /// With the fewest multiplications, which are tiles of 4x4 where they serve: up to three times
    /// that rounding.
    Fewest,
}

/// Channels of a group below which the transforms of small tiles take much of what they save.
const PLENTY: usize = 64;

/// Convolves `input` (channels last) with `weight` (output channel, input channel of the group,
/// row, column) into `output` (channels last), and finishes every value.
///
/// # Panics
/// A length does not fit the shapes.
pub fn forward(
    set: InstructionSet,
    algorithm: Algorithm,
    geometry: &Convolution,
    input: &[f32],
    weight: &[f32],
    finish: Finish,
    output: &mut [f32],
) {
    Prepared::new(set, algorithm, geometry, weight).forward(geometry, input, finish, output);
}

/// The weights of a convolution in the order in which the forward pass reads them.
#[derive(Debug)]
pub struct Prepared {
    layout: Layout,
    weights: Reordered,
}

/// What the order of the weights depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    set: InstructionSet,
    /// Those of Winograd's algorithm, where that is used.
    tiles: Option<Tiles>,
    kernel: [usize; 2],
    dilation: [usize; 2],
    channels_in: usize,
    channels_out: usize,
    groups: usize,
}

impl Layout {
    fn of(set: InstructionSet, algorithm: Algorithm, geometry: &Convolution) -> Self {
        Self {
            set,
            tiles: match algorithm {
                Algorithm::Direct => None,
                Algorithm::Small => Some(Tiles::Two).filter(|tiles| {
                    let channels = geometry.group_in().min(geometry.group_out());
                    channels >= PLENTY && tiles.serves(geometry)
                }),
                Algorithm::Fewest => Tiles::fewest(geometry),
            },
            kernel: geometry.kernel,
            dilation: geometry.dilation,
            channels_in: geometry.channels_in,
            channels_out: geometry.channels_out,
            groups: geometry.groups,
        }
    }

    /// Whether that convolution has such weights, whatever its algorithm.
    fn is_of(&self, geometry: &Convolution) -> bool {
        let direct = Self::of(self.set, Algorithm::Direct, geometry);
        let tiles = self.tiles;
        *self == Self { tiles, ..direct }
    }
}

/// Those of each group.
#[derive(Debug)]
enum Reordered {
    Direct(Vec<Panels>),
    Winograd(Vec<Kernels>),
}

impl Prepared {
    /// Reorders `weight` (output channel, input channel of the group, row, column).
    ///
    /// # Panics
    /// Its length does not fit the shapes.
    pub fn new(
        set: InstructionSet,
        algorithm: Algorithm,
        geometry: &Convolution,
        weight: &[f32],
    ) -> Self {
        assert_eq!(
            weight.len(),
            geometry.weight_len(),
            "weight of {geometry:?}"
        );
        let layout = Layout::of(set, algorithm, geometry);
        let kernel = geometry.kernel[0] * geometry.kernel[1];
        let of = |values| Weights {
            values,
            output: geometry.group_in() * kernel,
            input: kernel,
        };
        let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
        let groups = weight.chunks_exact((group_out * group_in * kernel).max(1));
        let weights = match layout.tiles {
            Some(tiles) => {
                let channels = [group_in, group_out];
                let kernels = groups.map(|values| {
                    Kernels::new(set, tiles, geometry.groups, channels, of(values), false)
                });
                Reordered::Winograd(kernels.collect())
            }
            None => {
                let taps = taps(geometry);
                let panels =
                    groups.map(|values| taps.pack(set, group_out, geometry.kernel[1], of(values)));
                Reordered::Direct(panels.collect())
            }
        };
        Self { layout, weights }
    }

    /// Whether the weights have the order that this convolution reads: the number of its images does
    /// not matter, their size as far as it decides on the tiles.
    pub fn serves(
        &self,
        set: InstructionSet,
        algorithm: Algorithm,
        geometry: &Convolution,
    ) -> bool {
        self.layout == Layout::of(set, algorithm, geometry)
    }

    /// Convolves `input` into `output` (both channels last), and finishes every value.
    ///
    /// # Panics
    /// A length does not fit the shapes, or these are not [served](Self::serves).
    pub fn forward(
        &self,
        geometry: &Convolution,
        input: &[f32],
        finish: Finish,
        output: &mut [f32],
    ) {
        let set = self.layout.set;
        assert!(
            self.layout.is_of(geometry) && self.layout.tiles.is_none_or(|it| it.serves(geometry)),
            "weights of {:?} for {geometry:?}",
            self.layout
        );
        assert_eq!(input.len(), geometry.input_len(), "input of {geometry:?}");
        self.check_output(geometry, &finish, output.len());
        if output.is_empty() {
            return;
        }
        let output = Output::new(output);
        let first_read = geometry.padding_before.map(|padding| -(padding as isize));
        match &self.weights {
            Reordered::Winograd(kernels) => {
                let shape = Winograd {
                    batch: geometry.batch,
                    reads: geometry.input,
                    first_read,
                    writes: geometry.output(),
                };
                winograd::pass(set, &shape, kernels, input, finish, output);
            }
            Reordered::Direct(panels) => {
                let pass = Pass {
                    batch: geometry.batch,
                    positions: geometry.output(),
                    groups: geometry.groups,
                    reads: Side {
                        size: geometry.input,
                        channels: geometry.channels_in,
                        step: geometry.stride,
                    },
                    first_read,
                    taps: taps(geometry),
                    writes: Side {
                        size: geometry.output(),
                        channels: geometry.channels_out,
                        step: [1, 1],
                    },
                    first_write: [0, 0],
                };
                pass.run(set, input, panels, finish, output);
            }
        }
    }

    /// Convolves the first channels of `input` `[positions, width]`, after `before` was done to
    /// them, which memory never sees; a 1x1 kernel of stride 1 in one group, and without a residual
    /// in front.
    ///
    /// # Panics
    /// A length does not fit the shapes, the kernel is another, or these weights are not
    /// [served](Self::serves).
    pub fn forward_activated(
        &self,
        geometry: &Convolution,
        width: usize,
        input: &[f32],
        before: Affine,
        finish: Finish,
        output: &mut [f32],
    ) {
        assert!(
            geometry.is_pointwise() && self.layout.is_of(geometry),
            "weights of {:?} for {geometry:?} of activated features",
            self.layout
        );
        let Reordered::Direct(panels) = &self.weights else {
            panic!("a 1x1 kernel has no tiles");
        };
        let positions = geometry.batch * geometry.input[0] * geometry.input[1];
        before.check_part(width, input.len());
        assert!(
            before.factor.len() == geometry.channels_in && input.len() == positions * width,
            "activated input of {geometry:?}"
        );
        self.check_output(geometry, &finish, output.len());
        if !output.is_empty() {
            let set = self.layout.set;
            let output = Output::new(output);
            activated::convolve(
                set,
                &panels[0],
                [width, positions],
                input,
                before,
                finish,
                output,
            );
        }
    }

    /// # Panics
    /// An output of so many values, or what finishes it, does not fit.
    fn check_output(&self, geometry: &Convolution, finish: &Finish, len: usize) {
        assert_eq!(len, geometry.output_len(), "output of {geometry:?}");
        let Finish {
            mean, factor, bias, ..
        } = finish;
        assert!(
            mean.is_none() || factor.is_some() && bias.is_some(),
            "a mean without a factor and a bias"
        );
        for each in [mean, factor, bias].into_iter().flatten() {
            assert_eq!(
                each.len(),
                geometry.channels_out,
                "one value for each channel of {geometry:?}"
            );
        }
        assert!(
            finish.residual.is_none_or(|residual| residual.len() == len),
            "residual of {geometry:?}"
        );
    }
}

/// The whole kernel, as an output position meets it.
pub(crate) fn taps(geometry: &Convolution) -> Taps {
    let axes = [0, 1].map(|axis| {
        let taps = 0..geometry.kernel[axis];
        taps.map(|index| Tap {
            index,
            offset: index * geometry.dilation[axis],
        })
        .collect()
    });
    Taps::new(axes, geometry.group_in(), geometry.groups)
}
