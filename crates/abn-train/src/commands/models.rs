//! `abn models`: every published architecture with and without each attention branch, and what it costs.

use abn_core::ClassifierConfig;
use abn_core::backbone::Architecture;
use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use super::attention;
use crate::cli::{AttentionName, ModelsArgs};
use crate::{device, terminal};

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    attention: String,
    depth: usize,
    parameters: usize,
    multiply_adds: u64,
    input: usize,
    map: [usize; 2],
}

/// Runs the command.
///
/// # Errors
/// No backend is compiled in.
pub fn run(args: ModelsArgs) -> Result<()> {
    let device = device::for_bookkeeping()?;
    let mut rows = Vec::new();
    for architecture in Architecture::published() {
        for name in AttentionName::value_variants() {
            let config = ClassifierConfig {
                network: architecture.network.clone(),
                attention: attention(*name, &architecture),
                classes: args.classes as usize,
            };
            let cost = config.cost([architecture.input; 2], &device);
            rows.push(Row {
                name: architecture.name.clone(),
                attention: name
                    .to_possible_value()
                    .map_or_else(String::new, |value| value.get_name().to_owned()),
                depth: architecture.depth(),
                parameters: cost.parameters,
                multiply_adds: cost.multiply_adds,
                input: architecture.input,
                map: cost.map,
            });
        }
    }
    if args.json { terminal::json(&rows) } else { print(&rows) }
}

fn print(rows: &[Row]) -> Result<()> {
    terminal::result("architecture      attention  layers  parameters  multiply-adds  input    map")?;
    for row in rows {
        terminal::result(&format!(
            "{:<17} {:<10} {:>6} {:>11} {:>12.1} M  {:>2}x{:<2}  {:>2}x{:<2}",
            row.name,
            row.attention,
            row.depth,
            row.parameters,
            row.multiply_adds as f64 / 1e6,
            row.input,
            row.input,
            row.map[0],
            row.map[1]
        ))?;
    }
    terminal::result(
        "\nAny depth of a family works: resnetD with D = 6n + 2 (the reference's rule: bottlenecks from 44 on), resnetD-basic.",
    )
}
