//! `abn models`: every published architecture with and without each attention branch, and what it
//! costs.

use abn_core::architecture::AttentionName;
use abn_core::{Architecture, ClassifierConfig};
use abn_run::RunError;
use abn_run::recipe::architectures;
use abn_run::recipe::recognise::outputs_of;
use anyhow::Result;
use burn::tensor::Device;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::cli::ModelsArgs;
use crate::device;
use crate::terminal;

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    attention: &'static str,
    classes: usize,
    depth: usize,
    parameters: usize,
    multiply_adds: u64,
    input: usize,
    map: [usize; 2],
}

/// Classes of a network for small images, unless said otherwise: CIFAR-10's.
const SMALL_CLASSES: usize = 10;
/// Classes of a network for large images, unless said otherwise: ImageNet's.
const LARGE_CLASSES: usize = 1000;

/// Runs the command.
///
/// # Errors
/// A name is no architecture.
pub fn run(args: ModelsArgs) -> Result<()> {
    let device = device::for_bookkeeping()?;
    let named = args.names.iter().map(|name| architectures::parse(name));
    let named: Vec<Architecture> = named.collect::<Result<_, _>>().map_err(RunError::from)?;
    let listed = if named.is_empty() {
        Architecture::published()
    } else {
        named
    };
    let rows: Vec<Row> = listed
        .iter()
        .flat_map(|architecture| {
            let usual = if architecture.is_for_photographs() {
                LARGE_CLASSES
            } else {
                SMALL_CLASSES
            };
            let classes = args.classes.map_or(usual, |classes| classes as usize);
            let row = |name: &AttentionName| row(architecture, *name, classes, &device);
            // The other one of several labels costs the same.
            let of_one = [
                AttentionName::None,
                AttentionName::Abn,
                AttentionName::Manet,
            ];
            let several = (!args.names.is_empty()).then_some(AttentionName::Mtabn);
            of_one.iter().chain(&several).map(row).collect::<Vec<_>>()
        })
        .collect();
    if args.json {
        return terminal::json(&rows);
    }
    print(&rows)?;
    if args.names.is_empty() {
        terminal::result(FAMILIES)
    } else {
        Ok(())
    }
}

fn row(architecture: &Architecture, name: AttentionName, classes: usize, device: &Device) -> Row {
    let config = ClassifierConfig {
        network: architecture.network.clone(),
        attention: architecture.attention(name),
        outputs: outputs_of(name, classes),
    };
    let cost = config.cost([architecture.input; 2], device);
    Row {
        name: architecture.name.clone(),
        attention: name.name(),
        classes,
        depth: architecture.depth(),
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
        input: architecture.input,
        map: cost.map,
    }
}

fn print(rows: &[Row]) -> Result<()> {
    let cells = |row: &Row| {
        [
            row.name.clone(),
            row.attention.to_owned(),
            row.classes.to_string(),
            row.depth.to_string(),
            row.parameters.to_string(),
            format!("{:.1} M", row.multiply_adds as f64 / 1e6),
            format!("{0}x{0}", row.input),
            format!("{}x{}", row.map[0], row.map[1]),
        ]
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEADER).add_rows(rows.iter().map(cells));
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if place >= NAMES {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    terminal::result(&table.trim_fmt())
}

/// Names of the columns, of which the first are not numbers.
const HEADER: [&str; 8] = [
    "architecture",
    "attention",
    "classes",
    "layers",
    "parameters",
    "multiply-adds",
    "input",
    "map",
];
const NAMES: usize = 2;

/// What names are made of.
const FAMILIES: &str = "
Any numbers of a family work:
  resnetD           D = 6n + 2, CIFAR, the reference's rule: bottlenecks from 44 on, so more layers than the name says
  resnetD-basic     the same depth in basic blocks, as in the literature; -basic-a: shortcuts without parameters
  resnet18          34, 50, 101, 152: ImageNet; resnet50-cifar: CIFAR's of that depth
  wrn-D-K           D = 6n + 4, widening K
  densenet-bc-D-K   D = 6n + 4, growth K
  resnextD-CxWd     C groups of width W; D = 9n + 2 for CIFAR; 50, 101, 152 for ImageNet, or with -cifar for CIFAR
  vgg16-bn          11, 13, 16, 19; cut for the attention branch after conv5, with -conv4 after conv4
  se-..., cbam-...  that module in every residual block; the same as --block";
