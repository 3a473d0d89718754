//! The results folder of campaigns, which several processes may share.
//!
//! ```text
//! ablation.json   which scale, which images, which campaigns: what all processes must agree on
//! runs/NAME/      one folder a run, as `abn train` makes it, with ablation.json: what the tables need of it
//! logs/NAME.log   what the run said; NAME.failed says why it failed, if it did
//! stability.json  how alike maps are, explained.json how well they explain, speed.json: measured once
//! index.html      the page; a table a campaign in NAME.md and NAME.csv, every run in runs.csv, times in speed.csv
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use abn_run::folder::FolderError;
use abn_run::folder::files::{is_unfinished, remove_unfinished, write_atomically};
use abn_run::recipe::VERSION as RECIPES;
use abn_train::terminal;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::campaign::{Name, Setting};
use crate::plan::Run;
use crate::record::Record;
use crate::size::CampaignSize;

/// Version of the layout of the folder.
const VERSION: u64 = 1;
const MANIFEST: &str = "ablation.json";
const LOCK: &str = ".lock";
/// Locked, shared, by every process that trains.
const TRAINING: &str = ".training";
/// More seeds than anyone trains.
pub(crate) const MOST_SEEDS: usize = 1000;

/// What all processes that share a folder agree on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    version: u64,
    /// Version of the recipes, which the names of the runs are made of.
    recipes: u32,
    scale: CampaignSize,
    /// Name of the data set, if not the scale's.
    dataset: Option<String>,
    /// Which of its labels, if not the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<String>,
    /// Fingerprint of the images by data set.
    images: BTreeMap<String, String>,
    /// Number of seeds by campaign.
    campaigns: BTreeMap<Name, usize>,
}

/// An open results folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at that path, to look into it, whether or not there is one.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Opens the folder for what is asked of it, making it if there is none; it keeps earlier
    /// campaigns, and of each the larger number of seeds.
    ///
    /// # Errors
    /// The path is something else, or holds results of another version, scale or other images; or
    /// it cannot be written.
    pub(crate) fn open(path: &Path, asked: &Manifest) -> Result<Self> {
        if let Some(manifest) = Manifest::read(path)? {
            manifest.refuse(asked, path)?;
        }
        for folder in [path.to_owned(), path.join("runs"), path.join("logs")] {
            fs::create_dir_all(folder).map_err(FolderError::writing_in(path))?;
        }
        let folder = Self::at(path.to_owned());
        let _lock = folder.lock()?;
        // Under the lock, so that processes started at once do not forget each other's campaigns.
        let mut manifest = Manifest::read(path)?.unwrap_or_else(|| asked.clone());
        manifest.refuse(asked, path)?;
        manifest.images.extend(asked.images.clone());
        manifest.add(&asked.campaigns);
        folder.write(
            MANIFEST,
            serde_json::to_string_pretty(&manifest)?.as_bytes(),
        )?;
        remove_unfinished(path)?;
        Ok(folder)
    }

    /// The campaigns that it has now, with their seeds.
    ///
    /// # Errors
    /// The manifest is damaged.
    pub(crate) fn campaigns(&self) -> Result<BTreeMap<Name, usize>> {
        Ok(Manifest::read(&self.path)?
            .map(|manifest| manifest.campaigns)
            .unwrap_or_default())
    }

    /// Waits until no other process writes what all share.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn lock(&self) -> Result<File> {
        let lock = || -> io::Result<File> {
            let file = self.lockable(LOCK)?;
            if file.try_lock().is_err() {
                terminal::note("waiting for another process to write its tables");
                file.lock()?;
            }
            Ok(file)
        };
        lock().with_context(|| format!("cannot lock `{}`", self.path.display()))
    }

    /// Says, for as long as the file is open, that this process trains in the folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn train(&self) -> Result<File> {
        let lock = || -> io::Result<File> {
            let file = self.lockable(TRAINING)?;
            file.lock_shared()?;
            Ok(file)
        };
        lock().with_context(|| format!("cannot lock `{}`", self.path.display()))
    }

    /// Keeps others from training in the folder for as long as the file is open; `None` if one
    /// does.
    pub(crate) fn alone(&self) -> Option<File> {
        let file = self.lockable(TRAINING).ok()?;
        file.try_lock().is_ok().then_some(file)
    }

    /// A file to lock. Network file systems share a lock only on what is open for reading, and lock
    /// exclusively only what is open for writing.
    fn lockable(&self, name: &str) -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join(name))
    }

    /// Remembers why a run failed, or that it did not.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn remember(&self, run: &Run, cause: Option<&str>) -> Result<()> {
        let file = self.failure(run);
        match cause {
            Some(cause) => Ok(write_atomically(&file, cause.as_bytes())?),
            None if file.exists() => fs::remove_file(&file)
                .with_context(|| format!("cannot remove `{}`", file.display())),
            None => Ok(()),
        }
    }

    /// Why the run failed when it was last tried; `None` if it did not.
    pub(crate) fn cause(&self, run: &Run) -> Option<String> {
        fs::read_to_string(self.failure(run)).ok()
    }

    fn failure(&self, run: &Run) -> PathBuf {
        self.path.join("logs").join(format!("{}.failed", run.name))
    }

    /// Path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Folder of a run.
    pub(crate) fn run(&self, run: &Run) -> PathBuf {
        self.path.join("runs").join(&run.name)
    }

    /// Where the run writes what it says.
    pub(crate) fn log(&self, run: &Run) -> PathBuf {
        self.path.join("logs").join(format!("{}.log", run.name))
    }

    /// What a finished run left; `None` if it is not finished.
    ///
    /// # Errors
    /// The record is damaged, or of another recipe.
    pub(crate) fn record(&self, run: &Run) -> Result<Option<Record>> {
        Record::read(&self.run(run), &run.recipe)
    }

    /// Writes a file of the folder, complete or not at all.
    ///
    /// # Errors
    /// The disk is full or the folder not writable.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(write_atomically(&self.file(name), bytes)?)
    }
}

