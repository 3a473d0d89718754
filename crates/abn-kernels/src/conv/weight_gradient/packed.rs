//! Rows of values as blocks that a register tile reads in the order of memory.

use crate::simd::fetch;

/// Rows that are fetched before they are packed: they may lie in different pages, which the
/// machine does not foresee.
pub(super) const AHEAD: usize = 6;

/// Asks for all cache lines of some values, wherever they lie.
#[inline(always)]
pub(super) fn fetch_all(first: *const f32, count: usize) {
    for line in (0..count).step_by(16) {
        fetch(first.wrapping_add(line));
    }
}

/// Writes a row of values in parts of `N`, each at `index` of `count` in a block of its own, with
/// zeros behind the last value.
#[inline(always)]
pub(super) fn pack<const N: usize>(row: &[f32], index: usize, count: usize, packed: &mut [f32]) {
    let (parts, rest) = row.as_chunks::<N>();
    for (part, values) in parts.iter().enumerate() {
        packed[(part * count + index) * N..][..N].copy_from_slice(values);
    }
    if !rest.is_empty() {
        let target = &mut packed[(parts.len() * count + index) * N..][..N];
        target[..rest.len()].copy_from_slice(rest);
        target[rest.len()..].fill(0.0);
    }
}

/// The same for parts of the width of a panel.
#[inline(always)]
pub(super) fn pack_panels(
    width: usize,
    row: &[f32],
    index: usize,
    count: usize,
    packed: &mut [f32],
) {
    match width {
        32 => pack::<32>(row, index, count, packed),
        16 => pack::<16>(row, index, count, packed),
        8 => pack::<8>(row, index, count, packed),
        _ => unreachable!("panels are one or two vectors wide"),
    }
}
