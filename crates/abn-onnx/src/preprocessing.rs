//! From pictures to inputs of the network, within the graph or described beside it.
//!
//! Within the graph a picture is resized by `Resize` with `antialias = 1` on bytes, and
//! `exclude_outside = 1`, which is Pillow's bilinear filter but for how each of its two passes rounds:
//! pixels of ONNX Runtime 1.32 differ from Pillow's by at most two grey levels, most by none. `abn`
//! itself differs by at most one. Without `exclude_outside` the first and last rows and columns
//! differ by far more.

use abn_data::{Normalization, Step, Transform};

use crate::graph::{Graph, Value, integer, text};
use crate::proto::DataType;

/// Where the nodes are called.
const AT: &str = "preprocessing";
/// The greatest byte.
const WHITE: f32 = 255.0;

impl Graph {
    /// Pictures of bytes, `[N, H, W, 3]`, as the network sees them: `[N, 3, H', W']`.
    pub(crate) fn preprocessed(&mut self, transform: &Transform, pictures: &Value) -> Value {
        let axes = vec![crate::graph::integers("perm", &[0, 3, 1, 2])];
        let mut planes = self.add(format!("{AT}.planes"), "Transpose", [pictures], axes);
        // What the sides are known to be at least.
        let mut least = 1;
        for (index, step) in transform.steps.iter().enumerate() {
            let at = format!("{AT}.{index}");
            planes = match *step {
                Step::Resize { width, height } => {
                    least = width.min(height);
                    let size = self.integers(&[height.into(), width.into()]);
                    self.resized(&format!("{at}.resize"), &size, &planes)
                }
                Step::ResizeShorter { size } => {
                    least = size;
                    self.resized_shorter(&format!("{at}.resize_shorter"), size, &planes)
                }
                Step::CenterCrop { size } => {
                    let at = format!("{at}.center_crop");
                    if least < size {
                        planes = self.padded_to(&at, size, &planes);
                    }
                    least = size;
                    self.cropped(&at, size, &planes)
                }
                // Evaluation leaves out what depends on chance.
                Step::PadCrop { .. }
                | Step::Flip
                | Step::RandomCrop { .. }
                | Step::RandomResizedCrop { .. } => continue,
            };
        }
        self.normalized(&transform.normalization, &planes)
    }

    /// Height and width of planes.
    fn size(&mut self, at: &str, planes: &Value) -> Value {
        self.shape(format!("{at}.size"), planes, 2, 4)
    }

    fn resized(&mut self, at: &str, size: &Value, planes: &Value) -> Value {
        let images = self.shape(format!("{at}.images"), planes, 0, 2);
        let sizes = self.join(format!("{at}.sizes"), 0, &[images, size.clone()]);
        let filter = vec![
            text("mode", "linear"),
            integer("antialias", 1),
            integer("exclude_outside", 1),
            text("coordinate_transformation_mode", "half_pixel"),
        ];
        let none = Value::none();
        self.add(at, "Resize", [planes, &none, &none, &sizes], filter)
    }

    /// The shorter side becomes `side`; the longer one is rounded down.
    fn resized_shorter(&mut self, at: &str, side: u32, planes: &Value) -> Value {
        let size = self.size(at, planes);
        let shorter = self.reduce(format!("{at}.shorter"), "ReduceMin", &size, &[0]);
        let side = self.integers(&[side.into()]);
        let scaled = self.product(format!("{at}.scaled"), &size, &side);
        let rounded = self.add(format!("{at}.rounded"), "Div", [&scaled, &shorter], vec![]);
        self.resized(at, &rounded, planes)
    }

    /// Black around what is shorter than `side`.
    fn padded_to(&mut self, at: &str, side: u32, planes: &Value) -> Value {
        let at = format!("{at}.pad");
        let size = self.size(&at, planes);
        let [side, zero, two] = [side.into(), 0, 2].map(|number: i64| self.integers(&[number]));
        let lacking = self.add(format!("{at}.difference"), "Sub", [&side, &size], vec![]);
        let lacking = self.add(format!("{at}.lacking"), "Max", [&lacking, &zero], vec![]);
        let before = self.add(format!("{at}.before"), "Div", [&lacking, &two], vec![]);
        let after = self.add(format!("{at}.after"), "Sub", [&lacking, &before], vec![]);
        let none = self.integers(&[0, 0]);
        let pads = [none.clone(), before, none, after];
        let pads = self.join(format!("{at}.pads"), 0, &pads);
        let black = self.byte(0);
        self.add(at, "Pad", [planes, &pads, &black], vec![])
    }

    /// A square out of the middle; half a pixel goes to the even neighbour.
    fn cropped(&mut self, at: &str, side: u32, planes: &Value) -> Value {
        let size = self.size(at, planes);
        let [side, two, three, four] =
            [side.into(), 2, 3, 4].map(|number: i64| self.integers(&[number]));
        let name = |part: &str| format!("{at}.{part}");
        let surplus = self.add(name("surplus"), "Sub", [&size, &side], vec![]);
        let half = self.add(name("half"), "Div", [&surplus, &two], vec![]);
        let rest = self.add(name("rest"), "Mod", [&surplus, &four], vec![]);
        let odd = self.add(name("odd"), "Equal", [&rest, &three], vec![]);
        let odd = self.cast(name("up"), &odd, DataType::Int64);
        let start = self.sum(name("start"), &half, &odd);
        let end = self.sum(name("end"), &start, &side);
        let axes = self.integers(&[2, 3]);
        self.add(at, "Slice", [planes, &start, &end, &axes], vec![])
    }

    /// (x / 255 - mean) / std.
    fn normalized(&mut self, by: &Normalization, planes: &Value) -> Value {
        let name = |part: &str| format!("{AT}.{part}");
        let floats = self.cast(name("floats"), planes, DataType::Float);
        let white = self.floats(&[], &[WHITE]);
        let unit = self.add(name("unit"), "Div", [&floats, &white], vec![]);
        let [mean, std] = [by.mean, by.std].map(|each| self.floats(&[3, 1, 1], &each));
        let centred = self.add(name("centred"), "Sub", [&unit, &mean], vec![]);
        self.add(name("normalized"), "Div", [&centred, &std], vec![])
    }
}

/// The steps of evaluation in words, in their order.
pub(crate) fn words(transform: &Transform) -> String {
    let steps = transform.steps.iter().filter_map(|step| match step {
        Step::Resize { width, height } => Some(format!("resize to {width} x {height}")),
        Step::ResizeShorter { size } => Some(format!("resize the shorter side to {size}")),
        Step::CenterCrop { size } => Some(format!("crop {size} x {size} out of the middle")),
        _ => None,
    });
    let Normalization { mean, std } = transform.normalization;
    let last = format!("(x / 255 - mean) / std with mean {mean:?} and std {std:?}");
    steps.chain([last]).collect::<Vec<_>>().join(", then ")
}
