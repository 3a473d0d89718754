//! Pictures as files, and files as part of a page.

use base64::{Engine, prelude::BASE64_STANDARD};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;

/// Images of at most this many pixels a side are embedded without loss, because their pixels will
/// be seen.
const LOSSLESS: u32 = 64;
/// Quality of the others.
const JPEG_QUALITY: u8 = 85;

/// A picture that cannot be a file.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The PNG encoder refuses it.
    #[error("the picture cannot be written as PNG")]
    Png(#[from] png::EncodingError),
    /// The JPEG encoder refuses it.
    #[error("the picture cannot be written as JPEG")]
    Jpeg(#[from] image::ImageError),
}

/// An image as a PNG file, with a comment on what it shows unless that is empty.
///
/// # Errors
/// It has no pixels.
pub fn png(image: &RgbImage, comment: &str) -> Result<Vec<u8>, EncodeError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, image.width(), image.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    if !comment.is_empty() {
        encoder.add_itxt_chunk("Description".to_owned(), comment.to_owned())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(image.as_raw())?;
    writer.finish()?;
    Ok(file)
}

/// An image as a data URI, of the size that it has.
///
/// # Errors
/// It has no pixels.
pub fn photograph(image: &RgbImage) -> Result<String, EncodeError> {
    if is_small(image) {
        return Ok(data_uri("png", &png(image, "")?));
    }
    let mut file = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY))?;
    Ok(data_uri("jpeg", &file))
}

/// Whether an image is so small that its pixels will be seen.
pub fn is_small(image: &RgbImage) -> bool {
    image.width().max(image.height()) <= LOSSLESS
}

/// A file as `data:image/...;base64,...`.
pub(crate) fn data_uri(format: &str, file: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(file);
    format!("data:image/{format};base64,{text}")
}

#[cfg(test)]
pub(crate) mod tests {
    use image::Rgb;

    use super::*;

    /// What a data URI holds.
    pub(crate) fn decoded(uri: &str) -> image::DynamicImage {
        let (_, data) = uri.split_once("base64,").unwrap();
        image::load_from_memory(&BASE64_STANDARD.decode(data).unwrap()).unwrap()
    }

    #[test]
    fn small_images_keep_every_pixel_and_large_ones_their_size() {
        let pixel = |x: u32, y: u32| Rgb([x as u8, y as u8, (x * y) as u8]);
        let image = |side| RgbImage::from_fn(side, side, pixel);
        let small = photograph(&image(64)).unwrap();
        assert!(small.starts_with("data:image/png") && decoded(&small).to_rgb8() == image(64));
        let large = photograph(&image(65)).unwrap();
        assert!(large.starts_with("data:image/jpeg") && decoded(&large).width() == 65);
        assert!(photograph(&RgbImage::new(0, 0)).is_err());
    }

    #[test]
    fn a_comment_says_what_a_picture_shows() {
        let image = RgbImage::new(2, 1);
        let file = png(&image, "left to right: é").unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info();
        let reader = reader.unwrap();
        let text = &reader.info().utf8_text[0];
        assert_eq!(text.get_text().unwrap(), "left to right: é");
        assert_eq!(image::load_from_memory(&file).unwrap().to_rgb8(), image);
    }
}
