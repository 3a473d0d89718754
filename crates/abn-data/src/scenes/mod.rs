//! The built-in set of several labels: scenes of two to six objects, of which nine attributes are
//! told, with the object of each known.
//!
//! | attribute | is told of |
//! |---|---|
//! | `ring`, `triangle`, `star`, `cross` | a form that is there |
//! | `red`, `blue` | an object of that colour; others are green, yellow or grey |
//! | `striped` | an object with stripes; others are plain, shaded or mottled |
//! | `large` | an object half as large again as the others |
//! | `aloft` | an object in the sky; others lie on the ground |
//!
//! Each attribute is drawn by itself, so none tells anything of another, and each that is there is
//! that of one object. Two objects at least are discs or squares, of which no label tells the form,
//! so that colours, stripes, size and place never lack an object and are no sign of a form. Objects
//! never overlap.
//!
//! For detectors the same scenes are told by their [objects](Scenes::objects).
//!
//! As in [`Shapes`](crate::Shapes), a sample is a function of (seed, split, index).

mod attribute;
mod objects;

use std::ops::Range;
use std::sync::Arc;

use burn_dataset::Dataset;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use self::attribute::{Attribute, Hue};
use crate::drawn::{
    Color, Form, Ground, Scene, Silhouette, Texture, color_within, strokes, tilted,
};
use crate::{
    Collection, DataError, Group, Intervention, Interventions, Labels, ObjectMasks, Sample, Split,
    Target, random,
};

/// Width and height of every image.
const SIDE: u32 = 48;
/// The grid of places a side, in each of which an object may lie; the uppermost are in the sky.
const PLACES: u32 = 3;
/// Side of a place in pixels.
const PLACE: f32 = SIDE as f32 / PLACES as f32;
/// Probability of each attribute.
const PRESENT: f64 = 0.4;
/// Brightness of what lies behind objects, and of strokes around them.
const GROUND: Range<f32> = 20.0..70.0;
const STROKES: Range<f32> = 40.0..100.0;
/// Half of the size of objects, and of large ones, in pixels.
const RADIUS: Range<f32> = 4.8..5.4;
const LARGE: Range<f32> = 7.3..7.8;
/// By how much an object's colour differs from what it is called, at most, in each channel.
const SHADE: f32 = 18.0;
/// Forms that no label tells of.
const UNTOLD: [Form; 2] = [Form::Disc, Form::Square];

/// A generated set of 48x48 images with nine labels of two classes each. Images are `[48, 48, 3]`;
/// masks `[48, 48]`, one for each attribute that is there.
#[derive(Debug, Clone, Copy)]
pub struct Scenes {
    seed: u64,
    split: Split,
    count: usize,
}

/// A scene with what is told of it.
struct Drawn {
    scene: Scene,
    /// The form of each object.
    forms: Vec<Form>,
    /// The object of each attribute, if it is there.
    objects: [Option<usize>; Attribute::ALL.len()],
}

impl Scenes {
    /// The first `count` images of a split.
    #[must_use]
    pub fn new(seed: u64, split: Split, count: usize) -> Self {
        Self { seed, split, count }
    }

    /// The images with the names of their labels.
    #[must_use]
    pub fn collection(self) -> Collection {
        let group = |attribute: Attribute| Group::attribute(attribute.name());
        Collection {
            samples: Arc::new(self),
            labels: Labels::of(Attribute::ALL.map(group).to_vec()),
            masked: true,
            notes: vec![],
            files: None,
            interventions: Some(Arc::new(self)),
        }
    }

    fn draw(&self, index: usize) -> Drawn {
        Drawn::draw(&mut random::scene(self.seed, self.split, index))
    }
}

impl Dataset<Sample, DataError> for Scenes {
    fn get(&self, index: usize) -> Result<Sample, DataError> {
        assert!(index < self.count, "index {index} of {} images", self.count);
        let Drawn { scene, objects, .. } = self.draw(index);
        let present = objects.map(|object| usize::from(object.is_some()));
        let masks = objects.map(|object| object.map(|object| scene.mask(object)));
        Ok(Sample {
            image: scene.image(),
            target: Target::known(present.to_vec()),
            masks: ObjectMasks::OfEach(masks.to_vec()),
        })
    }

    fn len(&self) -> usize {
        self.count
    }
}

/// An object is moved or recoloured where it stays what the label is about.
impl Interventions for Scenes {
    fn interventions(&self, index: usize, label: usize) -> Vec<Intervention> {
        let Drawn { scene, objects, .. } = self.draw(index);
        let (attribute, object) = (Attribute::ALL[label], objects[label]);
        let mut rng = random::scene_change(self.seed, self.split, index, label);
        let mut found = scene.removals(object, || ground(&mut rng));
        if let Some(object) = object {
            if attribute.survives_moving() {
                found.extend(scene.moved(object, &mut rng));
            }
            if attribute.survives_recolouring() {
                found.push(scene.recoloured(object));
            }
        }
        found
    }
}

