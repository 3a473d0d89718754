//! One picture as geometry: a ground, fragments that belong to no class, on top the objects, and
//! perhaps a mark.

use std::sync::Arc;

use image::{GrayImage, Rgb, RgbImage};
use rand::{Rng, RngExt};

use super::mark::Mark;
use super::{Color, Fragment, Ground, Silhouette, center, mix, region};
use crate::{Change, Intervention};

/// Other grounds that are drawn for one scene.
const GROUNDS: usize = 4;
/// Pixels of a thing below which it hardly shows.
const SEEN: usize = 4;
/// How far an object is moved at least, in one direction, in pixels.
const MOVED: f32 = 4.0;
/// Places that are tried for an object that is moved.
const TRIED: usize = 100;

/// Everything that a picture shows.
#[derive(Clone)]
pub(crate) struct Scene {
    /// Side of the square picture in pixels.
    side: u32,
    ground: Ground,
    fragments: Vec<Fragment>,
    objects: Vec<Object>,
    /// Added to all channels of a pixel, row by row.
    grain: Vec<f32>,
    mark: Option<Arc<Mark>>,
}

/// A thing that a class is about.
#[derive(Clone)]
struct Object {
    silhouette: Silhouette,
    /// How much of each pixel it covers, 0 to 1, row by row.
    coverage: Vec<f32>,
}

impl Object {
    fn new(silhouette: Silhouette, side: u32) -> Self {
        let coverage = silhouette.coverages(side);
        Self {
            silhouette,
            coverage,
        }
    }
}

impl Scene {
    /// A picture of these things, those in front of others behind them; its grain is drawn.
    pub(crate) fn new(
        side: u32,
        ground: Ground,
        objects: Vec<Silhouette>,
        fragments: Vec<Fragment>,
        rng: &mut impl Rng,
    ) -> Self {
        let strength = rng.random_range(2.0..12.0_f32);
        let grain = (0..side * side)
            .map(|_| strength * rng.random_range(-1.0..1.0_f32))
            .collect();
        let objects = objects.into_iter();
        Self {
            side,
            ground,
            fragments,
            objects: objects.map(|object| Object::new(object, side)).collect(),
            grain,
            mark: None,
        }
    }

    /// The scene with a mark on it that tells this class.
    pub(crate) fn marked(self, class: usize, rng: &mut impl Rng) -> Self {
        let mark = Mark::draw(self.side, class, |x, y| self.covered(x, y) > 0.0, rng);
        Self {
            mark: Some(Arc::new(mark)),
            ..self
        }
    }

    /// The scene without each of its things in turn. The one `object`, if any, is what the class is
    /// about; all others are distractors. Other grounds are drawn in the order of the images.
    pub(crate) fn removals(
        &self,
        object: Option<usize>,
        mut another_ground: impl FnMut() -> Ground,
    ) -> Vec<Intervention> {
        let others = (0..self.objects.len()).filter(|number| Some(*number) != object);
        let others = others.map(|number| (number, Change::WithoutDistractor));
        let object = object.map(|number| (number, Change::WithoutObject));
        let without = object.into_iter().chain(others);
        let mut found: Vec<Intervention> = without
            .map(|(number, change)| Intervention {
                change,
                region: self.seen(|x, y| self.coverage(number, x, y) >= 0.5),
                images: vec![self.without_object(number).image()],
            })
            .collect();
        for number in 0..self.fragments.len() {
            let mut without = self.clone();
            let fragment = without.fragments.remove(number);
            let own = |x: u32, y: u32| fragment.outline.coverage(center(x), center(y));
            let over = |x: u32, y: u32| self.left_of_fragment(number, x, y);
            found.push(Intervention {
                change: Change::WithoutDistractor,
                region: self.seen(|x, y| own(x, y) * over(x, y) > 0.5),
                images: vec![without.image()],
            });
        }
        if let Some(mark) = &self.mark {
            let without = Self {
                mark: None,
                ..self.clone()
            };
            found.push(Intervention {
                change: Change::WithoutMark,
                region: mark.region(self.side),
                images: vec![without.image()],
            });
        }
        let bare = |x: u32, y: u32| left(&self.fragments, x, y) * (1.0 - self.covered(x, y));
        found.push(Intervention {
            change: Change::OtherGround,
            region: self.seen(|x, y| bare(x, y) > 0.5),
            images: (0..GROUNDS)
                .map(|_| self.on(another_ground()).image())
                .collect(),
        });
        found.retain(|intervention| {
            let pixels = intervention.region.pixels();
            pixels.filter(|pixel| pixel[0] > 0).count() >= SEEN
        });
        found
    }

