//! How what is predicted leaves the program, image by image: text, JSON, JSON lines or CSV.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{PredictArgs, PredictFormat};
use crate::terminal;

/// Prints predictions as they come.
pub(super) struct Printer {
    format: PredictFormat,
    printed: usize,
}

impl Printer {
    /// Begins with what stands before the first: of CSV the names of the columns.
    ///
    /// # Errors
    /// Stdout is closed.
    pub(super) fn new(args: &PredictArgs, columns: &[String]) -> Result<Self> {
        let format = args.format();
        match format {
            PredictFormat::Csv => terminal::bytes_out(&record(columns)?)?,
            PredictFormat::Json => terminal::bytes_out(br#"{"images":["#)?,
            PredictFormat::Text | PredictFormat::Jsonl => {}
        }
        Ok(Self { format, printed: 0 })
    }

    /// Prints what is predicted of an image, in words, as an object, or as records of the table.
    ///
    /// # Errors
    /// Stdout is closed.
    pub(super) fn print(
        &mut self,
        words: impl FnOnce() -> String,
        object: &impl Serialize,
        records: impl FnOnce() -> Result<Vec<Vec<u8>>>,
    ) -> Result<()> {
        match self.format {
            PredictFormat::Text => terminal::result(&words())?,
            PredictFormat::Jsonl => terminal::json(object)?,
            PredictFormat::Json => {
                if self.printed > 0 {
                    terminal::bytes_out(b",")?;
                }
                terminal::bytes_out(&serde_json::to_vec(object)?)?;
            }
            PredictFormat::Csv => {
                for record in records()? {
                    terminal::bytes_out(&record)?;
                }
            }
        }
        self.printed += 1;
        Ok(())
    }

    /// Prints what stands behind the last.
    ///
    /// # Errors
    /// Stdout is closed.
    pub(super) fn end(self) -> Result<()> {
        match self.format {
            PredictFormat::Json => terminal::bytes_out(b"]}\n"),
            _ => Ok(()),
        }
    }
}

/// A line of CSV (RFC 4180) with its end.
///
/// # Errors
/// The memory for the line cannot be written.
pub(super) fn record<C: AsRef<[u8]>>(cells: &[C]) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(cells)?;
    table.into_inner().context("a line of CSV is not written")
}

/// A path as JSON has it: text, and the bytes of what is none.
#[derive(Debug, Serialize)]
pub(super) struct NamedFile {
    path: String,
    /// The bytes of the path, if it is not UTF-8; `path` then has a sign in the place of each that
    /// is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Vec<u8>>,
}

impl NamedFile {
    pub(super) fn of(file: &Path) -> Self {
        let is_text = file.to_str().is_some();
        Self {
            path: file.display().to_string(),
            path_bytes: (!is_text).then(|| file.as_os_str().as_encoded_bytes().to_vec()),
        }
    }

    /// As text.
    pub(super) fn text(&self) -> &str {
        &self.path
    }

    /// As it is.
    pub(super) fn bytes(&self) -> &[u8] {
        self.path_bytes.as_deref().unwrap_or(self.path.as_bytes())
    }
}
