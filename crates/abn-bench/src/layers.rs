//! `cargo xtask bench layers`: each convolution of a network by itself, forward and both gradients,
//! as shares of what the machine computes and of what its memory moves.

use std::fmt;
use std::time::Instant;

use abn_core::ClassifierConfig;
use abn_core::conv::ConvShape;
use abn_core::cost::Layer;
use abn_kernels::InstructionSet;
use abn_kernels::conv::{
    Algorithm, Convolution, Finish, Prepared, input_gradient, weight_gradient,
};
use anyhow::{Context, Result};
use clap::Args;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::case::{Attention, Case, Mode, Place};
use crate::cli::{only, parse_seconds, parse_threads};
use crate::process::Engine;
use crate::table::Table;
use crate::{instructions, machine, measure};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Network whose convolutions are measured
    #[arg(long, value_name = "NAME", default_value = "resnet50")]
    arch: String,
    /// With the branch of an attention network
    #[arg(long, value_enum, default_value_t = Attention::None)]
    attention: Attention,
    /// Images a batch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Side of the square images
    #[arg(long, value_name = "PX", default_value_t = 224, value_parser = clap::value_parser!(u32).range(32..=4096))]
    size: u32,
    /// Only what has this text in its description, such as `3x3` or `256 to 64, 56x56`; of several,
    /// any
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Instructions, avx512, avx2 or portable, instead of the machine's best
    #[arg(long, value_name = "SET", value_parser = instructions::parse)]
    instructions: Option<InstructionSet>,
    /// Threads; all that the machine has if left out
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
    /// How long each convolution is repeated, of which the median counts
    #[arg(long, value_name = "S", default_value_t = 0.3, value_parser = parse_seconds)]
    seconds: f64,
    /// Print a table for Markdown, with date, command and processor
    #[arg(long)]
    markdown: bool,
}

/// Measures the convolutions and returns what there is to print.
///
/// # Errors
/// There is no such network.
pub(crate) fn bench(options: &Options) -> Result<String> {
    let threads = options.threads.unwrap_or_else(machine::threads);
    let set = match options.instructions {
        Some(set) => set,
        None => InstructionSet::chosen()?,
    };
    let shapes = only(&options.only, Shape::all_of(&config(options)?, options));
    eprintln!("measuring the machine's peak, threads: {threads}");
    let engine = Engine::Ours {
        instructions: options.instructions,
    };
    let peaks = engine.peaks(threads)?;
    let peak = peaks.iter().map(|(_, peak)| *peak).fold(0.0, f64::max);
    // The pool of this process, which nobody has used before.
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .context("cannot start the threads")?;
    abn_kernels::keep_freed_memory();
    let bandwidth = bandwidth();
    let rows = shapes.iter().enumerate().map(|(index, shape)| {
        eprintln!("[{}/{}] {shape}", index + 1, shapes.len());
        shape.measure(set, options.seconds)
    });
    let rows: Vec<Row> = rows.collect();
    let table = table(&rows, peak, bandwidth);
    let conditions = format!(
        "{} of batches of {} computed by {set}, threads: {threads}. Peak: {:.0} GFLOP/s; Winograd's \
         algorithm may exceed it. Memory: {:.1} GB/s read and written by a copy; what the caches \
         hold may exceed it.",
        options.arch,
        options.batch,
        peak / 1e9,
        bandwidth / 1e9,
    );
    Ok(if options.markdown {
        format!(
            "```sh\n{}\n```\n\n{}, {}. {conditions}\n\n{}",
            measure::command(),
            machine::today(),
            machine::processor(),
            table.markdown()
        )
    } else {
        format!("{conditions}\n\n{}", table.text())
    })
}

fn config(options: &Options) -> Result<ClassifierConfig> {
    let case = Case {
        arch: options.arch.clone(),
        attention: options.attention,
        mode: Mode::Infer,
        batch: options.batch as usize,
        size: options.size as usize,
        classes: 1000,
        place: Place::default(),
        threads: 1,
    };
    case.config()
}

