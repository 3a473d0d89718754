//! Operations without weights, as nodes.

use crate::graph::{Graph, Value, float, integer, integers};
use crate::proto::DataType;

impl Graph {
    /// max(0, x).
    pub(crate) fn relu(&mut self, at: &str, x: &Value) -> Value {
        self.add(format!("{at}.relu"), "Relu", [x], vec![])
    }

    /// 1 / (1 + exp(-x)).
    pub(crate) fn sigmoid(&mut self, at: &str, x: &Value) -> Value {
        self.add(format!("{at}.sigmoid"), "Sigmoid", [x], vec![])
    }

    /// A sum.
    pub(crate) fn sum(&mut self, name: String, a: &Value, b: &Value) -> Value {
        self.add(name, "Add", [a, b], vec![])
    }

    /// A product.
    pub(crate) fn product(&mut self, name: String, a: &Value, b: &Value) -> Value {
        self.add(name, "Mul", [a, b], vec![])
    }

    /// One number more.
    pub(crate) fn plus(&mut self, name: String, x: &Value, number: f32) -> Value {
        let number = self.floats(&[], &[number]);
        self.sum(name, x, &number)
    }

    /// A multiple.
    pub(crate) fn times(&mut self, name: String, x: &Value, number: f32) -> Value {
        let number = self.floats(&[], &[number]);
        self.product(name, x, &number)
    }

    /// Values side by side along an axis; one is left as it is.
    pub(crate) fn join(&mut self, name: String, axis: i64, parts: &[Value]) -> Value {
        if let [one] = parts {
            return one.clone();
        }
        let parts: Vec<&Value> = parts.iter().collect();
        self.add_of(name, "Concat", &parts, vec![integer("axis", axis)])
    }

    /// What lies from `start` to before `end` on the axis of channels.
    pub(crate) fn channels(
        &mut self,
        name: String,
        x: &Value,
        span: &std::ops::Range<usize>,
    ) -> Value {
        let [start, end, axis] =
            [span.start as i64, span.end as i64, 1].map(|value| self.integers(&[value]));
        self.add(name, "Slice", [x, &start, &end, &axis], vec![])
    }

    /// Mean, maximum, minimum or sum over axes, which stay with a length of 1.
    pub(crate) fn reduce(
        &mut self,
        name: String,
        operator: &str,
        x: &Value,
        axes: &[i64],
    ) -> Value {
        let axes = self.integers(axes);
        self.add(name, operator, [x, &axes], vec![integer("keepdims", 1)])
    }

    /// The mean of each channel, `[N, C, h, w]` to `[N, C]`.
    pub(crate) fn global_average(&mut self, at: &str, x: &Value) -> Value {
        let pooled = self.add(format!("{at}.pool"), "GlobalAveragePool", [x], vec![]);
        self.flatten(at, &pooled)
    }

    /// The maximum of each channel, `[N, C, h, w]` to `[N, C]`.
    pub(crate) fn global_maximum(&mut self, at: &str, x: &Value) -> Value {
        let pooled = self.add(format!("{at}.pool"), "GlobalMaxPool", [x], vec![]);
        self.flatten(at, &pooled)
    }

    /// All axes behind the first as one.
    pub(crate) fn flatten(&mut self, at: &str, x: &Value) -> Value {
        self.add(
            format!("{at}.flatten"),
            "Flatten",
            [x],
            vec![integer("axis", 1)],
        )
    }

    /// 2x2 maximum of stride 2, rounded down.
    pub(crate) fn halve(&mut self, at: &str, x: &Value) -> Value {
        let window = [
            integers("kernel_shape", &[2, 2]),
            integers("strides", &[2, 2]),
        ];
        self.add(format!("{at}.pool"), "MaxPool", [x], window.into())
    }

    /// 3x3 maximum of stride 2, padding 1, rounded up.
    pub(crate) fn halve_overlapping(&mut self, at: &str, x: &Value) -> Value {
        let window = [
            integers("kernel_shape", &[3, 3]),
            integers("strides", &[2, 2]),
            integers("pads", &[1; 4]),
        ];
        self.add(format!("{at}.pool"), "MaxPool", [x], window.into())
    }

    /// 2x2 average of stride 2, rounded down.
    pub(crate) fn halve_average(&mut self, at: &str, x: &Value) -> Value {
        let window = [
            integers("kernel_shape", &[2, 2]),
            integers("strides", &[2, 2]),
        ];
        self.add(format!("{at}.pool"), "AveragePool", [x], window.into())
    }

    /// Lengths of the axes from `start` to before `end`.
    pub(crate) fn shape(&mut self, name: String, x: &Value, start: i64, end: i64) -> Value {
        let range = [integer("start", start), integer("end", end)];
        self.add(name, "Shape", [x], range.into())
    }

    /// Another shape, itself a value.
    pub(crate) fn reshape(&mut self, name: String, x: &Value, shape: &Value) -> Value {
        self.add(name, "Reshape", [x, shape], vec![])
    }

    /// An axis of length 1 more.
    pub(crate) fn unsqueeze(&mut self, name: String, x: &Value, axis: i64) -> Value {
        let axis = self.integers(&[axis]);
        self.add(name, "Unsqueeze", [x, &axis], vec![])
    }

    /// The same numbers of another kind.
    pub(crate) fn cast(&mut self, name: String, x: &Value, kind: DataType) -> Value {
        self.add(
            name,
            "Cast",
            [x],
            vec![integer("to", i64::from(i32::from(kind)))],
        )
    }

    /// Mean 0 and variance 1 within each channel of each image, then gain and shift.
    pub(crate) fn instance_norm(
        &mut self,
        name: String,
        inputs: [&Value; 3],
        epsilon: f64,
    ) -> Value {
        self.add(
            name,
            "InstanceNormalization",
            inputs,
            vec![float("epsilon", epsilon)],
        )
    }
}
