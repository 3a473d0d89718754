//! `abn data` as typed: what is done with data sets alone.

use std::path::PathBuf;

use abn_run::datasets::{self, DataSet, FOLDER};
use clap::{Args, Subcommand};

use super::values::{side, workers};

/// Arguments of `abn data`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        abn data fetch imagenette-160\n  \
        abn data check datasets/imagenette2-160\n  \
        abn data pack datasets/imagenette2-160 --out imagenette.abnpack"
)]
pub struct DataArgs {
    /// What to do
    #[command(subcommand)]
    pub command: DataCommand,
}

/// The commands about data sets.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download a published data set, check and unpack it
    Fetch(FetchArgs),
    /// Read every image of a data set, and name what is wrong
    Check(CheckArgs),
    /// Put photographs into one file that is read fast
    Pack(PackArgs),
}

/// Arguments of `abn data fetch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn data fetch                                    list what there is\n  \
    abn data fetch cifar10\n  \
    abn data fetch imagenette-160 --url https://mirror.example/imagenette2-160.tgz\n  \
    abn data fetch cifar100 --url ~/Downloads\n\n\
    A broken download goes on where it was. What is published with a checksum is compared with it, \
    wherever it comes from; of the rest the SHA-256 is printed. Proxies are those of HTTPS_PROXY, \
    HTTP_PROXY, ALL_PROXY and NO_PROXY. What is there already is left alone.")]
pub struct FetchArgs {
    /// Names of the data sets [default: list all of them]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Another address than the official one, of the file or of the folder that holds it (then with
    /// / at its end); or a path of this machine
    #[arg(long, value_name = "URL|PATH", requires = "names")]
    pub url: Option<String>,
    /// Folder of all data sets [default: ABN_DATASETS, or datasets]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON: [{"name", "file", "place", "new", "bytes", "sha256", "checked"}, ...]
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn data check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn data check photos\n  \
    abn data check --dataset cifar10 datasets --json\n  \
    abn data check --dataset attributes photos --labels told/mine.tsv\n\n\
    Wrong, with exit status 1: images that cannot be read, the same image in two splits or two \
    classes, masks and boxes that fit no image. Remarked on, with exit status 0: the same image \
    twice in a class, odd sizes, classes of very different size, files that are left out.")]
pub struct CheckArgs {
    /// Folder of the data set
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// How it is laid out
    #[arg(long, value_name = "NAME", default_value = FOLDER.name, value_parser = datasets::value_parser())]
    pub dataset: &'static DataSet,
    /// The table with the labels of attributes, from DIR on; of CompCars make, model or both
    #[arg(long, value_name = "LABELS")]
    pub labels: Option<String>,
    /// Threads that read [default: one a core]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,
    /// Print JSON with everything that was found
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn data pack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn data pack photos --out photos.abnpack\n  \
    abn data pack imagenet --size 256 --out imagenet-256.abnpack\n  \
    abn data pack CompCars --dataset attributes --labels both --out cars.abnpack\n  \
    abn data pack datasets/coco --dataset coco --out coco.abnpack\n  \
    abn train --dataset folder --data photos.abnpack\n\n\
    The file holds all splits, with the SHA-256 of every image. Without --size a training is bit by \
    bit that of the folder. With it, images are kept as pixels with a shorter side of that length, \
    which takes more room and no decoding. Interrupted, the same command goes on.")]
pub struct PackArgs {
    /// Folder of photographs
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How it is laid out: folder, attributes for several labels an image, coco or voc for boxes
    #[arg(long, value_name = "NAME", default_value = FOLDER.name, value_parser = datasets::value_parser())]
    pub dataset: &'static DataSet,
    /// The table with the labels of attributes, from DIR on; of CompCars make, model or both
    #[arg(long, value_name = "LABELS")]
    pub labels: Option<String>,
    /// Crop images to the box of their object: for --dataset attributes, to train with the same option
    #[arg(long)]
    pub crop_to_object: bool,
    /// Shorter side in pixels of what is kept [default: the files as they are]
    #[arg(long, value_name = "N", value_parser = side)]
    pub size: Option<u32>,
    /// Leave out images that cannot be read; otherwise the first one ends it
    #[arg(long)]
    pub skip_corrupt: bool,
    /// Threads that read [default: one a core]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,
    /// Print JSON: {"file", "images", "bytes", "source", "left_out"}
    #[arg(long)]
    pub json: bool,
}
