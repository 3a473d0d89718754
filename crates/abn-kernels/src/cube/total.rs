//! Sums over the units of a cube.

use cubecl::prelude::*;

/// Units of a cube that sums: [`width`] times as many rows.
pub(crate) const UNITS: u32 = 256;

/// Channels that a cube sums side by side: no more than there are, so that few channels have more
/// rows at a time.
pub(crate) fn width(channels: usize) -> u32 {
    channels.next_power_of_two().clamp(1, 32) as u32
}

/// The sum of `value` over the units of a column of the cube, in the order of a tree; of use in the
/// first row alone. All units must come here.
#[cube]
pub(super) fn total(value: f32, shared: &mut Shared<[f32]>) -> f32 {
    let own = UNIT_POS as usize;
    sync_cube();
    shared[own] = value;
    let mut rows = CUBE_DIM_Y / 2;
    while rows > 0 {
        sync_cube();
        if UNIT_POS_Y < rows {
            let other = own + (rows * CUBE_DIM_X) as usize;
            shared[own] = shared[own] + shared[other];
        }
        rows /= 2;
    }
    sync_cube();
    shared[UNIT_POS_X as usize]
}