impl Manifest {
    /// What a call asks for.
    pub(crate) fn new(
        setting: &Setting,
        images: BTreeMap<String, String>,
        campaigns: BTreeMap<Name, usize>,
    ) -> Self {
        Self {
            version: VERSION,
            recipes: RECIPES,
            scale: setting.scale,
            dataset: setting.dataset.map(|dataset| dataset.name.to_owned()),
            labels: setting.labels.clone(),
            images,
            campaigns,
        }
    }

    /// The campaigns, with their seeds.
    pub(crate) fn into_campaigns(self) -> BTreeMap<Name, usize> {
        self.campaigns
    }

    /// Adds campaigns to those that there are, of each the larger number of seeds.
    fn add(&mut self, campaigns: &BTreeMap<Name, usize>) {
        for (name, seeds) in campaigns {
            let known = self.campaigns.entry(*name).or_default();
            *known = (*known).max(*seeds);
        }
    }

    /// Refuses what cannot stand in the same tables.
    fn refuse(&self, asked: &Self, path: &Path) -> Result<()> {
        let path = path.display();
        ensure!(
            self.recipes == asked.recipes,
            "`{path}` holds runs of another version of abn (recipes {}, this one has {}); choose \
             another --out",
            self.recipes,
            asked.recipes
        );
        ensure!(
            self.scale == asked.scale,
            "`{path}` holds results of --scale {}; name it with that scale, or choose another \
             --out",
            self.scale.name()
        );
        let option = |manifest: &Self| {
            let dataset = manifest.dataset.as_ref();
            let labels = manifest.labels.iter();
            dataset.map_or("no --dataset".to_owned(), |dataset| {
                let labels: String = labels.map(|labels| format!(" --labels {labels}")).collect();
                format!("--dataset {dataset}{labels}")
            })
        };
        ensure!(
            (&self.dataset, &self.labels) == (&asked.dataset, &asked.labels),
            "`{path}` holds results with {}, asked for is {}; ask for the same, or choose another \
             --out",
            option(self),
            option(asked)
        );
        for (dataset, fingerprint) in &asked.images {
            ensure!(
                self.images
                    .get(dataset)
                    .is_none_or(|known| known == fingerprint),
                "`{path}` holds results on other images of {dataset} than those that were found \
                 now; name the same with --data, or choose another --out"
            );
        }
        Ok(())
    }

