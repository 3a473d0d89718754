//! Image files as a network sees them, alone or stacked into a batch.

use std::path::Path;

use abn_data::read_image;
use anyhow::{Result, ensure};
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;

use crate::session::Session;

/// Side to which the view of a large image is magnified for looking at.
const PICTURE_SIDE: u32 = 320;

/// One image file after the transform of the run.
#[derive(Debug, Clone)]
pub struct View {
    /// What the network sees, as large as the file allows.
    pub picture: RgbImage,
    /// The inputs themselves, normalised. `[3, H, W]`
    planes: Vec<f32>,
    /// Height and width of the inputs.
    size: [usize; 2],
}

impl View {
    /// Whether two views can enter a network together.
    pub fn fits(&self, other: &Self) -> bool {
        self.size == other.size
    }
}

impl Session {
    /// What the network sees of a file.
    ///
    /// # Errors
    /// The file is no image that can be read, or the network cannot see images of the size that the
    /// run makes of it.
    pub fn view(&self, file: &Path) -> Result<View> {
        let transform = self.config.recipe.eval_transform();
        let original = read_image(file)?;
        let image = transform.fixed(original.clone())?;
        let (width, height) = (image.width(), image.height());
        let smallest = self.config.model.network.smallest_side();
        ensure!(
            width.min(height) as usize >= smallest,
            "the transform of the run makes {width}x{height} pixels of `{}`; its network needs \
             {smallest} a side",
            file.display()
        );
        // Never larger than the file: that would invent detail.
        let gain = |from: u32, to: u32| from / to.max(1);
        let larger = gain(original.width().min(original.height()), width.min(height));
        let factor = larger.min(gain(PICTURE_SIDE, width.max(height))).max(1);
        Ok(View {
            planes: transform.normalization.planes(&image),
            size: [height as usize, width as usize],
            picture: transform.magnified(factor).fixed(original)?,
        })
    }

    /// Views as a batch, `[B, 3, H, W]`.
    ///
    /// # Panics
    /// There is none, or one does not [fit](View::fits) the others.
    pub fn stacked(&self, views: &[&View]) -> Tensor<4> {
        let [height, width] = views[0].size;
        let pixels: Vec<f32> = views
            .iter()
            .flat_map(|view| &view.planes)
            .copied()
            .collect();
        Tensor::from_data(
            TensorData::new(pixels, [views.len(), 3, height, width]),
            &self.device,
        )
    }
}
