//! Values as typed, each in its range.

use std::str::FromStr;

/// A path and a value.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    let (path, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not PATH=VALUE, such as attention.loss_weight=0.5"))?;
    Ok((path.trim().to_owned(), value.trim().to_owned()))
}

/// A number in a range, or what was expected.
fn ranged<T: FromStr>(text: &str, expected: &str, fits: impl Fn(&T) -> bool) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(fits)
        .ok_or_else(|| format!("`{text}` is not {expected}"))
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    ranged(text, "a number from 1 to 1000000", |count| {
        (1..=1_000_000).contains(count)
    })
}

pub(super) fn steps(text: &str) -> Result<usize, String> {
    ranged(text, "a number from 1 to 1000", |steps| {
        (1..=1000).contains(steps)
    })
}

pub(super) fn images(text: &str) -> Result<usize, String> {
    ranged(text, "a number from 0 to 1000000", |images| {
        *images <= 1_000_000
    })
}

pub(super) fn epochs(text: &str) -> Result<usize, String> {
    ranged(text, "a number from 0 to 1000", |epochs| *epochs <= 1000)
}

pub(super) fn side(text: &str) -> Result<u32, String> {
    ranged(text, "a number from 8 to 1024", |side| {
        (8..=1024).contains(side)
    })
}

pub(super) fn workers(text: &str) -> Result<usize, String> {
    ranged(text, "a number from 0 to 256", |count| *count <= 256)
}

pub(super) fn replicas(text: &str) -> Result<usize, String> {
    ranged(text, "a number from 1 to 256", |count| {
        (1..=256).contains(count)
    })
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    ranged(text, "a positive number", |value: &f64| {
        value.is_finite() && *value > 0.0
    })
}

/// Factor of the losses of images that show a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weight {
    /// The same for all labels.
    Of(f64),
    /// Absent over present training images of each.
    Balanced,
}

impl Weight {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "balanced" => Ok(Self::Balanced),
            _ => ranged(text, "`balanced` or a positive number", |value: &f64| {
                value.is_finite() && *value > 0.0
            })
            .map(Self::Of),
        }
    }
}

pub(super) fn exponent(text: &str) -> Result<f64, String> {
    ranged(text, "a number, 0 or more", |value: &f64| {
        value.is_finite() && *value >= 0.0
    })
}

pub(super) fn factor(text: &str) -> Result<f64, String> {
    ranged(text, "a number above 0 and at most 1", |value: &f64| {
        *value > 0.0 && *value <= 1.0
    })
}

pub(super) fn fraction(text: &str) -> Result<f64, String> {
    ranged(text, "a number that is at least 0 and below 1", |value| {
        (0.0..1.0).contains(value)
    })
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    ranged(text, "a number from 0 to 1", |value| {
        (0.0..=1.0).contains(value)
    })
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    ranged(text, "a number of seconds, 0 or more", |value: &f64| {
        *value >= 0.0
    })
}

/// What to do with figures such as 123.675, which other programs use.
const OF_BYTES: &str = "of values from 0 to 255, divide by 255";

/// The mean of each colour, from 0 to 1.
pub(super) fn means(text: &str) -> Result<[f32; 3], String> {
    let numbers = rgb(text)?;
    if numbers.iter().all(|number| (0.0..=1.0).contains(number)) {
        return Ok(numbers);
    }
    Err(format!(
        "`{text}` is not three numbers from 0 to 1; {OF_BYTES}"
    ))
}

/// The standard deviation of each colour, above 0 and at most 1.
pub(super) fn deviations(text: &str) -> Result<[f32; 3], String> {
    let numbers = rgb(text)?;
    let possible = |number: &f32| *number > 0.0 && *number <= 1.0;
    if numbers.iter().all(possible) {
        return Ok(numbers);
    }
    Err(format!(
        "`{text}` is not three positive numbers up to 1; {OF_BYTES}"
    ))
}

/// Three comma-separated numbers.
fn rgb(text: &str) -> Result<[f32; 3], String> {
    let numbers: Vec<f32> = text
        .split(',')
        .map(|number| number.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| format!("`{text}` is not three numbers such as 0.485,0.456,0.406"))?;
    numbers
        .try_into()
        .map_err(|_| format!("`{text}` is not three numbers such as 0.485,0.456,0.406"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_three_numbers() {
        assert_eq!(rgb("0.5, 0.25,1"), Ok([0.5, 0.25, 1.0]));
        assert!(
            ["", "1,2", "1,2,3,4", "a,b,c"]
                .iter()
                .all(|text| rgb(text).is_err())
        );
    }
}
