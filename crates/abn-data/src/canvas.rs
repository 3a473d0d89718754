//! How images of different sizes make a batch.
//!
//! A classifier's images have one size, which their transform gives them. A detector's keep their
//! aspect: each is resized within bounds, in floating point and after normalisation, and padded with
//! zeros on the right and below to the largest of its batch (torchvision's
//! `GeneralizedRCNNTransform`). So that little is padded, images of like aspect make a batch.

use std::sync::Arc;

use abn_boxes::Size;
use image::RgbImage;

use crate::Normalization;

/// Logarithms to base 2 of the aspects (width by height) that part groups: torchvision's references
/// have seven from 1/2 to 2.
const GROUPS: std::ops::RangeInclusive<i32> = -3..=3;
const GROUPS_PER_DOUBLING: f64 = 3.0;
/// Pixels of a batch that no machine holds: the sizes of images come from files.
const MOST_PIXELS: usize = 1 << 30;

/// How the images of a batch come to one size.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Canvas {
    /// They have it already; one that has not is an error.
    #[default]
    Equal,
    /// Each is resized within bounds, and all are padded to the largest.
    Padded(Padding),
}

/// Bounds for resizing, and what is put together.
#[derive(Debug, Clone, PartialEq)]
pub struct Padding {
    /// How large images become.
    pub within: Within,
    /// The sides of a batch are multiples of it: those of the coarsest features.
    pub multiple: usize,
    /// The [group](groups) of each image of the data set; empty where all are alike.
    pub groups: Arc<[u8]>,
}

/// Bounds of the size of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// What the shorter side becomes, in pixels ...
    pub shorter: usize,
    /// ... unless the longer one became more than this.
    pub longest: usize,
}

impl Within {
    /// The bounds of that shorter side, as torchvision has 1333 for 800.
    #[must_use]
    pub const fn of(shorter: usize) -> Self {
        Self {
            shorter,
            longest: shorter * 5 / 3,
        }
    }

    /// The size of an image of that size after resizing: rounded down, 1 at least.
    #[must_use]
    pub fn resized(&self, image: Size) -> Size {
        let sides = [image.height, image.width].map(|side| side.max(1) as f64);
        let shorter = self.shorter as f64 / sides[0].min(sides[1]);
        let longest = self.longest as f64 / sides[0].max(sides[1]);
        let scale = shorter.min(longest);
        let [height, width] = sides.map(|side| ((side * scale) as usize).max(1));
        Size { height, width }
    }
}

impl Padding {
    /// The size of a batch of images that were resized to these sizes, if it can be held.
    pub(crate) fn padded(&self, images: &[Size]) -> Option<Size> {
        let multiple = self.multiple.max(1);
        let most = |side: fn(&Size) -> usize| {
            let most = images.iter().map(side).max().unwrap_or(0);
            most.checked_next_multiple_of(multiple)
        };
        let (height, width) = (most(|size| size.height)?, most(|size| size.width)?);
        let pixels = height.checked_mul(width)?.checked_mul(images.len())?;
        (pixels <= MOST_PIXELS).then_some(Size { height, width })
    }

    /// The order in which batches of that size hold images of one group: as near to the given one
    /// as can be. Every image comes once; what is left of all groups in the end makes mixed batches.
    pub(crate) fn grouped(&self, order: Vec<usize>, batch: usize) -> Vec<usize> {
        if self.groups.is_empty() || batch < 2 {
            return order;
        }
        let count = order.len();
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); usize::from(u8::MAX) + 1];
        let mut grouped = Vec::with_capacity(count);
        for index in order {
            let group = self.groups.get(index).copied().unwrap_or_default();
            let own = &mut waiting[usize::from(group)];
            own.push(index);
            if own.len() == batch {
                grouped.append(own);
            }
        }
        grouped.extend(waiting.into_iter().flatten());
        grouped
    }
}

/// The group of each image by the aspect of these widths and heights; an image whose size nobody
/// tells is in a group with the like of it.
#[must_use]
pub fn groups(sizes: impl Iterator<Item = Option<(u32, u32)>>) -> Arc<[u8]> {
    let bounds: Vec<f64> = GROUPS
        .map(|step| (f64::from(step) / GROUPS_PER_DOUBLING).exp2())
        .collect();
    let group = |size: Option<(u32, u32)>| match size {
        Some((width, height)) if height > 0 => {
            let aspect = f64::from(width) / f64::from(height);
            bounds.iter().filter(|bound| aspect >= **bound).count() as u8
        }
        _ => u8::MAX,
    };
    let groups: Vec<u8> = sizes.map(group).collect();
    match groups.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Arc::default(),
        false => groups.into(),
    }
}

