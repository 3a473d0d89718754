//! One variable: flags, dimensions, name and numbers, in that order.

use std::io::{self, Read, Take};

use super::MATRIX;
use super::array::{Array, ByteOrder, Class, Number};
use super::fault::Fault;

const MAX_DIMENSIONS: u64 = 32;
/// MATLAB's own names have at most 63 bytes.
const MAX_NAME: u64 = 255;
const MAX_CELLS: u64 = 1 << 20;
/// What is read before more memory is asked for than has arrived.
const FIRST_READ: usize = 64 << 10;
/// Elements are padded to a multiple of this.
const ALIGNMENT: u64 = 8;
/// The flag of complex numbers.
const COMPLEX: u32 = 1 << 11;

/// Types of elements.
const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const UTF8: u32 = 16;
/// The types of letters, beside UTF-8.
const UINT8: u32 = 2;
const UINT16: u32 = 4;
const UTF16: u32 = 17;

/// What has not yet been read of a variable.
pub(super) struct Matrix<'a> {
    body: Take<&'a mut dyn Read>,
    order: ByteOrder,
}

/// How a variable begins.
pub(super) struct Head {
    pub(super) name: Vec<u8>,
    class: Class,
    complex: bool,
    dimensions: Vec<u64>,
}

/// How an element begins.
struct Element {
    kind: u32,
    size: u64,
    /// The content of a small one.
    small: Option<[u8; 4]>,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(input: &'a mut dyn Read, size: u32, order: ByteOrder) -> Self {
        let body = input.take(size.into());
        Self { body, order }
    }

    /// The head; `None` if the variable has none.
    pub(super) fn head(&mut self) -> Result<Option<Head>, Fault> {
        let flags = self.flags()?;
        let class = Class(flags as u8);
        if class == Class::OPAQUE {
            return Ok(None);
        }
        let dimensions = self.dimensions()?;
        Ok(Some(Head {
            name: self.part("name", &[INT8, UTF8], MAX_NAME)?,
            class,
            complex: flags & COMPLEX != 0,
            dimensions,
        }))
    }

    fn flags(&mut self) -> Result<u32, Fault> {
        let flags = self.part("flags", &[UINT32], 8)?;
        let first = flags.first_chunk().map(|bytes| self.order.word(*bytes));
        first.ok_or_else(|| Fault::content("the flags of a variable are missing"))
    }

    fn dimensions(&mut self) -> Result<Vec<u64>, Fault> {
        // Signed as MATLAB writes them, unsigned as VTK does.
        let bytes = self.part("dimensions", &[INT32, UINT32], 4 * MAX_DIMENSIONS)?;
        let (sizes, rest) = bytes.as_chunks();
        let sizes = sizes.iter().map(|size| self.order.word(*size));
        let sizes: Vec<u64> = sizes.map(u64::from).collect();
        let are_sizes = sizes.iter().all(|size| *size <= i32::MAX as u64);
        if sizes.is_empty() || !rest.is_empty() || !are_sizes {
            return Err(Fault::content(
                "the dimensions of a variable are damaged: expected whole numbers from 0 on",
            ));
        }
        Ok(sizes)
    }

    /// The numbers behind the head, which take at most `budget` bytes.
    pub(super) fn array(mut self, name: &str, head: Head, budget: u64) -> Result<Array, Fault> {
        let Head {
            class, dimensions, ..
        } = head;
        if head.complex || !class.is_numeric() {
            let complex = if head.complex { "complex " } else { "" };
            let reason = format!("is of class {complex}{class}: expected real numbers");
            return Err(Fault::of_variable(name, reason));
        }
        let element = self.element()?;
        let (kind, size) = (element.kind, element.size);
        let Some(number) = Number::of(kind) else {
            let reason = format!("has data of type {kind}: expected a type of numbers");
            return Err(Fault::of_variable(name, reason));
        };
        // Numbers may be stored in a smaller type than their own; there is none smaller than this.
        if class == Class::UINT8 && number != Number::U8 {
            let reason = format!("is of class {class} and has data of type {kind}: expected bytes");
            return Err(Fault::of_variable(name, reason));
        }
        let width = number.width() as u64;
        let expected = dimensions
            .iter()
            .try_fold(width, |size, dimension| size.checked_mul(*dimension));
        if expected != Some(size) {
            let dimensions = by(&dimensions);
            let reason =
                format!("has {size} bytes of data: expected {dimensions} numbers of {width}");
            return Err(Fault::of_variable(name, reason));
        }
        if size > budget {
            let reason = format!("has {size} bytes of data: expected at most {budget}");
            return Err(Fault::of_variable(name, reason));
        }
        let bytes = self.content(&element)?;
        match self.body.limit() {
            0 => Ok(Array {
                class,
                dimensions,
                number,
                order: self.order,
                bytes,
            }),
            left => {
                let reason = format!("has {left} bytes behind its numbers: expected none");
                Err(Fault::of_variable(name, reason))
            }
        }
    }

