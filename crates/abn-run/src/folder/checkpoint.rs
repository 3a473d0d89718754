//! Checkpoints that survive a kill at any instant.
//!
//! Weights, velocities and the maps that the next epoch's are compared with are safetensors files
//! with the step in their names. `manifest.json` names the current ones with size and SHA-256, and
//! holds the position and the history of the run. It is written last and replaced in one rename:
//! before it, the old checkpoint counts; after it, the new one. Files that no manifest names are
//! removed afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use abn_core::loss_scale::LossScale;
use abn_core::state::State;
use serde::{Deserialize, Serialize};

use super::files::{remove, write_atomically};
use super::{CheckpointFault, FolderError};
use crate::digest::sha256;
use crate::measure::records::EpochRecord;
use crate::measure::totals::Totals;
use crate::weights::{from_safetensors, to_safetensors};

const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 1;

type Result<T> = std::result::Result<T, FolderError>;

/// Where a run stands: everything but the tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished batches of the current epoch.
    pub batch: usize,
    /// Sums over these batches.
    #[serde(rename = "sums")]
    pub totals: Totals,
    /// Records of the finished epochs.
    pub history: Vec<EpochRecord>,
    /// How losses are scaled, where half precision demands it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
}

impl Progress {
    /// The beginning of the next epoch, after that history.
    pub fn next(&self, history: Vec<EpochRecord>) -> Self {
        Self {
            epoch: self.epoch + 1,
            history,
            loss_scale: self.loss_scale.map(LossScale::of_next_epoch),
            ..Self::default()
        }
    }

    /// 1-based number of the best epoch so far.
    pub fn best_epoch(&self) -> Option<usize> {
        self.history
            .iter()
            .rev()
            .find(|record| record.best)
            .map(|record| record.epoch)
    }
}

/// What `manifest.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    /// Weights and velocities to continue from; absent for an imported run.
    latest: Option<Latest>,
    /// Weights of the best epoch.
    best: Option<Entry>,
    /// Maps of the last finished epoch; absent without an attention branch and in runs of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maps: Option<Entry>,
    progress: Progress,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Latest {
    model: Entry,
    optimizer: Entry,
}

/// A file of the checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    bytes: u64,
    sha256: String,
}

/// Which weights of a run to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum CheckpointChoice {
    /// The epoch with the best test accuracy
    #[default]
    Best,
    /// The newest weights
    Latest,
}

/// What training continues from.
#[derive(Debug)]
pub struct Resume {
    /// Weights and statistics by name.
    pub model: State,
    /// Velocities by name.
    pub optimizer: State,
    /// Maps of the last finished epoch, in the form of [`drift`](crate::measure::drift).
    pub maps: State,
    /// Where the run stands.
    pub progress: Progress,
}

/// The checkpoints of a run.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    manifest: Option<Manifest>,
}

impl Checkpoints {
    /// Opens the folder of a run's checkpoints; empty if nothing was saved yet.
    ///
    /// # Errors
    /// The manifest is damaged, or names a file outside the folder.
    pub fn open(folder: PathBuf) -> Result<Self> {
        let path = folder.join(MANIFEST);
        if !path.exists() {
            return Ok(Self {
                folder,
                manifest: None,
            });
        }
        let text = fs::read_to_string(&path).map_err(FolderError::reading(&path))?;
        let manifest = Manifest::parse(&text, &path)?;
        Ok(Self {
            folder,
            manifest: Some(manifest),
        })
    }

    /// Whether anything was saved yet.
    pub fn is_empty(&self) -> bool {
        self.manifest.is_none()
    }

