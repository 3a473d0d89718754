//! `cargo xtask bench profile`: what a step has a GPU do, kernel by kernel.
//!
//! Burn writes a line for every launch where a file `cubecl.toml` in the working directory asks for
//! it. The process of a network works in such a directory, and the lines of one repetition count.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::case::Case;
use crate::handover::Handover;
use crate::process::{Engine, Repetition, Worker};
use crate::table::Table;

const CONFIG: &str = "[profiling]\nlogger = { level = \"basic\", file = \"launches.log\" }\n";
const LOG: &str = "launches.log";
/// The lines come from a thread of their own: all are there when there are no more for so long.
const QUIET: Duration = Duration::from_millis(500);
/// Kernels that are named; the rest of them is one line.
const SHOWN: usize = 20;

/// All launches of a kernel.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Launches {
    count: usize,
    /// Of those that the device timed.
    seconds: f64,
}

/// Profiles the cases one after the other and returns what there is to print.
///
/// # Errors
/// One of them computes on the CPU, or a process fails.
pub(crate) fn bench(cases: &[Case], ours: &Engine, handover: &Handover) -> Result<String> {
    let tables: Result<Vec<String>> = cases
        .iter()
        .map(|case| {
            eprintln!("{case}");
            let (kernels, step) = profile(case, ours, handover)?;
            Ok(format!("{case}: {step}\n\n{}", table(&kernels).text()))
        })
        .collect();
    Ok(tables?.join("\n\n"))
}

/// The launches of a step by kernel, and a line about all of them.
fn profile(
    case: &Case,
    ours: &Engine,
    handover: &Handover,
) -> Result<(Vec<(String, Launches)>, String)> {
    ensure!(
        !case.place.is_cpu(),
        "a CPU launches no kernels; `cargo xtask bench layers` tells where its time goes"
    );
    let folder = tempfile::tempdir().context("no place for the lines")?;
    fs::write(folder.path().join("cubecl.toml"), CONFIG)?;
    let log = folder.path().join(LOG);
    let mut worker = Worker::start_in(folder.path(), ours, case, handover)?;
    worker.ask::<()>("warm 0.01")?;
    let before = settled(&log)?.len();
    let done: Repetition = worker.ask("go")?;
    let lines = settled(&log)?;
    ensure!(
        lines.len() > before,
        "the device wrote no line about a kernel, so nothing is known of its step"
    );
    let steps = (done.images / case.batch).max(1);
    let kernels = by_kernel(&lines[before..], steps);
    let count: usize = kernels.iter().map(|(_, launches)| launches.count).sum();
    let seconds: f64 = kernels.iter().map(|(_, launches)| launches.seconds).sum();
    let told = format!(
        "{count} launches a step, {:.2} ms within them",
        1e3 * seconds
    );
    Ok((kernels, told))
}

/// The lines of the log when there are no more for a while.
fn settled(log: &Path) -> Result<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    loop {
        thread::sleep(QUIET);
        let text = fs::read(log).unwrap_or_default();
        let found: Vec<String> = String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect();
        if found.len() == lines.len() {
            return Ok(found);
        }
        lines = found;
    }
}

/// Launches a step, those that take longest first.
fn by_kernel(lines: &[String], steps: usize) -> Vec<(String, Launches)> {
    let mut kernels: BTreeMap<String, Launches> = BTreeMap::new();
    for (name, seconds) in lines.iter().filter_map(|line| launch(line)) {
        let kernel = kernels.entry(name).or_default();
        kernel.count += 1;
        kernel.seconds += seconds.unwrap_or(0.0);
    }
    let mut kernels: Vec<(String, Launches)> = kernels.into_iter().collect();
    for (_, launches) in &mut kernels {
        launches.count /= steps;
        launches.seconds /= steps as f64;
    }
    kernels.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    kernels
}

/// Name and seconds of a line such as `| 12.5µs     | DirectConv2dKernel_51f6d623`.
fn launch(line: &str) -> Option<(String, Option<f64>)> {
    let (time, name) = line.split_once('|')?.1.split_once('|')?;
    let name = without_variant(name.trim());
    (!name.is_empty()).then(|| (name.to_owned(), seconds(time.trim())))
}

/// The name of a kernel, and the first of what it is made of: shapes and layouts decide the rest.
fn without_variant(name: &str) -> &str {
    let is_variant = |end: &str| end.len() == 8 && end.chars().all(|c| c.is_ascii_hexdigit());
    let name = match name.rsplit_once('_') {
        Some((name, end)) if is_variant(end) => name,
        _ => name,
    };
    let second = name.match_indices(" | ").nth(1);
    second.map_or(name, |(end, _)| &name[..end])
}

/// A duration as Rust writes it.
fn seconds(text: &str) -> Option<f64> {
    let units = [("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    units.into_iter().find_map(|(unit, scale)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * scale)
    })
}

fn table(kernels: &[(String, Launches)]) -> Table {
    let all: f64 = kernels.iter().map(|(_, launches)| launches.seconds).sum();
    let row = |name: &str, launches: Launches| {
        let share = 100.0 * launches.seconds / all.max(f64::MIN_POSITIVE);
        vec![
            name.to_owned(),
            String::new(),
            launches.count.to_string(),
            format!("{:.3}", 1e3 * launches.seconds),
            format!("{share:.0} %"),
        ]
    };
    let (named, rest) = kernels.split_at(kernels.len().min(SHOWN));
    let mut rows: Vec<Vec<String>> = named
        .iter()
        .map(|(name, launches)| row(name, *launches))
        .collect();
    if !rest.is_empty() {
        let together = rest
            .iter()
            .fold(Launches::default(), |sum, (_, one)| Launches {
                count: sum.count + one.count,
                seconds: sum.seconds + one.seconds,
            });
        rows.push(row(&format!("{} others", rest.len()), together));
    }
    Table {
        head: ["kernel", "", "launches", "ms", "share"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launches_are_counted_by_kernel_and_step() {
        let lines = [
            "| 10.5µs     | reduce | f32 | x | y_0531fa40",
            "| 2ms        | conv",
            "something else",
            "| not measured | reduce | f32_6393fbd1",
            "| 1.5ms      | conv",
            "| 500ns      | ",
        ];
        let lines = lines.map(str::to_owned);
        let found = by_kernel(&lines, 2);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, "conv");
        assert_eq!(found[0].1.count, 1);
        assert!((found[0].1.seconds - 1.75e-3).abs() < 1e-12);
        assert_eq!(found[1].0, "reduce | f32");
        assert!((found[1].1.seconds - 5.25e-6).abs() < 1e-12);
    }
}
