//! `abn export`: the weights of a run under PyTorch's names.

use abn_core::pytorch::to_pytorch;
use abn_run::folder::checkpoint::Checkpoints;
use abn_run::folder::files::write_atomically;
use abn_run::folder::run_dir::RunDir;
use abn_run::weights::to_safetensors_of;
use anyhow::{Result, ensure};

use crate::cli::ExportArgs;
use crate::terminal;

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, or the file exists or cannot be written.
pub fn run(args: ExportArgs) -> Result<()> {
    let (run, config) = RunDir::open(&args.run)?;
    ensure!(
        args.out
            .extension()
            .is_some_and(|extension| extension == "safetensors"),
        "`{}` does not end in .safetensors, the one format that is written",
        args.out.display()
    );
    ensure!(
        !args.out.exists(),
        "`{}` exists; nothing was changed, choose another --out",
        args.out.display()
    );
    let weights = to_pytorch(
        &config.model,
        &Checkpoints::open(run.checkpoints())?.weights(args.checkpoint)?,
    );
    write_atomically(&args.out, &to_safetensors_of(&config.recipe, &weights)?)?;
    if args.json {
        return terminal::json(&serde_json::json!({ "file": args.out, "tensors": weights.len() }));
    }
    terminal::result(&format!(
        "{} tensors of {} in {}",
        weights.len(),
        config.recipe.title(),
        args.out.display()
    ))
}