/// Writes an image into its place of a batch, normalised and resized to `size`, with zeros to the
/// right and below. `[3, H, W]`
///
/// Bilinear between the centres of pixels, without antialias: PyTorch's `interpolate` with
/// `align_corners=False`.
pub(crate) fn write(
    image: &RgbImage,
    normalization: &Normalization,
    size: Size,
    padded: Size,
    planes: &mut [f32],
) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.as_raw();
    let values = normalization.values();
    let columns: Vec<Between> = (0..size.width)
        .map(|x| Between::of(x, width, size.width))
        .collect();
    let planes = planes.chunks_exact_mut((padded.height * padded.width).max(1));
    for (channel, plane) in planes.enumerate() {
        let at = |row: usize, column: usize| {
            values[channel][usize::from(pixels[3 * (row * width + column) + channel])]
        };
        let rows = plane.chunks_exact_mut(padded.width.max(1));
        for (y, row) in rows.enumerate() {
            let (inside, right) = row.split_at_mut(size.width.min(padded.width));
            right.fill(0.0);
            if y >= size.height {
                inside.fill(0.0);
                continue;
            }
            let v = Between::of(y, height, size.height);
            for (value, u) in inside.iter_mut().zip(&columns) {
                let upper = u.mix(at(v.first, u.first), at(v.first, u.second));
                let lower = u.mix(at(v.second, u.first), at(v.second, u.second));
                *value = v.mix(upper, lower);
            }
        }
    }
}

/// Between which two pixels of a row or column the value lies that becomes another.
struct Between {
    first: usize,
    second: usize,
    /// The share of the second.
    share: f32,
}

impl Between {
    fn of(place: usize, from: usize, to: usize) -> Self {
        let ratio = from as f32 / to as f32;
        let source = (ratio * (place as f32 + 0.5) - 0.5).max(0.0);
        let first = (source as usize).min(from - 1);
        let second = (first + 1).min(from - 1);
        let share = (source - first as f32).clamp(0.0, 1.0);
        Self {
            first,
            second,
            share,
        }
    }

    fn mix(&self, first: f32, second: f32) -> f32 {
        (1.0 - self.share) * first + self.share * second
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// torchvision's sizes for 800 and 1333, computed by its formula in Python.
    #[test]
    fn images_become_as_large_as_the_bounds_allow() {
        let within = Within {
            shorter: 800,
            longest: 1333,
        };
        for ((height, width), expected) in [
            ((480, 640), (800, 1066)),
            ((427, 640), (800, 1199)),
            ((333, 500), (800, 1201)),
            ((100, 1000), (133, 1333)),
            ((1, 5000), (1, 1333)),
            ((800, 800), (800, 800)),
        ] {
            let Size { height, width } = within.resized(Size { height, width });
            assert_eq!((height, width), expected);
        }
    }

    #[test]
    fn between_two_pixels_lies_their_mean() {
        let image = RgbImage::from_fn(2, 1, |x, _| {
            Rgb([[0, 51], [102, 153], [204, 255]].map(|of| of[x as usize]))
        });
        let plain = Normalization {
            mean: [0.0, 0.5, 0.0],
            std: [1.0, 1.0, 2.0],
        };
        let mut planes = vec![9.0; 3 * 2 * 6];
        let [size, padded] = [(1, 4), (2, 6)].map(|(height, width)| Size { height, width });
        write(&image, &plain, size, padded, &mut planes);
        // Centres of four columns lie at -1/4 (which is the edge), 1/4, 3/4 and 5/4 of the two.
        let row = |first: f32| [first, first + 0.05, first + 0.15, first + 0.2, 0.0, 0.0];
        let expected = [row(0.0), row(-0.1), row(0.4).map(|value| value)];
        for (channel, expected) in expected.into_iter().enumerate() {
            let plane = &planes[12 * channel..][..12];
            for (value, mut expected) in plane.iter().zip(expected) {
                if channel == 2 && expected > 0.0 {
                    // The spread is halved by the deviation.
                    expected = 0.4 + (expected - 0.4) / 2.0;
                }
                assert!((value - expected).abs() < 1e-6, "{planes:?}");
            }
            assert_eq!(plane[6..], [0.0; 6]);
        }
    }

    #[test]
    fn an_image_of_the_right_size_stays_as_it_is() {
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8 * 50, y as u8 * 70, 9]));
        let size = Size {
            height: 3,
            width: 5,
        };
        let mut planes = vec![0.0; 45];
        write(&image, &Normalization::IMAGENET, size, size, &mut planes);
        assert_eq!(planes, Normalization::IMAGENET.planes(&image));
    }

    #[test]
    fn batches_hold_images_of_one_group_and_every_image_once() {
        let sizes = [
            (4, 2),
            (2, 4),
            (4, 2),
            (2, 4),
            (4, 2),
            (4, 2),
            (2, 4),
            (3, 3),
        ];
        let padding = Padding {
            within: Within {
                shorter: 8,
                longest: 8,
            },
            multiple: 4,
            groups: groups(sizes.into_iter().map(Some)),
        };
        let order = padding.grouped((0..8).collect(), 2);
        assert_eq!(order, [0, 2, 1, 3, 4, 5, 6, 7]);
        let alike = groups([Some((9, 9)), Some((90, 90))].into_iter());
        assert!(alike.is_empty());
        assert_eq!(groups([None, Some((1, 1))].into_iter()).len(), 2);
    }

    #[test]
    fn a_batch_that_nobody_holds_is_none() {
        let padding = |multiple| Padding {
            within: Within {
                shorter: 8,
                longest: 8,
            },
            multiple,
            groups: Arc::default(),
        };
        let size = |height, width| Size { height, width };
        let found = padding(32).padded(&[size(33, 10), size(7, 64)]);
        assert_eq!(found, Some(size(64, 64)));
        assert_eq!(padding(1).padded(&[size(1 << 20, 1 << 20)]), None);
        assert_eq!(padding(32).padded(&[size(usize::MAX, 1)]), None);
    }
}
