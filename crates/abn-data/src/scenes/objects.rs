//! The scenes for detectors: every object with its form, its box and its mask.

use std::sync::Arc;

use abn_boxes::BoundingBox;
use burn_dataset::Dataset;
use image::GrayImage;

use super::{Drawn, Scenes};
use crate::drawn::Form;
use crate::{Collection, Counts, DataError, Labels, Object, ObjectMasks, Sample, Target};

/// The classes: every form that an object can have.
const FORMS: [Form; 6] = [
    Form::Disc,
    Form::Square,
    Form::Ring,
    Form::Triangle,
    Form::Star,
    Form::Cross,
];

impl Scenes {
    /// The same images with all their objects to be found: a box each, and a mask each.
    #[must_use]
    pub fn objects(self) -> Collection {
        let classes = FORMS.map(|form| form.name().to_owned());
        Collection {
            samples: Arc::new(SceneObjects(self)),
            labels: Labels::one(classes.to_vec()),
            masked: true,
            notes: vec![],
            files: None,
            interventions: None,
        }
    }
}

/// Scenes whose targets are objects.
struct SceneObjects(Scenes);

impl Dataset<Sample, DataError> for SceneObjects {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        let Scenes { count, .. } = self.0;
        assert!(index < count, "index {index} of {count} images");
        let Drawn { scene, forms, .. } = self.0.draw(index);
        let (mut objects, mut masks) = (Vec::new(), Vec::new());
        for (number, form) in forms.iter().enumerate() {
            let mask = scene.mask(number);
            let class = FORMS.iter().position(|known| known == form);
            if let Some((class, (bounds, pixels))) = class.zip(bounds_of(&mask)) {
                objects.push(Object {
                    class,
                    bounds,
                    area: pixels as f64,
                    counts: Counts::Fully,
                });
                masks.push(Some(mask));
            }
        }
        Ok(Sample {
            image: scene.image(),
            target: Target::Objects(objects),
            masks: ObjectMasks::OfEach(masks),
        })
    }

    fn len(&self) -> usize {
        self.0.count
    }
}

/// The box around the pixels of a mask, and their number; `None` if there is none.
fn bounds_of(mask: &GrayImage) -> Option<(BoundingBox, usize)> {
    let pixels = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel[0] > 0);
    let mut found: Option<([u32; 4], usize)> = None;
    for (x, y, _) in pixels {
        let ([x1, y1, x2, y2], count) = found.unwrap_or(([x, y, x, y], 0));
        found = Some(([x1.min(x), y1.min(y), x2.max(x), y2.max(y)], count + 1));
    }
    found.map(|([x1, y1, x2, y2], count)| {
        let corners = [x1, y1, x2 + 1, y2 + 1].map(f64::from);
        (BoundingBox::from(corners), count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;

    #[test]
    fn every_object_has_its_form_its_box_and_its_mask() {
        let scenes = Scenes::new(5, Split::Train, 60);
        let (told, plain) = (scenes.objects(), scenes.collection());
        let mut seen = [0; FORMS.len()];
        for index in 0..60 {
            let sample = told.samples.get(index).unwrap();
            assert_eq!(sample.image, plain.samples.get(index).unwrap().image);
            let objects = sample.target.objects();
            assert!((2..=6).contains(&objects.len()), "{}", objects.len());
            for (number, object) in objects.iter().enumerate() {
                seen[object.class] += 1;
                let mask = sample.masks.of(number).unwrap();
                let inside = |x: u32, y: u32| {
                    let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                    let BoundingBox { x1, y1, x2, y2 } = object.bounds;
                    (x1..x2).contains(&x) && (y1..y2).contains(&y)
                };
                let pixels = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel[0] > 0);
                let pixels: Vec<(u32, u32)> = pixels.map(|(x, y, _)| (x, y)).collect();
                assert_eq!(pixels.len() as f64, object.area);
                assert!(pixels.iter().all(|(x, y)| inside(*x, *y)));
                // It is no larger than the object.
                let BoundingBox { x1, y1, x2, y2 } = object.bounds;
                assert!(pixels.iter().any(|(x, _)| f64::from(*x) == x1));
                assert!(pixels.iter().any(|(x, _)| f64::from(*x) == x2 - 1.0));
                assert!(pixels.iter().any(|(_, y)| f64::from(*y) == y1));
                assert!(pixels.iter().any(|(_, y)| f64::from(*y) == y2 - 1.0));
            }
        }
        assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
        assert_eq!(bounds_of(&GrayImage::new(4, 4)), None);
    }
}
