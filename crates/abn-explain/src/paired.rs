//! Two networks on the same images: which of them is right where the other is wrong.

use serde::Serialize;

use crate::bootstrap::{Interval, bootstrap};

/// Decides which images the bootstrap draws.
const SEED: u64 = 0;

/// A network beside another on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paired {
    /// Images that it alone tells rightly.
    pub better: usize,
    /// Images that the other alone tells rightly.
    pub worse: usize,
    /// What it tells rightly more often, as a share of the images, by the bootstrap over images;
    /// absent without any. How much another training would differ is not in it.
    pub difference: Option<Interval>,
}

/// Compares what two networks say of the same images: whether each is right.
#[must_use]
pub fn paired(other: &[bool], this: &[bool]) -> Paired {
    let pairs = || this.iter().zip(other);
    let lead = |(this, other): (&bool, &bool)| f64::from(*this) - f64::from(*other);
    Paired {
        better: pairs().filter(|(this, other)| **this && !**other).count(),
        worse: pairs().filter(|(this, other)| !**this && **other).count(),
        difference: bootstrap(&pairs().map(lead).collect::<Vec<_>>(), SEED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_both_tell_alike_say_nothing() {
        let first = [true, true, false, false];
        let found = paired(&first, &[true, false, true, true]);
        assert_eq!((found.better, found.worse), (2, 1));
        assert_eq!(found.difference.unwrap().mean, 0.25);
        let same = paired(&first, &first).difference.unwrap();
        assert_eq!((same.low, same.mean, same.high), (0.0, 0.0, 0.0));
        assert_eq!(paired(&[], &[]).difference, None);
    }
}
