//! What a finished run leaves for the tables: `ablation.json` in its folder, written last.

use std::fs;
use std::path::Path;

use abn_core::AttentionConfig;
use abn_core::explain::{AttentionMap, Layer, Method};
use abn_data::Collection;
use abn_explain::stability::{MapQuery, MapScale, RunMaps, look};
use abn_run::folder::checkpoint::CheckpointChoice;
use abn_run::folder::run_dir::RunDir;
use abn_run::measure::records::Results;
use abn_run::recipe::{Recipe, RunConfig};
use abn_run::session::Session;
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Version of the layout of the file.
const VERSION: u32 = 1;
const FILE: &str = "ablation.json";
/// Images that are shown under every variant.
const SHOWN: usize = 6;
/// Test images among which they are chosen.
const LOOKED_AT: usize = 48;

/// What the tables need of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    /// What was to be trained; batches may have been smaller, if there are fewer images.
    recipe: Recipe,
    /// Figures of the last and of the best epoch.
    pub(crate) results: Results,
    /// Trainable parameters.
    pub(crate) parameters: usize,
    /// Multiply-adds of an image.
    pub(crate) multiply_adds: u64,
    /// How the images are explained: by the trained map, or by Grad-CAM where there is none.
    pub(crate) trained_maps: bool,
    /// What the last weights say of a few test images, the same ones for every run.
    pub(crate) looks: Vec<RecordedMap>,
}

/// What a run says of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedMap {
    /// Index in the test split.
    pub(crate) image: usize,
    /// Class that is predicted, of several labels that of the first.
    pub(crate) predicted: usize,
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl RecordedMap {
    /// Where it looks; `None` if the file holds no map.
    pub(crate) fn map(&self) -> Option<AttentionMap> {
        AttentionMap::new(self.height, self.width, self.values.clone()).ok()
    }
}

impl Record {
    /// Writes the record of a run whose training is done.
    ///
    /// # Errors
    /// A checkpoint or a sample cannot be read, or the file not be written.
    pub(crate) fn write(
        run: &RunDir,
        recipe: &Recipe,
        config: &RunConfig,
        results: Results,
        test: &Collection,
        device: &Device,
    ) -> Result<()> {
        let looks = match config.recipe.detector {
            // The maps of a detector are of boxes, which differ from run to run.
            Some(_) => vec![],
            None => {
                let device = device.clone();
                let session = Session::open(run.path(), CheckpointChoice::Latest, device)?;
                looks(&session, run, test)?
            }
        };
        let record = Self {
            version: VERSION,
            recipe: recipe.clone(),
            results,
            parameters: config.parameters(device),
            multiply_adds: config.cost(device).multiply_adds,
            trained_maps: trained_map(config).is_some(),
            looks,
        };
        Ok(run.write_json(FILE, &record)?)
    }

    /// The record of the run in that folder; `None` if the run is not finished.
    ///
    /// # Errors
    /// The file is damaged, of another version, or of another recipe than that one.
    pub(crate) fn read(run: &Path, recipe: &Recipe) -> Result<Option<Self>> {
        let file = run.join(FILE);
        if !file.exists() {
            return Ok(None);
        }
        let read = || -> Result<Self> {
            let record: Self = serde_json::from_str(&fs::read_to_string(&file)?)?;
            ensure!(
                record.version == VERSION,
                "written by another version (layout {})",
                record.version
            );
            ensure!(
                record.recipe == *recipe,
                "of another recipe than its folder's name says"
            );
            Ok(record)
        };
        read()
            .map(Some)
            .with_context(|| format!("`{}` cannot be used", file.display()))
    }
}

/// The attention whose map is trained.
fn trained_map(config: &RunConfig) -> Option<&AttentionConfig> {
    config
        .model
        .attention
        .as_ref()
        .filter(|attention| attention.trains_map())
}

/// The last weights on the shown images. Maps without an upper end and Grad-CAM's are normalised.
fn looks(session: &Session, run: &RunDir, test: &Collection) -> Result<Vec<RecordedMap>> {
    let attention = trained_map(&session.config);
    let method = if attention.is_some() {
        Method::Attention
    } else {
        Method::GradCam
    };
    let bounded = attention.is_some_and(|attention| attention.map.is_bounded());
    let scale = if bounded {
        MapScale::Raw
    } else {
        MapScale::PerImage
    };
    let query = MapQuery {
        method,
        layer: Layer::Refined,
        scale,
        group: None,
    };
    let name = run.path().display().to_string();
    let images = test.clone().limit(LOOKED_AT);
    let maps = look(&name, session, &images, &query, 0, |_| ())?;
    let shown = shown(&maps.labels).into_iter();
    Ok(shown.map(|image| of(&maps, image)).collect())
}

fn of(maps: &RunMaps, image: usize) -> RecordedMap {
    let AttentionMap {
        height,
        width,
        values,
    } = maps.maps[image].clone();
    RecordedMap {
        image,
        predicted: maps.predicted[image],
        height,
        width,
        values,
    }
}

/// The first image of every class in their order, and then others until there are enough.
fn shown(labels: &[usize]) -> Vec<usize> {
    let is_first = |image: &usize| !labels[..*image].contains(&labels[*image]);
    let (first, others): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(is_first);
    let mut shown: Vec<usize> = first.into_iter().chain(others).take(SHOWN).collect();
    shown.sort_unstable();
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_different_classes_are_shown() {
        assert_eq!(shown(&[3, 3, 1, 3, 0, 1, 2, 5, 4, 9]), [0, 2, 4, 6, 7, 8]);
        assert_eq!(shown(&[1, 1, 1, 0, 1, 1, 1, 1]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(shown(&[7]), [0]);
    }
}
