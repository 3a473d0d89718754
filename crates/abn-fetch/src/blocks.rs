//! Files, block by block.

use std::io::{self, Read};
use std::path::Path;

use crate::error::FetchError;

/// Bytes that are handed over at once.
pub(crate) const BLOCK: usize = 64 * 1024;

/// Hands over every block of a file, from where it stands to its end.
///
/// # Errors
/// It cannot be read, or `take` refuses a block.
pub(crate) fn each_block(
    file: &mut impl Read,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&block[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FetchError::reading(path)(error)),
        }
    }
}
