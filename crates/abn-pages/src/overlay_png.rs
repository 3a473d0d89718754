//! A map as a picture of its own, to be laid over an image by the browser.
//!
//! It is a PNG of palette indices with one alpha for all colours: a few kilobytes, where an
//! overlay for every method would repeat the photograph each time. It is resized as values, and
//! only then coloured.

use abn_core::explain::AttentionMap;

use crate::encode::{EncodeError, data_uri};
use crate::heatmap::{Drawing, NOT_FINITE, position};

/// Longer side of the picture in pixels; the browser enlarges it, from one step of the scale to the
/// next.
const SIDE: usize = 128;
/// Steps of the colour scale, each with its three bytes in every file. The index after them is for
/// values that are not finite.
const STEPS: u8 = 127;

/// A map as a data URI of a PNG that is transparent to what lies below it, but for values that are
/// not finite.
///
/// # Errors
/// The map cannot be encoded.
pub fn overlay_png(map: &AttentionMap, drawing: &Drawing) -> Result<String, EncodeError> {
    let limits = drawing.range.limits(map);
    let longer = map.width.max(map.height).max(1);
    let side = |side: usize| (side * SIDE / longer).max(1);
    let map = map.resize_to(side(map.width), side(map.height));
    let index = |value: &f32| {
        position(*value, limits).map_or(STEPS, |position| {
            (position * f32::from(STEPS - 1)).round() as u8
        })
    };
    let indices: Vec<u8> = map.values.iter().map(index).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, map.width as u32, map.height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette(drawing));
    encoder.set_trns(alphas(drawing));
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(data_uri("png", &file))
}

/// The colours of the indices, red, green, blue.
fn palette(drawing: &Drawing) -> Vec<u8> {
    let all = drawing.colors.palette();
    let last = usize::from(STEPS - 1);
    let scale = (0..=last).map(|step| all[(step * (all.len() - 1) + last / 2) / last]);
    scale
        .chain([NOT_FINITE])
        .flat_map(|color| color.0)
        .collect()
}

/// How opaque each index is.
fn alphas(drawing: &Drawing) -> Vec<u8> {
    let opacity = (drawing.opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut alphas = vec![opacity; usize::from(STEPS)];
    alphas.push(u8::MAX);
    alphas
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;
    use crate::encode::tests::decoded;
    use crate::heatmap::{Colors, Range};

    fn map(height: usize, width: usize, values: &[f32]) -> AttentionMap {
        AttentionMap::new(height, width, values.to_vec()).unwrap()
    }

    #[test]
    fn it_has_the_colours_of_the_scale_and_one_opacity() {
        for (colors, least, most) in [
            (Colors::Jet, [0, 0, 128], [128, 0, 0]),
            (Colors::Inferno, [0, 0, 4], [252, 255, 164]),
        ] {
            let drawing = Drawing {
                colors,
                range: Range::Unit,
                opacity: 0.6,
            };
            let picture =
                decoded(&overlay_png(&map(1, 2, &[0.0, 1.0]), &drawing).unwrap()).to_rgba8();
            assert_eq!(picture.dimensions(), (128, 64));
            let opaque = |[red, green, blue]: [u8; 3]| Rgba([red, green, blue, 153]);
            assert_eq!(
                (picture[(0, 0)], picture[(127, 63)]),
                (opaque(least), opaque(most))
            );
        }
    }

    #[test]
    fn broken_values_hide_what_lies_below() {
        let picture =
            decoded(&overlay_png(&map(2, 1, &[0.5, f32::NAN]), &Drawing::default()).unwrap())
                .to_rgba8();
        assert_eq!(
            (picture[(0, 0)][3], picture[(0, 127)]),
            (140, Rgba([128, 128, 128, 255]))
        );
    }

    #[test]
    fn a_smooth_map_takes_a_few_kilobytes() {
        let hill = |at: usize| {
            (-((at % 14) as f32 - 6.0).powi(2) / 9.0 - ((at / 14) as f32 - 8.0).powi(2) / 16.0)
                .exp()
        };
        let values: Vec<f32> = (0..196).map(hill).collect();
        let uri = overlay_png(&map(14, 14, &values), &Drawing::default()).unwrap();
        assert!(uri.len() < 6000, "{} bytes", uri.len());
    }
}
