//! What lies around the objects of a picture and belongs to no class.

use std::ops::{Range, RangeInclusive};

use rand::{Rng, RngExt};

use super::{Color, Texture, darker, direction};

/// Clutter of no class.
#[derive(Clone)]
pub(crate) struct Fragment {
    pub(crate) outline: Outline,
    pub(crate) texture: Texture,
}

/// Where it lies.
#[derive(Clone)]
pub(crate) enum Outline {
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

impl Outline {
    /// How much of the pixel around a point is covered, 0 to 1, taking the border as straight.
    pub(crate) fn coverage(&self, x: f32, y: f32) -> f32 {
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

/// Up to two wedges behind things of that colour.
pub(crate) fn wedges(side: u32, front: Color, rng: &mut impl Rng) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    for _ in 0..rng.random_range(0..=2_u32) {
        // Large enough to lie behind the whole object, so it must be darker too.
        let outline = Outline::Wedge {
            corner: point(side, rng),
            normals: [direction(rng), direction(rng)],
        };
        fragments.push(Fragment {
            outline,
            texture: Texture::draw(darker(front, rng), rng),
        });
    }
    fragments
}

/// Strokes and blobs by turns, of such colours.
pub(crate) fn strokes<R: Rng>(
    side: u32,
    count: RangeInclusive<u32>,
    mut color: impl FnMut(&mut R) -> Color,
    rng: &mut R,
) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    for number in 0..rng.random_range(count) {
        let outline = if number % 2 == 0 {
            stroke(side, 4.0..14.0, 0.5..1.3, rng)
        } else {
            stroke(side, 0.0..2.0, 1.0..2.2, rng)
        };
        let base = color(rng);
        fragments.push(Fragment {
            outline,
            texture: Texture::draw(base, rng),
        });
    }
    fragments
}

fn stroke(side: u32, length: Range<f32>, reach: Range<f32>, rng: &mut impl Rng) -> Outline {
    let (from, [dx, dy], length) = (point(side, rng), direction(rng), rng.random_range(length));
    Outline::Stroke {
        from,
        to: [from[0] + length * dx, from[1] + length * dy],
        reach: rng.random_range(reach),
    }
}

fn point(side: u32, rng: &mut impl Rng) -> [f32; 2] {
    std::array::from_fn(|_| rng.random_range(0.0..side as f32))
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
