//! What lies behind everything.

use super::{Color, Texture};

/// A texture, above which another may begin.
#[derive(Clone)]
pub(crate) struct Ground {
    texture: Texture,
    /// Another texture above that height.
    above: Option<(f32, Texture)>,
}

impl Ground {
    /// The same everywhere.
    pub(crate) fn plain(texture: Texture) -> Self {
        Self {
            texture,
            above: None,
        }
    }

    /// With something else above a horizon.
    pub(crate) fn below(self, horizon: f32, above: Texture) -> Self {
        Self {
            above: Some((horizon, above)),
            ..self
        }
    }

    /// The colour at a point, in pixels.
    pub(crate) fn at(&self, x: f32, y: f32) -> Color {
        match &self.above {
            Some((horizon, above)) if y < *horizon => above.at(x, y),
            _ => self.texture.at(x, y),
        }
    }
}
