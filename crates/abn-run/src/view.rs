//! One image as a network sees it.

use std::path::Path;

use abn_data::Transform;
use image::RgbImage;

use crate::RunError;
use crate::recipe::RunConfig;

/// Side to which the view of a large image is magnified for looking at.
const PICTURE_SIDE: u32 = 320;

/// One image after the transform of a run.
#[derive(Debug, Clone)]
pub struct View {
    /// What the network sees, as large as the image allows.
    pub picture: RgbImage,
    /// The inputs themselves, normalised. `[3, H, W]`
    pub(crate) planes: Vec<f32>,
    /// Height and width of the inputs.
    pub(crate) size: [usize; 2],
}

impl View {
    /// What the network of a run sees of an image. `name` is what errors call it.
    ///
    /// # Errors
    /// The network cannot see images of the size that the run makes of it.
    pub fn of(image: RgbImage, name: &Path, config: &RunConfig) -> Result<Self, RunError> {
        let transform = config.recipe.eval_transform();
        let seen = transform.fixed(image.clone())?;
        let (width, height) = seen.dimensions();
        let smallest = config.model.network.smallest_side();
        if (width.min(height) as usize) < smallest {
            return Err(RunError::TooSmall {
                file: name.to_owned(),
                width,
                height,
                smallest,
            });
        }
        Ok(Self {
            planes: transform.normalization.planes(&seen),
            size: [height as usize, width as usize],
            picture: magnified(&transform, (width, height), image)?,
        })
    }

    /// Whether two views can enter a network together.
    pub fn fits(&self, other: &Self) -> bool {
        self.size == other.size
    }
}

/// What is seen, at a whole multiple of its size. Never larger than the image: that would invent
/// detail.
fn magnified(
    transform: &Transform,
    (width, height): (u32, u32),
    image: RgbImage,
) -> Result<RgbImage, RunError> {
    let gain = |from: u32, to: u32| from / to.max(1);
    let larger = gain(image.width().min(image.height()), width.min(height));
    let factor = larger.min(gain(PICTURE_SIDE, width.max(height))).max(1);
    Ok(transform.magnified(factor).fixed(image)?)
}
