//! Whether a device computes what the CPU computes.
//!
//! A driver or a compiler of kernels may be wrong without a word: with fused kernels, a graphics
//! driver was seen to give the right loss and gradients off by a fifth. So the same network is
//! computed on both, from the same weights and images, before its figures are believed.

use abn_core::gradients::by_name;
use abn_core::state::{Reading, State, with_state};
use abn_data::{Batch, Dataset, Loader, Scenes, Skips, Split, Target};
use burn::tensor::{Device, TensorData};

use crate::RunError;
use crate::images::canvas_in_order;
use crate::measure::classification::Classification;
use crate::measure::detection::Detection;
use crate::measure::task::Task;
use crate::recipe::RunConfig;

/// Images that are computed on both devices: enough for the statistics of batch norms.
pub const IMAGES: usize = 4;
/// How far outputs may differ, as a share of the largest. Products in TF32, which CUDA may choose,
/// stay below.
pub const OUTPUTS: f64 = 0.02;
/// How far a gradient may differ, as a share of its norm.
pub const GRADIENTS: f64 = 0.05;
/// A gradient that is a smaller share of all of them is measured as this share: what is left of
/// sums that cancel is rounding.
const FLOOR: f64 = 1e-3;

/// A tensor as both devices computed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// What it is.
    pub of: String,
    /// Largest difference by the largest value, of a gradient norm of the difference by norm;
    /// infinite where the device gave no numbers.
    pub found: f64,
    /// How much of that is rounding.
    pub allowed: f64,
}

impl Deviation {
    /// Whether rounding explains it.
    pub fn is_allowed(&self) -> bool {
        self.found <= self.allowed
    }
}

/// What two devices made of the same weights and images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// What comes out of the network, the farthest off first.
    pub outputs: Vec<Deviation>,
    /// What it would learn, the farthest off first; nothing if that was not asked.
    pub gradients: Vec<Deviation>,
}

impl Comparison {
    /// All that rounding does not explain.
    pub fn refused(&self) -> impl Iterator<Item = &Deviation> {
        let all = self.outputs.iter().chain(&self.gradients);
        all.filter(|deviation| !deviation.is_allowed())
    }
}

/// Compares a device with the CPU on the network of a run, with its gradients if it is to be
/// trained.
///
/// # Errors
/// The weights are of another network, or a target of another task.
pub fn compare(
    config: &RunConfig,
    weights: &State,
    batch: &Batch,
    [cpu, device]: [&Device; 2],
    trains: bool,
) -> Result<Comparison, RunError> {
    match Detection::of(config) {
        Some(task) => of_task(&task, weights, batch, [cpu, device], trains),
        None => of_task(
            &Classification::of(config),
            weights,
            batch,
            [cpu, device],
            trains,
        ),
    }
}

fn of_task<T: Task>(
    task: &T,
    weights: &State,
    batch: &Batch,
    devices: [&Device; 2],
    trains: bool,
) -> Result<Comparison, RunError> {
    let task = task.without_dropout();
    let numbers = |device: &Device| -> Result<State, RunError> {
        let network = with_state(task.init(device), weights.clone())?;
        let mut reading = Reading::default();
        for (name, numbers) in task.numbers(&network, batch, device) {
            reading.add(name.to_owned(), numbers);
        }
        Ok(reading.read().into_iter().collect())
    };
    let gradients = |device: &Device| -> Result<State, RunError> {
        let device = device.clone().autodiff();
        let network = with_state(task.init(&device), weights.clone())?;
        let gradients = task.smooth_gradients(&network, batch, &device)?;
        Ok(by_name(&network, &gradients))
    };
    let [cpu, device] = devices;
    let gradients = match trains {
        true => of_gradients(&gradients(cpu)?, &gradients(device)?),
        false => vec![],
    };
    Ok(Comparison {
        outputs: of_outputs(&numbers(cpu)?, &numbers(device)?),
        gradients,
    })
}

fn of_outputs(expected: &State, found: &State) -> Vec<Deviation> {
    sorted(expected, OUTPUTS, |name, expected| {
        let differences = differences(expected, found.get(name));
        let largest = values(expected).map(f64::abs).fold(0.0, f64::max);
        most(differences) / largest.max(f64::MIN_POSITIVE)
    })
}

fn of_gradients(expected: &State, found: &State) -> Vec<Deviation> {
    let square = |data: &TensorData| values(data).map(|value| value * value).sum::<f64>();
    let total = expected.values().map(square).sum::<f64>().sqrt();
    sorted(expected, GRADIENTS, |name, expected| {
        let differences = differences(expected, found.get(name));
        let norm = differences.map(|off| off * off).sum::<f64>().sqrt();
        norm / square(expected)
            .sqrt()
            .max(FLOOR * total)
            .max(f64::MIN_POSITIVE)
    })
}

