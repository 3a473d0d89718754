//! The command line as typed. What it means is decided by the commands.

pub mod data;
mod defaults;
mod values;

use std::path::PathBuf;

use abn_core::architecture::{AttentionName, BlockName};
use abn_core::explain::{Layer, Method, THRESHOLD};
use abn_core::outputs::Binary;
use abn_core::precision::Precision;
use abn_data::Split;
use abn_explain::score::ClassChoice;
use abn_explain::stability::MapScale;
use abn_pages::heatmap::{Colors, Range};
use abn_run::datasets::{self, DataSet};
use abn_run::folder::checkpoint::CheckpointChoice;
use abn_run::measure::best::BestFigure;
use abn_run::recipe::augmentation::Augment;
use abn_run::recipe::detector::DetectorName;
use abn_run::recipe::schedule::Schedule;
use abn_run::unreadable::{MOST_LEFT_OUT, OnCorrupt};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use self::data::DataArgs;
pub use self::values::Weight;
use self::values::{
    assignment, count, deviations, epochs, exponent, factor, fraction, images, means, positive,
    replicas, seconds, share, side, steps, workers,
};

/// Trains attention branch networks, shows where they look, and measures it.
///
/// Without a command, trains a small network on the built-in data set `shapes`: about a minute
/// on two cores.
#[derive(Debug, Parser)]
#[command(
    name = "abn",
    version,
    after_help = "Examples:\n  \
        abn                                                      train on the built-in images\n  \
        abn train --dataset cifar10 --attention manet --out runs/manet\n  \
        abn explain runs/manet photo.jpg --out maps\n\n\
        Results go to stdout, everything else to stderr. Exit status: 0 success, 1 failure, 2 \
        wrong usage, 130 interrupted."
)]
pub struct Cli {
    /// What to do; `train` if left out
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network, or continue a training
    Train(Box<TrainArgs>),
    /// Measure a run on its data set
    Eval(EvalArgs),
    /// Classify images and give their attention maps as numbers
    Predict(PredictArgs),
    /// Draw where a network looks in images
    Explain(ExplainArgs),
    /// Measure how good the explanations of a run are
    Score(ScoreArgs),
    /// Measure how alike several runs look at the same images
    Stability(StabilityArgs),
    /// Put runs side by side on a page: figures, curves, settings, the same images
    Compare(CompareArgs),
    /// List the architectures with their cost
    Models(ModelsArgs),
    /// List what networks can be computed on, and check it
    Devices(DevicesArgs),
    /// Make a run from a PyTorch checkpoint
    Import(ImportArgs),
    /// Write a run for other programs: weights for PyTorch, or an ONNX model
    Export(ExportArgs),
    /// Fetch, check and pack data sets
    Data(DataArgs),
    /// Print what completes these commands in a shell
    Completions(CompletionsArgs),
    /// Write the manual pages of all commands
    Man(ManArgs),
}

/// The program's command line, its help complete with the defaults of the data sets.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommand("train", |train| train.mut_args(defaults::with_defaults))
}

/// Which weights of a run, and where they run.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// Which weights
    #[arg(long, value_enum, default_value_t)]
    pub checkpoint: CheckpointChoice,
    /// Device, such as cpu or cuda:1 [default: the best that is there]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Do not compare another device with the CPU first
    #[arg(long)]
    pub no_check: bool,
}

/// Images of a data set.
#[derive(Debug, Clone, Args)]
pub struct SplitArgs {
    /// Folder of the data set [default: the run's, of several the first one's]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which images [default: held-out; all of another folder than the run's that has no splits]
    #[arg(long, value_enum)]
    pub split: Option<SplitName>,
    /// Threads that load images
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = workers)]
    pub workers: usize,
    /// Images that cannot be read
    #[command(flatten)]
    pub damage: DamageArgs,
}

/// What becomes of images that cannot be read.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DamageArgs {
    /// What to do about images that cannot be read [default: stop]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub on_corrupt: Option<OnCorruptName>,
    /// Largest share of a split that --on-corrupt skip may skip [default: 0.05]
    #[arg(long, value_name = "SHARE", value_parser = fraction)]
    pub max_corrupt: Option<f64>,
}

/// What to do about images that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnCorruptName {
    /// End, and name all of them
    #[default]
    Stop,
    /// Go on without them, and count them
    Skip,
}

