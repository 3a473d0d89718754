//! One picture as geometry: background, fragments that belong to no class, and on top the object.

use std::sync::Arc;

use image::{GrayImage, Rgb, RgbImage};
use rand::{Rng, RngExt};

use super::form::Form;
use super::mark::Mark;
use super::texture::{Color, Texture};
use super::{SIDE, direction, region};
use crate::{Change, Intervention};

/// Points a pixel and axis at which the object is sampled.
const SUPERSAMPLING: u32 = 4;
/// How much brighter an object is than what lies behind it, of 255. Without this, 3000 images are
/// too few for a small network to find out what an object is at all.
const CONTRAST: f32 = 50.0;
/// The least bright object, so that something darker exists for it.
const BRIGHTNESS: f32 = 100.0;
/// The largest sine of the angle by which an object is tilted: 30 degrees either way.
const TILT: f32 = 0.5;

/// Other grounds that are drawn for one scene.
const GROUNDS: usize = 4;
/// Pixels of a thing below which it hardly shows.
const SEEN: usize = 4;
/// How far the object is moved at least, in each direction if there is room, in pixels.
const MOVED: f32 = 4.0;

/// Everything that a picture shows.
#[derive(Clone)]
pub(super) struct Scene {
    /// What all but the object stands back behind.
    front: Color,
    background: Texture,
    fragments: Vec<Fragment>,
    object: Object,
    /// How much of each pixel the object covers, 0 to 1, row by row.
    coverage: Vec<f32>,
    /// Added to all channels of a pixel, row by row.
    grain: Vec<f32>,
    mark: Option<Arc<Mark>>,
}

/// The silhouette that makes the class.
#[derive(Clone)]
struct Object {
    form: Form,
    center: [f32; 2],
    /// Half of its size in pixels.
    radius: f32,
    /// Where the form's x axis points.
    along: [f32; 2],
    texture: Texture,
}

/// Clutter of no class.
#[derive(Clone)]
struct Fragment {
    outline: Outline,
    texture: Texture,
}

#[derive(Clone)]
enum Outline {
    /// Points within `reach` of a line piece: a stroke, or a blob if the piece is short.
    Stroke {
        from: [f32; 2],
        to: [f32; 2],
        reach: f32,
    },
    /// Points behind both of two lines: a wedge that reaches the picture's edge.
    Wedge {
        corner: [f32; 2],
        normals: [[f32; 2]; 2],
    },
}

impl Scene {
    /// A picture with an object of this form; everything but the form is drawn from `rng`.
    pub(super) fn draw(form: Form, rng: &mut impl Rng) -> Self {
        let front = color_within(BRIGHTNESS..255.0, rng);
        let background = Texture::draw(darker(front, rng), rng);
        let object = Object::draw(form, front, rng);
        let fragments = clutter(front, rng);
        let strength = rng.random_range(2.0..12.0_f32);
        let grain = (0..SIDE * SIDE)
            .map(|_| strength * rng.random_range(-1.0..1.0_f32))
            .collect();
        let coverage = object.coverages();
        Self {
            front,
            background,
            fragments,
            object,
            coverage,
            grain,
            mark: None,
        }
    }

    /// The scene with a mark on it that tells this class.
    pub(super) fn marked(self, class: usize, rng: &mut impl Rng) -> Self {
        let mark = Mark::draw(class, |x, y| self.coverage(x, y) > 0.0, rng);
        Self {
            mark: Some(Arc::new(mark)),
            ..self
        }
    }

