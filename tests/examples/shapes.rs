//! Writes the first held-out images of a built-in set as PNG, for commands that read files.
//!
//! ```sh
//! cargo run -p tests --example shapes -- OUT 8            # OUT/1-CLASS.png ...
//! cargo run -p tests --example shapes -- OUT 8 scenes     # OUT/1.png ...
//! ```

use std::path::PathBuf;

use abn_data::Split;
use abn_run::datasets::{DataSet, Request};
use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("no folder to write to")?);
    let count = arguments.next().context("no number of images")?.parse()?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let set = arguments.next().unwrap_or("shapes".to_owned());
    let set = DataSet::named(&set).context("there is no such data set")?;
    let shapes = set.open(&Request::of(Split::HeldOut, None))?.limit(count);
    for index in 0..shapes.samples.len() {
        let sample = shapes.samples.get(index)?;
        let name = match shapes.labels.only() {
            Some(classes) => format!(
                "{}-{}.png",
                index + 1,
                classes[sample.target.of(0).context("no class")?]
            ),
            None => format!("{}.png", index + 1),
        };
        sample
            .image
            .save(folder.join(name))
            .context("cannot write an image")?;
    }
    Ok(())
}
