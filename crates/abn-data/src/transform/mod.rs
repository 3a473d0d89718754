//! Augmentation and evaluation transforms: short pure functions on 8-bit images, then
//! normalisation.
//!
//! A [`Transform`] is data, so that a run's configuration records exactly what its images went
//! through.

mod crop;
mod interpolation;
mod placement;
mod resize;

use image::{GrayImage, ImageBuffer, RgbImage};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::normalization::Normalization;
use crate::{DataError, Sample, random};
use crop::{center_crop, pad_crop, random_crop, random_resized_crop};
pub use interpolation::Channels;
pub use placement::{Placement, Window};
use resize::resize_shorter;

/// The longest side a step makes. An image of 1x20000 resized by its shorter side would otherwise
/// ask for gigabytes.
const MAX_SIDE: u32 = 32_768;

/// One change of an image's geometry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// Surrounds the image with `padding` black pixels a side, then cuts its original size out at
    /// random.
    PadCrop {
        /// Pixels added to each side.
        padding: u32,
    },
    /// Mirrors left and right with probability 1/2.
    Flip,
    /// Resizes to exactly that, whatever the aspect, with Pillow's antialiased bilinear filter.
    Resize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Resizes in the same way so that the shorter side is `size`; the longer side is rounded down
    /// as in torchvision. An image that has the size already stays as it is.
    ResizeShorter {
        /// Shorter side in pixels.
        size: u32,
    },
    /// Cuts a square out of the middle; what a smaller image lacks becomes black.
    CenterCrop {
        /// Side in pixels.
        size: u32,
    },
    /// Cuts a square out at random; what a smaller image lacks becomes black.
    RandomCrop {
        /// Side in pixels.
        size: u32,
    },
    /// Cuts out a window of 8 % to 100 % of the area and an aspect of 3/4 to 4/3, and resizes it to
    /// a square.
    RandomResizedCrop {
        /// Side in pixels.
        size: u32,
    },
}

/// What an image goes through before it enters a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    /// Changes of geometry, in this order.
    pub steps: Vec<Step>,
    /// How bytes become inputs of the network.
    pub normalization: Normalization,
}

impl Transform {
    /// Runs the steps that are not random: what evaluation and prediction show a network.
    ///
    /// # Errors
    /// [`DataError::Size`] if a step's result would have no pixels or a side beyond 32768.
    pub fn fixed(&self, image: RgbImage) -> Result<RgbImage, DataError> {
        // These steps do not ask the generator.
        let mut rng = random::augmentation(0, 0, 0);
        self.steps
            .iter()
            .filter(|step| !step.is_random())
            .try_fold(image, |image, step| step.apply(image, &mut rng))
    }

    /// The same view at `factor` times the resolution, for looking at: what the network sees small,
    /// larger.
    #[must_use]
    pub fn magnified(&self, factor: u32) -> Self {
        let steps = self
            .steps
            .iter()
            .map(|step| step.magnified(factor))
            .collect();
        Self {
            steps,
            normalization: self.normalization,
        }
    }

    /// Runs the steps on image, masks and boxes alike, so that each keeps covering its object.
    ///
    /// # Errors
    /// As [`Transform::fixed`].
    pub fn sample(&self, sample: Sample, rng: &mut impl Rng) -> Result<Sample, DataError> {
        let Sample {
            mut image,
            mut target,
            mut masks,
        } = sample;
        for step in &self.steps {
            let placement = step.decide(image.dimensions(), rng)?;
            image = placement.pixels(image)?;
            masks = masks.map(|mask| placement.pixels(mask))?;
            if !target.objects().is_empty() {
                target = target.moved(|bounds| placement.bounds(bounds));
            }
        }
        Ok(Sample {
            image,
            target,
            masks: masks.map(|mask| Ok::<_, DataError>(binary(mask)))?,
        })
    }
}

impl Step {
    /// Whether the result depends on chance.
    fn is_random(&self) -> bool {
        match self {
            Self::PadCrop { .. }
            | Self::Flip
            | Self::RandomCrop { .. }
            | Self::RandomResizedCrop { .. } => true,
            Self::Resize { .. } | Self::ResizeShorter { .. } | Self::CenterCrop { .. } => false,
        }
    }