    /// The scene with each of its things changed in turn; what is drawn for that comes from `rng`.
    pub(super) fn interventions(&self, rng: &mut impl Rng) -> Vec<Intervention> {
        let everything: Vec<usize> = (0..self.fragments.len()).collect();
        let mut found = vec![Intervention {
            change: Change::WithoutObject,
            region: self.seen(|x, y| self.coverage(x, y) >= 0.5),
            images: vec![self.background()],
        }];
        for number in &everything {
            let mut without = self.clone();
            let fragment = without.fragments.remove(*number);
            let own = |x: u32, y: u32| fragment.outline.coverage(center(x), center(y));
            let over = |x: u32, y: u32| self.above(*number, x, y);
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
                region: mark.region(),
                images: vec![without.image()],
            });
        }
        let ground = |x: u32, y: u32| {
            let shares = self.fragments.iter();
            let bare = shares
                .map(|fragment| 1.0 - fragment.outline.coverage(center(x), center(y)))
                .product::<f32>();
            bare * (1.0 - self.coverage(x, y))
        };
        found.push(Intervention {
            change: Change::OtherGround,
            region: self.seen(|x, y| ground(x, y) > 0.5),
            images: (0..GROUNDS)
                .map(|_| self.on_another_ground(rng).image())
                .collect(),
        });
        found.retain(|intervention| {
            let pixels = intervention.region.pixels();
            pixels.filter(|pixel| pixel[0] > 0).count() >= SEEN
        });
        let object = self.mask();
        for (change, scene) in [
            (Change::Moved, self.moved(rng)),
            (Change::Recoloured, self.recoloured()),
        ] {
            found.push(Intervention {
                change,
                region: object.clone(),
                images: vec![scene.image()],
            });
        }
        found
    }

    /// What lies over a fragment leaves so much of a pixel to it.
    fn above(&self, number: usize, x: u32, y: u32) -> f32 {
        let later = self.fragments[number + 1..].iter();
        let left = later
            .map(|fragment| 1.0 - fragment.outline.coverage(center(x), center(y)))
            .product::<f32>();
        left * (1.0 - self.coverage(x, y))
    }

    /// 255 where the thing is and no mark lies over it.
    fn seen(&self, inside: impl Fn(u32, u32) -> bool) -> GrayImage {
        let marked = |x, y| {
            self.mark
                .as_ref()
                .is_some_and(|mark| mark.at(x, y).is_some())
        };
        region(|x, y| inside(x, y) && !marked(x, y))
    }

    fn on_another_ground(&self, rng: &mut impl Rng) -> Self {
        Self {
            background: Texture::draw(darker(self.front, rng), rng),
            ..self.clone()
        }
    }

    fn recoloured(&self) -> Self {
        let mut scene = self.clone();
        scene.object.texture = scene.object.texture.recoloured();
        scene
    }

    /// The object elsewhere, not under the mark: by a few pixels at least, if there is room.
    fn moved(&self, rng: &mut impl Rng) -> Self {
        let mut scene = self.clone();
        let reach = self.object.radius + 1.0;
        let under_mark = |object: &Object| {
            let mark = self.mark.as_ref();
            mark.is_some_and(|mark| {
                let pixels = (0..SIDE * SIDE).map(|k| (k % SIDE, k / SIDE));
                let mut marked = pixels.filter(|(x, y)| mark.at(*x, *y).is_some());
                marked.any(|(x, y)| object.coverage(x, y) > 0.0)
            })
        };
        for _ in 0..100 {
            scene.object.center =
                std::array::from_fn(|_| rng.random_range(reach..SIDE as f32 - reach));
            let far = (0..2)
                .map(|axis| (scene.object.center[axis] - self.object.center[axis]).abs())
                .fold(0.0, f32::max);
            if far >= MOVED && !under_mark(&scene.object) {
                break;
            }
        }
        scene.coverage = scene.object.coverages();
        scene
    }

    /// The picture.
    pub(super) fn image(&self) -> RgbImage {
        self.render(|x, y, color| {
            let share = self.coverage(x, y);
            if share == 0.0 {
                color
            } else {
                mix(color, self.object.texture.at(center(x), center(y)), share)
            }
        })
    }

    /// The picture without its object.
    pub(super) fn background(&self) -> RgbImage {
        self.render(|_, _, color| color)
    }

    /// 255 where the object covers at least half of a pixel, else 0.
    pub(super) fn mask(&self) -> GrayImage {
        region(|x, y| self.coverage(x, y) >= 0.5)
    }

    /// How much of a pixel the object covers, 0 to 1.
    pub(super) fn coverage(&self, x: u32, y: u32) -> f32 {
        self.coverage[(y * SIDE + x) as usize]
    }

    fn render(&self, object: impl Fn(u32, u32, Color) -> Color) -> RgbImage {
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let mut color = self.background.at(center(x), center(y));
            for fragment in &self.fragments {
                let share = fragment.outline.coverage(center(x), center(y));
                if share > 0.0 {
                    color = mix(color, fragment.texture.at(center(x), center(y)), share);
                }
            }
            let grain = self.grain[(y * SIDE + x) as usize];
            let mark = self.mark.as_ref().and_then(|mark| mark.at(x, y));
            let color = mark.unwrap_or_else(|| object(x, y, color));
            Rgb(color.map(|value| (value + grain).round() as u8)) // saturates
        })
    }
}

