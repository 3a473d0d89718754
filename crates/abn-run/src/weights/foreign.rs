//! Checkpoints from outside: safetensors, or anything that `torch.save` wrote.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use abn_core::state::State;

use super::cause::{Cause, Result, require};
use super::safetensors::{begins, from_safetensors, recipe_in_header};
use super::{WeightsError, torch};
use crate::recipe::Recipe;

/// Larger than any checkpoint of these networks.
const LARGEST_FILE: u64 = 16 << 30;
/// Longest cause that is told: a hostile file can put anything into it.
const LONGEST_CAUSE: usize = 400;

/// The float tensors of a checkpoint file.
///
/// Nothing in the file is run. Counters and other tensors that hold no floats are left out.
///
/// # Errors
/// The file is missing, damaged, hostile, or holds something else than weights.
pub fn read_checkpoint(path: &Path) -> std::result::Result<State, WeightsError> {
    let metadata = path.metadata().map_err(|source| WeightsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let unusable = |cause: Cause| {
        // One line, whatever the file says.
        let printable = |character: char| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        };
        let cause = cause.to_string();
        let cause: String = cause.chars().map(printable).take(LONGEST_CAUSE).collect();
        let path = path.to_owned();
        WeightsError::NotACheckpoint { path, cause }
    };
    if !metadata.is_file() {
        return Err(unusable(Cause::new("it is not a file")));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(unusable(Cause::new("it is larger than any checkpoint")));
    }
    read(path).map_err(unusable)
}

/// The recipe in the header of a file that we exported; `None` of every other file.
pub fn recipe_in_file(path: &Path) -> Option<Recipe> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(9).read_to_end(&mut head).ok()?;
    if !begins(&head) {
        return None;
    }
    recipe_in_header(&fs::read(path).ok()?)
}

fn read(path: &Path) -> Result<State> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    refuse_text(&head)?;
    // Names do not always tell.
    let named_so = path
        .extension()
        .is_some_and(|extension| extension == "safetensors");
    let state = if begins(&head) || named_so {
        from_safetensors(&fs::read(path)?)?
    } else {
        torch::read(path)?
    };
    require(!state.is_empty(), || {
        "it holds no weights; save them with torch.save(model.state_dict(), ...)".to_owned()
    })?;
    for (name, data) in &state {
        require(data.iter::<f64>().all(f64::is_finite), || {
            format!(
                "tensor `{name}` holds values that are not finite: the training that wrote it \
                 diverged"
            )
        })?;
        require(!name.chars().any(char::is_control), || {
            format!("a tensor has control characters in its name: {name:?}")
        })?;
    }
    Ok(state)
}

/// What is often saved in place of a checkpoint.
fn refuse_text(head: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(head)
        .trim_start()
        .to_ascii_lowercase();
    let refuse = |holds: bool, cause: &str| require(!holds, || cause.to_owned());
    refuse(head.is_empty(), "it is empty; copy or download it again")?;
    refuse(
        text.starts_with("version https://git-lfs"),
        "it is a git-lfs pointer, not the file itself; run `git lfs pull` where it comes from",
    )?;
    refuse(
        text.starts_with("<!doctype") || text.starts_with("<html"),
        "it is a web page, not the file itself; download it again from the address of the file",
    )
}
