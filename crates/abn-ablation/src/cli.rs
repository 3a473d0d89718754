//! The command line.

use std::path::PathBuf;

use abn_run::datasets::DatasetName;
use clap::{Parser, ValueEnum};

use crate::campaign::{Name, Setting};
use crate::folder::MOST_SEEDS;
use crate::plan::Shard;
use crate::scale::Scale;

/// Reruns the tables of the papers at the scale that the machine allows, and sets them beside what
/// was published.
#[derive(Debug, Parser)]
#[command(
    name = "abn-ablation",
    version,
    bin_name = "cargo xtask ablation",
    after_help = "Examples:\n  \
        cargo xtask ablation                                            every campaign, in minutes, on built-in images\n  \
        cargo xtask ablation mechanism networks --scale short           some hours, on CIFAR-10\n  \
        cargo xtask ablation order --scale short --shard 2/8            the second of eight parts, for a cluster\n  \
        cargo xtask ablation --features cuda stability --scale paper    with the backend of a GPU, which comes first\n\n\
        Interrupted or killed, the same command continues; what is finished is never repeated, and \
        a run that fails is reported and does not stop the others. The page and a table a campaign \
        lie in --out; their paths go to stdout, everything else to stderr. Exit status: 0 success, \
        1 a run failed or worse, 2 wrong usage, 130 interrupted."
)]
pub(crate) struct Cli {
    /// Campaigns [default: all]
    #[arg(value_name = "CAMPAIGN", value_enum)]
    campaigns: Vec<Name>,
    /// How much the campaigns are given
    #[arg(long, value_enum, default_value_t = Scale::Quick)]
    pub(crate) scale: Scale,
    /// Data set [default: the scale's: shapes, cifar10, or what the paper used]
    #[arg(long, value_enum)]
    pub(crate) dataset: Option<DatasetName>,
    /// Folder of the data set [default: in $ABN_DATASETS, or else in datasets/]
    #[arg(long, value_name = "DIR", requires = "dataset")]
    pub(crate) data: Option<PathBuf>,
    /// Trainings of each row, with the seeds 1 to N; stability always has the six of the paper
    /// [default: 2 for quick, else 3]
    #[arg(long, value_name = "N", value_parser = seeds)]
    seeds: Option<usize>,
    /// Do only the I-th of N parts of the runs; processes that share --out do the parts side by
    /// side
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Runs at once [default: one a core on a CPU, else 1]
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<usize>,
    /// Device [default: the preferred one of this build]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Folder for the results [default: runs/ablation/SCALE, or runs/ablation/SCALE-DATASET]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Train nothing: write page and tables of what is finished, of the campaigns named or else of
    /// all that there are
    #[arg(long, conflicts_with_all = ["shard", "jobs"])]
    pub(crate) report: bool,
    /// Train nothing: list the runs, one a line, with what is finished
    #[arg(long, conflicts_with_all = ["report", "jobs"])]
    pub(crate) list: bool,
}

impl Cli {
    /// What the campaigns are asked for with.
    pub(crate) fn setting(&self, seeds: usize) -> Setting {
        Setting {
            scale: self.scale,
            dataset: self.dataset,
            seeds,
        }
    }

    /// The campaigns asked for, each once, in the order of the papers.
    pub(crate) fn campaigns(&self) -> Vec<Name> {
        let asked = |name: &&Name| self.campaigns.is_empty() || self.campaigns.contains(name);
        Name::value_variants()
            .iter()
            .filter(asked)
            .copied()
            .collect()
    }

    /// Whether no campaign was named.
    pub(crate) fn names_no_campaign(&self) -> bool {
        self.campaigns.is_empty()
    }

    /// Trainings of each row.
    pub(crate) fn seeds(&self) -> usize {
        self.seeds.unwrap_or_else(|| self.scale.seeds())
    }

    /// Folder for the results.
    pub(crate) fn out(&self) -> PathBuf {
        let usual = || {
            let scale = self.scale.name();
            let name = self.dataset.map_or(scale.to_owned(), |dataset| {
                format!("{scale}-{}", dataset.name())
            });
            PathBuf::from("runs/ablation").join(name)
        };
        self.out.clone().unwrap_or_else(usual)
    }
}

fn seeds(text: &str) -> Result<usize, String> {
    let seeds = text
        .parse()
        .ok()
        .filter(|seeds| (1..=MOST_SEEDS).contains(seeds));
    seeds.ok_or_else(|| "a row needs at least one training: not a number from 1 to 1000".to_owned())
}

fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=256).contains(jobs));
    jobs.ok_or_else(|| "not a number from 1 to 256".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn campaigns_are_done_once_in_the_order_of_the_papers() {
        let asked =
            |arguments: &[&str]| Cli::parse_from([&["ablation"], arguments].concat()).campaigns();
        assert_eq!(
            asked(&["order", "mechanism", "order"]),
            [Name::Mechanism, Name::Order]
        );
        assert_eq!(asked(&[]).len(), Name::value_variants().len());
    }
}