impl Object {
    fn draw(form: Form, base: Color, rng: &mut impl Rng) -> Self {
        let radius = rng.random_range(6.0..9.5_f32);
        // A pixel of margin: the object does not touch the picture's edge.
        let mut place = || rng.random_range(radius + 1.0..SIDE as f32 - radius - 1.0);
        let center = [place(), place()];
        Self {
            form,
            center,
            radius,
            along: tilted(rng),
            texture: Texture::draw(base, rng),
        }
    }

    /// How much of each pixel the object covers, row by row.
    fn coverages(&self) -> Vec<f32> {
        (0..SIDE * SIDE)
            .map(|k| self.coverage(k % SIDE, k / SIDE))
            .collect()
    }

    /// How much of a pixel the object covers, 0 to 1.
    fn coverage(&self, x: u32, y: u32) -> f32 {
        if !self.may_touch(center(x), center(y)) {
            return 0.0;
        }
        let point = |pixel: u32, k: u32| pixel as f32 + (k as f32 + 0.5) / SUPERSAMPLING as f32;
        let points = SUPERSAMPLING * SUPERSAMPLING;
        let hits = (0..points)
            .filter(|k| self.contains(point(x, k % SUPERSAMPLING), point(y, k / SUPERSAMPLING)))
            .count();
        hits as f32 / points as f32
    }

    /// Whether a pixel with this centre may be covered in part: cheap, and never wrongly false.
    fn may_touch(&self, x: f32, y: f32) -> bool {
        let reach = self.radius + 1.0;
        (x - self.center[0]).abs() <= reach && (y - self.center[1]).abs() <= reach
    }

    fn contains(&self, x: f32, y: f32) -> bool {
        let (x, y) = (
            (x - self.center[0]) / self.radius,
            (y - self.center[1]) / self.radius,
        );
        let [dx, dy] = self.along;
        self.form.contains(x * dx + y * dy, y * dx - x * dy)
    }
}

impl Outline {
    /// How much of the pixel around a point is covered, 0 to 1, taking the border as straight.
    fn coverage(&self, x: f32, y: f32) -> f32 {
        let depth = match *self {
            Self::Stroke { from, to, reach } => reach - distance_to_piece([x, y], from, to),
            Self::Wedge { corner, normals } => {
                let behind = |normal: [f32; 2]| dot([corner[0] - x, corner[1] - y], normal);
                behind(normals[0]).min(behind(normals[1]))
            }
        };
        (depth + 0.5).clamp(0.0, 1.0)
    }
}

/// Up to two wedges, then strokes and blobs.
fn clutter(front: Color, rng: &mut impl Rng) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    for _ in 0..rng.random_range(0..=2_u32) {
        // Large enough to lie behind the whole object, so it must be darker too.
        let outline = Outline::Wedge {
            corner: point(rng),
            normals: [direction(rng), direction(rng)],
        };
        fragments.push(Fragment {
            outline,
            texture: Texture::draw(darker(front, rng), rng),
        });
    }
    for number in 0..rng.random_range(3..=6_u32) {
        let outline = if number % 2 == 0 {
            stroke(4.0..14.0, 0.5..1.3, rng)
        } else {
            stroke(0.0..2.0, 1.0..2.2, rng)
        };
        // Some have the object's colour: colour alone does not find the object.
        let base = if rng.random_bool(0.3) {
            front
        } else {
            color(rng)
        };
        fragments.push(Fragment {
            outline,
            texture: Texture::draw(base, rng),
        });
    }
    fragments
}

