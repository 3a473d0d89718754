//! Arrays of numbers and of texts in MATLAB files of level 5, which MATLAB writes with `-v6` and
//! `-v7`.
//!
//! ```text
//! file        header of 128 bytes, then an element a variable
//! element     type u32, size u32, so many bytes; in a matrix, padding to a multiple of 8
//! small       size u16 << 16 | type u16, then 4 bytes that hold 1 to 4
//! matrix      elements with flags, dimensions, name, numbers              type 14
//! compressed  a zlib stream of a matrix                                   type 15
//! texts       a matrix of the class cell, which has matrices of letters in the place of numbers
//! ```
//!
//! What is asked for is read as a stream: a compressed file never lies in memory beside what is in
//! it. What is not asked for is passed over. No size is believed: memory grows with what arrives.

mod array;
mod fault;
mod matrix;
#[cfg(test)]
pub(crate) mod written;

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::ZlibDecoder;

pub(crate) use self::array::Array;
use self::array::ByteOrder;
use self::fault::Fault;
pub(crate) use self::matrix::by;
use self::matrix::{Head, Matrix, word};
use crate::DataError;
use crate::decode::open_bounded;

/// The largest file of SVHN has 1.3 GB.
const MAX_FILE: u64 = 4 << 30;
/// What the arrays that are asked for may take together. Those of that file take 1.63 GB.
const MAX_BYTES: u64 = 2 << 30;
/// What the texts that are asked for may take together.
const MAX_TEXT: u64 = 16 << 20;
const MAX_VARIABLES: usize = 1000;
/// Read from the file at a time.
const BUFFER: usize = 64 << 10;
/// What may follow a matrix in its zlib stream; the checksum comes after it.
const AFTER_MATRIX: u64 = 64;

const HEADER: u64 = 128;
/// Where the version and the order of bytes stand in the header.
const VERSION: usize = 124;
/// The first bytes of HDF5.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Bytes before an element's content.
const TAG: u64 = 8;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The arrays of those names in a file, in any order and among others.
///
/// # Errors
/// A file that is missing, empty, too large, truncated, damaged or of another format; an array that
/// is missing, there twice, too large or not of real numbers.
pub(crate) fn arrays<const N: usize>(
    path: &Path,
    names: [&str; N],
) -> Result<[Array; N], DataError> {
    let take = |matrix: Matrix, name: &str, head, budget| {
        let array = matrix.array(name, head, budget)?;
        let size = array.bytes.len() as u64;
        Ok((array, size))
    };
    open(path, names, MAX_BYTES, take)
}

/// The cell arrays of texts of those names in a file, in any order and among others. A cell without
/// content is an empty text.
///
/// # Errors
/// As [`arrays`], where an array is not of texts.
pub(crate) fn texts<const N: usize>(
    path: &Path,
    names: [&str; N],
) -> Result<[Vec<String>; N], DataError> {
    open(path, names, MAX_TEXT, |matrix, name, head, budget| {
        matrix.texts(name, head, budget)
    })
}

/// Reads what is behind the head of a variable, which may take so many bytes; says how many it took.
type Take<T> = fn(Matrix, &str, Head, u64) -> Result<(T, u64), Fault>;

fn open<T, const N: usize>(
    path: &Path,
    names: [&str; N],
    budget: u64,
    take: Take<T>,
) -> Result<[T; N], DataError> {
    const EXPECTED: &str = "a MATLAB file";
    let (file, size) = open_bounded(path, MAX_FILE, EXPECTED)?;
    if size == 0 {
        let (path, expected) = (path.into(), EXPECTED);
        return Err(DataError::Empty { path, expected });
    }
    let mut input = BufReader::with_capacity(BUFFER, file);
    read(&mut input, size, Found::none(names, budget, take)).map_err(|fault| fault.of(path))
}

/// What is looked for in a file of that size.
fn read<T, const N: usize>(
    input: &mut (impl BufRead + Seek),
    size: u64,
    mut found: Found<T, N>,
) -> Result<[T; N], Fault> {
    let order = header(input)?;
    let mut start = HEADER;
    for _ in 0..=MAX_VARIABLES {
        if start == size {
            return found.all();
        }
        let (kind, length) = (word(input, order)?, word(input, order)?);
        let end = start + TAG + u64::from(length);
        if end > size {
            let missing = end - size;
            let reason = format!("it is cut off: {missing} bytes of its last variable are missing");
            return Err(Fault::content(reason));
        }
        let mut element = input.by_ref().take(length.into());
        match kind {
            COMPRESSED => unpack(element, order, &mut found)?,
            kind => found.add(&mut element, kind, length, order).map(drop)?,
        }
        input.seek(SeekFrom::Start(end))?;
        start = end;
    }
    let reason = format!("it holds more than {MAX_VARIABLES} variables: expected a few");
    Err(Fault::content(reason))
}

