//! The register tile that forward passes and input gradients share: some output positions by two
//! vectors of output channels, with the inputs broadcast from wherever they lie.
//!
//! Nothing is rearranged: a tile holds the addresses of its positions' inputs and walks from there
//! through the kernel rows, along which column and channel are contiguous in channels-last order.

use std::ops::Range;

use crate::buffer::{Line, Output};
use crate::simd::{Kernel, Simd, fetch};

use super::panels::Panels;

/// Output positions, by where they read and write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// First value of the input under the kernel's first value, in the view.
    pub(crate) input: usize,
    /// First channel of the output.
    pub(crate) output: usize,
}

/// What happens to a sum before it is stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Finish<'a> {
    /// Subtracted from every position: one value for each output channel. Then there are a factor and
    /// a bias too, and the product is not rounded before the bias is added: what a
    /// [normalisation](crate::norm::normalize) by itself makes of the sum, in every bit.
    pub mean: Option<&'a [f32]>,
    /// Multiplies every position: one value for each output channel.
    pub factor: Option<&'a [f32]>,
    /// Added to every position: one value for each output channel.
    pub bias: Option<&'a [f32]>,
    /// Added to the output: as many values as it has.
    pub residual: Option<&'a [f32]>,
    /// Negative values become zero at last.
    pub relu: bool,
}

/// A product of gathered inputs and panels.
pub(crate) struct Gather<'a> {
    /// Where the inputs lie.
    pub(crate) input: &'a [f32],
    /// The weights of the group.
    pub(crate) panels: &'a Panels,
    /// Start of each walk from the position's input.
    pub(crate) walks: &'a [usize],
    /// The positions.
    pub(crate) positions: &'a [Position],
    /// What happens at last.
    pub(crate) finish: Finish<'a>,
    /// First output channel of the group.
    pub(crate) channel: usize,
    /// The panels to compute.
    pub(crate) computed: Range<usize>,
    /// Where the sums go: nobody else uses the values of these positions and panels meanwhile.
    pub(crate) output: Output<'a>,
}

/// Positions or tiles up to which the last ones have a register tile of their own, where it is larger
/// otherwise.
pub(crate) const FEW: usize = 8;

/// Steps of a tile after which it stores its sums: so many weights of a panel stay in the
/// second-level cache.
const BLOCK: usize = 512;

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self {
            panels,
            positions,
            walks,
            ..
        } = self;
        let reach = walks.iter().max().map_or(0, |walk| walk + panels.depth);
        for Position { input, output } in positions {
            assert!(
                input + reach <= self.input.len(),
                "a position reads outside"
            );
            assert!(
                output + self.channel + panels.channels <= self.output.len(),
                "a position writes outside"
            );
        }
        assert!(
            self.finish
                .residual
                .is_none_or(|residual| residual.len() == self.output.len())
        );
        assert!(walks.len() == panels.walks && self.computed.end <= panels.count());
        let steps = walks.len() * panels.depth;
        for panel in self.computed.clone() {
            let first = panel * panels.width;
            let channels = panels.width.min(panels.channels - first);
            let mut start = 0;
            loop {
                let end = (start + BLOCK).min(steps);
                let block = Block {
                    panel,
                    first,
                    channels,
                    weights: panels.panel(panel)[start * panels.width..].as_ptr(),
                    from: (start / panels.depth, start % panels.depth),
                    start,
                    end,
                    last: end == steps,
                };
                // SAFETY: every address is checked above.
                unsafe {
                    if channels > S::LANES {
                        self.block::<S, 2>(block);
                    } else {
                        self.block::<S, 1>(block);
                    }
                }
                start = end;
                if start >= steps {
                    break;
                }
            }
        }
    }
}

/// Some steps of one panel.
#[derive(Clone, Copy)]
struct Block {
    panel: usize,
    /// First output channel of the panel in its group.
    first: usize,
    channels: usize,
    /// Those of the first step.
    weights: *const f32,
    /// The first step, by its walk and its place there.
    from: (usize, usize),
    start: usize,
    end: usize,
    /// The sums are complete.
    last: bool,
}

