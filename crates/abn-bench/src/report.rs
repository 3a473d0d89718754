//! The results, as text, Markdown or JSON.

use anyhow::Result;
use serde::Serialize;

use crate::case::{Attention, Case, Mode};
use crate::process::Layout;
use crate::table::Table;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Markdown,
    Json,
}

/// Everything that was measured in one call.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) processor: String,
    /// Share of it that other processes used before or after the measurements, where the system
    /// tells.
    pub(crate) in_use: Option<f64>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) repetitions: u32,
    /// Length of a repetition.
    pub(crate) seconds: f64,
    pub(crate) peaks: Vec<Peak>,
    pub(crate) rows: Vec<Row>,
}

/// Ours or the peer.
#[derive(Debug, Serialize)]
pub(crate) struct Library {
    /// Name and version.
    pub(crate) name: String,
    /// Peak resident memory in bytes of a process that has no network yet.
    pub(crate) memory: Option<u64>,
}

/// What an engine reaches at its best.
#[derive(Debug, Serialize)]
pub(crate) struct Peak {
    pub(crate) threads: usize,
    pub(crate) engine: String,
    pub(crate) what: String,
    pub(crate) operations_per_second: f64,
}

/// What was measured of a case.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) parameters: usize,
    /// Floating point operations for one image.
    pub(crate) operations: f64,
    pub(crate) ours: Speed,
    /// The peer's in each layout; empty without a peer.
    pub(crate) peers: Vec<Peer>,
    /// Largest difference between our numbers and the peer's, of the largest number.
    pub(crate) difference: Option<f32>,
}

/// The peer in one layout.
#[derive(Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) layout: Layout,
    #[serde(flatten)]
    pub(crate) speed: Speed,
}

/// Speed and memory of a process.
#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    /// Median of the repetitions.
    pub(crate) images_per_second: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    /// The most resident memory in bytes, where the system tells.
    pub(crate) peak_memory: Option<u64>,
}

impl Speed {
    /// Summarises the images a second of some repetitions, at least one.
    pub(crate) fn new(mut rates: Vec<f64>, peak_memory: Option<u64>) -> Self {
        rates.sort_by(f64::total_cmp);
        let (lower, upper) = (rates[(rates.len() - 1) / 2], rates[rates.len() / 2]);
        Self {
            images_per_second: (lower + upper) / 2.0,
            lowest: rates[0],
            highest: rates[rates.len() - 1],
            peak_memory,
        }
    }
}

impl Row {
    /// The peer in its faster layout.
    fn peer(&self) -> Option<&Peer> {
        let faster = |a: &&Peer, b: &&Peer| {
            a.speed
                .images_per_second
                .total_cmp(&b.speed.images_per_second)
        };
        self.peers.iter().max_by(faster)
    }

    /// One line for those who wait.
    pub(crate) fn summary(&self) -> String {
        let range = |name: &str, speed: &Speed| {
            let Speed {
                images_per_second,
                lowest,
                highest,
                ..
            } = speed;
            format!(
                "{name} {} ({} to {})",
                rate(*images_per_second),
                rate(*lowest),
                rate(*highest)
            )
        };
        let mut parts = vec![range("images/s: abn", &self.ours)];
        parts.extend(
            self.peers
                .iter()
                .map(|peer| range(&format!("PyTorch {}", peer.layout), &peer.speed)),
        );
        parts.join(", ")
    }
}

impl Report {
    /// The report as it is printed.
    ///
    /// # Errors
    /// JSON cannot hold a number that is not finite.
    pub(crate) fn in_format(&self, format: Format) -> Result<String> {
        Ok(match format {
            Format::Json => serde_json::to_string_pretty(self)?,
            Format::Text => self.told(&self.sentences().join("\n"), Table::text),
            Format::Markdown => {
                let command = format!("```sh\n{}\n```", self.command);
                self.told(
                    &format!("{command}\n\n{}", self.sentences().join(" ")),
                    Table::markdown,
                )
            }
        })
    }

    fn told(&self, introduction: &str, print: impl Fn(&Table) -> String) -> String {
        if self.rows.iter().any(|row| row.case.mode.method().is_some()) {
            return format!(
                "{introduction}\n\nExplanation:\n\n{}",
                print(&self.explanations())
            );
        }
        let tables = [(Mode::Train, "Training"), (Mode::Infer, "Inference")]
            .into_iter()
            .filter_map(|(mode, title)| {
                let rows: Vec<&Row> = self
                    .rows
                    .iter()
                    .filter(|row| row.case.mode == mode)
                    .collect();
                (!rows.is_empty()).then(|| format!("\n\n{title}:\n\n{}", print(&self.table(&rows))))
            });
        introduction.to_owned() + &tables.collect::<String>()
    }