impl Drawn {
    fn draw(rng: &mut impl Rng) -> Self {
        let present = Attribute::ALL.map(|attribute| rng.random_bool(PRESENT).then_some(attribute));
        let has = |attribute| present.contains(&Some(attribute));
        let mut forms: Vec<Form> = present
            .iter()
            .filter_map(|attribute| match attribute {
                Some(Attribute::Form(form)) => Some(*form),
                _ => None,
            })
            .collect();
        for _ in 0..2 {
            forms.push(UNTOLD[rng.random_range(0..UNTOLD.len() as u32) as usize]);
        }
        forms.shuffle(rng);
        // Which object has what does not depend on its form; no object is red and blue.
        let mut given = |attribute| has(attribute).then(|| pick(forms.len(), rng));
        let [striped, large, aloft, red] = [
            Attribute::Striped,
            Attribute::Large,
            Attribute::Aloft,
            Attribute::Hue(Hue::Red),
        ]
        .map(&mut given);
        let blue = has(Attribute::Hue(Hue::Blue)).then(|| {
            let blue = pick(forms.len() - usize::from(red.is_some()), rng);
            blue + usize::from(red.is_some_and(|red| red <= blue))
        });
        let mut places: Vec<u32> = (PLACES..PLACES * PLACES).collect();
        places.shuffle(rng);
        let of_object = |(number, form): (usize, &Form)| {
            let is = |object| object == Some(number);
            let radius = rng.random_range(if is(large) { LARGE } else { RADIUS });
            let place = match is(aloft) {
                true => rng.random_range(0..PLACES),
                false => places[number],
            };
            let hue = match number {
                _ if is(red) => Some(Hue::Red),
                _ if is(blue) => Some(Hue::Blue),
                _ => None,
            };
            let base = base(hue, rng);
            Silhouette {
                form: *form,
                center: within(place, radius, rng),
                radius,
                along: tilted(rng),
                texture: match is(striped) {
                    true => Texture::striped(base, rng),
                    false => Texture::plain(base, rng),
                },
            }
        };
        let silhouettes: Vec<Silhouette> = forms.iter().enumerate().map(of_object).collect();
        let ground = ground(rng);
        let dull = |rng: &mut _| color_within(STROKES, rng);
        let fragments = strokes(SIDE, 2..=4, dull, rng);
        let objects = Attribute::ALL.map(|attribute| match attribute {
            Attribute::Form(form) => forms.iter().position(|other| *other == form),
            Attribute::Hue(Hue::Red) => red,
            Attribute::Hue(Hue::Blue) => blue,
            Attribute::Striped => striped,
            Attribute::Large => large,
            Attribute::Aloft => aloft,
        });
        Self {
            scene: Scene::new(SIDE, ground, silhouettes, fragments, rng),
            forms,
            objects,
        }
    }
}

/// Brown earth below a blue sky, both dark.
fn ground(rng: &mut impl Rng) -> Ground {
    let mut shade = |[red, green, blue]: Color| {
        let brightness = rng.random_range(GROUND);
        Texture::draw([red, green, blue].map(|share| share * brightness), rng)
    };
    let [earth, sky] = [[1.3, 1.0, 0.7], [0.6, 0.9, 1.5]].map(&mut shade);
    Ground::plain(earth).below(PLACE, sky)
}

/// One of so many.
fn pick(count: usize, rng: &mut impl Rng) -> usize {
    rng.random_range(0..count as u32) as usize
}

/// A centre for which an object of that size stays within a place.
fn within(place: u32, radius: f32, rng: &mut impl Rng) -> [f32; 2] {
    let free = PLACE / 2.0 - radius;
    [place % PLACES, place / PLACES].map(|at| {
        let middle = (at as f32 + 0.5) * PLACE;
        middle + rng.random_range(-free..=free)
    })
}