impl Gather<'_> {
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize>(&self, block: Block) {
        // SAFETY: passed on.
        unsafe {
            match S::TILE {
                14 => self.tiles::<S, V, 14>(block),
                6 => self.tiles::<S, V, 6>(block),
                _ => self.tiles::<S, V, 2>(block),
            }
        }
    }

    /// Asks for the cache lines of a position's inputs, where it reads them in one walk; what is
    /// walked several times lies in a cache.
    #[inline(always)]
    fn fetch_inputs(&self, position: &Position) {
        if self.walks.len() == 1 {
            for at in (0..self.panels.depth).step_by(Line::LEN) {
                fetch(self.input.as_ptr().wrapping_add(position.input + at));
            }
        }
    }

    /// Adds the steps of a block at all positions.
    ///
    /// # Safety
    /// The positions are checked.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const V: usize, const P: usize>(&self, block: Block) {
        let first = self.channel + block.first;
        let channels = |values: Option<&[f32]>| {
            values.map(|values| values[first..][..block.channels].as_ptr())
        };
        let finish = TileFinish {
            mean: channels(self.finish.mean),
            factor: channels(self.finish.factor),
            bias: channels(self.finish.bias),
            residual: self.finish.residual.map(<[f32]>::as_ptr),
            relu: self.finish.relu,
        };
        for (tile, positions) in self.positions.chunks(P).enumerate() {
            let later = match block.panel == self.computed.start {
                true => self.positions.get((tile + 1) * P..).unwrap_or(&[]),
                false => &[],
            };
            // SAFETY: passed on.
            unsafe {
                if P > FEW && positions.len() <= FEW {
                    self.tile::<S, V, FEW>(block, finish, positions, later);
                } else {
                    self.tile::<S, V, P>(block, finish, positions, later);
                }
            }
        }
    }

    /// Adds the steps of a block at no more than `P` positions.
    ///
    /// What is read and written next is on its way meanwhile, a few cache lines at a time: a tile
    /// takes less time than memory, and many at once would keep it waiting for its own. `later` has
    /// the positions that nobody has asked for.
    ///
    /// # Safety
    /// The positions are checked.
    #[inline(always)]
    unsafe fn tile<S: Simd, const V: usize, const P: usize>(
        &self,
        block: Block,
        finish: TileFinish,
        positions: &[Position],
        later: &[Position],
    ) {
        let Block {
            panel,
            first,
            channels,
            mut weights,
            from: (mut walk, mut at),
            start,
            end,
            last,
        } = block;
        let Panels { width, depth, .. } = *self.panels;
        let tail = channels - (V - 1) * S::LANES;
        let first = self.channel + first;
        let output = self.output.at(0);
        let next = panel + 1 < self.computed.end;
        // The last tile computes its last position several times and stores it once. SAFETY: `run`
        // has checked the reach of every position; weights are as long as steps; outputs are valid
        // by the contract.
        unsafe {
            let mut inputs = [self.input.as_ptr(); P];
            let mut outputs = [first; P];
            for p in 0..P {
                let position = positions[p.min(positions.len() - 1)];
                inputs[p] = inputs[p].add(position.input);
                outputs[p] += position.output;
            }
            let fetch_ahead = |p: usize| {
                if next {
                    finish.fetch::<S, V>(output, outputs[p] + width);
                }
                if let Some(position) = later.get(p) {
                    self.fetch_inputs(position);
                    finish.fetch::<S, V>(output, first + position.output);
                }
            };
            let mut sums = [[S::splat(0.0); V]; P];
            if start > 0 {
                for (sums, &at) in sums.iter_mut().zip(&outputs) {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = load::<S, V>(output.add(at), v, tail);
                    }
                }
            }
            let mut left = end - start;
            while left > 0 {
                let count = (depth - at).min(left);
                let offset = self.walks[walk] + at;
                let meanwhile = (start == 0 && left == end).then_some(fetch_ahead);
                accumulate::<S, V, P>(&mut sums, &inputs, offset, weights, width, count, meanwhile);
                weights = weights.add(count * width);
                left -= count;
                (walk, at) = (walk + 1, 0);
            }
            let finish = if last { finish } else { TileFinish::NONE };
            finish.store::<S, V, P>(sums, output, &outputs, positions.len(), tail);
        }
    }
}

