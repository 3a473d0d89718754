//! Which columns hold the images and their labels, and what the classes are called.

use parquet::basic::{ConvertedType, Type};
use parquet::file::metadata::FileMetaData;
use parquet::schema::types::ColumnDescriptor;
use serde_json::Value;

use crate::archive::{names_in, shown};

/// Names of columns of images, in order of preference.
const IMAGES: [&str; 8] = [
    "image",
    "img",
    "picture",
    "photo",
    "jpg",
    "png",
    "webp",
    "pixel_values",
];
/// Names of columns of labels, in order of preference.
const LABELS: [&str; 10] = [
    "label",
    "labels",
    "fine_label",
    "class",
    "class_label",
    "target",
    "category",
    "cls",
    "coarse_label",
    "class_name",
];
/// Where the library `datasets` describes the columns.
const DESCRIPTION: &str = "huggingface";

/// The columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// Number of the column of the images' bytes.
    pub(super) image: usize,
    /// Number of the column of labels.
    pub(super) label: usize,
    /// The names of the classes, if the file has them.
    pub(super) names: Option<Vec<String>>,
}

impl Columns {
    /// The columns of a file; an error says what is missing.
    pub(super) fn of(metadata: &FileMetaData) -> Result<Self, String> {
        let columns = metadata.schema_descr().columns();
        let info = described(metadata);
        let find = |path: &[&str], kinds: &[Type]| {
            let fits = |column: &ColumnDescriptor| {
                let flat = column.max_rep_level() == 0;
                flat && column.path().parts() == path && kinds.contains(&column.physical_type())
            };
            columns.iter().position(|column| fits(column))
        };
        let of_image = |name: &str| {
            let bytes = &[Type::BYTE_ARRAY];
            find(&[name, "bytes"], bytes)
                .or_else(|| find(&[name], bytes).filter(|column| !is_text(&columns[*column])))
        };
        let image = IMAGES.iter().copied().find_map(of_image);
        let image = image.or_else(|| of_image(&image_in(&info)?));
        let of_label = |name: &str| find(&[name], &[Type::INT64, Type::INT32, Type::BYTE_ARRAY]);
        let named = LABELS.iter().find_map(|name| names_in(&info, Some(name)));
        let named = named.or_else(|| names_in(&info, None));
        let named = named.and_then(|(column, names)| Some((of_label(&column)?, names)));
        let (label, names) = match named {
            Some((label, names)) => (Some(label), Some(names)),
            None => (LABELS.iter().copied().find_map(of_label), None),
        };
        let has = || {
            let names: Vec<String> = columns.iter().map(|c| c.path().string()).collect();
            shown(&names.join(", "))
        };
        let image = image.ok_or_else(|| {
            format!(
                "it has the columns {}: expected image or img with bytes in it",
                has()
            )
        })?;
        let label = label.filter(|label| *label != image).ok_or_else(|| {
            format!(
                "it has the columns {}: expected label, of numbers or texts",
                has()
            )
        })?;
        Ok(Self {
            image,
            label,
            names,
        })
    }
}

/// What `datasets` says of the columns; nothing if it did not write the file.
fn described(metadata: &FileMetaData) -> Value {
    let pairs = metadata.key_value_metadata().into_iter().flatten();
    let text = pairs
        .filter(|pair| pair.key == DESCRIPTION)
        .find_map(|pair| pair.value.as_deref());
    let text = text.and_then(|text| serde_json::from_str(text).ok());
    text.unwrap_or(Value::Null)
}

/// The first column that is described as one of images.
fn image_in(info: &Value) -> Option<String> {
    let fields = info.as_object()?;
    let is_image = |field: &Value| field.get("_type").is_some_and(|kind| kind == "Image");
    let found = fields.iter().find(|(_, field)| is_image(field));
    let name = found.map(|(name, _)| name.clone());
    name.or_else(|| fields.values().find_map(image_in))
}

fn is_text(column: &ColumnDescriptor) -> bool {
    column.converted_type() == ConvertedType::UTF8
}
