//! What was found, as COCO's results files have it:
//!
//! ```text
//! [{"image_id": 42, "category_id": 18, "bbox": [258.2, 41.3, 348.3, 243.8], "score": 0.236}, ...]
//! ```

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::bounded::{Bounded, Entry, read_json};
use super::numbers::box_fault;
use crate::BoundingBox;
use crate::error::CocoError;

/// A found object.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    /// COCO's number of the image.
    pub image_id: u64,
    /// COCO's number of the category.
    pub category_id: u64,
    /// Left and upper edge, width and height in pixels of the image as it was.
    #[serde(rename = "bbox")]
    pub xywh: [f64; 4],
    /// The higher, the surer.
    pub score: f64,
}

impl Detected {
    /// Of a box.
    #[must_use]
    pub fn of(image_id: u64, category_id: u64, bounds: &BoundingBox, score: f64) -> Self {
        Self {
            image_id,
            category_id,
            xywh: bounds.xywh(),
            score,
        }
    }

    pub(super) fn fault(&self, place: usize) -> Option<String> {
        let fault = box_fault(&self.xywh).or_else(|| {
            let reason = || format!("has a score of {}: expected a finite number", self.score);
            (!self.score.is_finite()).then(reason)
        });
        let id = self.image_id;
        fault.map(|fault| format!("the detection {place} of the list, of the image {id}, {fault}"))
    }
}

impl Entry for Detected {
    const LIST: &'static str = "detections";
    const MOST: usize = 20_000_000;

    fn fault(&self, place: usize) -> Option<String> {
        self.fault(place)
    }
}

/// Reads a results file.
///
/// # Errors
/// It cannot be read, is not a list of detections, or has a box or a score that is none.
pub fn read_results(input: impl Read) -> Result<Vec<Detected>, CocoError> {
    let list: Bounded<Detected> = read_json(input)?;
    Ok(list.0)
}

/// Writes a results file, a detection a line. Numbers are read back to the last bit.
///
/// # Errors
/// It cannot be written, or a number is not finite, which JSON does not have.
pub fn write_results<'a>(
    mut output: impl Write,
    detections: impl IntoIterator<Item = &'a Detected>,
) -> Result<(), CocoError> {
    output.write_all(b"[").map_err(CocoError::Write)?;
    for (place, detected) in detections.into_iter().enumerate() {
        if let Some(fault) = detected.fault(place + 1) {
            return Err(CocoError::Contradiction(fault));
        }
        let between: &[u8] = if place == 0 { b"\n" } else { b",\n" };
        output.write_all(between).map_err(CocoError::Write)?;
        serde_json::to_writer(&mut output, detected)
            .map_err(|error| CocoError::Write(error.into()))?;
    }
    output.write_all(b"\n]\n").map_err(CocoError::Write)?;
    output.flush().map_err(CocoError::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_back_to_the_last_bit() {
        let bounds = BoundingBox::new(0.1, 1.0 / 3.0, 10.7, 1e-30);
        let mut found = vec![Detected::of(0, 90, &BoundingBox::default(), 0.0)];
        let of_halves = Detected::of(7, 1, &BoundingBox::new(0.5, 1.0, 3.0, 9.0), 0.25);
        found.push(of_halves);
        found.push(Detected {
            xywh: [bounds.x1, bounds.y1, 0.1 + 0.2, 1.0 / 3.0],
            ..found[0]
        });
        let mut text = Vec::new();
        write_results(&mut text, &found).unwrap();
        assert_eq!(read_results(&*text).unwrap(), found);
        let text = String::from_utf8(text).unwrap();
        let line = r#"{"image_id":7,"category_id":1,"bbox":[0.5,1.0,2.5,8.0],"score":0.25},"#;
        assert_eq!(text.lines().nth(2), Some(line));
        let mut text = Vec::new();
        write_results(&mut text, []).unwrap();
        assert_eq!(read_results(&*text).unwrap(), []);
    }

    #[test]
    fn what_is_no_detection_is_refused() {
        let refused = |text: &str, word: &str| {
            let error = read_results(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        let of = |bounds: &str, score: &str| {
            let good = r#"{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}"#;
            let fields = format!(r#""category_id": 1, "bbox": [{bounds}], "score": {score}"#);
            format!(r#"[{good}, {{"image_id": 8, {fields}}}]"#)
        };
        assert_eq!(
            read_results(of("0, 0, 0, 0", "-3").as_bytes())
                .unwrap()
                .len(),
            2
        );
        refused(
            &of("0, 0, -1, 1", "1"),
            "the detection 2 of the list, of the image 8",
        );
        refused(&of("0, 0, 1, 1", "null"), "line 1, column");
        refused("{\"images\": []}", "expected a list of detections");
        refused("[{\"image_id\": 1}]", "missing field");
        let found = Detected::of(1, 1, &BoundingBox::default(), f64::NAN);
        assert!(write_results(Vec::new(), [&found]).is_err());
    }
}
