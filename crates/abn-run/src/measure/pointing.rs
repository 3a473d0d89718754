//! The pointing game (Zhang et al. 2016): how often the maximum of a map lies on the object.

use abn_core::Classifier;
use abn_core::explain::{Localisation, MapSizeError, Mask};
use abn_data::Loader;
use burn::tensor::Device;
use image::GrayImage;

use super::evaluate::for_each_batch;
use crate::RunError;

/// Sums over images.
#[derive(Debug, Clone, Copy, Default)]
pub struct PointingGame {
    /// Images whose object is known and seen.
    pub images: usize,
    /// Of them, those whose map has its maximum on the object; of several maxima, the share.
    pub hits: f64,
    /// Sum of the shares of the images that the objects cover.
    pub coverage: f64,
}

/// Plays the game on every image whose object is known and seen; `None` if there is none.
///
/// # Errors
/// A sample cannot be read.
pub fn pointing_game(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
) -> Result<Option<PointingGame>, RunError> {
    let mut game = PointingGame::default();
    for_each_batch(classifier, loader, device, |batch, outcome| {
        let maps = outcome
            .attention
            .iter()
            .flat_map(|attention| &attention.maps);
        for (map, mask) in maps.zip(&batch.masks) {
            let Some(mask) = mask.as_ref().map(object).transpose()? else {
                continue;
            };
            if let Some(found) = Localisation::measure(map, &mask, 0.5) {
                game.images += 1;
                game.hits += found.pointing;
                game.coverage += mask.coverage();
            }
        }
        Ok::<bool, RunError>(true)
    })?;
    Ok((game.images > 0).then_some(game))
}

/// The object of a mask image.
///
/// # Errors
/// The mask has no pixels.
pub fn object(mask: &GrayImage) -> Result<Mask, MapSizeError> {
    let inside = mask.pixels().map(|pixel| pixel[0] > 0).collect();
    Mask::new(mask.height() as usize, mask.width() as usize, inside)
}
