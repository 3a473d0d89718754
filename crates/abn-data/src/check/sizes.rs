//! How large images are, and which are of a strange size.

use super::records::Records;
use super::report::{Finding, Odd, Sizes};

/// A side that is shorter is odd.
pub(super) const SHORTEST: u32 = 16;
/// A side that is more times as long as the other is odd.
pub(super) const LONGEST: u32 = 5;
/// An image with so many times more or fewer pixels than the one in the middle is odd.
pub(super) const FAR: u64 = 64;

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// The number of pixels of the image in the middle, and the sizes in short.
pub(super) fn sizes(records: &Records) -> (u64, Option<Sizes>) {
    let pictures = records.pictures();
    let mut sizes: Vec<(u32, u32)> = pictures.map(|(_, picture)| picture.size).collect();
    // Of sizes with the same number of pixels, the order is certain, too.
    sizes.sort_unstable_by_key(|size| (area(*size), *size));
    let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) else {
        return (0, None);
    };
    let median = sizes[sizes.len() / 2];
    let sizes = Sizes {
        smallest: *smallest,
        median,
        largest: *largest,
    };
    (area(median), Some(sizes))
}

/// What is strange about a size, the first that is.
fn oddity((width, height): (u32, u32), median: u64, common: &[Odd]) -> Option<Odd> {
    let (short, long) = (width.min(height), width.max(height));
    let pixels = area((width, height));
    let odd = [
        (Odd::Tiny, short < SHORTEST),
        (Odd::Narrow, long > short.saturating_mul(LONGEST)),
        (Odd::Small, pixels.saturating_mul(FAR) < median),
        (Odd::Large, pixels > median.saturating_mul(FAR)),
    ];
    let mut odd = odd.into_iter().filter(|(kind, _)| !common.contains(kind));
    odd.find_map(|(kind, is)| is.then_some(kind))
}

/// The images of strange sizes.
pub(super) fn odd(records: &Records, median: u64) -> Vec<Finding> {
    // What half of the images are is what the set is made of: signs of 12 pixels, spectrograms.
    let all = records.pictures().count();
    let mut common = Vec::new();
    for kind in [Odd::Tiny, Odd::Narrow] {
        let others: Vec<Odd> = [Odd::Tiny, Odd::Narrow, Odd::Small, Odd::Large]
            .into_iter()
            .filter(|other| *other != kind)
            .collect();
        let is = |size| oddity(size, median, &others).is_some();
        let count = records.pictures().filter(|(_, picture)| is(picture.size));
        if 2 * count.count() >= all {
            common.push(kind);
        }
    }
    let mut found: Vec<(Odd, usize, (u32, u32))> = records
        .pictures()
        .filter_map(|(number, picture)| {
            let odd = oddity(picture.size, median, &common)?;
            Some((odd, number, picture.size))
        })
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|(odd, number, size)| Finding::OddSize {
            image: records.name(number),
            size,
            odd,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_odd_beyond_their_limits() {
        let median = 100 * 100;
        for (size, expected) in [
            ((100, 100), None),
            ((16, 80), None),
            ((15, 15), Some(Odd::Tiny)),
            ((16, 81), Some(Odd::Narrow)),
            ((81, 16), Some(Odd::Narrow)),
            ((500, 100), None),
            ((501, 100), Some(Odd::Narrow)),
            ((800, 800), None),
            ((800, 801), Some(Odd::Large)),
        ] {
            assert_eq!(oddity(size, median, &[]), expected, "{size:?}");
        }
        // 16x16 is a 64th of 128x128.
        assert_eq!(oddity((16, 16), 128 * 128, &[]), None);
        assert_eq!(oddity((16, 16), 128 * 129, &[]), Some(Odd::Small));
        assert_eq!(oddity((1, 1), 100, &[Odd::Tiny]), Some(Odd::Small));
        assert_eq!(oddity((1, 9), 9, &[Odd::Tiny, Odd::Narrow]), None);
    }
}
