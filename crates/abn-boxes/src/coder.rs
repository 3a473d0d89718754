//! Boxes as offsets from others (Ren et al. 2015, equation 2): what a network predicts.
//!
//! ```text
//! dx = wx (gx - px) / pw      dw = ww ln(gw / pw)      g: the box, p: the one it starts from
//! dy = wy (gy - py) / ph      dh = wh ln(gh / ph)      x, y: centres
//! ```

use serde::{Deserialize, Serialize};

use crate::BoundingBox;

/// ln(1000 / 16): a box grows by 62.5 at most, before its exponential overflows.
pub const LARGEST_LOG: f64 = 4.135_166_556_742_356;

/// Between boxes and offsets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxCoder {
    /// Of dx, dy, dw and dh: they bring offsets to the same variance.
    pub weights: [f64; 4],
}

impl BoxCoder {
    /// What leads from `start` to `bounds`. Both have to be valid; otherwise it is not finite.
    #[must_use]
    pub fn encode(&self, bounds: &BoundingBox, start: &BoundingBox) -> [f64; 4] {
        let [wx, wy, ww, wh] = self.weights;
        let (width, height) = (start.width(), start.height());
        let (x, y) = centre(start);
        let (to_x, to_y) = centre(bounds);
        [
            wx * (to_x - x) / width,
            wy * (to_y - y) / height,
            ww * libm::log(bounds.width() / width),
            wh * libm::log(bounds.height() / height),
        ]
    }

    /// Where offsets lead from `start`. What they say of sizes is cut off at [`LARGEST_LOG`] above,
    /// and nowhere below.
    #[must_use]
    pub fn decode(&self, offsets: [f64; 4], start: &BoundingBox) -> BoundingBox {
        let [wx, wy, ww, wh] = self.weights;
        let [dx, dy, dw, dh] = offsets;
        let (width, height) = (start.width(), start.height());
        let (x, y) = centre(start);
        let x = dx / wx * width + x;
        let y = dy / wy * height + y;
        let half_width = 0.5 * (libm::exp(at_most(dw / ww)) * width);
        let half_height = 0.5 * (libm::exp(at_most(dh / wh)) * height);
        BoundingBox::new(
            x - half_width,
            y - half_height,
            x + half_width,
            y + half_height,
        )
    }
}

fn centre(bounds: &BoundingBox) -> (f64, f64) {
    (
        bounds.x1 + 0.5 * bounds.width(),
        bounds.y1 + 0.5 * bounds.height(),
    )
}

/// What is not a number stays so, unlike by `f64::min`: such a box is dropped later.
fn at_most(log: f64) -> f64 {
    if log > LARGEST_LOG { LARGEST_LOG } else { log }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: BoxCoder = BoxCoder { weights: [1.0; 4] };
    const HEADS: BoxCoder = BoxCoder {
        weights: [10.0, 10.0, 5.0, 5.0],
    };

    #[test]
    fn offsets_by_hand() {
        let start = BoundingBox::new(0.0, 0.0, 10.0, 20.0);
        let bounds = BoundingBox::new(5.0, 0.0, 25.0, 10.0);
        // Centres (5, 10) and (15, 5); twice as wide, half as high.
        let ln2 = 2_f64.ln();
        assert_eq!(PLAIN.encode(&bounds, &start), [1.0, -0.25, ln2, -ln2]);
        let weighted = [10.0, -2.5, 5.0 * ln2, -5.0 * ln2];
        assert_eq!(HEADS.encode(&bounds, &start), weighted);
    }

    #[test]
    fn decoding_leads_back() {
        let start = BoundingBox::new(3.0, 4.0, 13.0, 8.0);
        let bounds = BoundingBox::new(2.0, 5.0, 9.0, 17.0);
        for coder in [PLAIN, HEADS] {
            let back = coder.decode(coder.encode(&bounds, &start), &start);
            let (back, bounds) = (<[f64; 4]>::from(back), <[f64; 4]>::from(bounds));
            for (back, corner) in back.into_iter().zip(bounds) {
                assert!((back - corner).abs() < 1e-5, "{back} is not {corner}");
            }
        }
        assert_eq!(PLAIN.decode([0.0; 4], &start), start);
    }

    #[test]
    fn growth_has_an_end_and_shrinking_none() {
        let start = BoundingBox::new(0.0, 0.0, 2.0, 2.0);
        let grown = PLAIN.decode([0.0, 0.0, 100.0, 4.0], &start);
        assert!((grown.width() - 125.0).abs() < 1e-3, "{grown:?}");
        assert!(
            (grown.height() - 2.0 * 4_f64.exp()).abs() < 1e-3,
            "{grown:?}"
        );
        let shrunk = PLAIN.decode([0.0, 0.0, -200.0, 0.0], &start);
        assert_eq!(shrunk.width(), 0.0);
        // The cut comes after the weights.
        let weighted = HEADS.decode([0.0, 0.0, 20.0, 0.0], &start);
        assert!((weighted.width() - 2.0 * 4_f64.exp()).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let start = BoundingBox::new(0.0, 0.0, 2.0, 2.0);
        let decoded = PLAIN.decode([0.0, 0.0, f64::NAN, 0.0], &start);
        assert!(!decoded.is_finite() && !decoded.has_sides_of(0.0));
    }
}
