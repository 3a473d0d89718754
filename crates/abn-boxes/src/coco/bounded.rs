//! Lists of JSON that are read value by value, each looked at before the next.

use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::error::{CocoError, shown};

/// What can stand in a list.
pub(super) trait Entry: DeserializeOwned {
    /// What the list is called in messages.
    const LIST: &'static str;
    /// How many there can be; COCO's largest file has 118,287 images and 860,001 annotations.
    const MOST: usize;

    /// Why it cannot be right; `place` is its number in the list, from 1 on.
    fn fault(&self, place: usize) -> Option<String>;
}

/// A list of them.
pub(super) struct Bounded<T>(pub(super) Vec<T>);

impl<'de, T: Entry> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(format: D) -> Result<Self, D::Error> {
        format.deserialize_seq(Values::<T>(PhantomData)).map(Self)
    }
}

struct Values<T>(PhantomData<T>);

impl<'de, T: Entry> Visitor<'de> for Values<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list of {}", T::LIST)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values: Vec<T> = Vec::new();
        while let Some(value) = list.next_element::<T>()? {
            if values.len() == T::MOST {
                let reason = format!("there are more than {} {}", T::MOST, T::LIST);
                return Err(A::Error::custom(reason));
            }
            if let Some(fault) = value.fault(values.len() + 1) {
                return Err(A::Error::custom(fault));
            }
            values.push(value);
        }
        values.shrink_to_fit();
        Ok(values)
    }
}

/// Reads one value of JSON and nothing behind it. Fields that nobody knows are passed over without a
/// copy, however deep they are nested.
pub(super) fn read_json<T: DeserializeOwned>(input: impl Read) -> Result<T, CocoError> {
    let input = BufReader::with_capacity(1 << 20, input);
    serde_json::from_reader(input).map_err(of_json)
}

fn of_json(error: serde_json::Error) -> CocoError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Io => CocoError::Read(error.into()),
        Category::Eof => CocoError::Truncated { line, column },
        Category::Syntax | Category::Data => {
            let text = error.to_string();
            let place = format!(" at line {line} column {column}");
            let reason = text.strip_suffix(&place).unwrap_or(&text);
            CocoError::Json {
                line,
                column,
                reason: shown(reason),
            }
        }
    }
}
