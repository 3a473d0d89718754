//! The results, as text, Markdown or JSON.

use anyhow::Result;
use serde::Serialize;

use crate::case::{Attention, Case, Mode};
use crate::check::Difference;
use crate::rival::Rival;
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

/// Ours or another.
#[derive(Debug, Serialize)]
pub(crate) struct Library {
    /// Name and version.
    pub(crate) name: String,
    /// The instruction set, where the library tells.
    pub(crate) instructions: Option<String>,
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
    /// The others; empty if none were asked for.
    pub(crate) peers: Vec<Peer>,
}

/// Another engine with the same network.
#[derive(Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) engine: Rival,
    pub(crate) difference: Difference,
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
    /// The fastest of the others.
    fn fastest(&self) -> Option<&Peer> {
        let speed = |peer: &&Peer| peer.speed.images_per_second;
        self.peers
            .iter()
            .max_by(|a, b| speed(a).total_cmp(&speed(b)))
    }

    /// The least memory that any of the others takes.
    fn least_memory(&self) -> Option<u64> {
        let memory = |peer: &Peer| peer.speed.peak_memory;
        self.peers.iter().filter_map(memory).min()
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
                .map(|peer| range(&peer.engine.to_string(), &peer.speed)),
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
        let threads = self.threads().map_or_else(String::new, |threads| {
            format!(" on {threads} thread{}", plural(threads))
        });
        let mut sentences = vec![format!(
            "{date}, {processor}, medians of {repetitions} repetitions of {seconds} s{threads}."
        )];
        if let Some(share) = self.in_use {
            sentences.push(format!(
                "Other processes used {:.0} % of the machine.",
                100.0 * share
            ));
        }
        for Library {
            name,
            instructions,
            memory: empty,
        } in &self.libraries
        {
            let computes = instructions
                .as_ref()
                .map_or_else(String::new, |set| format!(" computes by {set} and"));
            sentences.push(format!(
                "{name}{computes} takes {} before it has a network.",
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
            let s = plural(*threads);
            let rate = operations_per_second / 1e9;
            sentences.push(format!(
                "Peak on {threads} thread{s}: {rate:.0} GFLOP/s ({engine}, {what})."
            ));
        }
        let peers = self.rows.iter().flat_map(|row| &row.peers);
        let differences = peers.map(|peer| peer.difference.of_predictions());
        if let Some(worst) = differences.reduce(f32::max) {
            sentences.push(format!(
                "Logits and maps of all agree to {worst:.0e} of the largest value."
            ));
            sentences.push(
                "Memory is ours, that of the best other, and the least of any other.".to_owned(),
            );
        }
        sentences
    }

    /// The number of threads, if it is that of all rows.
    fn threads(&self) -> Option<usize> {
        let threads = self.rows.first()?.case.threads;
        let same = self.rows.iter().all(|row| row.case.threads == threads);
        same.then_some(threads)
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
        let mut head = vec!["network", "attention", "batch", "px"];
        head.extend(self.threads().is_none().then_some("threads"));
        head.push("images/s");
        if peered {
            head.extend(["best other", "engine", "ratio", "memory", "its", "least"]);
        } else {
            head.push("memory");
        }
        head.push("peak");
        Table {
            head: head.into_iter().map(str::to_owned).collect(),
            rows: rows.iter().map(|row| self.cells(row, peered)).collect(),
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
                (_, mode) => format!("class and {mode}"),
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

    /// `peered` rows have cells for the best other, empty where all others failed.
    fn cells(&self, row: &Row, peered: bool) -> Vec<String> {
        let Case {
            arch,
            attention,
            batch,
            size,
            threads,
            ..
        } = &row.case;
        let ours = &row.ours;
        let mut cells = vec![arch.clone(), attention.to_string()];
        cells.extend([batch, size].map(usize::to_string));
        cells.extend(self.threads().is_none().then(|| threads.to_string()));
        cells.push(rate(ours.images_per_second));
        match row.fastest() {
            Some(Peer { engine, speed, .. }) => cells.extend([
                rate(speed.images_per_second),
                engine.to_string(),
                format!("{:.2}", ours.images_per_second / speed.images_per_second),
                memory(ours.peak_memory),
                memory(speed.peak_memory),
                memory(row.least_memory()),
            ]),
            None if peered => {
                cells.extend([""; 3].map(str::to_owned));
                cells.push(memory(ours.peak_memory));
                cells.extend([""; 2].map(str::to_owned));
            }
            None => cells.push(memory(ours.peak_memory)),
        }
        cells.push(self.share_of_peak(row));
        cells
    }

    /// How much of the machine's peak ours reaches.
    fn share_of_peak(&self, row: &Row) -> String {
        let peaks = self.best_peaks();
        let peak = peaks
            .into_iter()
            .find(|peak| peak.threads == row.case.threads);
        peak.map_or_else(String::new, |peak| {
            let reached = row.operations * row.ours.images_per_second;
            format!("{:.0} %", 100.0 * reached / peak.operations_per_second)
        })
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
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
    use crate::case::Place;

    fn speed(rates: &[f64], mebibytes: u64) -> Speed {
        Speed::new(rates.to_vec(), Some(mebibytes << 20))
    }

    fn peer(engine: Rival, rates: &[f64], mebibytes: u64) -> Peer {
        Peer {
            engine,
            difference: Difference::of_map(2e-6),
            speed: speed(rates, mebibytes),
        }
    }

    fn report() -> Report {
        let case = Case {
            arch: "resnet20".to_owned(),
            attention: Attention::Abn,
            mode: Mode::Infer,
            batch: 64,
            size: 32,
            classes: 10,
            place: Place::default(),
            threads: 2,
        };
        let peak = |what: &str, operations_per_second| Peak {
            threads: 2,
            engine: "PyTorch".to_owned(),
            what: what.to_owned(),
            operations_per_second,
        };
        let library = |name: &str, instructions: Option<&str>, mebibytes: u64| Library {
            name: name.to_owned(),
            instructions: instructions.map(str::to_owned),
            memory: Some(mebibytes << 20),
        };
        Report {
            date: "2026-11-22".to_owned(),
            command: "cargo xtask bench infer --peer".to_owned(),
            processor: "a processor".to_owned(),
            in_use: Some(0.01),
            libraries: vec![
                library("abn 0", Some("avx2"), 4),
                library("PyTorch 2", None, 400),
            ],
            repetitions: 3,
            seconds: 1.5,
            peaks: vec![peak("a product", 1e11), peak("a convolution", 2e11)],
            rows: vec![Row {
                case,
                parameters: 479_150,
                operations: 1e8,
                ours: speed(&[300.0, 100.0, 200.0], 512),
                peers: vec![
                    peer(Rival::PytorchNchw, &[300.0], 1024),
                    peer(Rival::TorchCompile, &[500.0, 300.0], 2048),
                    peer(Rival::OpenVino, &[350.0], 256),
                ],
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
    fn a_table_with_others() {
        let expected = "\
2026-11-22, a processor, medians of 3 repetitions of 1.5 s on 2 threads.
Other processes used 1 % of the machine.
abn 0 computes by avx2 and takes 4 MiB before it has a network.
PyTorch 2 takes 400 MiB before it has a network.
Peak on 2 threads: 200 GFLOP/s (PyTorch, a convolution).
Logits and maps of all agree to 2e-6 of the largest value.
Memory is ours, that of the best other, and the least of any other.

Inference:

network   attention  batch  px  images/s  best other         engine  ratio   memory       its    least  peak
resnet20  abn           64  32       200         400  torch.compile   0.50  512 MiB  2048 MiB  256 MiB  10 %";
        assert_eq!(report().in_format(Format::Text).unwrap(), expected);
    }

    #[test]
    fn a_row_whose_others_failed_has_ours_in_place() {
        let mut report = report();
        let case = Case {
            threads: 1,
            ..report.rows[0].case.clone()
        };
        report.rows.push(Row {
            case,
            parameters: 479_150,
            operations: 1e8,
            ours: speed(&[100.0], 500),
            peers: vec![],
        });
        let markdown = report.in_format(Format::Markdown).unwrap();
        let rows = "\
| network | attention | batch | px | threads | images/s | best other | engine | ratio | memory | its | least | peak |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| resnet20 | abn | 64 | 32 | 2 | 200 | 400 | torch.compile | 0.50 | 512 MiB | 2048 MiB | 256 MiB | 10 % |
| resnet20 | abn | 64 | 32 | 1 | 100 |  |  |  | 500 MiB |  |  |  |";
        assert!(markdown.ends_with(rows), "{markdown}");
    }

    #[test]
    fn json_names_engines_and_instructions() {
        let json = report().in_format(Format::Json).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["libraries"][0]["instructions"], "avx2");
        let peers = json["rows"][0]["peers"].as_array().unwrap();
        let names: Vec<_> = peers.iter().map(|peer| &peer["engine"]).collect();
        assert_eq!(names, ["pytorch_nchw", "torch_compile", "openvino"]);
        assert_eq!(peers[2]["images_per_second"], 350.0);
    }

    #[test]
    fn markdown_of_ours_alone() {
        let mut alone = report();
        alone.rows[0].peers.clear();
        let markdown = alone.in_format(Format::Markdown).unwrap();
        assert!(
            markdown.starts_with("```sh\ncargo xtask bench infer --peer\n```\n\n2026-11-22, a"),
            "{markdown}"
        );
        let row = "|---|---|---:|---:|---:|---:|---:|\n| resnet20 | abn | 64 | 32 | 200 | 512 MiB | 10 % |";
        assert!(markdown.ends_with(row), "{markdown}");
    }
}