/// A [`Finish`] where the channels of a panel begin, the residual where the output begins.
#[derive(Clone, Copy)]
struct TileFinish {
    mean: Option<*const f32>,
    factor: Option<*const f32>,
    bias: Option<*const f32>,
    residual: Option<*const f32>,
    relu: bool,
}

impl TileFinish {
    const NONE: Self = Self {
        mean: None,
        factor: None,
        bias: None,
        residual: None,
        relu: false,
    };

    /// Asks for the cache lines that are stored and added there for a position.
    #[inline(always)]
    fn fetch<S: Simd, const V: usize>(self, output: *const f32, at: usize) {
        for at in (at..at + V * S::LANES).step_by(Line::LEN) {
            fetch(output.wrapping_add(at));
            if let Some(residual) = self.residual {
                fetch(residual.wrapping_add(at));
            }
        }
    }

    /// Finishes the sums of a tile and stores those of its first `count` positions where their
    /// outputs begin.
    ///
    /// Sums stay in registers until then: every loop is over constants, and what is to be done is
    /// asked once and not for every sum, which took a tenth more time for 64 channels.
    ///
    /// # Safety
    /// The instructions of `S`; the addresses are valid for the channels of a panel, the last
    /// vector of which has `tail`.
    #[inline(always)]
    unsafe fn store<S: Simd, const V: usize, const P: usize>(
        self,
        sums: [[S::Vector; V]; P],
        output: *mut f32,
        outputs: &[usize; P],
        count: usize,
        tail: usize,
    ) {
        // SAFETY: the contract.
        unsafe {
            // Here and not where it is called, which took a fifth more time for 64 channels.
            if tail == S::LANES {
                self.store_vectors::<S, V, P>(sums, output, outputs, count, S::LANES);
            } else {
                self.store_vectors::<S, V, P>(sums, output, outputs, count, tail);
            }
        }
    }

    /// # Safety
    /// As for `store`.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "sums of an iterator are in memory, not in registers"
    )]
    unsafe fn store_vectors<S: Simd, const V: usize, const P: usize>(
        self,
        mut sums: [[S::Vector; V]; P],
        output: *mut f32,
        outputs: &[usize; P],
        count: usize,
        tail: usize,
    ) {
        // SAFETY: the contract.
        unsafe {
            if let (Some(mean), Some(factor), Some(bias)) = (self.mean, self.factor, self.bias) {
                for v in 0..V {
                    let mean = load::<S, V>(mean, v, tail);
                    let factor = load::<S, V>(factor, v, tail);
                    let bias = load::<S, V>(bias, v, tail);
                    for p in 0..P {
                        sums[p][v] = S::mul_add(S::sub(sums[p][v], mean), factor, bias);
                    }
                }
            } else {
                if let Some(factor) = self.factor {
                    for v in 0..V {
                        let factor = load::<S, V>(factor, v, tail);
                        for p in 0..P {
                            sums[p][v] = S::mul(sums[p][v], factor);
                        }
                    }
                }
                if let Some(bias) = self.bias {
                    for v in 0..V {
                        let bias = load::<S, V>(bias, v, tail);
                        for p in 0..P {
                            sums[p][v] = S::add(sums[p][v], bias);
                        }
                    }
                }
            }
            if let Some(residual) = self.residual {
                for p in 0..P {
                    for v in 0..V {
                        let residual = load::<S, V>(residual.add(outputs[p]), v, tail);
                        sums[p][v] = S::add(sums[p][v], residual);
                    }
                }
            }
            if self.relu {
                for p in 0..P {
                    for v in 0..V {
                        // In this order a NaN stays one.
                        sums[p][v] = S::max(S::splat(0.0), sums[p][v]);
                    }
                }
            }
            for p in 0..P {
                if p < count {
                    for v in 0..V {
                        store::<S, V>(output.add(outputs[p]), v, tail, sums[p][v]);
                    }
                }
            }
        }
    }
}

