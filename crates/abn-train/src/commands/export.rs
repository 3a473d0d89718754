//! `abn export`: a run for other programs, by the ending of the file: its weights under PyTorch's
//! names, or its network as an ONNX model.

use abn_core::pytorch::{detector_to_pytorch, to_pytorch};
use abn_core::state::State;
use abn_onnx::{Export, Input};
use abn_run::folder::checkpoint::Checkpoints;
use abn_run::folder::files::write_atomically;
use abn_run::folder::run_dir::RunDir;
use abn_run::recipe::RunConfig;
use abn_run::weights::to_safetensors_of;
use anyhow::{Result, bail, ensure};

use crate::cli::ExportArgs;
use crate::terminal;

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    Onnx,
}

/// Runs the command.
///
/// # Errors
/// The run cannot be opened, or the file exists, is of another format or cannot be written.
pub fn run(args: ExportArgs) -> Result<()> {
    let (run, config) = RunDir::open(&args.run)?;
    let format = format_of(&args)?;
    ensure!(
        !args.out.exists(),
        "`{}` exists; nothing was changed, choose another --out",
        args.out.display()
    );
    ensure!(
        format != Format::Onnx || config.recipe.detector.is_none(),
        "a detector is written as .safetensors, under torchvision's names: what it does with boxes is \
         no graph of ONNX"
    );
    let weights = Checkpoints::open(run.checkpoints())?.weights(args.checkpoint)?;
    let tensors = weights.len();
    let bytes = match format {
        Format::Safetensors => {
            let named = match config.detector() {
                Some(detector) => detector_to_pytorch(&detector, &weights),
                None => to_pytorch(&config.model, &weights),
            };
            to_safetensors_of(&config.recipe, &named)?
        }
        Format::Onnx => onnx(&config, weights, args.with_preprocessing)?,
    };
    write_atomically(&args.out, &bytes)?;
    if args.json {
        return terminal::json(&serde_json::json!({ "file": args.out, "tensors": tensors }));
    }
    terminal::result(&format!(
        "{tensors} tensors of {} in {}",
        config.recipe.title(),
        args.out.display()
    ))
}

/// The format of the file's ending.
fn format_of(args: &ExportArgs) -> Result<Format> {
    let ending = args.out.extension().and_then(|ending| ending.to_str());
    let format = match ending {
        Some("safetensors") => Format::Safetensors,
        Some("onnx") => Format::Onnx,
        _ => bail!(
            "`{}` ends neither in .safetensors nor in .onnx, the formats that are written",
            args.out.display()
        ),
    };
    ensure!(
        format == Format::Onnx || !args.with_preprocessing,
        "--with-preprocessing is for .onnx: weights alone have no preprocessing"
    );
    Ok(format)
}

fn onnx(config: &RunConfig, weights: State, with_preprocessing: bool) -> Result<Vec<u8>> {
    let what = Export {
        title: &config.recipe.title(),
        model: &config.model,
        labels: &config.labels,
        transform: &config.recipe.eval_transform(),
        input: if with_preprocessing {
            Input::Pictures
        } else {
            Input::Normalized
        },
    };
    Ok(abn_onnx::to_bytes(&abn_onnx::export(&what, weights)?)?)
}
