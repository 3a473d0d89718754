//! A form that lies somewhere in a picture, with a texture.

use rand::Rng;

use super::{Form, Texture, center, direction};

/// Points a pixel and axis at which a silhouette is sampled.
const SUPERSAMPLING: u32 = 4;
/// The largest sine of the angle by which an object is tilted: 30 degrees either way.
const TILT: f32 = 0.5;

/// A thing of a form.
#[derive(Clone)]
pub(crate) struct Silhouette {
    pub(crate) form: Form,
    pub(crate) center: [f32; 2],
    /// Half of its size in pixels.
    pub(crate) radius: f32,
    /// Where the form's x axis points.
    pub(crate) along: [f32; 2],
    pub(crate) texture: Texture,
}

impl Silhouette {
    /// How much it covers of each pixel of a square picture, 0 to 1, row by row.
    pub(crate) fn coverages(&self, side: u32) -> Vec<f32> {
        (0..side * side)
            .map(|k| self.coverage(k % side, k / side))
            .collect()
    }

    /// How much of a pixel it covers, 0 to 1.
    pub(crate) fn coverage(&self, x: u32, y: u32) -> f32 {
        if !self.may_touch(center(x), center(y)) {
            return 0.0;
        }
        let point = |pixel: u32, k: u32| pixel as f32 + (k as f32 + 0.5) / SUPERSAMPLING as f32;
        let points = SUPERSAMPLING * SUPERSAMPLING;
        let hits = (0..points)
            .filter(|k| self.contains(point(x, k % SUPERSAMPLING), point(y, k / SUPERSAMPLING)))
            .count();
        hits as f32 / points as f32
    }

    /// Whether a pixel with this centre may be covered in part: cheap, and never wrongly false.
    fn may_touch(&self, x: f32, y: f32) -> bool {
        let reach = self.radius + 1.0;
        (x - self.center[0]).abs() <= reach && (y - self.center[1]).abs() <= reach
    }

    fn contains(&self, x: f32, y: f32) -> bool {
        let (x, y) = (
            (x - self.center[0]) / self.radius,
            (y - self.center[1]) / self.radius,
        );
        let [dx, dy] = self.along;
        self.form.contains(x * dx + y * dy, y * dx - x * dy)
    }
}

/// An x axis that is tilted a little.
pub(crate) fn tilted(rng: &mut impl Rng) -> [f32; 2] {
    loop {
        let [dx, dy] = direction(rng);
        if dx > 0.0 && dy.abs() <= TILT {
            return [dx, dy];
        }
    }
}