    /// What the numbers depend on.
    fn sentences(&self) -> Vec<String> {
        let Self {
            date,
            processor,
            repetitions,
            seconds,
            ..
        } = self;
        let mut sentences = vec![format!(
            "{date}, {processor}, medians of {repetitions} repetitions of {seconds} s."
        )];
        if let Some(share) = self.in_use {
            sentences.push(format!(
                "Other processes used {:.0} % of the machine.",
                100.0 * share
            ));
        }
        for Library {
            name,
            memory: empty,
        } in &self.libraries
        {
            sentences.push(format!(
                "{name} takes {} before it has a network.",
                memory(*empty)
            ));
        }
        for Peak {
            threads,
            engine,
            what,
            operations_per_second,
        } in self.best_peaks()
        {
            let s = if *threads == 1 { "" } else { "s" };
            let rate = operations_per_second / 1e9;
            sentences.push(format!(
                "Peak on {threads} thread{s}: {rate:.0} GFLOP/s ({engine}, {what})."
            ));
        }
        let differences = self.rows.iter().filter_map(|row| row.difference);
        if let Some(worst) = differences.reduce(f32::max) {
            sentences.push(format!(
                "Logits and maps of both agree to {worst:.0e} of the largest value."
            ));
        }
        sentences
    }

    /// For each number of threads the highest peak.
    fn best_peaks(&self) -> Vec<&Peak> {
        let mut best: Vec<&Peak> = Vec::new();
        for peak in &self.peaks {
            match best.iter_mut().find(|other| other.threads == peak.threads) {
                Some(other) if peak.operations_per_second > other.operations_per_second => {
                    *other = peak
                }
                Some(_) => {}
                None => best.push(peak),
            }
        }
        best
    }

    fn table(&self, rows: &[&Row]) -> Table {
        let peered = rows.iter().any(|row| !row.peers.is_empty());
        let mut head = vec!["network", "attention", "batch", "px", "threads", "images/s"];
        head.extend(if peered {
            vec![
                "PyTorch", "layout", "ratio", "memory", "PyTorch", "peak", "PyTorch",
            ]
        } else {
            vec!["memory", "peak"]
        });
        Table {
            head: head.into_iter().map(str::to_owned).collect(),
            rows: rows.iter().map(|row| self.cells(row)).collect(),
        }
    }

    /// What each explanation costs beside the plain forward pass of the same network.
    fn explanations(&self) -> Table {
        let head = [
            "network",
            "asked for",
            "batch",
            "px",
            "threads",
            "images/s",
            "forward passes",
            "memory",
        ];
        let plain = |row: &Row| {
            let is_plain = |other: &&Row| {
                (&other.case.arch, other.case.attention, other.case.mode)
                    == (&row.case.arch, Attention::None, Mode::Infer)
            };
            self.rows
                .iter()
                .find(is_plain)
                .map(|plain| plain.ours.images_per_second)
        };
        let cells = |row: &Row| {
            let Case {
                arch,
                attention,
                mode,
                batch,
                size,
                threads,
                ..
            } = &row.case;
            let asked = match (attention, mode) {
                (Attention::None, Mode::Infer) => "class".to_owned(),
                (attention, Mode::Infer) => format!("class and map of {attention}"),
                (_, mode) => mode.to_string(),
            };
            let own = row.ours.images_per_second;
            let passes = plain(row).map_or_else(String::new, |plain| format!("{:.2}", plain / own));
            let numbers = [batch, size, threads].map(usize::to_string);
            let mut cells = vec![arch.clone(), asked];
            cells.extend(numbers);
            cells.extend([rate(own), passes, memory(row.ours.peak_memory)]);
            cells
        };
        Table {
            head: head.map(str::to_owned).to_vec(),
            rows: self.rows.iter().map(cells).collect(),
        }
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let Case {
            arch,
            attention,
            batch,
            size,
            threads,
            ..
        } = &row.case;
        let best = self
            .best_peaks()
            .into_iter()
            .find(|peak| peak.threads == *threads);
        let of_peak = |speed: &Speed| {
            best.map_or_else(String::new, |peak| {
                let share = row.operations * speed.images_per_second / peak.operations_per_second;
                format!("{:.0} %", 100.0 * share)
            })
        };
        let ours = &row.ours;
        let mut cells = vec![
            arch.clone(),
            attention.to_string(),
            batch.to_string(),
            size.to_string(),
            threads.to_string(),
        ];
        cells.push(rate(ours.images_per_second));
        match row.peer() {
            Some(Peer { layout, speed }) => cells.extend([
                rate(speed.images_per_second),
                layout.to_string(),
                format!("{:.2}", ours.images_per_second / speed.images_per_second),
                memory(ours.peak_memory),
                memory(speed.peak_memory),
                of_peak(ours),
                of_peak(speed),
            ]),
            None => cells.extend([memory(ours.peak_memory), of_peak(ours)]),
        }
        cells
    }
}