/// The deviation of each tensor, the largest first.
fn sorted(
    expected: &State,
    allowed: f64,
    measure: impl Fn(&str, &TensorData) -> f64,
) -> Vec<Deviation> {
    let deviation = |(name, data): (&String, &TensorData)| Deviation {
        of: name.clone(),
        found: match measure(name, data) {
            found if found.is_nan() => f64::INFINITY,
            found => found,
        },
        allowed,
    };
    let mut deviations: Vec<Deviation> = expected.iter().map(deviation).collect();
    deviations.sort_by(|one, other| other.found.total_cmp(&one.found));
    deviations
}

/// Value by value; infinite where one is missing.
fn differences<'a>(
    expected: &'a TensorData,
    found: Option<&'a TensorData>,
) -> impl Iterator<Item = f64> + 'a {
    let mut found = found.into_iter().flat_map(values);
    values(expected).map(move |value| {
        found
            .next()
            .map_or(f64::INFINITY, |found| (found - value).abs())
    })
}

/// The largest, or not a number where one is none.
fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most, value| {
        if value > most || value.is_nan() {
            value
        } else {
            most
        }
    })
}

fn values(data: &TensorData) -> impl Iterator<Item = f64> + '_ {
    data.iter::<f64>()
}

/// The first images of a loader, as they are; `None` where none of them can be read.
pub fn first_images(loader: &Loader) -> Option<Batch> {
    let loader = Loader {
        batch_size: IMAGES,
        workers: 0,
        shuffled: false,
        masks: loader.masks,
        ..loader.clone()
    };
    let first = loader.epoch(0, 0).next()?.ok()?;
    (!first.is_empty()).then_some(first)
}

/// Built-in images as the network of a run sees photographs, with targets of its task.
///
/// # Errors
/// The run makes images of no size that there is.
pub fn built_in_images(config: &RunConfig) -> Result<Batch, RunError> {
    let recipe = &config.recipe;
    let images = Scenes::new(0, Split::Train, IMAGES);
    let dataset = match recipe.detector {
        Some(_) => images.objects().samples,
        None => images.collection().samples,
    };
    let loader = Loader {
        batch_size: dataset.len(),
        dataset,
        transform: recipe.eval_transform(),
        workers: 0,
        seed: 0,
        shuffled: false,
        masks: false,
        skips: Skips::default().into(),
        canvas: canvas_in_order(recipe),
        drop_last: false,
    };
    let first = loader.epoch(0, 0).next();
    let mut first = first.ok_or(RunError::NoImages("scenes"))??;
    if recipe.detector.is_none() {
        let sizes = config.labels.sizes();
        let target = |index: &usize| Target::known(sizes.iter().map(|size| index % size).collect());
        first.targets = first.indices.iter().map(target).collect();
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use abn_core::state::state_of;
    use abn_data::Labels;

    use super::*;
    use crate::datasets::SHAPES;
    use crate::recipe::Recipe;

    fn numbers(name: &str, values: &[f32]) -> State {
        State::from([(name.to_owned(), TensorData::from(values))])
    }

    #[test]
    fn outputs_are_measured_by_their_largest() {
        let off = |found: &State| of_outputs(&numbers("logits", &[1.0, -4.0, 0.0]), found)[0].found;
        assert_eq!(off(&numbers("logits", &[1.0, -4.0, 0.0])), 0.0);
        assert_eq!(off(&numbers("logits", &[1.0, -4.0, 0.5])), 0.125);
        assert_eq!(
            off(&numbers("logits", &[f32::NAN, -4.0, 0.0])),
            f64::INFINITY
        );
        assert_eq!(off(&numbers("logits", &[1.0, -4.0])), f64::INFINITY);
        assert_eq!(off(&State::new()), f64::INFINITY);
    }

    /// The differences are (0, 1) of a gradient (3, 4).
    #[test]
    fn gradients_are_measured_by_their_norm() {
        let expected = numbers("weight", &[3.0, 4.0]);
        let off = of_gradients(&expected, &numbers("weight", &[3.0, 5.0]));
        assert_eq!((off[0].found, off[0].is_allowed()), (0.2, false));
    }

    #[test]
    fn the_cpu_computes_as_the_cpu_does() {
        let recipe = Recipe {
            architecture: "resnet8".to_owned(),
            ..Recipe::of(&SHAPES, None)
        };
        let classes = (0..8).map(|class| class.to_string()).collect();
        let config = RunConfig::new(recipe, Labels::one(classes)).unwrap();
        let cpu = Device::flex();
        let weights = state_of(&config.model.init_seeded(3, &cpu));
        let images = built_in_images(&config).unwrap();
        let same = compare(&config, &weights, &images, [&cpu, &cpu], true).unwrap();
        assert!(same.outputs.len() == 3 && same.gradients.len() > 20);
        let all = same.outputs.iter().chain(&same.gradients);
        assert!(all.clone().all(|deviation| deviation.found == 0.0));
        assert_eq!(same.refused().count(), 0);
    }
}