    /// The same step for images of `factor` times the resolution.
    fn magnified(&self, factor: u32) -> Self {
        let times = |side: u32| side.saturating_mul(factor);
        match *self {
            Self::PadCrop { padding } => Self::PadCrop {
                padding: times(padding),
            },
            Self::Flip => Self::Flip,
            Self::Resize { width, height } => Self::Resize {
                width: times(width),
                height: times(height),
            },
            Self::ResizeShorter { size } => Self::ResizeShorter { size: times(size) },
            Self::CenterCrop { size } => Self::CenterCrop { size: times(size) },
            Self::RandomCrop { size } => Self::RandomCrop { size: times(size) },
            Self::RandomResizedCrop { size } => Self::RandomResizedCrop { size: times(size) },
        }
    }

    /// What becomes of an image of that width and height. A random step draws from `rng`, the
    /// others leave it alone.
    ///
    /// # Errors
    /// [`DataError::Size`] if the result would have no pixels or a side beyond 32768.
    pub fn decide(&self, image: (u32, u32), rng: &mut impl Rng) -> Result<Placement, DataError> {
        match *self {
            Self::PadCrop { padding } => pad_crop(image, padding, rng),
            Self::Flip => Ok(Placement {
                flipped: rng.random_bool(0.5),
                ..Placement::whole(image)
            }),
            Self::Resize { width, height } => {
                let to = checked("resizing", image, (width.into(), height.into()))?;
                Ok(Placement::whole(image).at(to))
            }
            Self::ResizeShorter { size } => resize_shorter(image, size),
            Self::CenterCrop { size } => center_crop(image, size),
            Self::RandomCrop { size } => random_crop(image, size, rng),
            Self::RandomResizedCrop { size } => random_resized_crop(image, size, rng),
        }
    }

    /// The step's result for one image.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub fn apply<P: Channels>(
        &self,
        image: ImageBuffer<P, Vec<u8>>,
        rng: &mut impl Rng,
    ) -> Result<ImageBuffer<P, Vec<u8>>, DataError> {
        self.decide(image.dimensions(), rng)?.pixels(image)
    }
}

/// Resizing blurs a mask's border; a pixel belongs to the object if at least half of it does.
fn binary(mut mask: GrayImage) -> GrayImage {
    mask.pixels_mut()
        .for_each(|pixel| pixel.0[0] = if pixel.0[0] >= 128 { 255 } else { 0 });
    mask
}