/// A convolution that a network has several times.
struct Shape {
    layer: Layer,
    count: usize,
    batch: usize,
}

impl Shape {
    /// The convolutions of more than one position, each shape once, in the network's order.
    fn all_of(config: &ClassifierConfig, options: &Options) -> Vec<Self> {
        let mut shapes: Vec<Self> = Vec::new();
        let layers = config.layers([options.size as usize; 2]).into_iter();
        for layer in layers.filter(|layer| layer.size != [1, 1]) {
            match shapes.iter_mut().find(|shape| shape.layer == layer) {
                Some(shape) => shape.count += 1,
                None => shapes.push(Self {
                    layer,
                    count: 1,
                    batch: options.batch as usize,
                }),
            }
        }
        shapes
    }

    fn name(&self) -> String {
        let ConvShape {
            inputs,
            outputs,
            side,
            stride,
            groups,
        } = self.layer.shape;
        let stride = match stride {
            1 => String::new(),
            stride => format!("/{stride}"),
        };
        let groups = match groups {
            1 => String::new(),
            groups => format!(" in {groups} groups"),
        };
        format!("{side}x{side}{stride} {inputs} to {outputs}{groups}")
    }

    fn convolution(&self) -> Convolution {
        let Layer { shape, size } = self.layer;
        Convolution {
            batch: self.batch,
            input: size,
            kernel: [shape.side; 2],
            stride: [shape.stride; 2],
            padding_before: [shape.side / 2; 2],
            padding_after: [shape.side / 2; 2],
            dilation: [1; 2],
            channels_in: shape.inputs,
            channels_out: shape.outputs,
            groups: shape.groups,
        }
    }

    fn measure(&self, set: InstructionSet, seconds: f64) -> Row {
        let geometry = self.convolution();
        let input = values(geometry.input_len());
        let weight = values(geometry.weight_len());
        let gradient = values(geometry.output_len());
        let mut output = vec![0.0; geometry.output_len()];
        let factor = vec![1.0; geometry.channels_out];
        let finish = Finish {
            factor: Some(&factor),
            bias: Some(&factor),
            relu: true,
            ..Finish::default()
        };
        // As in inference, which reorders weights once.
        let prepared = Prepared::new(set, Algorithm::Fewest, &geometry, &weight);
        let forward = median(seconds, || {
            prepared.forward(&geometry, &input, finish, &mut output);
        });
        let mut of_input = vec![0.0; input.len()];
        let input_gradient = median(seconds, || {
            input_gradient(set, &geometry, &weight, &gradient, &mut of_input);
        });
        let mut of_weight = vec![0.0; weight.len()];
        let weight_gradient = median(seconds, || {
            weight_gradient(set, &geometry, &input, &gradient, &mut of_weight);
        });
        let moved = input.len() + weight.len() + output.len();
        Row {
            name: self.name(),
            size: self.layer.size,
            count: self.count,
            operations: 2.0 * self.batch as f64 * self.layer.multiply_adds() as f64,
            bytes: (moved * size_of::<f32>()) as f64,
            seconds: [forward, input_gradient, weight_gradient],
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = self.layer.size;
        write!(formatter, "{}, {height}x{width}", self.name())
    }
}

struct Row {
    name: String,
    size: [usize; 2],
    count: usize,
    operations: f64,
    /// That are read and written at least.
    bytes: f64,
    /// Of the forward pass, the input's gradient and the weight's.
    seconds: [f64; 3],
}

fn table(rows: &[Row], peak: f64, bandwidth: f64) -> Table {
    let head = [
        "convolution",
        "of",
        "times",
        "ms",
        "GFLOP/s",
        "peak",
        "memory",
        "input gradient",
        "weight gradient",
    ];
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let cells = |name: String, size: String, count: usize, row: &Row| {
        let [forward, input, weight] = row.seconds;
        let rate = |seconds: f64| row.operations / seconds;
        vec![
            name,
            size,
            count.to_string(),
            format!("{:.2}", 1e3 * forward),
            format!("{:.0}", rate(forward) / 1e9),
            percent(rate(forward) / peak),
            percent(row.bytes / forward / bandwidth),
            percent(rate(input) / peak),
            percent(rate(weight) / peak),
        ]
    };
    let each = rows.iter().map(|row| {
        let [height, width] = row.size;
        cells(
            row.name.clone(),
            format!("{height}x{width}"),
            row.count,
            row,
        )
    });
    let sum = |of: fn(&Row) -> f64| rows.iter().map(|row| row.count as f64 * of(row)).sum();
    let all = Row {
        name: String::new(),
        size: [0; 2],
        count: rows.iter().map(|row| row.count).sum(),
        operations: sum(|row| row.operations),
        bytes: sum(|row| row.bytes),
        seconds: [
            sum(|row| row.seconds[0]),
            sum(|row| row.seconds[1]),
            sum(|row| row.seconds[2]),
        ],
    };
    let total = cells("all".to_owned(), String::new(), all.count, &all);
    Table {
        head: head.map(str::to_owned).to_vec(),
        rows: each.chain([total]).collect(),
    }
}

/// Some values around zero; which ones does not matter to the time.
fn values(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| (index % 251) as f32 / 251.0 - 0.5)
        .collect()
}

