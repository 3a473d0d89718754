//! Numbers of files that need a look.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Why a box of COCO, `[x, y, width, height]`, is none.
pub(super) fn box_fault(bounds: &[f64; 4]) -> Option<String> {
    let [x, y, width, height] = bounds;
    // The far corner too: two numbers that are finite can have an infinite sum.
    if ![*x, *y, x + width, y + height]
        .iter()
        .all(|at| at.is_finite())
    {
        return Some("has a box without an end".to_owned());
    }
    if *width < 0.0 || *height < 0.0 {
        return Some(format!(
            "has a box of {width} by {height}: expected [x, y, width, height] with sizes of 0 or more"
        ));
    }
    None
}

/// 0 or 1, or what JSON has for both.
pub(super) fn flag<'de, D: Deserializer<'de>>(format: D) -> Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("0 or 1")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
            match value {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
            }
        }
    }
    format.deserialize_any(Flag)
}
