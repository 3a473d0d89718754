//! MATLAB files as tests need them, good and bad.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Types of elements.
pub(crate) const INT8: u32 = 1;
pub(crate) const UINT8: u32 = 2;
pub(crate) const UINT16: u32 = 4;
pub(crate) const DOUBLE: u32 = 9;
pub(crate) const UTF8: u32 = 16;
/// Classes of arrays.
pub(crate) const CELL: u32 = 1;
pub(crate) const CHAR: u32 = 4;
pub(crate) const OF_DOUBLE: u32 = 6;
pub(crate) const OF_UINT8: u32 = 9;

/// A file of these variables.
pub(crate) fn file(variables: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"MATLAB 5.0 MAT-file, written for a test".to_vec();
    file.resize(124, b' ');
    file.extend(b"\0\x01IM");
    file.extend(variables.concat());
    file
}

/// A variable. The class may have flags.
pub(crate) fn array(name: &str, class: u32, sizes: &[i32], kind: u32, content: &[u8]) -> Vec<u8> {
    array_of(name, class, sizes, &element(kind, content))
}

/// A variable with these elements behind its head.
pub(crate) fn array_of(name: &str, class: u32, sizes: &[i32], elements: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
    let flags = [class.to_le_bytes(), [0; 4]].concat();
    let parts = [
        element(6, &flags),
        element(5, &sizes),
        element(1, name.as_bytes()),
        elements.to_vec(),
    ];
    element(14, &parts.concat())
}

/// A variable in a zlib stream, which is not padded.
pub(crate) fn compressed(variable: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(variable).unwrap();
    let stream = encoder.finish().unwrap();
    [&tag(15, stream.len()), &stream[..]].concat()
}

pub(crate) fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut element = [&tag(kind, content.len()), content].concat();
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

/// An element of at most 4 bytes, which lie in its tag.
pub(crate) fn small(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut element = ((content.len() as u32) << 16 | kind).to_le_bytes().to_vec();
    element.extend(content);
    element.resize(8, 0);
    element
}

fn tag(kind: u32, size: usize) -> [u8; 8] {
    let mut tag = [0; 8];
    tag[..4].copy_from_slice(&kind.to_le_bytes());
    tag[4..].copy_from_slice(&(size as u32).to_le_bytes());
    tag
}