/// A sum with mean, factor and bias of a [`Finish`].
///
/// # Safety
/// The instructions of `S`.
#[inline(always)]
pub(crate) unsafe fn scaled<S: Simd>(
    sum: S::Vector,
    mean: Option<S::Vector>,
    factor: Option<S::Vector>,
    bias: Option<S::Vector>,
) -> S::Vector {
    // SAFETY: the contract.
    unsafe {
        match (mean, factor, bias) {
            (Some(mean), Some(factor), Some(bias)) => S::mul_add(S::sub(sum, mean), factor, bias),
            (_, factor, bias) => {
                let sum = factor.map_or(sum, |factor| S::mul(sum, factor));
                bias.map_or(sum, |bias| S::add(sum, bias))
            }
        }
    }
}

/// Vector `v` of the `V` at an address; of the last one, only the first `tail` values.
///
/// # Safety
/// The instructions of `S`; the address is valid for these values.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd, const V: usize>(
    from: *const f32,
    v: usize,
    tail: usize,
) -> S::Vector {
    // SAFETY: the contract.
    unsafe {
        let from = from.add(v * S::LANES);
        if v + 1 == V && tail < S::LANES {
            S::load_first(from, tail)
        } else {
            S::load(from)
        }
    }
}

/// Writes vector `v` of the `V` at an address; of the last one, only the first `tail` values.
///
/// # Safety
/// As for `load`.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, const V: usize>(
    to: *mut f32,
    v: usize,
    tail: usize,
    value: S::Vector,
) {
    // SAFETY: the contract.
    unsafe {
        let to = to.add(v * S::LANES);
        if v + 1 == V && tail < S::LANES {
            S::store_first(to, value, tail)
        } else {
            S::store(to, value)
        }
    }
}

/// `sums[p][v] += sum over k of inputs[p][offset + k] * weights[k][v]`; and what is to be done
/// `meanwhile` for each `p`: evenly over the steps of a large tile, and before those of a small one,
/// which takes less time than a loop that ends more often: 4 % of ResNet-50 with AVX2 by two threads,
/// 6 % by one.
///
/// # Safety
/// The instructions of `S`; the inputs are valid from `offset` for `count` values, the weights for
/// `count` rows of `width`.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd, const V: usize, const P: usize>(
    sums: &mut [[S::Vector; V]; P],
    inputs: &[*const f32; P],
    offset: usize,
    weights: *const f32,
    width: usize,
    count: usize,
    meanwhile: Option<impl Fn(usize)>,
) {
    let mut local = *sums;
    let parts = match meanwhile {
        Some(_) if P > FEW => P,
        _ => 1,
    };
    let each = count.div_ceil(parts);
    let mut start = 0;
    for part in 0..parts {
        if let Some(meanwhile) = &meanwhile {
            (part * P / parts..(part + 1) * P / parts).for_each(meanwhile);
        }
        let end = (start + each).min(count);
        // SAFETY: the contract.
        unsafe {
            for k in start..end {
                let mut weight = [S::splat(0.0); V];
                for (v, weight) in weight.iter_mut().enumerate() {
                    *weight = S::load(weights.add(k * width + v * S::LANES));
                }
                for p in 0..P {
                    let input = S::splat(*inputs[p].add(offset + k));
                    for v in 0..V {
                        local[p][v] = S::mul_add(input, weight[v], local[p][v]);
                    }
                }
            }
        }
        start = end;
    }
    *sums = local;
}