/// Three digits, or all before the point.
pub(crate) fn rate(images_per_second: f64) -> String {
    let digits = match images_per_second {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{images_per_second:.digits$}")
}

pub(crate) fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let speed = |rates: &[f64], bytes| Speed::new(rates.to_vec(), Some(bytes));
        let case = Case {
            arch: "resnet20".to_owned(),
            attention: Attention::Abn,
            mode: Mode::Train,
            batch: 64,
            size: 32,
            classes: 10,
            threads: 2,
        };
        let peak = |what: &str, operations_per_second| Peak {
            threads: 2,
            engine: "PyTorch".to_owned(),
            what: what.to_owned(),
            operations_per_second,
        };
        Report {
            date: "2026-11-22".to_owned(),
            command: "cargo xtask bench train --peer".to_owned(),
            processor: "a processor".to_owned(),
            in_use: Some(0.01),
            libraries: vec![Library {
                name: "PyTorch 2".to_owned(),
                memory: Some(400 << 20),
            }],
            repetitions: 3,
            seconds: 1.5,
            peaks: vec![peak("a product", 1e11), peak("a convolution", 2e11)],
            rows: vec![Row {
                case,
                parameters: 479_150,
                operations: 1e8,
                ours: speed(&[300.0, 100.0, 200.0], 512 << 20),
                peers: vec![
                    Peer {
                        layout: Layout::Nchw,
                        speed: speed(&[400.0], 1 << 30),
                    },
                    Peer {
                        layout: Layout::ChannelsLast,
                        speed: speed(&[500.0, 300.0], 1 << 30),
                    },
                ],
                difference: Some(2e-6),
            }],
        }
    }

    #[test]
    fn medians() {
        let median = |rates: &[f64]| Speed::new(rates.to_vec(), None).images_per_second;
        assert_eq!(
            [
                median(&[3.0]),
                median(&[3.0, 1.0, 2.0]),
                median(&[4.0, 1.0, 2.0, 3.0])
            ],
            [3.0, 2.0, 2.5]
        );
    }

    #[test]
    fn explanations_are_counted_in_forward_passes_of_the_network_alone() {
        let Report { rows, .. } = report();
        let row = |attention, mode, images_per_second: f64| {
            let case = Case {
                attention,
                mode,
                ..rows[0].case.clone()
            };
            let ours = Speed::new(vec![images_per_second], None);
            Row {
                case,
                ours,
                peers: vec![],
                difference: None,
                ..report().rows.remove(0)
            }
        };
        let rows = vec![
            row(Attention::None, Mode::Infer, 400.0),
            row(Attention::Abn, Mode::Infer, 320.0),
            row(Attention::None, Mode::GradCam, 100.0),
        ];
        let text = Report { rows, ..report() }.in_format(Format::Text).unwrap();
        let line = |name: &str| {
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            words[words.len() - 6..].join(" ")
        };
        assert_eq!(line("map of abn"), "64 32 2 320 1.25 ?");
        assert_eq!(line("grad-cam"), "64 32 2 100 4.00 ?");
    }

    #[test]
    fn a_table_with_a_peer() {
        let expected = "\
2026-11-22, a processor, medians of 3 repetitions of 1.5 s.
Other processes used 1 % of the machine.
PyTorch 2 takes 400 MiB before it has a network.
Peak on 2 threads: 200 GFLOP/s (PyTorch, a convolution).
Logits and maps of both agree to 2e-6 of the largest value.

Training:

network   attention  batch  px  threads  images/s  PyTorch         layout  ratio   memory   PyTorch  peak  PyTorch
resnet20  abn           64  32        2       200      400  channels_last   0.50  512 MiB  1024 MiB  10 %     20 %";
        assert_eq!(report().in_format(Format::Text).unwrap(), expected);
    }

    #[test]
    fn markdown_without_a_peer() {
        let mut alone = report();
        alone.rows[0].peers.clear();
        let markdown = alone.in_format(Format::Markdown).unwrap();
        assert!(
            markdown.starts_with("```sh\ncargo xtask bench train --peer\n```\n\n2026-11-22, a"),
            "{markdown}"
        );
        let row = "|---|---|---:|---:|---:|---:|---:|---:|\n| resnet20 | abn | 64 | 32 | 2 | 200 | 512 MiB | 10 % |";
        assert!(markdown.ends_with(row), "{markdown}");
    }
}