impl DamageArgs {
    /// What was asked for.
    pub fn policy(self) -> OnCorrupt {
        match self.on_corrupt.unwrap_or_default() {
            OnCorruptName::Stop => OnCorrupt::Stop,
            OnCorruptName::Skip => OnCorrupt::Skip {
                most: self.max_corrupt.unwrap_or(MOST_LEFT_OUT),
            },
        }
    }
}

/// Details of a network beyond its name.
#[derive(Debug, Default, Args)]
pub struct DetailArgs {
    /// Attention in every residual block [default: what the name of the architecture says]
    #[arg(long, value_enum)]
    pub block: Option<BlockName>,
    /// Detail of the attention branch, of the module in the blocks or of the detector, by its path
    /// in config.json; repeatable
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = assignment)]
    pub settings: Vec<(String, String)>,
    /// How labels of two classes are learned: a logit for each class, or one for both [default:
    /// softmax, and sigmoid for mtabn]
    #[arg(long, value_enum)]
    pub binary: Option<Binary>,
}

/// What a wrong answer costs, where that is not the cross-entropy alone.
#[derive(Debug, Default, Args)]
pub struct PenaltyArgs {
    /// Exponent of the focal loss: what is sure already counts less (2 is usual)
    #[arg(long, value_name = "X", value_parser = exponent)]
    pub focal: Option<f64>,
    /// Factor of the losses of images that show a label, of labels that are absent or present: a
    /// number for all, or `balanced` for absent over present training images of each
    #[arg(long, value_name = "X|balanced", value_parser = Weight::parse)]
    pub positive_weight: Option<Weight>,
}

/// What images become before they enter a network.
#[derive(Debug, Default, Args)]
pub struct InputArgs {
    /// Side of the inputs; photographs are evaluated by their middle; of a detector what the shorter
    /// side becomes, and the longer one 5/3 of it at most [default: the data set's]
    #[arg(long, value_name = "N", value_parser = side)]
    pub size: Option<u32>,
    /// Mean of the inputs in [0, 1], per colour [default: the data set's]
    #[arg(long, value_name = "R,G,B", value_parser = means)]
    pub mean: Option<[f32; 3]>,
    /// Standard deviation of the inputs in [0, 1], per colour [default: the data set's]
    #[arg(long, value_name = "R,G,B", value_parser = deviations)]
    pub std: Option<[f32; 3]>,
}

/// Arguments of `abn train`.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    abn train --dataset cifar10 --arch resnet20 --attention abn --epochs 30 --out runs/abn\n  \
    abn train --dataset cifar10 --limit 10000 --epochs 6 --batch-size 64 --out runs/quick\n  \
    abn train --dataset cifar10 --arch resnet20-basic-a --init resnet20-12fca82f.th --out runs/tuned\n  \
    abn train --attention manet --set attention.mixed.spatial.kernel=3 --out runs/small-kernel\n  \
    abn train --dataset folder --data photos --out runs/photos\n  \
    abn train --dataset cifar100 --labels both --out runs/both\n  \
    abn train --dataset scenes --detector fpn --attention manet --out runs/found\n  \
    abn train --dataset coco --detector fpn --init resnet50-0676ba61.pth --out runs/coco\n\n\
    The same command continues a run that was interrupted or killed; options left out are then \
    taken from the run.")]
