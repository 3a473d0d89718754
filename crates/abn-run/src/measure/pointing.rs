//! The pointing game (Zhang et al. 2016): how often the maximum of a map lies on the object.

use abn_core::Classifier;
use abn_core::explain::{AttentionMap, Localisation, MapSizeError, Mask};
use abn_data::{Labels, Loader, ObjectMasks, Target};
use burn::tensor::Device;
use image::GrayImage;

use super::evaluate::for_each_batch;
use super::inverted::ClassMeans;
use super::readback::{ImageMaps, map_of};
use super::records::{LabelPointing, Pointing};
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
}

impl PointingGame {
    /// Adds an image; returns the area under the ROC curve, unless the map is broken or the object
    /// is not seen.
    fn add(&mut self, map: &AttentionMap, mask: &GrayImage) -> Result<Option<f64>, MapSizeError> {
        let mask = object(mask)?;
        let Some(found) = Localisation::measure(map, &mask, 0.5) else {
            return Ok(None);
        };
        self.images += 1;
        self.hits += found.pointing;
        self.coverage += mask.coverage();
        let finite = map.values.iter().all(|value| value.is_finite());
        Ok(found.auc.filter(|_| finite))
    }

    /// Its figures beside those of the same network before training.
    fn beside(&self, untrained: &Self) -> Pointing {
        let images = self.images as f64;
        Pointing {
            images: self.images,
            trained: self.hits / images,
            untrained: untrained.hits / images,
            chance: self.coverage / images,
        }
    }
}

/// The games that the maps of a data set play.
#[derive(Debug, Clone, Default)]
pub struct PointingGames {
    /// One map on whatever the labels are about; of a map a label, each on its label's object.
    pub whole: PointingGame,
    /// On the object of each label, where labels have objects or maps of their own.
    pub labels: Vec<PointingGame>,
    /// The area under the ROC curve, class by class; broken maps are left out.
    pub auc: ClassMeans,
}

impl PointingGames {
    /// Adds the maps of an image.
    fn add(
        &mut self,
        maps: &[AttentionMap],
        masks: &ObjectMasks,
        target: &Target,
    ) -> Result<(), MapSizeError> {
        if let ([map], Some(whole)) = (maps, masks.whole()) {
            let auc = self.whole.add(map, &whole)?;
            if let ObjectMasks::OfAll(_) = masks {
                auc.into_iter().for_each(|auc| self.auc.add(target, auc));
                return Ok(());
            }
        }
        let own_objects = matches!(masks, ObjectMasks::OfEach(_));
        if !own_objects && maps.len() < 2 {
            return Ok(());
        }
        self.labels
            .resize(target.classes().len(), PointingGame::default());
        for (label, class) in target.classes().iter().enumerate() {
            let (Some(map), Some(mask), Some(class)) =
                (map_of(maps, label), masks.of(label), *class)
            else {
                continue;
            };
            let auc = self.labels[label].add(map, mask)?;
            auc.into_iter()
                .for_each(|auc| self.auc.add_of(label, class, auc));
            if maps.len() > 1 {
                self.whole.add(map, mask)?;
            }
        }
        Ok(())
    }
}

/// Plays the game on every image whose objects are known and seen; `None` if there is none.
///
/// # Errors
/// A sample cannot be read.
pub fn pointing_games(
    classifier: &Classifier,
    loader: &Loader,
    device: &Device,
) -> Result<Option<PointingGames>, RunError> {
    let mut games = PointingGames::default();
    for_each_batch(classifier, loader, device, |batch, outcome| {
        let maps = outcome.attention.iter().map(|attention| &attention.maps);
        let maps = maps.flat_map(ImageMaps::images);
        for ((maps, masks), target) in maps.zip(&batch.masks).zip(&batch.targets) {
            games.add(maps, masks, target)?;
        }
        Ok::<bool, RunError>(true)
    })?;
    Ok((games.whole.images > 0).then_some(games))
}

/// What the objects say of a trained network's maps.
#[derive(Debug, Clone)]
pub struct OnObjects {
    /// The game, beside that of the same network before training.
    pub pointing: Pointing,
    /// The game of each label that has objects of its own.
    pub labels: Vec<LabelPointing>,
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
    let Some(trained) = pointing_games(&session.classifier, loader, &session.device)? else {
        return Ok(None);
    };
    let (config, device) = (&session.config, &session.device);
    let untrained = config.model.init_seeded(config.recipe.seed, device);
    let Some(untrained) = pointing_games(&untrained, loader, device)? else {
        return Ok(None);
    };
    Ok(Some(OnObjects {
        pointing: trained.whole.beside(&untrained.whole),
        labels: by_label(&config.labels, &trained.labels, &untrained.labels),
        auc: trained.auc,
    }))
}

fn by_label(
    labels: &Labels,
    trained: &[PointingGame],
    untrained: &[PointingGame],
) -> Vec<LabelPointing> {
    let games = labels.groups().iter().zip(trained.iter().zip(untrained));
    let seen = games.filter(|(_, (game, _))| game.images > 0);
    seen.map(|(group, (trained, untrained))| LabelPointing {
        name: group.name.clone(),
        pointing: trained.beside(untrained),
    })
    .collect()
}

/// The object of a mask image.
///
/// # Errors
/// The mask has no pixels.
pub fn object(mask: &GrayImage) -> Result<Mask, MapSizeError> {
    let inside = mask.pixels().map(|pixel| pixel[0] > 0).collect();
    Mask::new(mask.height() as usize, mask.width() as usize, inside)
}