    /// Path of the manifest, for messages.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(MANIFEST)
    }

    /// What to continue from; `None` if nothing was saved yet.
    ///
    /// # Errors
    /// A file is missing or does not have its checksum.
    pub fn resume(&self) -> Result<Option<Resume>> {
        let Some(manifest) = &self.manifest else {
            return Ok(None);
        };
        let Some(latest) = &manifest.latest else {
            return Err(FolderError::NoTrainingState(self.manifest_path()));
        };
        Ok(Some(Resume {
            model: self.read(&latest.model)?,
            optimizer: self.read(&latest.optimizer)?,
            maps: manifest
                .maps
                .as_ref()
                .map(|maps| self.read(maps))
                .transpose()?
                .unwrap_or_default(),
            progress: manifest.progress.clone(),
        }))
    }

    /// Where the run stands; nothing done if nothing was saved yet.
    pub fn progress(&self) -> Progress {
        self.manifest
            .as_ref()
            .map(|manifest| manifest.progress.clone())
            .unwrap_or_default()
    }

    /// The weights to evaluate.
    ///
    /// # Errors
    /// There are none yet, or their file is missing or damaged.
    pub fn weights(&self, which: CheckpointChoice) -> Result<State> {
        self.read(self.entry(which)?)
    }

    /// SHA-256 of the weights to evaluate: what was measured with them holds for no others.
    ///
    /// # Errors
    /// There are none yet.
    pub fn digest(&self, which: CheckpointChoice) -> Result<String> {
        Ok(self.entry(which)?.sha256.clone())
    }

    fn entry(&self, which: CheckpointChoice) -> Result<&Entry> {
        let manifest = self.manifest.as_ref();
        let latest = manifest
            .and_then(|manifest| manifest.latest.as_ref())
            .map(|latest| &latest.model);
        let best = manifest.and_then(|manifest| manifest.best.as_ref());
        let entry = match which {
            CheckpointChoice::Best => best.or(latest),
            CheckpointChoice::Latest => latest.or(best),
        };
        entry.ok_or_else(|| FolderError::NoCheckpoint(self.manifest_path()))
    }

    /// Saves where the run stands. If the newest finished epoch is the best, its weights become the
    /// best ones. `maps` is given where an epoch ends: those of the last one are kept until then.
    ///
    /// # Errors
    /// The disk is full or the folder not writable; the previous checkpoint still counts then.
    pub fn save(
        &mut self,
        model: &State,
        optimizer: &State,
        maps: Option<&State>,
        progress: &Progress,
    ) -> Result<()> {
        match self.write_all(model, optimizer, maps, progress) {
            Ok(manifest) => self.commit(manifest),
            Err(error) => {
                // A part of the new checkpoint would take the space that the disk lacks. Only here:
                // once the new manifest may be on the disk, nothing that it names may go. The error
                // to report is the first one.
                let _ = self.remove_unnamed();
                Err(error)
            }
        }
    }

    fn write_all(
        &self,
        model: &State,
        optimizer: &State,
        maps: Option<&State>,
        progress: &Progress,
    ) -> Result<Manifest> {
        let step = format!("{:04}-{:06}", progress.epoch, progress.batch);
        let model = self.write(&format!("model-{step}.safetensors"), model)?;
        let optimizer = self.write(&format!("optimizer-{step}.safetensors"), optimizer)?;
        let newest_is_best = progress.batch == 0 && progress.best_epoch() == Some(progress.epoch);
        let best = match &self.manifest {
            _ if newest_is_best => Some(model.clone()),
            Some(manifest) => manifest.best.clone(),
            None => None,
        };
        let maps = match maps {
            Some(maps) if maps.is_empty() => None,
            Some(maps) => Some(self.write(&format!("maps-{step}.safetensors"), maps)?),
            None => self
                .manifest
                .as_ref()
                .and_then(|manifest| manifest.maps.clone()),
        };
        let latest = Some(Latest { model, optimizer });
        Ok(Manifest {
            version: VERSION,
            latest,
            best,
            maps,
            progress: progress.clone(),
        })
    }

    /// Saves imported weights: nothing to continue from.
    ///
    /// # Errors
    /// The disk is full or the folder not writable.
    pub fn save_imported(&mut self, model: &State) -> Result<()> {
        let best = Some(self.write("model-imported.safetensors", model)?);
        let (latest, maps, progress) = (None, None, Progress::default());
        self.commit(Manifest {
            version: VERSION,
            latest,
            best,
            maps,
            progress,
        })
    }

    fn write(&self, file: &str, state: &State) -> Result<Entry> {
        let bytes = to_safetensors(state)?;
        write_atomically(&self.folder.join(file), &bytes)?;
        Ok(Entry {
            file: file.to_owned(),
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes),
        })
    }

    fn commit(&mut self, manifest: Manifest) -> Result<()> {
        let mut text = serde_json::to_string_pretty(&manifest)?;
        text.push('\n');
        write_atomically(&self.manifest_path(), text.as_bytes())?;
        self.manifest = Some(manifest);
        self.remove_unnamed()
    }

    /// Removes weights that the manifest does not name: those of earlier steps and of saves that
    /// were cut short.
    ///
    /// # Errors
    /// The folder cannot be read or a file not be removed.
    pub fn remove_unnamed(&self) -> Result<()> {
        let named: BTreeSet<&str> = self
            .manifest
            .iter()
            .flat_map(Manifest::entries)
            .map(|entry| entry.file.as_str())
            .collect();
        let reading = FolderError::reading(&self.folder);
        for entry in fs::read_dir(&self.folder).map_err(&reading)? {
            let entry = entry.map_err(&reading)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if is_of_a_step(&name) && !named.contains(&*name) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn read(&self, entry: &Entry) -> Result<State> {
        let path = self.folder.join(&entry.file);
        entry
            .read(&path)
            .map_err(|source| FolderError::Checkpoint { path, source })
    }
}

impl Entry {
    fn read(&self, path: &Path) -> std::result::Result<State, CheckpointFault> {
        let (found, expected) = (fs::metadata(path)?.len(), self.bytes);
        if found != expected {
            return Err(CheckpointFault::Size { found, expected });
        }
        let bytes = fs::read(path)?;
        if sha256(&bytes) != self.sha256 {
            return Err(CheckpointFault::Checksum);
        }
        Ok(from_safetensors(&bytes)?)
    }
}

/// Whether a file has a name that only [`Checkpoints::save`] gives, such as
/// `model-EEEE-BBBBBB.safetensors`.
fn is_of_a_step(name: &str) -> bool {
    let step = ["model-", "optimizer-", "maps-"]
        .into_iter()
        .find_map(|kind| name.strip_prefix(kind));
    let step = step
        .and_then(|rest| rest.strip_suffix(".safetensors"))
        .and_then(|step| step.split_once('-'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    step.is_some_and(|(epoch, batch)| digits(epoch) && digits(batch))
}

impl Manifest {
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let path = || path.to_owned();
        let manifest: Self = serde_json::from_str(text).map_err(|source| {
            let path = path();
            FolderError::Damaged { path, source }
        })?;
        if manifest.version != VERSION {
            return Err(FolderError::Version {
                path: path(),
                found: manifest.version,
                known: VERSION,
            });
        }
        let outside = manifest.entries().find(|entry| {
            let name = Path::new(&entry.file);
            name.file_name() != Some(name.as_os_str())
        });
        match outside.map(|entry| entry.file.clone()) {
            Some(file) => Err(FolderError::Outside { path: path(), file }),
            None => Ok(manifest),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        let latest = self
            .latest
            .iter()
            .flat_map(|latest| [&latest.model, &latest.optimizer]);
        latest.chain(&self.best).chain(&self.maps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use burn::tensor::TensorData;

    fn state(value: f32) -> State {
        State::from([("weight".to_owned(), TensorData::new(vec![value, 2.0], [2]))])
    }

    fn at(epoch: usize, batch: usize) -> Progress {
        Progress {
            epoch,
            batch,
            ..Progress::default()
        }
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_checkpoint_is_read_back_and_older_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut saved = Checkpoints::open(folder.path().to_owned()).unwrap();
        assert!(saved.resume().unwrap().is_none());
        saved
            .save(&state(1.0), &state(-1.0), None, &at(0, 5))
            .unwrap();
        fs::write(
            folder.path().join("model-backup.safetensors"),
            "the user's own",
        )
        .unwrap();
        fs::write(
            folder.path().join("model-0000-000006.safetensors"),
            "a save that was cut short",
        )
        .unwrap();
        saved
            .save(&state(3.0), &state(-3.0), None, &at(0, 7))
            .unwrap();
        let resume = Checkpoints::open(folder.path().to_owned())
            .unwrap()
            .resume()
            .unwrap()
            .unwrap();
        assert_eq!(
            resume.model["weight"].iter::<f32>().collect::<Vec<_>>(),
            [3.0, 2.0]
        );
        assert_eq!(resume.progress, at(0, 7));
        let expected = [
            "manifest.json",
            "model-0000-000007.safetensors",
            "model-backup.safetensors",
            "optimizer-0000-000007.safetensors",
        ];
        assert_eq!(files(folder.path()), expected);
    }

    #[test]
    fn maps_stay_until_the_next_epoch_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut saved = Checkpoints::open(folder.path().to_owned()).unwrap();
        let mut kept = |maps: Option<State>, progress: Progress| {
            saved
                .save(&state(1.0), &state(-1.0), maps.as_ref(), &progress)
                .unwrap();
            let maps = saved.resume().unwrap().unwrap().maps;
            let names: Vec<String> = files(folder.path())
                .into_iter()
                .filter(|name| name.starts_with("maps-"))
                .collect();
            (
                maps.values()
                    .next()
                    .map(|data| data.iter::<f32>().next().unwrap()),
                names,
            )
        };
        let first = vec!["maps-0001-000000.safetensors".to_owned()];
        assert_eq!(kept(None, at(0, 5)), (None, vec![]));
        assert_eq!(kept(Some(state(7.0)), at(1, 0)), (Some(7.0), first.clone()));
        assert_eq!(kept(None, at(1, 3)), (Some(7.0), first));
        assert_eq!(
            kept(Some(state(8.0)), at(2, 0)),
            (Some(8.0), vec!["maps-0002-000000.safetensors".to_owned()])
        );
        assert_eq!(
            kept(Some(State::new()), at(3, 0)),
            (None, vec![]),
            "a network without maps"
        );
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut saved = Checkpoints::open(folder.path().to_owned()).unwrap();
        saved
            .save(&state(1.0), &state(-1.0), None, &at(0, 5))
            .unwrap();
        let path = folder.path().join("model-0000-000005.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = chain(&saved.resume().unwrap_err());
        assert!(
            error.contains("model-0000-000005.safetensors") && error.contains("checksum"),
            "{error}"
        );
        fs::remove_file(&path).unwrap();
        let error = chain(&saved.weights(CheckpointChoice::Best).unwrap_err());
        assert!(error.contains("model-0000-000005.safetensors"), "{error}");
    }

    #[test]
    fn a_manifest_cannot_point_outside() {
        let folder = tempfile::tempdir().unwrap();
        let mut saved = Checkpoints::open(folder.path().to_owned()).unwrap();
        saved
            .save(&state(1.0), &state(-1.0), None, &at(0, 5))
            .unwrap();
        let text = fs::read_to_string(saved.manifest_path()).unwrap();
        fs::write(saved.manifest_path(), text.replace("model-", "../model-")).unwrap();
        assert!(Checkpoints::open(folder.path().to_owned()).is_err());
    }
}