/// The order of bytes, from the header of a file.
fn header(input: &mut impl Read) -> Result<ByteOrder, Fault> {
    let mut header = Vec::with_capacity(HEADER as usize);
    input.take(HEADER).read_to_end(&mut header)?;
    if header.starts_with(b"MATLAB 7.3") || header.starts_with(HDF5) {
        return Err(Fault::content(
            "it is a MATLAB 7.3 file, which is HDF5: expected one that was saved with -v6 or -v7",
        ));
    }
    match header.get(VERSION..) {
        Some([0, 1, b'I', b'M']) => Ok(ByteOrder::Little),
        Some([1, 0, b'M', b'I']) => Ok(ByteOrder::Big),
        _ => {
            let start = String::from_utf8_lossy(&header[..header.len().min(20)]);
            let start = start.escape_debug();
            let reason = format!("it begins with \"{start}\": expected a MATLAB 5 file's header");
            Err(Fault::content(reason))
        }
    }
}

/// Adds the variable in a zlib stream.
fn unpack<T, const N: usize>(
    element: impl BufRead,
    order: ByteOrder,
    found: &mut Found<T, N>,
) -> Result<(), Fault> {
    let mut stream = ZlibDecoder::new(element);
    let (kind, length) = (word(&mut stream, order)?, word(&mut stream, order)?);
    if found.add(&mut stream, kind, length, order)? {
        // The checksum is compared where the stream ends.
        io::copy(&mut stream.take(AFTER_MATRIX), &mut io::sink())?;
    }
    Ok(())
}

/// What was found of what is looked for.
struct Found<'a, T, const N: usize> {
    names: [&'a str; N],
    arrays: [Option<T>; N],
    /// Names of all variables, as they may be shown.
    holds: Vec<String>,
    /// Bytes that may still be read.
    budget: u64,
    take: Take<T>,
}

