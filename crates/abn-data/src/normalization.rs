//! From bytes to network inputs, (x / 255 - mean) / std a channel, and back for display.

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

/// Mean and standard deviation of each colour channel, in units of x / 255.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Subtracted from red, green and blue.
    pub mean: [f32; 3],
    /// Divides red, green and blue.
    pub std: [f32; 3],
}

impl Normalization {
    /// What the reference implementation of attention branch networks uses on CIFAR. Its standard
    /// deviations are means over images of each image's own, thus smaller than those over all
    /// pixels.
    pub const CIFAR: Self = Self {
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2023, 0.1994, 0.2010],
    };

    /// Mean and standard deviation that are commonly published for SVHN's `train_32x32.mat`.
    pub const SVHN: Self = Self {
        mean: [0.4377, 0.4438, 0.4728],
        std: [0.1980, 0.2010, 0.1970],
    };

    /// Mean and standard deviation of the pixels of ImageNet, by which every published ImageNet
    /// network is fed.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };

    /// The red, green and blue plane of each image with so many positions, each row by row.
    /// `[B, H, W, 3]` to `[B, 3, H, W]`
    pub(crate) fn planes_of(&self, bytes: &[u8], positions: usize) -> Vec<f32> {
        let mut planes = Vec::with_capacity(bytes.len());
        let values = self.values();
        for image in bytes.chunks_exact((3 * positions).max(1)) {
            let (pixels, _) = image.as_chunks::<3>();
            for (channel, values) in values.iter().enumerate() {
                planes.extend(
                    pixels
                        .iter()
                        .map(|pixel| values[usize::from(pixel[channel])]),
                );
            }
        }
        planes
    }

    /// What becomes of each byte in each channel: there are few, so that each is computed once and
    /// all else looked up.
    pub(crate) fn values(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std)
        })
    }

    /// The image's red, green and blue plane. `[3, H, W]`
    #[must_use]
    pub fn planes(&self, image: &RgbImage) -> Vec<f32> {
        self.planes_of(image.as_raw(), image.as_raw().len() / 3)
    }

    /// The image whose planes were written, for display; values out of range become black or white.
    ///
    /// # Panics
    /// If `planes` does not hold 3 x width x height values.
    pub fn invert(&self, planes: &[f32], width: u32, height: u32) -> RgbImage {
        let plane = width as usize * height as usize;
        assert_eq!(planes.len(), 3 * plane, "one value a channel and pixel");
        RgbImage::from_fn(width, height, |x, y| {
            let at = y as usize * width as usize + x as usize;
            Rgb(std::array::from_fn(|channel| {
                let value = planes[channel * plane + at] * self.std[channel] + self.mean[channel];
                (value * 255.0).round() as u8 // saturates
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_hand_computed_values() {
        let image = RgbImage::from_raw(2, 1, vec![0, 51, 255, 102, 204, 0]).unwrap();
        let normalization = Normalization {
            mean: [0.5, 0.2, 0.0],
            std: [0.5, 0.1, 0.25],
        };
        let planes = normalization.planes(&image);
        // Bytes / 255: red 0 and 0.4, green 0.2 and 0.8, blue 1 and 0.
        let expected = [-1.0, -0.2, 0.0, 6.0, 4.0, 0.0];
        for (value, expected) in planes.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{planes:?}");
        }
    }

    #[test]
    fn inverting_restores_every_byte() {
        let image = RgbImage::from_fn(16, 16, |x, y| {
            Rgb([(16 * y + x) as u8, (16 * x + y) as u8, 255 - x as u8])
        });
        let planes = Normalization::CIFAR.planes(&image);
        assert_eq!(Normalization::CIFAR.invert(&planes, 16, 16), image);
    }

    #[test]
    fn inverting_saturates() {
        let unit = Normalization {
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        assert_eq!(
            unit.invert(&[-3.0, 9.0, f32::NAN], 1, 1).as_raw(),
            &[0, 255, 0]
        );
    }
}
