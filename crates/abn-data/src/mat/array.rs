//! An array of numbers and how they are stored.

use std::fmt;

/// An array of real numbers.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) class: Class,
    /// The first index is the one that changes fastest.
    pub(crate) dimensions: Vec<u64>,
    pub(super) number: Number,
    pub(super) order: ByteOrder,
    pub(super) bytes: Vec<u8>,
}

impl Array {
    /// The numbers of an array of the class `uint8`; `None` of another.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        (self.class == Class::UINT8).then_some(self.bytes)
    }

    /// The numbers as they lie in the file; whole ones beyond 2^53 are rounded.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> {
        let numbers = self.bytes.chunks_exact(self.number.width());
        numbers.map(|bytes| self.number.value(bytes, self.order))
    }
}

/// What an array holds, as MATLAB numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(pub(super) u8);

impl Class {
    /// An array of arrays.
    pub(super) const CELL: Self = Self(1);
    pub(super) const CHAR: Self = Self(4);
    pub(super) const UINT8: Self = Self(9);
    /// An object of a class that only MATLAB knows. It has no dimensions.
    pub(super) const OPAQUE: Self = Self(17);

    pub(super) fn is_numeric(self) -> bool {
        (6..=15).contains(&self.0)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 17] = [
            "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8",
            "int16", "uint16", "int32", "uint32", "int64", "uint64", "function", "opaque",
        ];
        let place = usize::from(self.0).checked_sub(1);
        match place.and_then(|place| NAMES.get(place)) {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) fn half(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn word(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// The type in which a number is stored, which may be smaller than that of its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
}

impl Number {
    /// The one of that type of element.
    pub(super) const fn of(kind: u32) -> Option<Self> {
        Some(match kind {
            1 => Self::I8,
            2 => Self::U8,
            3 => Self::I16,
            4 => Self::U16,
            5 => Self::I32,
            6 => Self::U32,
            7 => Self::F32,
            9 => Self::F64,
            12 => Self::I64,
            13 => Self::U64,
            _ => return None,
        })
    }

    pub(super) const fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// The number of these bytes, which are as many as it is wide.
    fn value(self, bytes: &[u8], order: ByteOrder) -> f64 {
        let mut little = [0; 8];
        little[..bytes.len()].copy_from_slice(bytes);
        if order == ByteOrder::Big {
            little[..bytes.len()].reverse();
        }
        let bits = u64::from_le_bytes(little);
        match self {
            Self::I8 => f64::from(bits as i8),
            Self::I16 => f64::from(bits as i16),
            Self::I32 => f64::from(bits as i32),
            Self::I64 => bits as i64 as f64,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => bits as f64,
            Self::F32 => f32::from_bits(bits as u32).into(),
            Self::F64 => f64::from_bits(bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a number of that type of element is in both orders of bytes.
    #[track_caller]
    fn check(kind: u32, little: &[u8], expected: f64) {
        let number = Number::of(kind).unwrap();
        assert_eq!(number.width(), little.len());
        assert_eq!(number.value(little, ByteOrder::Little), expected);
        let big: Vec<u8> = little.iter().rev().copied().collect();
        assert_eq!(number.value(&big, ByteOrder::Big), expected);
    }

    #[test]
    fn every_type_is_read_in_both_orders() {
        check(1, &(-3_i8).to_le_bytes(), -3.0);
        check(2, &[200], 200.0);
        check(3, &(-300_i16).to_le_bytes(), -300.0);
        check(4, &60_000_u16.to_le_bytes(), 60_000.0);
        check(5, &(-70_000_i32).to_le_bytes(), -70_000.0);
        check(6, &4_000_000_000_u32.to_le_bytes(), 4e9);
        check(7, &(-2.5_f32).to_le_bytes(), -2.5);
        check(9, &0.1_f64.to_le_bytes(), 0.1);
        check(12, &(-(1_i64 << 40)).to_le_bytes(), -((1_u64 << 40) as f64));
        check(
            13,
            &(1_u64 << 63).to_le_bytes(),
            9_223_372_036_854_775_808.0,
        );
        for kind in [0, 8, 10, 11, 14, 15, 16, 17, 18] {
            assert_eq!(Number::of(kind), None);
        }
    }

    #[test]
    fn classes_are_named_as_matlab_names_them() {
        let names = [0, 1, 6, 9, 17, 18].map(|class| Class(class).to_string());
        assert_eq!(names, ["0", "cell", "double", "uint8", "opaque", "18"]);
    }
}
