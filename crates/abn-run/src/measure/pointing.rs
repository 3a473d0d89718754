//! The pointing game (Zhang et al. 2016): how often the maximum of a map lies on the object.

use abn_core::Classifier;
use abn_core::explain::{Localisation, MapSizeError, Mask};
use abn_data::Loader;
use burn::tensor::Device;
use image::GrayImage;

use super::evaluate::for_each_batch;
use super::inverted::ClassMeans;
use super::records::Pointing;
use crate::RunError;
use crate::session::Session;

/// Sums over images.
#[derive(Debug, Clone, Default)]
pub struct PointingGame {
    /// Images whose object is known and seen.
    pub images: usize,
    /// Those of them whose map has its maximum on the object; of several maxima, the share.
    pub hits: f64,
    /// Sum of the shares of the images that the objects cover.
    pub coverage: f64,
    /// The area under the ROC curve, class by class; broken maps are left out.
    pub auc: ClassMeans,
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
        for ((map, mask), target) in maps.zip(&batch.masks).zip(&batch.targets) {
            let Some(mask) = mask.as_ref().map(object).transpose()? else {
                continue;
            };
            if let Some(found) = Localisation::measure(map, &mask, 0.5) {
                game.images += 1;
                game.hits += found.pointing;
                game.coverage += mask.coverage();
                let finite = map.values.iter().all(|value| value.is_finite());
                if let Some(auc) = found.auc.filter(|_| finite) {
                    game.auc.add(target, auc);
                }
            }
        }
        Ok::<bool, RunError>(true)
    })?;
    Ok((game.images > 0).then_some(game))
}

/// What the objects say of a trained network's maps.
#[derive(Debug, Clone)]
pub struct OnObjects {
    /// The game, beside that of the same network before training.
    pub pointing: Pointing,
    /// The area under the ROC curve of the trained maps, class by class.
    pub auc: ClassMeans,
}

/// The game of a trained network beside that of the same network before training; `None` where no
/// objects are known or there are no maps.
///
/// # Errors
/// A sample cannot be read.
pub fn beside_untrained(session: &Session, loader: &Loader) -> Result<Option<OnObjects>, RunError> {
    if !loader.masks || session.config.model.attention.is_none() {
        return Ok(None);
    }
    let Some(trained) = pointing_game(&session.classifier, loader, &session.device)? else {
        return Ok(None);
    };
    let (config, device) = (&session.config, &session.device);
    let untrained = config.model.init_seeded(config.recipe.seed, device);
    let Some(untrained) = pointing_game(&untrained, loader, device)? else {
        return Ok(None);
    };
    let images = trained.images as f64;
    Ok(Some(OnObjects {
        pointing: Pointing {
            images: trained.images,
            trained: trained.hits / images,
            untrained: untrained.hits / images,
            chance: trained.coverage / images,
        },
        auc: trained.auc,
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