/// The median time of what is repeated for so long, after once to warm up.
fn median(seconds: f64, mut run: impl FnMut()) -> f64 {
    run();
    let started = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || started.elapsed().as_secs_f64() < seconds {
        let began = Instant::now();
        run();
        times.push(began.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Bytes a second that all threads together read and write while they copy more than caches hold.
fn bandwidth() -> f64 {
    /// Values of each side: 128 MiB.
    const COUNT: usize = 32 << 20;
    /// Values that a thread copies at once.
    const PART: usize = 1 << 16;
    let from = vec![1.0_f32; COUNT];
    let mut to = vec![0.0_f32; COUNT];
    let seconds = median(1.0, || {
        to.par_chunks_mut(PART)
            .zip(from.par_chunks(PART))
            .for_each(|(to, from)| to.copy_from_slice(from));
    });
    (2 * COUNT * size_of::<f32>()) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_each_shape_once_with_its_count() {
        let options = Options {
            arch: "resnet20".to_owned(),
            attention: Attention::None,
            batch: 2,
            size: 32,
            only: Vec::new(),
            instructions: None,
            threads: None,
            seconds: 0.1,
            markdown: false,
        };
        let shapes = Shape::all_of(&config(&options).unwrap(), &options);
        let counted: Vec<(String, [usize; 2], usize)> = shapes
            .iter()
            .map(|shape| (shape.name(), shape.layer.size, shape.count))
            .collect();
        let expected = [
            ("3x3 3 to 16", 32, 1),
            ("3x3 16 to 16", 32, 6),
            ("1x1/2 16 to 32", 32, 1),
            ("3x3/2 16 to 32", 32, 1),
            ("3x3 32 to 32", 16, 5),
            ("1x1/2 32 to 64", 16, 1),
            ("3x3/2 32 to 64", 16, 1),
            ("3x3 64 to 64", 8, 5),
        ];
        let expected = expected.map(|(name, side, count)| (name.to_owned(), [side; 2], count));
        assert_eq!(counted, expected);
    }

    #[test]
    fn shares_are_of_operations_and_bytes() {
        let row = Row {
            name: "1x1 8 to 8".to_owned(),
            size: [4, 4],
            count: 3,
            operations: 2e6,
            bytes: 1e6,
            seconds: [0.001, 0.002, 0.004],
        };
        let table = table(&[row], 4e9, 2e9);
        let cells = [
            "1x1 8 to 8",
            "4x4",
            "3",
            "1.00",
            "2",
            "50 %",
            "50 %",
            "25 %",
            "12 %",
        ];
        assert_eq!(table.rows[0], cells);
        let all = ["all", "", "3", "3.00", "2", "50 %", "50 %", "25 %", "12 %"];
        assert_eq!(table.rows[1], all);
    }
}
