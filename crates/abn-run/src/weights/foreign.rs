//! Checkpoints from outside: safetensors, or anything that `torch.save` wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use abn_core::pytorch::{bare, below, is_of_caffe};
use abn_core::state::State;
use serde::Deserialize;

use super::cause::{Cause, Result, require};
use super::safetensors::{begins, from_safetensors, recipe_in_header};
use super::{WeightsError, torch};
use crate::recipe::Recipe;

/// Larger than any checkpoint of these networks.
const LARGEST_FILE: u64 = 16 << 30;
/// Larger than the index of any checkpoint.
const LARGEST_INDEX: u64 = 16 << 20;
/// Longest cause that is told: a hostile file can put anything into it.
const LONGEST_CAUSE: usize = 400;

/// The float tensors of a checkpoint file, by the [bare] names of their network.
///
/// Nothing in the file is run. Counters and other tensors that hold no floats are left out.
///
/// # Errors
/// The file is missing, damaged, hostile, or holds something else than weights.
pub fn read_checkpoint(path: &Path) -> std::result::Result<State, WeightsError> {
    read_part(path, Part::default())
}

/// What is taken of a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part<'a> {
    /// What lies under a key of the file, such as averaged weights.
    pub key: Option<&'a str>,
    /// The network whose tensors have names that begin so, such as `encoder_q`.
    pub prefix: Option<&'a str>,
}

/// The same of a part of the file.
///
/// # Errors
/// As of [`read_checkpoint`]; or the file has no such part.
pub fn read_part(path: &Path, part: Part) -> std::result::Result<State, WeightsError> {
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
    read(path, part).map_err(unusable)
}

/// The keys under which a file has averaged weights beside those that are usually taken.
pub fn averaged_weights_in(path: &Path) -> Vec<String> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(9).read_to_end(&mut head));
    match read.is_ok() && !begins(&head) && super::container::check(path).is_ok() {
        true => torch::averaged(path),
        false => Vec::new(),
    }
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

fn read(path: &Path, Part { key, prefix }: Part) -> Result<State> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    refuse_text(&head)?;
    // Names do not always tell.
    let named_so = path
        .extension()
        .is_some_and(|extension| extension == "safetensors");
    let state = if begins(&head) || named_so {
        require(key.is_none(), || {
            "it is a safetensors file, which has no keys".to_owned()
        })?;
        from_safetensors(&fs::read(path)?)?
    } else if is_index(path) {
        require(key.is_none(), || {
            "it is an index, which has no keys".to_owned()
        })?;
        from_shards(path)?
    } else {
        torch::read(path, key)?
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
    let state = match prefix {
        None => state,
        Some(prefix) => some_below(state, prefix)?,
    };
    require(!is_of_caffe(&state), || {
        "it is an SE network with Caffe's strides and pooling, such as timm's legacy_seresnet50, \
         which is not built here though its names and shapes would fit"
            .to_owned()
    })?;
    Ok(bare(state))
}

fn some_below(state: State, prefix: &str) -> Result<State> {
    let first = state.keys().next().cloned().unwrap_or_default();
    let chosen = below(state, prefix);
    require(!chosen.is_empty(), || {
        format!("no name in it begins with `{prefix}.`, as in `{first}`")
    })?;
    Ok(chosen)
}

/// Whether the file names others that hold the tensors.
fn is_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.ends_with(".index.json"))
}

/// An index: the file of each tensor, which lies beside it.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The tensors of all files that an index names.
fn from_shards(path: &Path) -> Result<State> {
    require(path.metadata()?.len() <= LARGEST_INDEX, || {
        "it is larger than any index".to_owned()
    })?;
    let index: Index = serde_json::from_slice(&fs::read(path)?)
        .map_err(|error| Cause::new(format!("it is no index of weights: {error}")))?;
    let files: BTreeSet<&String> = index.weight_map.values().collect();
    let mut state = State::new();
    for file in files {
        require(!file.contains(['/', '\\']) && file != "..", || {
            format!("it names `{file}`, which does not lie beside it")
        })?;
        let shard = path.with_file_name(file);
        let mut head = Vec::new();
        let metadata = shard.metadata();
        let metadata =
            metadata.map_err(|error| Cause::new(format!("its part `{file}`: {error}")))?;
        require(metadata.is_file() && metadata.len() <= LARGEST_FILE, || {
            format!("its part `{file}` is no file, or larger than any checkpoint")
        })?;
        File::open(&shard)?.take(9).read_to_end(&mut head)?;
        let found = match begins(&head) {
            true => from_safetensors(&fs::read(&shard)?),
            false => torch::read(&shard, None),
        };
        let found = found.map_err(|cause| Cause::new(format!("its part `{file}`: {cause}")))?;
        // A tensor is in the part that the index names, whatever others have.
        let of_part = |name: &String| index.weight_map.get(name) == Some(file);
        state.extend(found.into_iter().filter(|(name, _)| of_part(name)));
    }
    // Counters hold no floats.
    let expected = |name: &&String| !name.ends_with("num_batches_tracked");
    let missing = index
        .weight_map
        .keys()
        .filter(expected)
        .find(|name| !state.contains_key(*name));
    require(missing.is_none(), || {
        format!(
            "none of its parts has `{}`",
            missing.map_or("", String::as_str)
        )
    })?;
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
