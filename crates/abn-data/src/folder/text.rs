//! Text files as people have them: with and without a byte-order mark, in UTF-8 or UTF-16.

use std::path::Path;

use crate::DataError;
use crate::decode::read_bounded;

/// The text of a file of at most `limit` bytes, without its byte-order mark.
///
/// # Errors
/// It is missing, empty, too large or cannot be read.
pub(crate) fn read_text(
    path: &Path,
    limit: u64,
    expected: &'static str,
) -> Result<String, DataError> {
    read_bounded(path, limit, expected).map(|bytes| text_of(&bytes))
}

fn text_of(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], of: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
        char::decode_utf16(units)
            .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_text() {
        for bytes in [
            b"\xc3\xa9\n".as_slice(),
            b"\xef\xbb\xbf\xc3\xa9\n",
            b"\xff\xfe\xe9\0\n\0",
            b"\xfe\xff\0\xe9\0\n",
        ] {
            assert_eq!(text_of(bytes), "é\n", "{bytes:?}");
        }
    }
}
