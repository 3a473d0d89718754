//! To which size an image is resized.

use super::placement::{Placement, Window};
use super::{MAX_SIDE, checked};
use crate::DataError;

/// Resizes so that the shorter side is `size`; the longer side is rounded down as in torchvision.
/// If an image is so long that the result could not be held, only its middle is kept: a crop of
/// the middle follows where it matters.
pub(super) fn resize_shorter(
    (width, height): (u32, u32),
    size: u32,
) -> Result<Placement, DataError> {
    let shorter = width.min(height).max(1);
    let scaled = |side: u32| u64::from(size) * u64::from(side) / u64::from(shorter);
    let longest = u64::from(MAX_SIDE) * u64::from(shorter) / u64::from(size.max(1));
    let kept = |side: u32| match u32::try_from(longest) {
        // Of the same parity, so that the middle stays where it is.
        Ok(longest) if side > longest && longest > shorter => longest - (side - longest) % 2,
        _ => side,
    };
    let (columns, rows) = (kept(width), kept(height));
    let window = Window {
        x: ((width - columns) / 2).into(),
        y: ((height - rows) / 2).into(),
        width: columns,
        height: rows,
    };
    let to = checked("resizing", (columns, rows), (scaled(columns), scaled(rows)))?;
    Ok(Placement::of(window).at(to))
}