    /// An object elsewhere, by a few pixels at least, neither under the mark nor over another;
    /// `None` where there is no room.
    pub(crate) fn moved(&self, object: usize, rng: &mut impl Rng) -> Option<Intervention> {
        let own = &self.objects[object].silhouette;
        let reach = own.radius + 1.0;
        for _ in 0..TRIED {
            let place = std::array::from_fn(|_| rng.random_range(reach..self.side as f32 - reach));
            let moved = Silhouette {
                center: place,
                ..own.clone()
            };
            let far = (0..2)
                .map(|axis| (moved.center[axis] - own.center[axis]).abs())
                .fold(0.0, f32::max);
            if far >= MOVED && self.is_free(object, &moved) {
                return Some(self.with(object, moved, Change::Moved));
            }
        }
        None
    }

    /// An object in other colours of the same brightness.
    pub(crate) fn recoloured(&self, object: usize) -> Intervention {
        let own = &self.objects[object].silhouette;
        let recoloured = Silhouette {
            texture: own.texture.recoloured(),
            ..own.clone()
        };
        self.with(object, recoloured, Change::Recoloured)
    }

    /// The scene with something else in the place of an object.
    fn with(&self, object: usize, other: Silhouette, change: Change) -> Intervention {
        let mut scene = self.clone();
        scene.objects[object] = Object::new(other, self.side);
        Intervention {
            change,
            region: self.mask(object),
            images: vec![scene.image()],
        }
    }

    /// Whether a thing could lie there in the place of an object.
    fn is_free(&self, object: usize, moved: &Silhouette) -> bool {
        let pixels = (0..self.side * self.side).map(|k| (k % self.side, k / self.side));
        let taken = |x: u32, y: u32| {
            let others = (0..self.objects.len()).filter(|other| *other != object);
            let mut others = others.map(|other| self.coverage(other, x, y));
            self.is_marked(x, y) || others.any(|share| share > 0.0)
        };
        let mut taken = pixels.filter(|(x, y)| taken(*x, *y));
        !taken.any(|(x, y)| moved.coverage(x, y) > 0.0)
    }

    /// What lies over a fragment leaves so much of a pixel to it.
    fn left_of_fragment(&self, number: usize, x: u32, y: u32) -> f32 {
        left(&self.fragments[number + 1..], x, y) * (1.0 - self.covered(x, y))
    }

    fn is_marked(&self, x: u32, y: u32) -> bool {
        let mark = self.mark.as_ref();
        mark.is_some_and(|mark| mark.at(x, y).is_some())
    }

    /// 255 where the thing is and no mark lies over it.
    fn seen(&self, inside: impl Fn(u32, u32) -> bool) -> GrayImage {
        region(self.side, |x, y| inside(x, y) && !self.is_marked(x, y))
    }

    fn on(&self, ground: Ground) -> Self {
        Self {
            ground,
            ..self.clone()
        }
    }

    /// The scene without an object.
    pub(crate) fn without_object(&self, object: usize) -> Self {
        let mut scene = self.clone();
        scene.objects.remove(object);
        scene
    }

    /// 255 where an object covers at least half of a pixel, else 0.
    pub(crate) fn mask(&self, object: usize) -> GrayImage {
        region(self.side, |x, y| self.coverage(object, x, y) >= 0.5)
    }

    /// How much of a pixel an object covers, 0 to 1.
    pub(crate) fn coverage(&self, object: usize, x: u32, y: u32) -> f32 {
        self.objects[object].coverage[(y * self.side + x) as usize]
    }

    /// How much of a pixel all objects cover, 0 to 1.
    fn covered(&self, x: u32, y: u32) -> f32 {
        let objects = 0..self.objects.len();
        1.0 - objects
            .map(|object| 1.0 - self.coverage(object, x, y))
            .product::<f32>()
    }

    /// The picture.
    pub(crate) fn image(&self) -> RgbImage {
        RgbImage::from_fn(self.side, self.side, |x, y| {
            let grain = self.grain[(y * self.side + x) as usize];
            let mark = self.mark.as_ref().and_then(|mark| mark.at(x, y));
            let color = mark.unwrap_or_else(|| self.color(x, y));
            Rgb(color.map(|value| (value + grain).round() as u8)) // saturates
        })
    }

    /// The colour of a pixel without grain and mark.
    fn color(&self, x: u32, y: u32) -> Color {
        let (u, v) = (center(x), center(y));
        let mut color = self.ground.at(u, v);
        for fragment in &self.fragments {
            let share = fragment.outline.coverage(u, v);
            if share > 0.0 {
                color = mix(color, fragment.texture.at(u, v), share);
            }
        }
        for (number, object) in self.objects.iter().enumerate() {
            let share = self.coverage(number, x, y);
            if share > 0.0 {
                color = mix(color, object.silhouette.texture.at(u, v), share);
            }
        }
        color
    }
}

/// What fragments leave of a pixel, 0 to 1.
fn left(fragments: &[Fragment], x: u32, y: u32) -> f32 {
    let shares = fragments.iter();
    shares
        .map(|fragment| 1.0 - fragment.outline.coverage(center(x), center(y)))
        .product()
}