impl<'a, T, const N: usize> Found<'a, T, N> {
    fn none(names: [&'a str; N], budget: u64, take: Take<T>) -> Self {
        Self {
            names,
            arrays: names.map(|_| None),
            holds: Vec::new(),
            budget,
            take,
        }
    }

    /// Reads an element that should be a variable; whether it is looked for.
    fn add(
        &mut self,
        input: &mut dyn Read,
        kind: u32,
        length: u32,
        order: ByteOrder,
    ) -> Result<bool, Fault> {
        if kind != MATRIX {
            let reason = format!("it holds an element of type {kind}: expected variables alone");
            return Err(Fault::content(reason));
        }
        let mut matrix = Matrix::new(input, length, order);
        let Some(head) = matrix.head()? else {
            return Ok(false);
        };
        let name = String::from_utf8_lossy(&head.name);
        self.holds.push(name.escape_debug().take(32).collect());
        let Some(place) = self.names.iter().position(|wanted| *wanted == name) else {
            return Ok(false);
        };
        let name = self.names[place];
        if self.arrays[place].is_some() {
            return Err(Fault::of_variable(name, "is there twice: expected it once"));
        }
        let (array, size) = (self.take)(matrix, name, head, self.budget)?;
        self.budget -= size;
        self.arrays[place] = Some(array);
        Ok(true)
    }

    /// The arrays, if all are there.
    fn all(self) -> Result<[T; N], Fault> {
        const SHOWN: usize = 8;
        if self.arrays.iter().any(Option::is_none) {
            let holds = match &self.holds[..] {
                [] => "no variable".to_owned(),
                names if names.len() <= SHOWN => format!("the variables {}", names.join(", ")),
                names => format!("{} variables", names.len()),
            };
            let expected = self.names.join(" and ");
            let reason = format!("it holds {holds}: expected {expected}");
            return Err(Fault::content(reason));
        }
        Ok(self.arrays.map(|array| array.expect("all are there")))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::written::*;
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<[Array; 2], Fault> {
        let take = |matrix: Matrix, name: &str, head, budget| {
            let array = matrix.array(name, head, budget)?;
            let size = array.bytes.len() as u64;
            Ok((array, size))
        };
        let found = Found::none(["X", "y"], MAX_BYTES, take);
        read(&mut Cursor::new(bytes), bytes.len() as u64, found)
    }

    fn read_texts(bytes: &[u8]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mat");
        std::fs::write(&path, bytes).unwrap();
        let texts = texts(&path, ["names"]).map_err(|error| error.to_string());
        texts.map(|[names]| names)
    }

    /// The letters of a text as MATLAB stores them.
    fn letters(text: &str) -> Vec<u8> {
        let units = text
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>();
        array("", CHAR, &[1, text.len() as i32], UINT16, &units)
    }

    #[test]
    fn cells_of_texts_are_read_and_empty_ones_are_empty() {
        let empty = array("", OF_DOUBLE, &[0, 0], DOUBLE, &[]);
        let bytes = array("", CHAR, &[1, 3], UTF8, "BMW".as_bytes());
        let cells = [letters("Citroën"), empty, element(14, &[]), bytes];
        let names = array_of("names", CELL, &[4, 1], &cells.concat());
        let expected = ["Citroën", "", "", "BMW"].map(str::to_owned).to_vec();
        for file in [file(&[x(), names.clone()]), file(&[compressed(&names)])] {
            assert_eq!(read_texts(&file), Ok(expected.clone()));
        }
    }

    #[test]
    fn what_is_no_cell_array_of_texts_is_refused() {
        let number = array("", OF_DOUBLE, &[1, 1], DOUBLE, &1.0_f64.to_le_bytes());
        for (variable, words) in [
            (
                array("names", OF_DOUBLE, &[1, 1], DOUBLE, &[0; 8]),
                "class double: expected cells",
            ),
            (
                array_of("names", CELL, &[1, 1], &number),
                "a cell of class double: expected a text",
            ),
            (
                array_of("names", CELL, &[3, 1], &letters("a")),
                "ends within a variable",
            ),
            (
                array_of("names", CELL, &[i32::MAX, 9], &[]),
                "expected at most",
            ),
            (
                array_of("names", CELL, &[1, 1], &element(9, &[0; 8])),
                "of type 9",
            ),
            (
                array_of("names", CELL, &[0, 1], &letters("a")),
                "behind its cells",
            ),
        ] {
            let error = read_texts(&file(&[variable])).unwrap_err();
            assert!(error.contains(words), "no `{words}` in {error}");
        }
    }

    fn values(array: &Array) -> Vec<f64> {
        array.values().collect()
    }

    /// A file is refused with these words.
    #[track_caller]
    fn refused(bytes: &[u8], words: &str) {
        let fault = read_bytes(bytes).expect_err("a fault");
        let DataError::Mat { reason, .. } = fault.of(Path::new("a.mat")) else {
            panic!("another error");
        };
        assert!(reason.contains(words), "no `{words}` in: {reason}");
    }

    fn x() -> Vec<u8> {
        array("X", OF_UINT8, &[2, 3], UINT8, &[1, 2, 3, 4, 5, 6])
    }

    fn y() -> Vec<u8> {
        array("y", OF_UINT8, &[1, 1], UINT8, &[7])
    }

    #[test]
    fn arrays_are_found_in_any_order_and_among_others() {
        const CELL: u32 = 1;
        let cell = array("a cell", CELL, &[1, 1], 14, b"what only MATLAB knows");
        let opaque = element(
            14,
            &[element(6, &[17, 0, 0, 0, 0, 0, 0, 0]), vec![9; 32]].concat(),
        );
        let x_of_another = array("X2", OF_DOUBLE, &[1, 1], UINT8, &[0]);
        for compress in [false, true] {
            let variables =
                [&y(), &cell, &opaque, &x_of_another, &x(), &cell].map(|variable| match compress {
                    true => compressed(variable),
                    false => variable.clone(),
                });
            let [x, y] = read_bytes(&file(&variables)).unwrap();
            assert_eq!((&x.dimensions[..], values(&y)), (&[2, 3][..], vec![7.0]));
            assert_eq!(x.into_bytes().unwrap(), [1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn small_elements_hold_their_content_in_the_tag() {
        let y = element(
            14,
            &[
                element(6, &[6, 0, 0, 0, 0, 0, 0, 0]),
                element(5, &[1, 0, 0, 0, 2, 0, 0, 0]),
                small(1, b"y"),
                small(3, &[1, 0, 0xff, 0xff]),
            ]
            .concat(),
        );
        let [_, y] = read_bytes(&file(&[x(), y])).unwrap();
        assert_eq!(
            (y.class.to_string(), values(&y)),
            ("double".into(), vec![1.0, -1.0])
        );
    }

    #[test]
    fn other_files_are_refused_by_what_they_are() {
        refused(
            b"<!DOCTYPE html>\n<html>",
            r#"begins with "<!DOCTYPE html>\n<htm": expected"#,
        );
        refused(b"", "begins with");
        let mut hdf5 = file(&[]);
        hdf5[..10].copy_from_slice(b"MATLAB 7.3");
        hdf5[124..126].copy_from_slice(&[0, 2]);
        refused(&hdf5, "MATLAB 7.3");
        refused(b"\x89HDF\r\n\x1a\n\0\0", "MATLAB 7.3");
        refused(&file(&[x(), element(2, &[1; 8])]), "an element of type 2");
        refused(
            &file(&[compressed(&element(2, &[1; 8]))]),
            "an element of type 2",
        );
        refused(&file(&[]), "it holds no variable: expected X and y");
        refused(&file(&[y()]), "it holds the variables y: expected X and y");
        let others = vec![array("\x1b[2J", OF_UINT8, &[1, 1], UINT8, &[1]); 9];
        refused(&file(&others[..1]), r"the variables \u{1b}[2J: expected");
        refused(&file(&others), "it holds 9 variables");
        refused(&file(&vec![y(); 2]), "its variable y is there twice");
    }

    #[test]
    fn what_are_no_real_numbers_is_refused() {
        let of = |class, kind| array("y", class, &[1, 1], kind, &[1]);
        refused(
            &file(&[of(4, UINT8)]),
            "y is of class char: expected real numbers",
        );
        refused(&file(&[of(99, UINT8)]), "y is of class 99");
        refused(
            &file(&[of(OF_UINT8 | 1 << 11, UINT8)]),
            "y is of class complex uint8",
        );
        refused(&file(&[of(OF_UINT8, 14)]), "y has data of type 14");
        refused(
            &file(&[of(OF_UINT8, INT8)]),
            "y is of class uint8 and has data of type 1",
        );
        // Global and logical arrays are usual ones.
        let flagged = of(OF_UINT8 | 3 << 9, UINT8);
        assert_eq!(
            values(&read_bytes(&file(&[x(), flagged])).unwrap()[1]),
            [1.0]
        );
    }

    #[test]
    fn sizes_that_contradict_each_other_are_refused() {
        let of = |sizes: &[i32], bytes: &[u8]| file(&[array("y", OF_UINT8, sizes, UINT8, bytes)]);
        refused(
            &of(&[2, 1], &[1]),
            "y has 1 bytes of data: expected 2x1 numbers of 1",
        );
        refused(&of(&[i32::MAX; 32], &[1]), "y has 1 bytes of data");
        refused(
            &of(&[-1, 1], &[1]),
            "the dimensions of a variable are damaged",
        );
        refused(&of(&[], &[1]), "the dimensions of a variable are damaged");
        refused(
            &of(&[1; 33], &[1]),
            "the dimensions of a variable: 132 bytes of type 5",
        );
        let name = "y".repeat(256);
        refused(
            &file(&[array(&name, OF_UINT8, &[1, 1], UINT8, &[1])]),
            "the name of a variable",
        );
        let flags = [element(6, &[]), element(5, &[1, 0, 0, 0])].concat();
        refused(&file(&[element(14, &flags)]), "the flags of a variable");
        let mut more = y();
        more.extend([0; 8]);
        more[4] += 8;
        refused(&file(&[more]), "y has 8 bytes behind its numbers");
    }

    #[test]
    fn promises_are_not_believed() {
        let promised = |size: u32, sizes: &[i32]| {
            let mut variable = array("X", OF_UINT8, sizes, UINT8, &[]);
            let end = variable.len();
            variable[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
            variable[end - 4..].copy_from_slice(&size.to_le_bytes());
            variable
        };
        let whole = promised(1 << 31, &[1 << 16, 1 << 15]);
        refused(&file(&[compressed(&whole)]), "it ends within a variable");
        refused(&file(&[whole]), "bytes of its last variable are missing");
        let beyond = promised(u32::MAX, &[65_535, 65_537]);
        refused(&file(&[compressed(&beyond)]), "expected at most 2147483648");
        let variables = vec![array("z", OF_UINT8, &[0, 0], UINT8, &[]); MAX_VARIABLES + 1];
        refused(&file(&variables), "it holds more than 1000 variables");
        refused(&file(&variables[1..]), "it holds 1000 variables");
    }

    #[test]
    fn files_that_end_early_are_refused_at_every_length() {
        for compress in [false, true] {
            let variables = [x(), y()].map(|variable| match compress {
                true => compressed(&variable),
                false => variable,
            });
            let whole = file(&variables);
            assert!(read_bytes(&whole).is_ok());
            for length in 0..whole.len() {
                assert!(
                    read_bytes(&whole[..length]).is_err(),
                    "{length} of {}",
                    whole.len()
                );
            }
        }
    }

    #[test]
    fn the_checksum_is_compared() {
        let mut variable = compressed(&y());
        *variable.last_mut().unwrap() ^= 1;
        refused(&file(&[x(), variable]), "its compressed data are damaged");
    }
}
