//! What a model tells of itself beside its graph.

use abn_core::ClassifierConfig;
use abn_data::{Normalization, Step, Transform};
use serde::Serialize;
use serde_json::json;

use crate::error::OnnxError;
use crate::preprocessing::words;
use crate::proto::{ModelProto, StringStringEntryProto};
use crate::{Export, Input};

/// What a picture goes through before it is a network's input.
#[derive(Serialize)]
struct Preprocessing {
    /// Whether the graph does it itself.
    inside: bool,
    /// The input: its values and axes.
    input: &'static str,
    /// The steps, in their order.
    steps: Vec<serde_json::Value>,
    /// How a picture is resized.
    resize: &'static str,
    /// (x / 255 - mean) / std, for red, green and blue.
    mean: [f32; 3],
    /// See `mean`.
    std: [f32; 3],
}

/// Pillow's filter, and how near it is.
const RESIZE_INSIDE: &str =
    "bilinear with antialiasing on bytes, as Pillow but for rounding: within two grey levels";
const RESIZE_BESIDE: &str = "bilinear with antialiasing, as Pillow's Image.resize with BILINEAR; \
                             without it, logits differ visibly";

impl Preprocessing {
    fn of(transform: &Transform, input: Input) -> Self {
        let step = |step: &Step| match *step {
            Step::Resize { width, height } => {
                Some(json!({ "resize": { "width": width, "height": height } }))
            }
            Step::ResizeShorter { size } => Some(json!({ "resize_shorter": size })),
            Step::CenterCrop { size } => Some(json!({ "center_crop": size })),
            _ => None,
        };
        let Normalization { mean, std } = transform.normalization;
        let inside = input == Input::Pictures;
        Self {
            inside,
            input: if inside {
                "images: uint8 [N, H, W, 3], red, green, blue"
            } else {
                "images: float32 [N, 3, H, W], red, green, blue, after steps, mean and std"
            },
            steps: transform.steps.iter().filter_map(step).collect(),
            resize: if inside { RESIZE_INSIDE } else { RESIZE_BESIDE },
            mean,
            std,
        }
    }
}

/// Puts title, network, labels and preprocessing into a model.
pub(crate) fn describe(model: &mut ModelProto, export: &Export<'_>) -> Result<(), OnnxError> {
    model.doc_string = doc_string(export);
    let preprocessing = Preprocessing::of(export.transform, export.input);
    model.metadata_props = [
        ("abn.title", export.title.to_owned()),
        ("abn.network", as_json(export.model)?),
        ("abn.labels", as_json(export.labels)?),
        ("abn.preprocessing", as_json(&preprocessing)?),
    ]
    .map(|(key, value)| StringStringEntryProto {
        key: key.to_owned(),
        value,
    })
    .into();
    Ok(())
}

fn as_json(value: &impl Serialize) -> Result<String, OnnxError> {
    serde_json::to_string(value).map_err(|error| OnnxError::Json(error.to_string()))
}

fn doc_string(export: &Export<'_>) -> String {
    let steps = words(export.transform);
    let images = match export.input {
        Input::Pictures => format!(
            "images: bytes [N, H, W, 3], red, green, blue; the graph does the rest: {steps}."
        ),
        Input::Normalized => format!(
            "images: floats [N, 3, H, W], red, green, blue, after: {steps}. Resize as Pillow does, \
             bilinear with antialiasing."
        ),
    };
    let attention = match &export.model.attention {
        None => String::new(),
        Some(_) => format!(
            " attention_logits: those of the attention branch. map: where it looks, {}.",
            maps(export.model)
        ),
    };
    let outputs = "logits: of all classes, label by label; the softmax of a label's own are its \
                   probabilities. Labels and classes stand in abn.labels.";
    format!("{}. {images} {outputs}{attention}", export.title)
}

fn maps(model: &ClassifierConfig) -> String {
    let maps = model
        .attention
        .as_ref()
        .map_or(1, |attention| attention.maps.count(&model.outputs));
    if maps == 1 {
        return "[N, 1, h, w]".to_owned();
    }
    format!("[N, {maps}, h, w], one a label")
}
