//! Packs: a whole data set of photographs in one file, from which training reads fast and exactly.
//!
//! ```text
//! header     128 bytes: what it is, where the index lies, fingerprint, SHA-256 of header and index
//! entries    an image each: record of 120 bytes, image, mask, padded to multiples of 8
//! index      all records once more, the names of the images, and what is told of them
//! ```
//!
//! Numbers are little-endian. An image is the bytes of its file, or with a shorter side of fixed
//! size, rows of 8-bit red, green and blue, which are read without decoding. Masks are greyscale
//! PNGs, see `masks.rs`.
//!
//! Version 1 is of class folders: what is told are the parts and classes as JSON, and there is one
//! mask an image. Version 2 is of several labels an image, see `attributes/kept.rs`, and may have a
//! mask a label. Version 3 is of objects with boxes, see `objects/kept.rs`, and has no masks. Each is
//! written for its own kind alone, so that class folders give the same bytes as ever.
//!
//! A pack is opened by the same request as the folder that it was made of and gives the same
//! images in the same order with the same labels: what is in it is arranged by the code that
//! arranges folders.
//!
//! Three checks guard the content. Whoever reads an image has its CRC-32 compared, which costs
//! a few per cent of what is done with it and finds every flipped bit. [`verify`] compares the
//! SHA-256 of every entry. Opening compares that of the index, and believes no number in it that
//! does not fit the others and the file's size.
//!
//! A pack grows under the name `FILE.partial` and is renamed when it is complete. Every entry there
//! follows a record of its own, so that an interrupted packing goes on behind the last entry that
//! is whole and whose source is as it was.

mod entry;
mod error;
mod index;
mod masks;
mod positioned;
mod read;
mod record;
mod resume;
mod verify;
mod what;
mod write;

pub use error::PackError;
pub(crate) use read::{Entries, FIT_NOTHING, PackedImages, packed_lists, packed_objects};
pub use read::{is_pack, packed};
pub use verify::{Verified, verify};
pub use write::{PackOptions, Packed, PackedLabels, Stored, pack};

#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod object_tests;
#[cfg(test)]
mod test_packs;
#[cfg(test)]
mod tests;
