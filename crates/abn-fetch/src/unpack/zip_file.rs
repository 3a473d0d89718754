//! Archives of zip. The list at the end says what is in it; nothing else is looked at.

use std::error::Error;
use std::io::BufReader;

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::reader::{Overseer, Unreadable, Watched};
use super::tree::Tree;

/// Bytes that are read at once: of small images in large archives most of a larger one is read in
/// vain.
const BUFFER: usize = 8 * 1024;
/// The bits of a mode that say the kind, and two kinds.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

impl From<ZipError> for Unreadable {
    fn from(error: ZipError) -> Self {
        let error: Box<dyn Error + Send + Sync> = match error {
            ZipError::Io(error) => error.into(),
            other => other.into(),
        };
        Self::Format(error)
    }
}

pub(super) fn read(
    file: Watched<'_, '_, '_>,
    overseer: &Overseer<'_, '_>,
    tree: &mut Tree<'_>,
) -> Result<(), Unreadable> {
    overseer.set_silent(true);
    let mut archive = ZipArchive::new(BufReader::with_capacity(BUFFER, file))?;
    overseer.set_silent(false);
    tree.within_entries(archive.len() as u64)?;
    if archive.has_duplicate_names() {
        return Err(Unreadable::Format(
            "two of its entries have one name".into(),
        ));
    }
    for index in 0..archive.len() {
        tree.count()?;
        entry(archive.by_index(index)?, tree)?;
    }
    Ok(())
}

fn entry(mut file: ZipFile<'_, impl std::io::Read>, tree: &mut Tree<'_>) -> Result<(), Unreadable> {
    let path = file.name_raw().to_owned();
    let is_folder = path.ends_with(b"/");
    let expected = if is_folder { FOLDER } else { FILE };
    let kind = file.unix_mode().map_or(0, |mode| mode & KIND);
    if file.is_symlink() {
        return Err(tree.refused(&path, "is a symbolic link").into());
    }
    // Programs that do not know modes leave them empty.
    if kind != 0 && kind != expected {
        return Err(tree.refused(&path, "is neither a file nor a folder").into());
    }
    if is_folder {
        return tree.folder(&path);
    }
    let size = file.size();
    tree.file(&path, size, &mut file)
}
