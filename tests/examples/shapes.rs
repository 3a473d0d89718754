//! Writes the first held-out images of the built-in set as PNG, for commands that read files.
//!
//! ```sh
//! cargo run -p tests --example shapes -- OUT 8    # OUT/1-CLASS.png ...
//! ```

use std::path::PathBuf;

use abn_data::Split;
use abn_run::datasets::{Request, SHAPES};
use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("no folder to write to")?);
    let count = arguments.next().context("no number of images")?.parse()?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let shapes = SHAPES
        .open(&Request::of(Split::HeldOut, None))?
        .limit(count);
    for index in 0..shapes.samples.len() {
        let sample = shapes.samples.get(index)?;
        let class = shapes.labels.name(0, sample.target.classes()[0]);
        let name = format!("{}-{class}.png", index + 1);
        sample
            .image
            .save(folder.join(name))
            .context("cannot write an image")?;
    }
    Ok(())
}