pub struct TrainArgs {
    /// Data set [default: shapes]
    #[arg(long, value_parser = datasets::value_parser())]
    pub dataset: Option<&'static DataSet>,
    /// Folder of the data set [default: below datasets/ or $ABN_DATASETS]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What is learned of images with several labels; for attributes: a table below the folder of
    /// --data, or make, model or both of CompCars
    #[arg(long, value_name = "NAME")]
    pub labels: Option<String>,
    /// Crop every image to the box of its object, in training and in all that follows: CompCars,
    /// CUB-200-2011, or a table with boxes.csv
    #[arg(long)]
    pub crop_to_object: bool,
    /// Share of the built-in images that bear a mark beside the object: in training images it tells
    /// the class, in all others nothing. Does the network take the shortcut, and do its maps show
    /// it?
    #[arg(long, value_name = "SHARE")]
    pub shortcut: Option<f64>,
    /// Architecture, such as resnet20, wrn-28-10 or se-resnet50; `abn models` lists them
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// Attention branch [default: abn]
    #[arg(long, value_enum)]
    pub attention: Option<AttentionName>,
    /// Find objects instead of telling classes: Faster R-CNN with a feature pyramid, or on the
    /// features before the last stage; for scenes, coco and voc
    #[arg(long, value_enum)]
    pub detector: Option<DetectorName>,
    /// Details of the network
    #[command(flatten)]
    pub details: DetailArgs,
    /// Start from these weights instead of random ones: a run (then also its architecture, --mean
    /// and --std) or a PyTorch checkpoint
    #[arg(long, value_name = "RUN|FILE")]
    pub init: Option<PathBuf>,
    /// Passes over the training images
    #[arg(long, value_name = "N", value_parser = count)]
    pub epochs: Option<usize>,
    /// Images a step
    #[arg(long, value_name = "N", value_parser = count)]
    pub batch_size: Option<usize>,
    /// Leave out the last step of an epoch where it has fewer images: on a GPU each size of a batch
    /// has kernels of its own. Every epoch leaves out others
    #[arg(long)]
    pub drop_last: bool,
    /// Shares into which a step is divided, in the memory of one: each is normalised by its own
    /// statistics, and the gradients are averaged [default: 1, or as many as are computed at the
    /// same time]
    #[arg(long, value_name = "N", value_parser = count)]
    pub accumulate: Option<usize>,
    /// Normalise a batch by the statistics of all its images although several replicas or processes
    /// compute it: the run of one, but for rounding
    #[arg(long)]
    pub sync_batch_norm: bool,
    /// The numbers of convolutions in training; all else, measuring included, has 32 bits [default:
    /// f32]
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Shares that are computed at the same time; changes no result, or with --sync-batch-norm no more
    /// than rounding. With a launcher of MPI, each process has so many [default: 1, or one a device]
    #[arg(long, value_name = "N", value_parser = replicas)]
    pub replicas: Option<usize>,
    /// Learning rate of the first epoch
    #[arg(long, value_name = "X", value_parser = positive)]
    pub lr: Option<f64>,
    /// How the learning rate falls: step:30, milestones:150,225 or cosine
    #[arg(long, value_name = "SCHEDULE")]
    pub schedule: Option<Schedule>,
    /// Factor of each fall of step and milestones
    #[arg(long, value_name = "X", value_parser = factor)]
    pub gamma: Option<f64>,
    /// Steps of the first epoch in which the learning rate rises from a thousandth [default: none;
    /// of detectors 1000, of scenes 100]
    #[arg(long, value_name = "N")]
    pub warm_up: Option<usize>,
    /// Weight decay
    #[arg(long, value_name = "X", value_parser = fraction)]
    pub weight_decay: Option<f64>,
    /// Momentum of SGD
    #[arg(long, value_name = "X", value_parser = fraction)]
    pub momentum: Option<f64>,
    /// Probability of dropping values in training, for WRN, DenseNet and VGG
    #[arg(long, value_name = "X", value_parser = fraction)]
    pub dropout: Option<f64>,
    /// What a wrong answer costs
    #[command(flatten)]
    pub penalty: PenaltyArgs,
    /// Decides initial weights, order, augmentation and dropout [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Figure of the held-out images that chooses the best epoch [default: top1, and of detectors
    /// always AP]; all but top1 are for several labels of two classes each
    #[arg(long, value_name = "FIGURE", value_enum)]
    pub best: Option<BestFigure>,
    /// What training images go through
    #[arg(long, value_enum)]
    pub augment: Option<Augment>,
    /// What images become
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = count)]
    pub limit: Option<usize>,
    /// Threads that load images; changes no result [default: 2]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,
    /// Images that cannot be read
    #[command(flatten)]
    pub damage: DamageArgs,
    /// Seconds between checkpoints within an epoch; one is always written at its end [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub save_every: Option<f64>,
    /// Also write the epochs for other programs
    #[arg(long, value_enum)]
    pub log: Option<LogFormat>,
    /// Device, such as cpu or cuda:1 [default: the best that is there]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Devices that compute shares of each step at the same time, such as cuda:0,cuda:1
    #[arg(long, value_name = "NAMES", conflicts_with = "device")]
    pub devices: Option<String>,
    /// Do not compare another device with the CPU first
    #[arg(long)]
    pub no_check: bool,
    /// Folder of the run [default: runs/DATASET-ARCH-ATTENTION]
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn eval`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn eval runs/cifar10-resnet20-abn --json\n  \
    abn eval runs/cifar10-resnet20-abn --csv confusion.csv --failures failures\n  \
    abn eval runs/scenes --best-threshold\n  \
    abn eval runs/coco --results found.json\n  \
    abn eval --truth instances_val2017.json --detections results.json")]
pub struct EvalArgs {
    /// Folder of the run
    #[arg(value_name = "RUN", required_unless_present = "truth")]
    pub run: Option<PathBuf>,
    /// Without a run: the objects of images, as COCO's instances
    #[arg(
        long,
        value_name = "FILE",
        requires = "detections",
        conflicts_with_all = [
            "run", "data", "split", "workers", "on_corrupt", "max_corrupt", "checkpoint", "device", "no_check",
            "best_threshold",
            "results", "csv", "failures",
        ]
    )]
    pub truth: Option<PathBuf>,
    /// What was found in these images, by whatever program, as COCO's results
    #[arg(long, value_name = "FILE", requires = "truth")]
    pub detections: Option<PathBuf>,
    /// The images
    #[command(flatten)]
    pub images: SplitArgs,
    /// The weights
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Of several labels of two classes each: also precision, recall and F1 where each label is said
    /// to be present from the probability on that has the highest F1 on the training images
    #[arg(long)]
    pub best_threshold: bool,
    /// Of a detector: also write what it finds to this file, as COCO's results; images and classes
    /// have the numbers of the data set's own file, or else count from 1
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Of one label: also write which class was told how often for which into this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Of a classifier: also write failures.html into this folder, the wrong predictions that it is
    /// surest of, where it looks in them, and which class it takes for which
    #[arg(long, value_name = "DIR")]
    pub failures: Option<PathBuf>,
    /// Print JSON: {"top1", "top5", "loss", "images", "balanced_accuracy", "classes": [{"name",
    /// "images", "told", "top1", "interval", "precision"}], "confusion": [[...]], "confused",
    /// "calibration": {"ece", "bins"}, ...}, fractions in [0, 1]; of several labels
    /// {"mean_top1", "all_right", "groups", "intervals", ...}, of two classes each also
    /// {"mean_accuracy", "balanced_accuracy", "mean_average_precision", "labels", "constant", ...};
    /// of detections {"stats": {"AP", "AP50", ...}, "categories": [{"name", "objects", "AP", ...}]},
    /// -1 where no object counts
    #[arg(long)]
    pub json: bool,
}

/// Splits by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// Images that no training sees and that choose the best epoch
    #[value(alias = "val", alias = "validation")]
    HeldOut,
    /// Images of test/, where they lie apart; else those held out
    Test,
    /// Training images, without augmentation
    Train,
    /// Every image of a folder without splits
    All,
}

impl SplitName {
    /// The split that is called so.
    pub fn split(self) -> Split {
        match self {
            Self::HeldOut => Split::HeldOut,
            Self::Test => Split::Test,
            Self::Train => Split::Train,
            Self::All => Split::All,
        }
    }
}

impl SplitArgs {
    /// The split that was asked for.
    pub fn asked(&self) -> Option<Split> {
        self.split.map(SplitName::split)
    }
}

/// Arguments of `abn predict`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn predict runs/cifar10-resnet20-abn cat.png dog.jpg --json\n  \
    abn predict runs/scenes photos/ --format csv > told.csv\n  \
    find photos -name '*.jpg' | abn predict runs/photos - --top 3 --format jsonl\n  \
    abn predict runs/photos 'photos/**/*.jpg' --overlay seen --maps maps --map-format npy\n  \
    abn predict runs/cifar10-resnet20-abn cat.png --map drawn.png       what would it say if it looked there?\n  \
    abn predict runs/found street.jpg --min-score 0.3 --draw boxes      of a detector: boxes as text, --json or --csv")]
pub struct PredictArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Images, PNG or JPEG, folders of them, patterns such as 'photos/**/*.jpg', or - for names from
    /// stdin, one a line
    #[arg(value_name = "FILE|DIR|GLOB|-", required = true)]
    pub files: Vec<PathBuf>,
    /// Tell so many of the likeliest classes, also as "top" of JSON; CSV then has them alone
    #[arg(long, value_name = "K", value_parser = count)]
    pub top: Option<usize>,
    /// The weights
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Predict once more with this map in place of the network's own: a greyscale image of any size
    /// that covers what the network sees, black 0, white 1 (8 bits value / 255, 16 bits value /
    /// 65535)
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// What a detector finds
    #[command(flatten)]
    pub found: FoundArgs,
    /// Of a detector: write each image with a frame around all that is found into this folder
    #[arg(long, value_name = "DIR")]
    pub draw: Option<PathBuf>,
    /// Print CSV: a line an image with the probability of each class; of several labels that each is
    /// present, or where they have more classes each as LABEL:CLASS; of a detector a line a box
    #[arg(long, conflicts_with_all = ["json", "map", "format"])]
    pub csv: bool,
    /// Print JSON with logits, attention logits and map in full precision; with --map also
    /// "with_map", of several labels also "groups"; of a detector {"images": [{"path", "objects":
    /// [{"label", "score", "box": [x1, y1, x2, y2]}], ...}]}
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// How it is printed [default: text]
    #[arg(long, value_enum)]
    pub format: Option<PredictFormat>,
    /// Write each image with its attention map over it into this folder
    #[arg(long, value_name = "DIR")]
    pub overlay: Option<PathBuf>,
    /// Share of the colours in an overlay: 0 is the image alone, 1 the map alone [default: 0.55]
    #[arg(long, value_name = "0..1", requires = "overlay", value_parser = share)]
    pub opacity: Option<f64>,
    /// Write the attention map of each image into this folder
    #[arg(long, value_name = "DIR")]
    pub maps: Option<PathBuf>,
    /// As what [default: png]
    #[arg(long, value_enum, requires = "maps")]
    pub map_format: Option<MapFormat>,
}

impl PredictArgs {
    /// How it is printed.
    pub fn format(&self) -> PredictFormat {
        match (self.csv, self.json) {
            (true, _) => PredictFormat::Csv,
            (_, true) => PredictFormat::Json,
            _ => self.format.unwrap_or_default(),
        }
    }
}

/// What else the epochs of a training are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// metrics.csv in the folder of the run, a line an epoch
    Csv,
}

/// How predictions are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PredictFormat {
    /// A line an image, in words
    #[default]
    Text,
    /// The same as --json
    Json,
    /// An object of --json a line
    Jsonl,
    /// The same as --csv
    Csv,
}

/// What a map is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MapFormat {
    /// Greyscale of 16 bits, 0 black and 1 white
    #[default]
    Png,
    /// NumPy's array, [height, width] in single precision
    Npy,
    /// {"height", "width", "values"}
    Json,
}

impl MapFormat {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Npy => "npy",
            Self::Json => "json",
        }
    }
}

/// Which of the objects that a detector finds are told.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct FoundArgs {
    /// Of a detector: tell what is found with at least this score [default: 0.5]
    #[arg(long, value_name = "X", value_parser = fraction)]
    pub min_score: Option<f64>,
}

impl FoundArgs {
    /// The least score that is told.
    pub fn least(self) -> f64 {
        self.min_score.unwrap_or(0.5)
    }
}

/// Arguments of `abn explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn explain runs/cifar10-resnet20-abn photos/ --out maps\n  \
    abn explain runs/photos 'photos/**/*.jpg' --methods attention,grad-cam,centre --out maps\n  \
    abn explain runs/photos cat.jpg --class dog --layer features --raw --out maps\n  \
    abn explain runs/found street.jpg --min-score 0.3 --masks 1000 --out why\n\n\
    Writes DIR/index.html, a page to look at, and for each image a PNG with the image and every \
    method's map over it,\n\
    side by side. Of a detector, every box that it finds has its own maps: ODAM, Grad-CAM and, \
    where it has one, the trained\n\
    map of its region.")]
