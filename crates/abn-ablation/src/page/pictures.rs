//! Photographs and maps as rules of the style sheet, so that each is in the page once, whoever
//! shows it.

use std::collections::HashMap;

use abn_core::explain::AttentionMap;
use abn_pages::heatmap::Drawing;
use abn_pages::{overlay_png, photograph};
use anyhow::Result;
use image::RgbImage;

/// The pictures so far.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// Class of the element that shows it, by its rule.
    classes: HashMap<String, String>,
    rules: String,
}

impl Pictures {
    /// The class of what shows that photograph, and has its shape.
    ///
    /// # Errors
    /// It has no pixels.
    pub(super) fn photograph(&mut self, image: &RgbImage) -> Result<String> {
        let (width, height) = image.dimensions();
        Ok(self.class(format!(
            "--photo:url({});aspect-ratio:{width}/{height}",
            photograph(image)?
        )))
    }

    /// The class of what shows that map above its photograph.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub(super) fn map(&mut self, map: &AttentionMap) -> Result<String> {
        let picture = overlay_png(map, &Drawing::default())?;
        Ok(self.class(format!("--map:url({picture})")))
    }

    /// Their rules.
    pub(super) fn rules(&self) -> &str {
        &self.rules
    }

    fn class(&mut self, rule: String) -> String {
        let name = format!("picture-{}", self.classes.len() + 1);
        let rules = &mut self.rules;
        let class = self.classes.entry(rule).or_insert_with_key(|rule| {
            rules.push_str(&format!("\n.{name} {{ {rule} }}"));
            name
        });
        class.clone()
    }
}