fn stroke(
    length: std::ops::Range<f32>,
    reach: std::ops::Range<f32>,
    rng: &mut impl Rng,
) -> Outline {
    let (from, [dx, dy], length) = (point(rng), direction(rng), rng.random_range(length));
    Outline::Stroke {
        from,
        to: [from[0] + length * dx, from[1] + length * dy],
        reach: rng.random_range(reach),
    }
}

fn point(rng: &mut impl Rng) -> [f32; 2] {
    std::array::from_fn(|_| rng.random_range(0.0..SIDE as f32))
}

fn color(rng: &mut impl Rng) -> Color {
    std::array::from_fn(|_| rng.random_range(20.0..235.0))
}

/// An x axis that is tilted a little.
fn tilted(rng: &mut impl Rng) -> [f32; 2] {
    loop {
        let [dx, dy] = direction(rng);
        if dx > 0.0 && dy.abs() <= TILT {
            return [dx, dy];
        }
    }
}

/// A colour in front of which `front` stands out.
fn darker(front: Color, rng: &mut impl Rng) -> Color {
    color_within(0.0..brightness(front) - CONTRAST, rng)
}

/// A colour whose brightness is in the range.
fn color_within(range: std::ops::Range<f32>, rng: &mut impl Rng) -> Color {
    loop {
        let color = color(rng);
        if range.contains(&brightness(color)) {
            return color;
        }
    }
}

fn brightness(color: Color) -> f32 {
    color.iter().sum::<f32>() / 3.0
}

fn mix(below: Color, above: Color, share: f32) -> Color {
    std::array::from_fn(|c| below[c] + share * (above[c] - below[c]))
}

/// The middle of a pixel.
fn center(pixel: u32) -> f32 {
    pixel as f32 + 0.5
}

fn dot(a: [f32; 2], b: [f32; 2]) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

fn distance_to_piece(point: [f32; 2], from: [f32; 2], to: [f32; 2]) -> f32 {
    let (way, offset) = (
        [to[0] - from[0], to[1] - from[1]],
        [point[0] - from[0], point[1] - from[1]],
    );
    // A piece of no length is its only point.
    let along = (dot(offset, way) / dot(way, way).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
    let rest = [offset[0] - along * way[0], offset[1] - along * way[1]];
    dot(rest, rest).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_to_a_line_piece() {
        let piece = |x, y| distance_to_piece([x, y], [0.0, 0.0], [4.0, 0.0]);
        assert_eq!(
            (piece(2.0, 3.0), piece(-3.0, 4.0), piece(7.0, -4.0)),
            (3.0, 5.0, 5.0)
        );
        assert_eq!(distance_to_piece([3.0, 4.0], [0.0, 0.0], [0.0, 0.0]), 5.0);
    }

    #[test]
    fn outlines_cover_their_inside_fully_and_their_border_half() {
        let stroke = Outline::Stroke {
            from: [0.0, 0.0],
            to: [8.0, 0.0],
            reach: 2.0,
        };
        assert_eq!(
            [0.0, 2.0, 3.0].map(|y| stroke.coverage(4.0, y)),
            [1.0, 0.5, 0.0]
        );
        let wedge = Outline::Wedge {
            corner: [5.0, 5.0],
            normals: [[1.0, 0.0], [0.0, 1.0]],
        };
        assert_eq!(
            [2.0, 5.0, 6.0].map(|x| wedge.coverage(x, 1.0)),
            [1.0, 0.5, 0.0]
        );
        assert_eq!(wedge.coverage(1.0, 9.0), 0.0);
    }
}
