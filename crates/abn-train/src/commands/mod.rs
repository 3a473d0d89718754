//! The commands, one a file: from arguments as typed to results on stdout.

pub mod eval;
pub mod explain;
pub mod import;
pub mod models;
pub mod predict;
pub mod train;

use abn_core::AttentionConfig;

use crate::cli::AttentionName;
use crate::recipe::Recipe;

/// The attention branch of that name.
fn attention(name: AttentionName) -> Option<AttentionConfig> {
    match name {
        AttentionName::None => None,
        AttentionName::Abn => Some(AttentionConfig::abn()),
        AttentionName::Manet => Some(AttentionConfig::manet()),
    }
}

/// The name of an attention branch, also of one whose details differ from its paper's.
fn attention_name(attention: Option<&AttentionConfig>) -> &'static str {
    match attention {
        None => "none",
        Some(config) if config.mixed.is_some() => "manet",
        Some(_) => "abn",
    }
}

/// A network in words.
pub(crate) fn title(recipe: &Recipe) -> String {
    match attention_name(recipe.attention.as_ref()) {
        "none" => format!("{} without attention", recipe.architecture),
        name => format!("{} with attention {name}", recipe.architecture),
    }
}

/// A fraction as a percentage.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
