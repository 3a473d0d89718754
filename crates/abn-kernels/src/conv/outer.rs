//! Sums of outer products: input values by vectors of output channels, over the positions.
//!
//! A register tile holds some values of a walk (column, then input channel, as they lie in the
//! input) by two vectors of output channels, and runs over the positions: both operands are read
//! where they lie.

use crate::simd::{Kernel, Simd};

use super::padded::View;

/// The sum over some rows of one image, for one panel of output channels.
pub(super) struct Outer<'a> {
    pub(super) view: View<'a>,
    /// First input channel of the group.
    pub(super) first_input: usize,
    /// Distance of neighbouring positions in the view, vertical and horizontal.
    pub(super) step: [usize; 2],
    pub(super) walks: &'a [usize],
    pub(super) depth: usize,
    /// Output gradients of the rows.
    pub(super) gradient: &'a [f32],
    /// Channels of the output.
    pub(super) channels: usize,
    /// First output channel of the panel, and how many it has.
    pub(super) first: usize,
    pub(super) computed: usize,
    /// Room for channels in a row of the sums.
    pub(super) width: usize,
    /// Positions of a row.
    pub(super) columns: usize,
    /// `[walk, place, channel]`: added to.
    pub(super) sums: &'a mut [f32],
}

impl Kernel for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let positions = self.gradient.len() / self.channels;
        let rows = positions / self.columns;
        let last = (rows - 1) * self.step[0] + (self.columns - 1) * self.step[1];
        let reach = self.walks.iter().max().map_or(0, |walk| walk + self.depth);
        assert!(
            self.first_input + last + reach <= self.view.values.len(),
            "a position reads outside"
        );
        assert!(self.first + self.computed <= self.channels && self.computed <= self.width);
        assert_eq!(self.sums.len(), self.walks.len() * self.depth * self.width);
        let mut outer = self;
        // SAFETY: the instructions are there, all addresses are checked above.
        unsafe {
            if outer.computed > S::LANES {
                outer.places::<S, 2>(rows)
            } else {
                outer.places::<S, 1>(rows)
            }
        }
    }
}

impl Outer<'_> {
    /// # Safety
    /// The instructions of `S`; the lengths are checked.
    #[inline(always)]
    unsafe fn places<S: Simd, const V: usize>(&mut self, rows: usize) {
        // SAFETY: passed on.
        unsafe {
            match (S::TILE, self.depth) {
                (14, depth) if depth >= 12 && depth % 8 != 0 || depth % 12 == 0 => {
                    self.tiles::<S, V, 12>(rows)
                }
                (14, 8..) => self.tiles::<S, V, 8>(rows),
                (6, depth) if depth >= 6 && depth % 4 != 0 || depth % 6 == 0 => {
                    self.tiles::<S, V, 6>(rows)
                }
                (14 | 6, 4..) => self.tiles::<S, V, 4>(rows),
                (2, 2..) => self.tiles::<S, V, 2>(rows),
                _ => self.tiles::<S, V, 1>(rows),
            }
        }
    }

    /// # Safety
    /// As for `places`; the depth is at least `D`.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const V: usize, const D: usize>(&mut self, rows: usize) {
        let tail = self.computed - (V - 1) * S::LANES;
        for (index, &walk) in self.walks.iter().enumerate() {
            let mut place = 0;
            while place < self.depth {
                // The last tile starts early and adds only what is new.
                let start = place.min(self.depth - D);
                let mut sums;
                // SAFETY: the addresses stay within what `run` has checked.
                unsafe {
                    sums = [[S::splat(0.0); V]; D];
                    let mut input = self
                        .view
                        .values
                        .as_ptr()
                        .add(self.first_input + walk + start);
                    let mut gradient = self.gradient.as_ptr().add(self.first);
                    for _ in 0..rows {
                        let (right, channels, columns) =
                            (self.step[1], self.channels, self.columns);
                        if tail == S::LANES {
                            outer::<S, V, D, true>(
                                &mut sums, input, right, gradient, channels, tail, columns,
                            );
                        } else {
                            outer::<S, V, D, false>(
                                &mut sums, input, right, gradient, channels, tail, columns,
                            );
                        }
                        input = input.wrapping_add(self.step[0]);
                        gradient = gradient.wrapping_add(self.columns * self.channels);
                    }
                    for (d, sums) in sums.iter().enumerate().skip(place - start) {
                        let to = self
                            .sums
                            .as_mut_ptr()
                            .add((index * self.depth + start + d) * self.width);
                        for (v, &sum) in sums.iter().enumerate() {
                            let to = to.add(v * S::LANES);
                            S::store(to, S::add(S::load(to), sum));
                        }
                    }
                }
                place = start + D;
            }
        }
    }
}

/// `sums[d][v] += sum over n of input[n * input_step + d] * gradient[n * gradient_step + v *
/// LANES..]`, where the last vector holds `tail` values, or all of them where `FULL`.
///
/// # Safety
/// The instructions of `S`; both addresses are valid for `count` steps, `D` values and `V` vectors.
#[inline(always)]
pub(crate) unsafe fn outer<S: Simd, const V: usize, const D: usize, const FULL: bool>(
    sums: &mut [[S::Vector; V]; D],
    mut input: *const f32,
    input_step: usize,
    mut gradient: *const f32,
    gradient_step: usize,
    tail: usize,
    count: usize,
) {
    let mut local = *sums;
    // SAFETY: the contract.
    unsafe {
        for _ in 0..count {
            let mut vectors = [S::splat(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                let from = gradient.add(v * S::LANES);
                *vector = if FULL || v + 1 < V {
                    S::load(from)
                } else {
                    S::load_first(from, tail)
                };
            }
            for (d, sums) in local.iter_mut().enumerate() {
                let value = S::splat(*input.add(d));
                for v in 0..V {
                    sums[v] = S::mul_add(value, vectors[v], sums[v]);
                }
            }
            input = input.wrapping_add(input_step);
            gradient = gradient.wrapping_add(gradient_step);
        }
    }
    *sums = local;
}