/// The colour of an object.
fn base(hue: Option<Hue>, rng: &mut impl Rng) -> Color {
    const OTHERS: [Color; 3] = [
        [80.0, 180.0, 85.0],
        [215.0, 200.0, 80.0],
        [175.0, 175.0, 175.0],
    ];
    let named = match hue {
        Some(Hue::Red) => [220.0, 70.0, 65.0],
        Some(Hue::Blue) => [75.0, 110.0, 230.0],
        None => OTHERS[pick(OTHERS.len(), rng)],
    };
    named.map(|value| value + rng.random_range(-SHADE..SHADE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Change;

    fn scenes(count: usize) -> Scenes {
        Scenes::new(5, Split::Train, count)
    }

    #[test]
    fn samples_depend_on_seed_split_and_index_alone() {
        let image = |scenes: Scenes, index| scenes.get(index).unwrap().image;
        assert_eq!(scenes(10).get(7).unwrap(), scenes(5000).get(7).unwrap());
        for other in [
            Scenes::new(5, Split::HeldOut, 10),
            Scenes::new(6, Split::Train, 10),
        ] {
            assert_ne!(image(scenes(10), 7), image(other, 7));
        }
    }

    /// Of 2000 images: each attribute is there in 40 %, and no two are there together more or less
    /// often than chance has it. Four standard errors are 4.4 and 3.3 points.
    #[test]
    fn attributes_are_independent() {
        const IMAGES: usize = 2000;
        let rows: Vec<[bool; 9]> = (0..IMAGES)
            .map(|index| {
                scenes(IMAGES)
                    .draw(index)
                    .objects
                    .map(|object| object.is_some())
            })
            .collect();
        let share = |of: &dyn Fn(&[bool; 9]) -> bool| {
            rows.iter().filter(|row| of(row)).count() as f64 / IMAGES as f64
        };
        for a in 0..9 {
            assert!((share(&|row| row[a]) - PRESENT).abs() < 0.044);
            for b in a + 1..9 {
                let both = share(&|row| row[a] && row[b]);
                assert!((both - PRESENT * PRESENT).abs() < 0.033, "{a} {b}: {both}");
            }
        }
    }

    #[test]
    fn every_attribute_has_an_object_of_its_own_place() {
        for index in 0..200 {
            let Drawn { scene, objects, .. } = scenes(200).draw(index);
            let sample = scenes(200).get(index).unwrap();
            for (label, object) in objects.iter().enumerate() {
                let mask = sample.masks.of(label);
                assert_eq!(mask.is_some(), sample.target.of(label) == Some(1));
                let Some((mask, object)) = mask.zip(*object) else {
                    continue;
                };
                assert_eq!(*mask, scene.mask(object));
                let pixels = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel[0] > 0);
                let rows: Vec<u32> = pixels.map(|(_, y, _)| y).collect();
                assert!((15..=200).contains(&rows.len()), "{} pixels", rows.len());
                let aloft = rows.iter().all(|y| *y < SIDE / PLACES);
                assert_eq!(aloft, objects[8] == Some(object), "image {index}");
            }
            let covering = |x: u32, y: u32| {
                let masks = (0..9).filter_map(|label| objects[label]);
                let mut covering: Vec<usize> = masks
                    .filter(|object| scene.coverage(*object, x, y) > 0.0)
                    .collect();
                covering.dedup();
                covering.sort_unstable();
                covering.dedup();
                covering.len()
            };
            let pixels = (0..SIDE * SIDE).map(|k| covering(k % SIDE, k / SIDE));
            assert!(
                pixels.into_iter().all(|count| count <= 1),
                "{index} overlaps"
            );
        }
    }

    #[test]
    fn colours_are_what_they_are_called() {
        for index in 0..200 {
            let Drawn { scene, objects, .. } = scenes(200).draw(index);
            let image = scene.image();
            let mean = |object: usize| {
                let mut sums = [0.0; 3];
                let mask = scene.mask(object);
                let own = image.pixels().zip(mask.pixels()).filter(|(_, m)| m[0] > 0);
                own.for_each(|(pixel, _)| {
                    sums.iter_mut()
                        .zip(pixel.0)
                        .for_each(|(sum, value)| *sum += f32::from(value));
                });
                sums
            };
            if let Some([red, green, blue]) = objects[4].map(mean) {
                assert!(red > 1.5 * green && red > 1.5 * blue, "image {index}");
            }
            if let Some([red, green, blue]) = objects[5].map(mean) {
                assert!(blue > 1.3 * green && blue > 1.5 * red, "image {index}");
            }
        }
    }

    #[test]
    fn what_a_label_is_about_is_taken_out_for_it_alone() {
        let set = scenes(40);
        for index in 0..40 {
            let sample = set.get(index).unwrap();
            for label in 0..9 {
                let found = set.interventions(index, label);
                let of = |change| found.iter().filter(move |one| one.change == change);
                let object = sample.masks.of(label);
                assert_eq!(
                    of(Change::WithoutObject).count(),
                    usize::from(object.is_some())
                );
                if let Some((removed, object)) = of(Change::WithoutObject).next().zip(object) {
                    assert_eq!(removed.region, *object);
                    assert_ne!(removed.images[0], sample.image);
                }
                assert!(of(Change::WithoutDistractor).count() >= 2);
                assert_eq!(of(Change::OtherGround).count(), 1);
                let recoloured = object.is_some() && !(4..6).contains(&label);
                assert_eq!(of(Change::Recoloured).count(), usize::from(recoloured));
                assert!(of(Change::Moved).count() <= usize::from(object.is_some() && label != 8));
            }
        }
    }
}
