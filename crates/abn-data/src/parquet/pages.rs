//! What a column says of its own pages, looked through before it is decoded.
//!
//! The decoder allocates what a page's header promises, up to 2 GB, and its dictionary's number of
//! values. Here both are compared with what is there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::thrift::{Item, walk};

/// Headers have some 20 bytes; those with statistics more.
const FIRST: u64 = 4096;
const LARGEST_HEADER: u64 = 16 << 20;
/// How much smaller compression makes a page. Images get hardly smaller at all.
const MOST_RATIO: u64 = 64;
/// A page that may be that large however small it was made: labels that repeat.
const SMALL: u64 = 1 << 20;
/// No page of images is nearly as large.
const LARGEST: u64 = 1 << 30;
/// Plain, by dictionary (twice), and runs.
const ENCODINGS: [i64; 4] = [0, 2, 3, 8];

/// The numbers in the header of a page.
#[derive(Debug, Default, Clone, Copy)]
struct Header {
    unpacked: i64,
    packed: i64,
    values: i64,
    dictionary: Option<i64>,
    encoding: i64,
}

impl Header {
    /// The header at the start of the bytes, and its length.
    fn of(bytes: &[u8]) -> Option<(Self, u64)> {
        let mut header = Self {
            packed: -1,
            ..Self::default()
        };
        let length = walk(bytes, &mut |path, item| {
            let Item::Number(number) = item else { return };
            match path {
                [2] => header.unpacked = number,
                [3] => header.packed = number,
                [5 | 8, 1] => header.values = number,
                [7, 1] => header.dictionary = Some(number),
                [5, 2] | [7, 2] | [8, 4] => header.encoding = number,
                _ => {}
            }
        })?;
        Some((header, length as u64))
    }
}

/// Looks through the pages that lie in that part of a file; the text says what is wrong.
pub(super) fn check(
    mut file: &File,
    (start, length): (u64, u64),
    compressed: bool,
) -> io::Result<Result<(), String>> {
    let end = start + length;
    let (mut at, mut bytes) = (start, Vec::new());
    while at < end {
        let mut window = FIRST;
        let (header, size) = loop {
            bytes.clear();
            file.seek(SeekFrom::Start(at))?;
            file.take(window.min(end - at)).read_to_end(&mut bytes)?;
            match Header::of(&bytes) {
                Some(found) => break found,
                None if window < LARGEST_HEADER.min(end - at) => window *= 16,
                None => return Ok(Err(format!("no page begins at byte {at}"))),
            }
        };
        let Ok(packed) = u64::try_from(header.packed) else {
            return Ok(Err(format!("the page at byte {at} has no size")));
        };
        if at + size + packed > end {
            return Ok(Err(format!(
                "the page at byte {at} reaches beyond its column"
            )));
        }
        if let Err(wrong) = header.check(packed, compressed) {
            return Ok(Err(format!("the page at byte {at} {wrong}")));
        }
        at += size + packed;
    }
    Ok(Ok(()))
}

impl Header {
    fn check(&self, packed: u64, compressed: bool) -> Result<(), String> {
        let largest = match compressed {
            true => (MOST_RATIO * packed).clamp(SMALL, LARGEST),
            false => packed.min(LARGEST),
        };
        let unpacked = u64::try_from(self.unpacked).unwrap_or(u64::MAX);
        if unpacked > largest {
            return Err(format!(
                "is said to unpack from {packed} bytes to {}: expected at most {largest}",
                self.unpacked
            ));
        }
        // A value of a dictionary has four bytes at least.
        let most = i64::try_from(unpacked / 4).unwrap_or(i64::MAX);
        if self.values < 0
            || self
                .dictionary
                .is_some_and(|count| !(0..=most).contains(&count))
        {
            return Err("is said to hold more values than it has room for".to_owned());
        }
        if !ENCODINGS.contains(&self.encoding) {
            return Err(format!(
                "has encoding {}: expected plain values or a dictionary",
                self.encoding
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A number as Thrift writes it.
    fn number(number: i64) -> Vec<u8> {
        let mut left = ((number << 1) ^ (number >> 63)) as u64;
        let mut bytes = vec![];
        while left >= 0x80 {
            bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
        bytes
    }

    /// A page of so many bytes, which are said to be more or fewer.
    fn page(said: [i64; 2], there: usize, inner: u8, values: i64, encoding: i64) -> Vec<u8> {
        let numbers = [
            number(said[0]),
            number(said[1]),
            number(values),
            number(encoding),
        ];
        let [unpacked, packed, values, encoding] =
            numbers.map(|number| [vec![0x15], number].concat());
        let kind = vec![0x15, 0];
        let header = [
            kind,
            unpacked,
            packed,
            vec![inner],
            values,
            encoding,
            vec![0, 0],
        ]
        .concat();
        [header, vec![7; there]].concat()
    }

    /// A page of data, and one of a dictionary.
    const DATA: u8 = 0x2c;
    const DICTIONARY: u8 = 0x4c;

    fn checked(pages: &[Vec<u8>], compressed: bool) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        let bytes = pages.concat();
        file.write_all(&bytes).unwrap();
        check(&file, (0, bytes.len() as u64), compressed).unwrap()
    }

    #[test]
    fn pages_are_as_large_as_they_say() {
        let good = page([10, 10], 10, DATA, 2, 0);
        let dictionary = page([10, 10], 10, DICTIONARY, 2, 2);
        assert_eq!(
            checked(&[dictionary, good.clone(), good.clone()], false),
            Ok(())
        );
        assert_eq!(
            checked(&[page([1 << 20, 10], 10, DATA, 2, 8)], true),
            Ok(())
        );
        let huge = i64::from(i32::MAX);
        for (bad, compressed, words) in [
            (
                page([huge, 10], 10, DATA, 2, 0),
                true,
                "is said to unpack from 10 bytes to 2147",
            ),
            (page([-1, 10], 10, DATA, 2, 0), true, "is said to unpack"),
            (
                page([11, 10], 10, DATA, 2, 0),
                false,
                "is said to unpack from 10 bytes to 11",
            ),
            (
                page([10, 11], 10, DATA, 2, 0),
                true,
                "reaches beyond its column",
            ),
            (page([10, -1], 10, DATA, 2, 0), true, "has no size"),
            (
                page([10, 10], 10, DATA, -1, 0),
                true,
                "more values than it has room for",
            ),
            (
                page([10, 10], 10, DICTIONARY, 3, 0),
                true,
                "more values than it has room for",
            ),
            (page([10, 10], 10, DATA, 2, 6), true, "has encoding 6"),
            (vec![0xff; 40], true, "no page begins at byte"),
        ] {
            let wrong = checked(&[good.clone(), bad], compressed).unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
        }
    }
}
