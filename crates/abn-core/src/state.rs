//! A module's tensors by name: what checkpoints hold and imports fill.
//!
//! A name is the path of fields, such as `network.stages.0.blocks.1.convs.0.norm.running_var`; the
//! variants of enums are no part of it. Unlike Burn's records, a state carries no parameter ids,
//! which are drawn at random: the same weights are the same bytes.

use std::collections::BTreeMap;
use std::fmt;

use abn_kernels::ops::drawn_on;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData, Transaction};

/// Tensors by name, in the order of the names.
pub type State = BTreeMap<String, TensorData>;

/// Whether the tensor of that name is a running statistic rather than a trained parameter.
pub fn is_buffer(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// Every float tensor of the module, buffers included.
pub fn state_of<M: Module>(module: &M) -> State {
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.reading.read().into_iter().collect()
}

/// Tensors by name on their way to the host, which all come in one go: a GPU is waited for once.
///
/// And they come now. What Burn's `into_data` gives of a GPU is read when somebody looks at it, and
/// has by then what was written into the same memory meanwhile.
#[derive(Default)]
pub struct Reading {
    names: Vec<String>,
    transaction: Transaction,
}

impl Reading {
    /// Asks for a tensor.
    pub fn add<const D: usize>(&mut self, name: String, tensor: Tensor<D>) {
        let tensor = match tensor.device().is_autodiff() {
            true => tensor.inner(),
            false => tensor,
        };
        self.names.push(name);
        let others = std::mem::take(&mut self.transaction);
        self.transaction = others.register(tensor);
    }

    /// What was asked for, in that order.
    pub fn read(self) -> Vec<(String, TensorData)> {
        self.names
            .into_iter()
            .zip(self.transaction.execute())
            .collect()
    }
}

/// Name and shape of every tensor, without computing lazy ones.
pub fn shapes_of<M: Module>(module: &M) -> BTreeMap<String, Shape> {
    let mut shapes = Shapes::default();
    module.visit(&mut shapes);
    shapes.shapes
}

/// A module on that device whose weights are all drawn by `draw` from that seed, [where random
/// numbers are drawn](drawn_on) for it.
pub(crate) fn drawn<M: Module>(
    seed: u64,
    device: &Device,
    init: impl Fn(&Device) -> M,
    draw: impl Fn(&M),
) -> M {
    let host = drawn_on(device);
    let module = init(&host);
    host.seed(seed);
    draw(&module);
    match host == *device {
        true => module,
        false => filled(init(device), state_of(&module)),
    }
}

/// Draws the parameters of the module that nobody has looked at yet, in the order of its fields.
pub(crate) fn draw<M: Module>(module: &M) {
    module.visit(&mut Draw);
}

/// The module with every tensor replaced by the one of its name, in the device's floats.
///
/// Load only into a freshly made module: Burn's running statistics are shared between clones.
///
/// # Errors
/// Names or shapes differ; the error lists the differences, and nothing was loaded.
pub fn with_state<M: Module>(module: M, state: State) -> Result<M, StateMismatch> {
    let found = state
        .iter()
        .map(|(name, data)| (name.clone(), data.shape().clone()))
        .collect();
    StateMismatch::check(&shapes_of(&module), &found)?;
    Ok(filled(module, state))
}

/// The same where names and shapes are known to fit.
fn filled<M: Module>(module: M, state: State) -> M {
    module.map(&mut Writer {
        path: Path::default(),
        state,
    })
}

/// The differences between the tensors that a module has and those that were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMismatch {
    /// Expected and not given.
    pub missing: Vec<(String, Shape)>,
    /// Given and not expected.
    pub unexpected: Vec<(String, Shape)>,
    /// Name, expected shape, given shape.
    pub shapes: Vec<(String, Shape, Shape)>,
}

impl StateMismatch {
    /// Compares names and shapes.
    ///
    /// # Errors
    /// They are not the same.
    pub fn check(
        expected: &BTreeMap<String, Shape>,
        found: &BTreeMap<String, Shape>,
    ) -> Result<(), Self> {
        let lacking = |from: &BTreeMap<String, Shape>, other: &BTreeMap<String, Shape>| {
            let lacks = from.iter().filter(|(name, _)| !other.contains_key(*name));
            lacks
                .map(|(name, shape)| (name.clone(), shape.clone()))
                .collect::<Vec<_>>()
        };
        let both = expected
            .iter()
            .filter_map(|(name, want)| Some((name, want, found.get(name)?)));
        let differing = both.filter(|(_, want, have)| want != have);
        let mismatch = Self {
            missing: lacking(expected, found),
            unexpected: lacking(found, expected),
            shapes: differing
                .map(|(name, want, have)| (name.clone(), want.clone(), have.clone()))
                .collect(),
        };
        let same = mismatch.missing.is_empty()
            && mismatch.unexpected.is_empty()
            && mismatch.shapes.is_empty();
        if same { Ok(()) } else { Err(mismatch) }
    }
}

impl fmt::Display for StateMismatch {
    /// A diff: `-` what the network expects, `+` what was given; the first lines of each kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tensors missing, {} unexpected, {} of another shape (- expected, + found):",
            self.missing.len(),
            self.unexpected.len(),
            self.shapes.len()
        )?;
        let line =
            |sign: char, name: &str, shape: &Shape| format!("\n  {sign} {name} {:?}", &shape[..]);
        let differing = |(name, want, have): &(String, Shape, Shape)| {
            line('-', name, want) + &line('+', name, have)
        };
        some(f, self.shapes.iter().map(differing))?;
        some(
            f,
            self.missing
                .iter()
                .map(|(name, shape)| line('-', name, shape)),
        )?;
        some(
            f,
            self.unexpected
                .iter()
                .map(|(name, shape)| line('+', name, shape)),
        )
    }
}

/// The first of many lines.
fn some(
    f: &mut fmt::Formatter<'_>,
    mut lines: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    const SHOWN: usize = 8;
    for line in lines.by_ref().take(SHOWN) {
        f.write_str(&line)?;
    }
    match lines.len() {
        0 => Ok(()),
        more => write!(f, "\n  ... and {more} more"),
    }
}

impl std::error::Error for StateMismatch {}

/// The path of fields to the module that is being visited.
#[derive(Debug, Default)]
pub struct Path(Vec<String>);

impl Path {
    /// Goes into a field; entering the variant of an enum adds nothing.
    pub fn enter(&mut self, name: &str, container: &str) {
        if !is_enum(container) {
            self.0.push(name.to_owned());
        }
    }

    /// Leaves what was entered last.
    pub fn exit(&mut self, container: &str) {
        if !is_enum(container) {
            self.0.pop();
        }
    }

    /// The name of the tensor at this place.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

/// What Burn calls the container of a variant.
fn is_enum(container: &str) -> bool {
    container.starts_with("Enum:")
}

#[derive(Default)]
struct Reader {
    path: Path,
    reading: Reading,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.reading.add(self.path.name(), param.val());
    }
}

struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}

#[derive(Default)]
struct Shapes {
    path: Path,
    shapes: BTreeMap<String, Shape>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes.insert(self.path.name(), param.lazy_shape());
    }
}

struct Writer {
    path: Path,
    state: State,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.state.remove(&self.path.name()) {
            Some(data) => {
                let device = param.lazy_device();
                let floats: DType = device.settings().float_dtype.into();
                let tensor = Tensor::from_data(data.convert_dtype(floats), &device);
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            None => param,
        }
    }
}
