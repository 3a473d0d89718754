//! The command line.

use std::path::PathBuf;

use abn_run::datasets::{self, DataSet};
use clap::{Parser, ValueEnum};

use crate::campaign::{Name, Setting};
use crate::folder::MOST_SEEDS;
use crate::plan::Shard;
use crate::size::CampaignSize;

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
    /// Campaigns [default: all; of scale paper without those whose images lie nowhere unless said]
    #[arg(value_name = "CAMPAIGN", value_enum)]
    campaigns: Vec<Name>,
    /// How much the campaigns are given
    #[arg(long, value_enum, default_value_t = CampaignSize::Quick)]
    pub(crate) scale: CampaignSize,
    /// Data set [default: the scale's: shapes, cifar10, or what the paper used]
    #[arg(long, value_parser = datasets::value_parser())]
    pub(crate) dataset: Option<&'static DataSet>,
    /// What is learned of images with several labels, such as both for cifar100
    #[arg(long, value_name = "NAME", requires = "dataset")]
    labels: Option<String>,
    /// Folder of the data set [default: in $ABN_DATASETS, or else in datasets/]
    #[arg(long, value_name = "DIR", requires = "dataset")]
    pub(crate) data: Option<PathBuf>,
    /// Trainings of each row, with the seeds 1 to N; stability has the six of the paper, of quick
    /// three [default: 2 for quick, else 3]
    #[arg(long, value_name = "N", value_parser = seeds)]
    seeds: Option<usize>,
    /// Do only the I-th of N parts of the runs; processes that share --out do the parts side by
    /// side
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Runs at once [default: one a core on a CPU, else one a device]
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<usize>,
    /// Devices, such as cpu or cuda:0,cuda:1, which take runs by turns [default: all that are like the
    /// best that is there]
    #[arg(long, value_name = "NAMES")]
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
            labels: self.labels(),
            seeds,
        }
    }

    /// The campaigns asked for, each once, in the order of the papers.
    pub(crate) fn campaigns(&self) -> Vec<Name> {
        let somewhere = self.data.is_some() || self.scale != CampaignSize::Paper;
        let all = |name: &Name| self.campaigns.is_empty() && (somewhere || !name.needs_folder());
        let asked = |name: &&Name| all(name) || self.campaigns.contains(name);
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

    /// The labels, if not the usual ones.
    pub(crate) fn labels(&self) -> Option<String> {
        let usual = self.dataset.and_then(|dataset| dataset.labels.first());
        let asked = self.labels.as_deref();
        asked
            .filter(|asked| usual != Some(asked))
            .map(str::to_owned)
    }

    /// Trainings of each row.
    pub(crate) fn seeds(&self) -> usize {
        self.seeds.unwrap_or_else(|| self.scale.seeds())
    }

    /// Folder for the results.
    pub(crate) fn out(&self) -> PathBuf {
        let usual = || {
            let scale = self.scale.name();
            let dataset = self.dataset.map(|dataset| dataset.name.to_owned());
            let parts = [Some(scale.to_owned()), dataset, self.labels()];
            let name: Vec<String> = parts.into_iter().flatten().collect();
            PathBuf::from("runs/ablation").join(name.join("-"))
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