pub struct ExplainArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Images, PNG or JPEG, folders of them, or patterns such as 'photos/**/*.jpg'
    #[arg(value_name = "FILE|DIR|GLOB", required = true)]
    pub files: Vec<PathBuf>,
    /// Methods, separated by commas [default: attention,cam,grad-cam,grad-cam++, as far as the
    /// network has them]
    #[arg(long, value_name = "METHOD,...", value_enum, value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// Features that Grad-CAM and Grad-CAM++ look at; CAM has the refined ones alone
    #[arg(long, value_enum, default_value_t)]
    pub layer: Layer,
    /// Class to explain, by name, by number from 0, or of several labels as LABEL:NAME [default: the
    /// predicted class of each image]
    #[arg(long, value_name = "N|NAME")]
    pub class: Option<String>,
    /// Label whose predicted class is explained, in a run of several [default: the first]
    #[arg(long, value_name = "LABEL", conflicts_with = "class")]
    pub group: Option<String>,
    /// Explain every label of a run of several, side by side: of two classes the presence, else the
    /// predicted class [default methods: attention, or grad-cam without a branch]
    #[arg(long, conflicts_with_all = ["class", "group"])]
    pub each_label: bool,
    /// What a detector finds
    #[command(flatten)]
    pub found: FoundArgs,
    /// Of a detector: also D-RISE, by so many random masks, each a forward pass (5000 in its paper)
    #[arg(long, value_name = "N", value_parser = count)]
    pub masks: Option<usize>,
    /// Folder for the overlays and the page
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Also write the maps of each image as JSON: {"path", "class", "label", "maps": {METHOD:
    /// {"height", "width", "values"}}, ...}; of a detector {"path", "objects": [{"label", "score",
    /// "box", "maps"}]}
    #[arg(long)]
    pub raw: bool,
    /// Colour scale
    #[arg(long, value_enum, default_value_t)]
    pub colors: Colors,
    /// Values of the attention map at the ends of the colour scale [default: unit, or per-image for
    /// maps beyond 1]
    #[arg(long, value_enum)]
    pub range: Option<Range>,
    /// Share of the colours over the image: 0 is the image alone, 1 the map alone [default: 0.55]
    #[arg(long, value_name = "0..1", value_parser = share)]
    pub opacity: Option<f64>,
    /// The weights
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Arguments of `abn score`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn score runs/shapes-resnet8-abn\n  \
    abn score runs/pets --limit 90 --truth boxes --layer features --json\n  \
    abn score runs/scenes --each-label --methods attention,grad-cam\n  \
    abn score runs/pets cat.jpg dog.jpg --out curves\n\n\
    Deletion, insertion, average drop and increase ask the network again and need no more than \
    images; the pointing game, energy, IoU and AUC are for data sets that know where the objects \
    are. Means come with a 95 % interval (bootstrap over images). Beside the table on stdout, \
    --out gets score.html, score.json and score.csv, a line per image and method. What is measured \
    is kept: interrupted, the same command continues, and repeated, it is done. Named images get \
    curves.html and curves.json instead. Of a detector the objects that it finds are measured: \
    --out gets score-boxes.json and score-boxes.csv, a line per box and method.")]
pub struct ScoreArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Images to draw the curves of deletion and insertion of, in place of a data set's: PNG or
    /// JPEG, folders of them, or patterns. --out gets curves.html and curves.json
    #[arg(
        value_name = "FILE|DIR|GLOB",
        conflicts_with_all = [
            "class", "truth", "randomised", "maps", "fine_tune", "check", "split", "data",
            "workers", "on_corrupt", "max_corrupt", "limit",
        ]
    )]
    pub files: Vec<PathBuf>,
    /// Methods, separated by commas [default: those of a pass or two that the network has]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// Where Grad-CAM and what came after it look
    #[arg(long, value_enum, default_value_t)]
    pub layer: Layer,
    /// Class that is explained
    #[arg(long, value_enum, default_value_t)]
    pub class: ClassChoice,
    /// Label whose class that is, in a run of several [default: the first]
    #[arg(long, value_name = "LABEL")]
    pub group: Option<String>,
    /// Measure every label of a run of several, one after the other. --out gets score-labels.csv, a
    /// line per label and method, and score-labels.json
    #[arg(long, conflicts_with_all = ["group", "files"])]
    pub each_label: bool,
    /// What says where the objects are [default: masks, or boxes where there are none]
    #[arg(long, value_enum)]
    pub truth: Option<TruthName>,
    /// Of a detector: also D-RISE, by so many random masks, each a forward pass
    #[arg(long, value_name = "N", value_parser = count)]
    pub masks: Option<usize>,
    /// Steps in which deletion and insertion change an image
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = steps)]
    pub steps: usize,
    /// Images on which maps are compared with those of weights drawn anew; 0 leaves that out
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = images)]
    pub randomised: usize,
    /// Measure the maps in this folder, too: for each image a file of its name that ends in .npy or
    /// .png (of built-in images, their number)
    #[arg(long, value_name = "DIR")]
    pub maps: Option<PathBuf>,
    /// Measure F-Fidelity, too, after N epochs of fine-tuning a copy of the network on training images
    /// with missing pixels
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = epochs)]
    pub fine_tune: usize,
    /// Check the measures themselves, on the maps of the first method: do they bear a nudge, do they
    /// see a wreck, do they prefer a Gaussian?
    #[arg(long)]
    pub check: bool,
    /// The images
    #[command(flatten)]
    pub images: SplitArgs,
    /// Measure the first N images only
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = count)]
    pub limit: usize,
    /// Folder for the page and the tables [default: the run]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The weights
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Print JSON: {"plan", "scores": {"methods", "metrics", "cascade", ...}, "files"}, of named
    /// images {"images": [{"path", "class", "probability", "methods": [{"method", "deletion",
    /// "insertion", "deletion_curve", "insertion_curve"}]}]}, of a detector {"plan", "images",
    /// "boxes", "methods": [{"method", "measures": {NAME: {"mean", "low", "high"}}}], "files"}
    #[arg(long)]
    pub json: bool,
}

