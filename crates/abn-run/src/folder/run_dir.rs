//! The folder of a run: what lies where, opened by its path alone, used by one process at a time.
//!
//! ```text
//! config.json      everything that decides the run
//! metrics.jsonl    one object per epoch
//! timing.jsonl     how long each epoch took
//! checkpoints/     manifest.json and the files it names
//! results.json     at the end
//! report.html      at the end
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::FolderError;
use super::files::{is_unfinished, remove_unfinished, write_atomically};
use crate::recipe::RunConfig;

/// Name of the file with everything that decides the run.
pub const CONFIG: &str = "config.json";
/// Name of the file with one record an epoch.
pub const METRICS: &str = "metrics.jsonl";
/// Name of the file with the times of the epochs.
pub const TIMING: &str = "timing.jsonl";
/// Name of the file with the final figures.
pub const RESULTS: &str = "results.json";
/// Name of the page that shows the run.
pub const REPORT: &str = "report.html";
const LOCK: &str = ".lock";

type Result<T> = std::result::Result<T, FolderError>;

/// An open run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held for as long as the run may be written.
    _lock: Option<File>,
}

impl RunDir {
    /// The configuration of the run at that path, or `None` if there is no run yet.
    ///
    /// # Errors
    /// The path is something else than a run, an empty folder or nothing at all.
    pub fn existing_config(path: &Path) -> Result<Option<RunConfig>> {
        if path.join(CONFIG).exists() {
            return read_config(path).map(Some);
        }
        if path.exists() && !path.is_dir() {
            return Err(FolderError::IsFile(path.to_owned()));
        }
        // Another process may have made the run after the first look.
        let unused = !path.exists() || is_unused(path)?;
        if !unused && path.join(CONFIG).exists() {
            return read_config(path).map(Some);
        }
        if !unused {
            return Err(FolderError::Occupied(path.to_owned()));
        }
        Ok(None)
    }

    /// Opens a run to write it, making it if it does not exist. `config` must equal that of an
    /// existing run.
    ///
    /// # Errors
    /// The folder cannot be made or written, another process uses it, or the run has another
    /// configuration.
    pub fn open_for_writing(path: &Path, config: &RunConfig) -> Result<Self> {
        let text = json_text(config)?;
        fs::create_dir_all(path).map_err(FolderError::writing_in(path))?;
        let run = Self {
            path: path.to_owned(),
            _lock: Some(lock(path)?),
        };
        // Under the lock, so that two processes started at once agree on who made the run.
        let existing = Self::existing_config(path)?;
        if let Some(existing) = &existing {
            refuse_differences(path, existing, config)?;
        }
        if existing.as_ref() != Some(config) {
            run.write(CONFIG, text.as_bytes())?;
        }
        fs::create_dir_all(run.checkpoints()).map_err(FolderError::writing_in(path))?;
        remove_unfinished(&run.path)?;
        remove_unfinished(&run.checkpoints())?;
        Ok(run)
    }

    /// Opens a run to read it.
    ///
    /// # Errors
    /// There is no run at that path, or its configuration cannot be read.
    pub fn open(path: &Path) -> Result<(Self, RunConfig)> {
        if !path.exists() {
            return Err(FolderError::NoRun(path.to_owned()));
        }
        if !path.join(CONFIG).exists() {
            return Err(FolderError::NotARun(path.to_owned()));
        }
        Ok((
            Self {
                path: path.to_owned(),
                _lock: None,
            },
            read_config(path)?,
        ))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        checkpoints_of(&self.path)
    }

    /// Writes a file of the run, complete or not at all.
    ///
    /// # Errors
    /// The disk is full or the folder not writable.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomically(&self.path.join(name), bytes)
    }

    /// Writes a file of the run as JSON.
    ///
    /// # Errors
    /// The disk is full or the folder not writable.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        self.write(name, json_text(value)?.as_bytes())
    }

    /// Writes a file of the run with one JSON object per line.
    ///
    /// # Errors
    /// The disk is full or the folder not writable.
    pub fn write_lines<T: Serialize>(&self, name: &str, records: &[T]) -> Result<()> {
        let mut text = String::new();
        for record in records {
            text.push_str(&serde_json::to_string(record)?);
            text.push('\n');
        }
        self.write(name, text.as_bytes())
    }

    /// Reads the lines of a file that [`write_lines`](Self::write_lines) wrote; none if it does not
    /// exist.
    ///
    /// # Errors
    /// A line is not what was expected.
    pub fn read_lines<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        let path = self.path.join(name);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path).map_err(FolderError::reading(&path))?;
        let lines = text.lines().map(serde_json::from_str);
        let records: std::result::Result<Vec<T>, _> = lines.collect();
        records.map_err(|source| FolderError::Damaged { path, source })
    }
}

/// Whether some process is training in the run at that path.
pub fn in_use(path: &Path) -> bool {
    // Network file systems lock exclusively only what is open for writing.
    let file = File::options().write(true).open(path.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Folder of the checkpoints of the run in that folder, which need not exist yet.
pub fn checkpoints_of(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

fn json_text(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Whether a folder holds nothing but what a killed process may have left before it made a run.
fn is_unused(path: &Path) -> Result<bool> {
    for entry in fs::read_dir(path).map_err(FolderError::reading(path))? {
        let name = entry.map_err(FolderError::reading(path))?.file_name();
        if name != LOCK && !is_unfinished(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_config(path: &Path) -> Result<RunConfig> {
    let path = path.join(CONFIG);
    let text = fs::read_to_string(&path).map_err(FolderError::reading(&path))?;
    RunConfig::parse(&text).map_err(|source| FolderError::Configuration { path, source })
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path.join(LOCK)).map_err(FolderError::writing_in(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(FolderError::Lock {
            path: path.to_owned(),
            source,
        }),
    }
}

fn refuse_differences(path: &Path, existing: &RunConfig, asked: &RunConfig) -> Result<()> {
    let differences = existing.differences(asked);
    if differences.is_empty() {
        return Ok(());
    }
    let line = |(name, run, asked): &(String, String, String)| {
        let (run, asked) = (shorten(run), shorten(asked));
        format!("{name}: {run} in the run, {asked} asked for")
    };
    Err(FolderError::OtherConfiguration {
        path: path.to_owned(),
        differences: differences.iter().map(line).collect(),
    })
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
