//! The pointing game (Zhang et al. 2016): how often the maximum of a map lies on the object.

use abn_core::Classifier;
use abn_core::explain::{Localisation, MapSizeError, Mask};
use abn_data::Loader;
use burn::tensor::Device;
use image::GrayImage;

use super::evaluate::for_each_batch;
use super::records::Pointing;
use crate::RunError;
use crate::session::Session;

/// Sums over images.
#[derive(Debug, Clone, Copy, Default)]
pub struct PointingGame {
    /// Images whose object is known and seen.
    pub images: usize,
    /// Those of them whose map has its maximum on the object; of several maxima, the share.
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

/// The game of a trained network beside that of the same network before training; `None` where no
/// objects are known or there are no maps.
///
/// # Errors
/// A sample cannot be read.
pub fn beside_untrained(session: &Session, loader: &Loader) -> Result<Option<Pointing>, RunError> {
    if !loader.masks || session.config.model.attention.is_none() {
        return Ok(None);
    }
    let Some(trained) = pointing_game(&session.classifier, loader, &session.device)? else {
        return Ok(None);
    };
    let (config, device) = (&session.config, &session.device);
    let untrained = config.model.init_seeded(config.recipe.seed, device);
    let untrained = pointing_game(&untrained, loader, device)?;
    Ok(untrained.map(|untrained| Pointing {
        images: trained.images,
        trained: trained.hits / trained.images as f64,
        untrained: untrained.hits / trained.images as f64,
        chance: trained.coverage / trained.images as f64,
    }))
}

/// The object of a mask image.
///
/// # Errors
/// The mask has no pixels.
pub fn object(mask: &GrayImage) -> Result<Mask, MapSizeError> {
    let inside = mask.pixels().map(|pixel| pixel[0] > 0).collect();
    Mask::new(mask.height() as usize, mask.width() as usize, inside)
}
