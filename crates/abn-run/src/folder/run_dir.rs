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

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::folder::files::{is_unfinished, remove_unfinished, write_atomically};
use crate::recipe::RunConfig;

const CONFIG: &str = "config.json";
const LOCK: &str = ".lock";

/// Another process is training in that run.
#[derive(Debug, thiserror::Error)]
#[error("another process is training in `{}`; wait for it or choose another --out", .0.display())]
pub struct InUse(PathBuf);

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
        ensure!(
            !path.exists() || path.is_dir(),
            "`{}` is a file; --out names a folder for the run",
            path.display()
        );
        // Another process may have made the run after the first look.
        let unused = !path.exists() || is_unused(path)?;
        if !unused && path.join(CONFIG).exists() {
            return read_config(path).map(Some);
        }
        ensure!(
            unused,
            "`{}` has files in it but is not a run (no {CONFIG}); nothing was changed, choose \
             another --out",
            path.display()
        );
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
        let unwritable = || {
            format!(
                "cannot create `{}`; choose an --out that can be written",
                path.display()
            )
        };
        fs::create_dir_all(path).with_context(unwritable)?;
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
        fs::create_dir_all(run.checkpoints()).with_context(unwritable)?;
        remove_unfinished(&run.path)?;
        remove_unfinished(&run.checkpoints())?;
        Ok(run)
    }

    /// Opens a run to read it.
    ///
    /// # Errors
    /// There is no run at that path, or its configuration cannot be read.
    pub fn open(path: &Path) -> Result<(Self, RunConfig)> {
        ensure!(
            path.exists(),
            "there is no run at `{}`; `abn train --out {0}` makes one",
            path.display()
        );
        ensure!(
            path.join(CONFIG).exists(),
            "`{}` is not a run (it has no {CONFIG}); name the folder that `abn train --out` made",
            path.display()
        );
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
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let parse = |line: &str| serde_json::from_str(line);
        text.lines()
            .map(parse)
            .collect::<Result<_, _>>()
            .with_context(|| {
                format!(
                    "`{}` is damaged; restore it or train into another --out",
                    path.display()
                )
            })
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
    Ok(serde_json::to_string_pretty(value).context("this run cannot be described in JSON")? + "\n")
}

/// Whether a folder holds nothing but what a killed process may have left before it made a run.
fn is_unused(path: &Path) -> Result<bool> {
    for entry in fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))? {
        let name = entry?.file_name();
        if name != LOCK && !is_unfinished(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_config(path: &Path) -> Result<RunConfig> {
    let file = path.join(CONFIG);
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    RunConfig::parse(&text).with_context(|| format!("`{}` cannot be used", file.display()))
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path.join(LOCK)).with_context(|| {
        format!(
            "cannot write in `{}`; choose an --out that can be written",
            path.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(InUse(path.to_owned()).into()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock `{}`", path.display()))
        }
    }
}

fn refuse_differences(path: &Path, existing: &RunConfig, asked: &RunConfig) -> Result<()> {
    let differences = existing.differences(asked);
    let lines = differences.iter().map(|(name, run, asked)| {
        format!(
            "\n  {name}: {} in the run, {} asked for",
            shorten(run),
            shorten(asked)
        )
    });
    ensure!(
        differences.is_empty(),
        "`{}` is a run of another configuration; nothing was changed. Choose another --out, or ask \
         for the same:{}",
        path.display(),
        lines.collect::<String>()
    );
    Ok(())
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