fn checked(step: &'static str, from: (u32, u32), to: (u64, u64)) -> Result<(u32, u32), DataError> {
    let side = |side: u64| {
        u32::try_from(side)
            .ok()
            .filter(|side| (1..=MAX_SIDE).contains(side))
    };
    match (side(to.0), side(to.1)) {
        (Some(width), Some(height)) => Ok((width, height)),
        _ => Err(DataError::Size {
            step,
            from,
            to,
            limit: MAX_SIDE,
        }),
    }
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb};
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;
    use crate::{ObjectMasks, Target};

    fn rng(seed: u64) -> Pcg64 {
        Pcg64::seed_from_u64(seed)
    }

    /// A grey image whose rows are given.
    fn gray<const W: usize>(rows: &[[u8; W]]) -> GrayImage {
        GrayImage::from_fn(W as u32, rows.len() as u32, |x, y| {
            Luma([rows[y as usize][x as usize]])
        })
    }

    #[track_caller]
    fn check<const W: usize, const V: usize>(step: Step, rows: &[[u8; W]], expected: &[[u8; V]]) {
        assert_eq!(step.apply(gray(rows), &mut rng(0)).unwrap(), gray(expected));
    }

    #[test]
    fn a_magnified_transform_shows_the_same_part_of_the_image() {
        let steps = vec![
            Step::ResizeShorter { size: 8 },
            Step::CenterCrop { size: 8 },
        ];
        let small = Transform {
            steps,
            normalization: Normalization::CIFAR,
        };
        // Three bands of 40 x 40: the centre crop keeps the middle one.
        let image = RgbImage::from_fn(120, 40, |x, _| Rgb([[10, 120, 230][x as usize / 40]; 3]));
        for (transform, side) in [(small.clone(), 8), (small.magnified(4), 32)] {
            let seen = transform.fixed(image.clone()).unwrap();
            assert_eq!(seen.dimensions(), (side, side));
            assert_eq!(seen.get_pixel(side / 2, side / 2).0, [120; 3]);
        }
    }

    #[test]
    fn pad_crop_shows_each_window_of_the_padded_image() {
        // 2x2 padded by one: nine windows, worked out by hand.
        let image = gray(&[[1, 2], [3, 4]]);
        let windows = [
            [[0, 0], [0, 1]],
            [[0, 0], [1, 2]],
            [[0, 0], [2, 0]],
            [[0, 1], [0, 3]],
            [[1, 2], [3, 4]],
            [[2, 0], [4, 0]],
            [[0, 3], [0, 0]],
            [[3, 4], [0, 0]],
            [[4, 0], [0, 0]],
        ];
        let mut seen = [0; 9];
        for seed in 0..900 {
            let crop = Step::PadCrop { padding: 1 }
                .apply(image.clone(), &mut rng(seed))
                .unwrap();
            let which = windows.iter().position(|rows| crop == gray(rows));
            seen[which.expect("one of the nine windows")] += 1;
        }
        // 100 of each on average, with a standard deviation of 9.4.
        assert!(
            seen.iter().all(|count| (60..140).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn flip_mirrors_half_of_the_time() {
        let (image, mirrored) = (gray(&[[1, 2, 3]]), gray(&[[3, 2, 1]]));
        let mut flips = 0;
        for seed in 0..1000 {
            let result = Step::Flip.apply(image.clone(), &mut rng(seed)).unwrap();
            assert!(result == image || result == mirrored);
            flips += usize::from(result == mirrored);
        }
        assert!((430..570).contains(&flips), "{flips}");
    }

    #[test]
    fn center_crop_cuts_and_pads_around_the_middle() {
        check(
            Step::CenterCrop { size: 1 },
            &[[1, 2, 3], [4, 5, 6], [7, 8, 9]],
            &[[5]],
        );
        // Surplus 3 starts at 1.5, rounded to 2; surplus 1 at 0.5, rounded to 0.
        check(
            Step::CenterCrop { size: 2 },
            &[[1, 2, 3, 4, 5], [6, 7, 8, 9, 0], [1, 1, 1, 1, 1]],
            &[[3, 4], [8, 9]],
        );
        check(
            Step::CenterCrop { size: 3 },
            &[[1, 2, 3]],
            &[[0, 0, 0], [1, 2, 3], [0, 0, 0]],
        );
    }

    #[test]
    fn resize_averages_and_keeps_the_aspect() {
        let image = RgbImage::from_fn(5, 2, |_, y| Rgb([if y == 0 { 0 } else { 200 }; 3]));
        let small = Step::ResizeShorter { size: 1 }
            .apply(image.clone(), &mut rng(0))
            .unwrap();
        assert_eq!(small.dimensions(), (2, 1));
        assert!(small.pixels().all(|pixel| pixel.0 == [100; 3]), "{small:?}");
        assert_eq!(
            Step::ResizeShorter { size: 2 }
                .apply(image.clone(), &mut rng(0))
                .unwrap(),
            image
        );
        assert_eq!(
            Step::ResizeShorter { size: 4 }
                .apply(image, &mut rng(0))
                .unwrap()
                .dimensions(),
            (10, 4)
        );
    }

    #[test]
    fn of_an_endless_image_the_middle_is_seen() {
        // The middle two of 3000 columns are white.
        let long = GrayImage::from_fn(3000, 1, |x, _| {
            Luma([if (1499..1501).contains(&x) { 255 } else { 0 }])
        });
        let seen = Step::ResizeShorter { size: 256 }
            .apply(long, &mut rng(0))
            .unwrap();
        assert_eq!(seen.dimensions(), (32_768, 256));
        let seen = Step::CenterCrop { size: 224 }
            .apply(seen, &mut rng(0))
            .unwrap();
        assert!(seen.pixels().all(|pixel| pixel.0 == [255]));
        let tall = Step::ResizeShorter { size: 224 }
            .apply(GrayImage::new(1, 20_000), &mut rng(0))
            .unwrap();
        assert_eq!(tall.dimensions(), (224, 32_704 / 224 * 224));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let thin = || GrayImage::new(1, 20_000);
        for step in [
            Step::ResizeShorter { size: 0 },
            Step::CenterCrop { size: 0 },
            Step::CenterCrop { size: u32::MAX },
            Step::Resize {
                width: 8,
                height: 0,
            },
            Step::Resize {
                width: u32::MAX,
                height: 8,
            },
            Step::RandomCrop { size: u32::MAX },
            Step::PadCrop { padding: u32::MAX },
        ] {
            let error = step.apply(thin(), &mut rng(0)).unwrap_err();
            assert!(error.to_string().contains("1x20000"), "{error}");
        }
        let none = || GrayImage::new(0, 0);
        assert!(
            Step::ResizeShorter { size: 8 }
                .apply(none(), &mut rng(0))
                .is_err()
        );
        assert!(
            Step::Resize {
                width: 8,
                height: 8
            }
            .apply(none(), &mut rng(0))
            .is_err()
        );
    }

    #[test]
    fn the_mask_follows_the_image() {
        let image = RgbImage::from_fn(8, 8, |x, y| Rgb([if x < 3 && y < 5 { 255 } else { 0 }; 3]));
        let mask = GrayImage::from_fn(8, 8, |x, y| Luma([if x < 3 && y < 5 { 255 } else { 0 }]));
        for steps in [
            vec![
                Step::PadCrop { padding: 3 },
                Step::Flip,
                Step::ResizeShorter { size: 16 },
            ],
            vec![
                Step::Resize {
                    width: 20,
                    height: 15,
                },
                Step::RandomCrop { size: 9 },
                Step::Flip,
            ],
            vec![Step::RandomResizedCrop { size: 12 }, Step::Flip],
        ] {
            let transform = Transform {
                steps,
                normalization: Normalization::CIFAR,
            };
            for seed in 0..20 {
                let sample = Sample {
                    image: image.clone(),
                    target: Target::class(4),
                    masks: ObjectMasks::OfAll(mask.clone()),
                };
                let sample = transform.sample(sample, &mut rng(seed)).unwrap();
                let mask = sample.masks.of(0).unwrap();
                assert_eq!(sample.target, Target::class(4));
                for (pixel, covered) in sample.image.pixels().zip(mask.pixels()) {
                    assert_eq!(covered.0[0], if pixel.0[0] >= 128 { 255 } else { 0 });
                }
                let bare = Sample {
                    image: image.clone(),
                    target: Target::class(4),
                    masks: ObjectMasks::Unknown,
                };
                assert_eq!(
                    sample.image,
                    transform.sample(bare, &mut rng(seed)).unwrap().image
                );
            }
        }
    }

    #[test]
    fn prediction_leaves_chance_out() {
        let image = RgbImage::from_fn(6, 4, |x, y| Rgb([x as u8, y as u8, 9]));
        let steps = vec![
            Step::PadCrop { padding: 4 },
            Step::Flip,
            Step::CenterCrop { size: 2 },
        ];
        let seen = Transform {
            steps,
            normalization: Normalization::CIFAR,
        }
        .fixed(image)
        .unwrap();
        assert_eq!(
            seen,
            RgbImage::from_fn(2, 2, |x, y| Rgb([x as u8 + 2, y as u8 + 1, 9]))
        );
        let steps = vec![
            Step::RandomResizedCrop { size: 3 },
            Step::RandomCrop { size: 2 },
        ];
        let transform = Transform {
            steps,
            normalization: Normalization::CIFAR,
        };
        assert_eq!(transform.fixed(seen.clone()).unwrap(), seen);
    }
}