    /// The texts in the cells behind the head, and how many bytes they take, which is at most
    /// `budget`.
    pub(super) fn texts(
        mut self,
        name: &str,
        head: Head,
        budget: u64,
    ) -> Result<(Vec<String>, u64), Fault> {
        let Head {
            class, dimensions, ..
        } = head;
        if class != Class::CELL {
            let reason = format!("is of class {class}: expected cells");
            return Err(Fault::of_variable(name, reason));
        }
        let count = dimensions
            .iter()
            .try_fold(1_u64, |count, dimension| count.checked_mul(*dimension));
        let Some(count) = count.filter(|count| *count <= MAX_CELLS) else {
            let dimensions = by(&dimensions);
            let reason = format!("has {dimensions} cells: expected at most {MAX_CELLS}");
            return Err(Fault::of_variable(name, reason));
        };
        let (mut texts, mut left) = (Vec::new(), budget);
        for _ in 0..count {
            let text = self.text(name, left)?;
            left -= text.len() as u64;
            texts.push(text);
        }
        match self.body.limit() {
            0 => Ok((texts, budget - left)),
            bytes => {
                let reason = format!("has {bytes} bytes behind its cells: expected none");
                Err(Fault::of_variable(name, reason))
            }
        }
    }

    /// The text in the next cell, in at most so many bytes.
    fn text(&mut self, name: &str, budget: u64) -> Result<String, Fault> {
        let Element { kind, size, small } = self.element()?;
        if kind != MATRIX || small.is_some() {
            let reason = format!("has a cell of type {kind}: expected an array");
            return Err(Fault::of_variable(name, reason));
        }
        if size == 0 {
            return Ok(String::new());
        }
        let size = u32::try_from(size).map_err(|_| Fault::ends_early())?;
        let mut cell = Matrix::new(&mut self.body, size, self.order);
        let head = cell.head()?;
        let class = head.as_ref().map_or(Class::OPAQUE, |head| head.class);
        let is_empty = head.is_some_and(|head| head.dimensions.contains(&0));
        let text = match class {
            Class::CHAR => cell.letters(budget)?,
            _ if is_empty => String::new(),
            class => {
                let reason = format!("has a cell of class {class}: expected a text");
                return Err(Fault::of_variable(name, reason));
            }
        };
        // What is left of an empty array.
        io::copy(&mut cell.body, &mut io::sink())?;
        Ok(text)
    }

    /// A text in an element of letters.
    fn letters(&mut self, budget: u64) -> Result<String, Fault> {
        // One letter takes up to three bytes, of two in UTF-16.
        let most = budget / 2;
        let element = self.element()?;
        let (kind, size) = (element.kind, element.size);
        if size > most {
            let reason = format!("it has a text of {size} bytes: expected at most {most}");
            return Err(Fault::content(reason));
        }
        let bytes = self.content(&element)?;
        Ok(match kind {
            UINT8 => bytes.into_iter().map(char::from).collect(),
            UTF8 => String::from_utf8_lossy(&bytes).into_owned(),
            UINT16 | UTF16 => {
                let (units, _) = bytes.as_chunks();
                let units = units.iter().map(|unit| self.order.half(*unit));
                let letters = char::decode_utf16(units);
                letters
                    .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
            kind => {
                let reason = format!("it has a text of type {kind}: expected letters");
                return Err(Fault::content(reason));
            }
        })
    }

    /// The content of the next element, which has one of those types and at most so many bytes.
    fn part(&mut self, what: &str, kinds: &[u32], most: u64) -> Result<Vec<u8>, Fault> {
        let element = self.element()?;
        let (kind, size) = (element.kind, element.size);
        if !kinds.contains(&kind) || size > most {
            return Err(Fault::content(format!(
                "the {what} of a variable: {size} bytes of type {kind} were found, expected at most \
                 {most} of type {}",
                kinds[0]
            )));
        }
        self.content(&element)
    }

    fn element(&mut self) -> Result<Element, Fault> {
        let first = word(&mut self.body, self.order)?;
        let (size, kind) = (first >> 16, first & 0xffff);
        let (size, small) = match size {
            0 => (word(&mut self.body, self.order)?, None),
            1..=4 => {
                let mut content = [0; 4];
                self.body.read_exact(&mut content)?;
                (size, Some(content))
            }
            _ => {
                let reason = format!("it has a small element of {size} bytes: expected 1 to 4");
                return Err(Fault::content(reason));
            }
        };
        let size = size.into();
        Ok(Element { kind, size, small })
    }

    /// What is in an element; behind it, so is its padding.
    fn content(&mut self, element: &Element) -> Result<Vec<u8>, Fault> {
        let size = element.size;
        if let Some(content) = element.small {
            return Ok(content[..size as usize].to_vec());
        }
        if size > self.body.limit() {
            return Err(Fault::ends_early());
        }
        let content = bytes(&mut self.body, size)?;
        let padding = size.next_multiple_of(ALIGNMENT) - size;
        io::copy(&mut self.body.by_ref().take(padding), &mut io::sink())?;
        Ok(content)
    }
}

/// Four bytes as a number.
pub(super) fn word(input: &mut impl Read, order: ByteOrder) -> Result<u32, Fault> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(order.word(bytes))
}

/// The next `size` bytes, in memory that grows with what arrives.
fn bytes(input: &mut impl Read, size: u64) -> Result<Vec<u8>, Fault> {
    let too_large = || Fault::content(format!("there is no memory for its {size} bytes"));
    let size = usize::try_from(size).map_err(|_| too_large())?;
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let more = (size - bytes.len()).min(bytes.len().max(FIRST_READ));
        bytes.try_reserve_exact(more).map_err(|_| too_large())?;
        let arrived = input.by_ref().take(more as u64).read_to_end(&mut bytes)?;
        if arrived < more {
            return Err(Fault::ends_early());
        }
    }
    Ok(bytes)
}

/// Dimensions in words: `32x32x3x6`.
pub(crate) fn by(dimensions: &[u64]) -> String {
    let sizes: Vec<String> = dimensions.iter().map(u64::to_string).collect();
    sizes.join("x")
}