/// What says where the objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TruthName {
    /// A folder of masks beside the images
    Masks,
    /// A table of boxes beside the images: image, x0, y0, x1, y1
    Boxes,
}

/// Arguments of `abn stability`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn stability runs/seed-1 runs/seed-2 runs/seed-3\n  \
    abn stability runs/manet-* --out stability-of-manet\n  \
    abn stability runs/plain-1 runs/plain-2 --method grad-cam --threshold 200 --json\n\n\
    A position is looked at where its value is --threshold of 255 or more; two maps are as alike \
    as the positions that both look at are a share of those that one does (intersection over \
    union; MANet, section 5.3.1). Maps that ask for a class are those of the image's label. A pair \
    of maps of which neither reaches the threshold has no IoU: it is counted and left out.")]
pub struct StabilityArgs {
    /// Folders of runs on the same data set
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// How the runs are explained
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Where Grad-CAM and what came after it look
    #[arg(long, value_enum, default_value_t)]
    pub layer: Layer,
    /// What a threshold is a share of [default: raw for attention maps in [0, 1], else per-image]
    #[arg(long, value_enum)]
    pub scale: Option<MapScale>,
    /// Label whose classes are compared, in runs of several [default: the first]
    #[arg(long, value_name = "LABEL")]
    pub group: Option<String>,
    /// Grey level of 255 from which a position counts as looked at
    #[arg(long, value_name = "0..255", default_value_t = THRESHOLD)]
    pub threshold: u8,
    /// The images
    #[command(flatten)]
    pub images: SplitArgs,
    /// Look at the first N images only
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count)]
    pub limit: usize,
    /// Folder for stability.html, a page with pictures, and stability.csv, a line per image; may be
    /// a run
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The weights
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Print JSON: {"iou_over_images": {"mean", "low", "high"}, "pairs", "curve", "classes",
    /// "per_image", ...}
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn compare runs/plain runs/abn runs/manet --out comparison\n  \
    abn compare runs/lr-* --no-images\n  \
    abn compare runs/plain runs/abn --json\n\n\
    Runs may be unfinished, and of different data; those that were tested on the same images are also \
    shown the same images, each with its own map: the trained one, or Grad-CAM of a network without one.")]
pub struct CompareArgs {
    /// Folders of runs; the first is what the others are compared with
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Folder for compare.html
    #[arg(long, value_name = "DIR", default_value = "comparison")]
    pub out: PathBuf,
    /// Compare figures, curves and settings alone, in an instant
    #[arg(long)]
    pub no_images: bool,
    /// How all runs are explained [default: the trained map where there is one, else grad-cam]
    #[arg(long, value_enum)]
    pub method: Option<Method>,
    /// Label whose classes are compared, in runs of several [default: the first]
    #[arg(long, value_name = "LABEL")]
    pub group: Option<String>,
    /// The images
    #[command(flatten)]
    pub images: SplitArgs,
    /// Look at the first N images only
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count)]
    pub limit: usize,
    /// The weights
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Print JSON: {"page", "runs": [{"path", "network", "epochs", "best_epoch", "figures", ...}],
    /// "settings": [{"name", "values"}], "images": {"count", "right", "beside_first"}}
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn models`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  abn models --classes 100 --json\n  abn models wrn-40-4 cbam-resnet18"
)]
pub struct ModelsArgs {
    /// Architectures [default: those of the papers]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Number of classes [default: 10 for images of 32x32, 1000 for larger ones]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub classes: Option<u32>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn devices`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  abn devices\n  abn devices --check --device vulkan")]
pub struct DevicesArgs {
    /// Compare a device with the CPU on networks with every kind of layer
    #[arg(long, conflicts_with = "json")]
    pub check: bool,
    /// The device to check, such as cuda:1 [default: the best that is there]
    #[arg(long, value_name = "NAME", requires = "check")]
    pub device: Option<String>,
    /// Print JSON: {"devices": [{"device", "name", "target", "software", "precisions"}],
    /// "absent": [{"backend", "compiled", "reason"}]}
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn import model_best.pth.tar --arch resnet110 --attention abn --dataset cifar100 --out runs/released\n  \
    abn import resnet20-12fca82f.th --arch resnet20 --attention none --mean 0.485,0.456,0.406 \
    --std 0.229,0.224,0.225 --out runs/zoo\n  \
    abn import fasterrcnn_resnet50_fpn_coco-258fb6c6.pth --arch resnet50 --detector fpn \
    --norm-epsilon 0 --out runs/coco\n\n\
    Names are those of the official ABN code, of torchvision, or of the model zoos of CIFAR.")]
pub struct ImportArgs {
    /// Checkpoint: .pth, .pth.tar, .th, .safetensors, or the .index.json of one in several files
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What of the file: the weights under this key, such as model_ema [default: state_dict, model,
    /// ..., or all]
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// The network whose names in the file begin so, where there are several, such as encoder_q.
    /// What stands before all names is taken off anyway
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Architecture of the checkpoint
    #[arg(long, value_name = "NAME")]
    pub arch: String,
    /// Attention branch of the checkpoint
    #[arg(long, value_enum, default_value_t = AttentionName::Abn)]
    pub attention: AttentionName,
    /// Details of the network
    #[command(flatten)]
    pub details: DetailArgs,
    /// Import a detector: torchvision's Faster R-CNN with a feature pyramid, or one that was exported
    #[arg(long, value_enum)]
    pub detector: Option<DetectorName>,
    /// Of a detector: what was added to the variances of its frozen batch norms. 0 for torchvision's
    /// published fasterrcnn_resnet50_fpn_coco, which is run without; others are as trained
    /// [default: 1e-5]
    #[arg(long, value_name = "X", requires = "detector", value_parser = fraction)]
    pub norm_epsilon: Option<f64>,
    /// Number of classes [default: the checkpoint's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub classes: Option<u32>,
    /// Names of the classes in the order of the outputs, one a line. Folders of photographs are
    /// matched to them by name
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "detector"])]
    pub classes_file: Option<PathBuf>,
    /// Folder of the data set, whose classes in the order of their names are the outputs
    #[arg(long, value_name = "DIR", conflicts_with = "detector")]
    pub data: Option<PathBuf>,
    /// Data set that it was trained on [default: imagenet for a network of images of 224x224, else
    /// cifar10 or, for 100 classes, cifar100]
    #[arg(long, value_parser = datasets::value_parser())]
    pub dataset: Option<&'static DataSet>,
    /// What images become
    #[command(flatten)]
    pub inputs: InputArgs,
    /// Folder for the run
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Print JSON: {"run", "tensors", "architecture", "attention", "classes", "dataset"}
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn export runs/abn --out abn.safetensors\n  \
    abn export runs/abn --out abn.onnx --with-preprocessing")]
pub struct ExportArgs {
    /// Folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// File to write: .safetensors, weights by PyTorch's names, or .onnx, the network itself
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Of ONNX: take pictures, bytes [N, H, W, 3], and resize, crop and normalise them in the graph
    #[arg(long)]
    pub with_preprocessing: bool,
    /// Which weights
    #[arg(long, value_enum, default_value_t)]
    pub checkpoint: CheckpointChoice,
    /// Print JSON: {"file", "tensors"}
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `abn completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    abn completions bash > ~/.local/share/bash-completion/completions/abn\n  \
    abn completions fish > ~/.config/fish/completions/abn.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `abn man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  abn man ~/.local/share/man/man1 && man abn-train")]
pub struct ManArgs {
    /// Folder for abn.1, abn-train.1 and so on; is made if it does not exist
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        let program = command();
        for command in program.get_subcommands().chain([&program]) {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

    /// The names of the libraries are those that are typed.
    #[test]
    fn names_are_those_typed() {
        fn typed(value: impl ValueEnum) -> String {
            value.to_possible_value().unwrap().get_name().to_owned()
        }
        for method in Method::value_variants() {
            assert_eq!(typed(*method), method.name());
        }
        for layer in Layer::value_variants() {
            assert_eq!(typed(*layer), layer.name());
        }
        for attention in AttentionName::value_variants() {
            assert_eq!(typed(*attention), attention.name());
        }
    }
}