    /// The manifest of a results folder, or `None` if it is still to be made.
    ///
    /// # Errors
    /// The folder is something else, or its manifest is damaged or of another version.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let file = path.join(MANIFEST);
        ensure!(
            !path.exists() || path.is_dir(),
            "`{}` is a file; --out names a folder for the results",
            path.display()
        );
        let unused = !path.exists() || is_unused(path)?;
        // Another process may have made it after that look.
        if !file.exists() {
            ensure!(
                unused,
                "`{}` has files in it but no {MANIFEST}: it holds no results of campaigns; nothing \
                 was changed, choose another --out",
                path.display()
            );
            return Ok(None);
        }
        let text = fs::read_to_string(&file)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        Self::parse(&text)
            .map(Some)
            .with_context(|| format!("`{}` cannot be used; choose another --out", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("not valid JSON")?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) => bail!(
                "written by another version of the campaigns (layout {version}, this one reads \
                 {VERSION})"
            ),
            None => bail!("not the results of campaigns"),
        }
        let manifest: Self = serde_json::from_value(value)?;
        ensure!(
            manifest
                .campaigns
                .values()
                .all(|seeds| (1..=MOST_SEEDS).contains(seeds)),
            "a campaign has a number of seeds beyond {MOST_SEEDS}"
        );
        Ok(manifest)
    }
}

/// Whether there is nothing in it but what a process leaves that was killed before it wrote the
/// manifest.
fn is_unused(path: &Path) -> Result<bool> {
    for entry in fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let empty = || fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none());
        let ours = name == LOCK
            || name == TRAINING
            || is_unfinished(&name)
            || ((name == "runs" || name == "logs") && empty());
        if !ours {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(fingerprint: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("shapes".to_owned(), fingerprint.to_owned())])
    }

    fn setting(scale: CampaignSize) -> Setting {
        Setting {
            scale,
            dataset: None,
            labels: None,
            seeds: 2,
        }
    }

    fn open(
        path: &Path,
        scale: CampaignSize,
        fingerprint: &str,
        campaign: Name,
    ) -> Result<BTreeMap<Name, usize>> {
        let campaigns = BTreeMap::from([(campaign, 2)]);
        let asked = Manifest::new(&setting(scale), images(fingerprint), campaigns);
        Folder::open(path, &asked)?.campaigns()
    }

    #[test]
    fn a_folder_keeps_its_campaigns_and_refuses_what_does_not_belong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        open(&path, CampaignSize::Quick, "a", Name::Loss).unwrap();
        let campaigns = open(&path, CampaignSize::Quick, "a", Name::Cost).unwrap();
        assert_eq!(
            campaigns,
            BTreeMap::from([(Name::Loss, 2), (Name::Cost, 2)])
        );
        let fewer = Manifest::new(
            &setting(CampaignSize::Quick),
            images("a"),
            BTreeMap::from([(Name::Loss, 1)]),
        );
        assert_eq!(
            Folder::open(&path, &fewer).unwrap().campaigns().unwrap(),
            campaigns,
            "fewer seeds forget none"
        );
        let refused = |result: Result<_>| format!("{:#}", result.unwrap_err());
        assert!(
            refused(open(&path, CampaignSize::Short, "a", Name::Loss))
                .contains("holds results of --scale quick")
        );
        assert!(
            refused(open(&path, CampaignSize::Quick, "b", Name::Loss))
                .contains("other images of shapes")
        );
        let text = fs::read_to_string(path.join(MANIFEST)).unwrap();
        let hostile = text.replace(r#""loss": 2"#, r#""loss": 18446744073709551615"#);
        fs::write(path.join(MANIFEST), hostile).unwrap();
        assert!(refused(open(&path, CampaignSize::Quick, "a", Name::Loss)).contains("beyond 1000"));
        fs::write(path.join(MANIFEST), r#"{"version": 7}"#).unwrap();
        assert!(
            refused(open(&path, CampaignSize::Quick, "a", Name::Loss)).contains("another version")
        );
        fs::write(path.join(MANIFEST), "{").unwrap();
        assert!(
            refused(open(&path, CampaignSize::Quick, "a", Name::Loss)).contains("not valid JSON")
        );
    }

    #[test]
    fn what_is_no_results_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let error = open(folder.path(), CampaignSize::Quick, "a", Name::Loss).unwrap_err();
        assert!(format!("{error:#}").contains("holds no results of campaigns"));
        let error = open(
            &folder.path().join("thesis.tex"),
            CampaignSize::Quick,
            "a",
            Name::Loss,
        )
        .unwrap_err();
        assert!(format!("{error:#}").contains("is a file"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
