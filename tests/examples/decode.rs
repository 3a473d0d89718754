//! Decodes photographs as `abn` does and writes them as PNG, for programs that compare with them.
//!
//! ```sh
//! cargo run -p tests --example decode -- OUT photo.jpg ...    # OUT/photo.png ...
//! ```

use std::path::PathBuf;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().context("no folder to write to")?;
    for file in arguments {
        let name = file
            .file_stem()
            .with_context(|| format!("{} has no name", file.display()))?;
        abn_data::read_image(&file)?.save(folder.join(name).with_extension("png"))?;
    }
    Ok(())
}
