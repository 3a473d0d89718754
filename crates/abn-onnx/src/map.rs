//! From class maps and evidence to the attention maps.

use std::ops::Range;

use abn_core::attention::{LogitMap, MapNorm, MapSource, Maps, SigmoidMap};
use abn_core::norm::EPSILON;
use abn_core::outputs::Outputs;

use crate::error::OnnxError;
use crate::graph::{Graph, Value, integer, integers};
use crate::proto::DataType;

/// Where the weights of the map's head lie.
const MAP: &str = "branch.map";

/// What maps are made of.
pub(crate) struct Sources<'a> {
    /// Class maps, `[N, K, h, w]`.
    pub(crate) classes: &'a Value,
    /// What the branch's logits are pooled from, `[N, K, h, w]`.
    pub(crate) evidence: &'a Value,
    /// One map or one a group.
    pub(crate) maps: Maps,
    /// What the branch has maps of evidence for.
    pub(crate) outputs: &'a Outputs,
}

impl Sources<'_> {
    fn count(&self) -> usize {
        self.maps.count(self.outputs)
    }

    /// Where the learned classes of each group lie.
    fn spans(&self) -> Vec<Range<usize>> {
        self.outputs.learned().spans().collect()
    }
}

impl Graph {
    /// Maps between 0 and 1, `[N, M, h, w]`.
    pub(crate) fn sigmoid_map(
        &mut self,
        config: &SigmoidMap,
        sources: &Sources<'_>,
    ) -> Result<Value, OnnxError> {
        let raw = match config.source {
            MapSource::Convolution { kernel } => {
                let inputs = sources.outputs.learned().total();
                let shape = abn_core::conv::ConvShape::new(inputs, sources.count(), kernel);
                self.conv(&format!("{MAP}.conv"), shape, sources.classes)?
            }
            MapSource::Class => self.likeliest(sources),
            MapSource::LogSum => self.log_sum(sources),
        };
        let smoothed = self.smoothed(config.smoothing, &raw);
        self.normalised(config.norm, sources.count(), &smoothed)
    }

    /// The maps of the labels' logits.
    pub(crate) fn logit_map(&mut self, config: LogitMap, evidence: &Value) -> Value {
        match config {
            LogitMap::Raw => evidence.clone(),
            LogitMap::Sigmoid => self.sigmoid(MAP, evidence),
        }
    }

    /// sum over k of log(1 + a_k), over all classes or those of each group, `[N, M, h, w]`.
    pub(crate) fn log_sum(&mut self, sources: &Sources<'_>) -> Value {
        let more = self.plus(format!("{MAP}.plus"), sources.classes, 1.0);
        let logarithms = self.add(format!("{MAP}.log"), "Log", [&more], vec![]);
        if sources.maps == Maps::One {
            return self.reduce(format!("{MAP}.sum"), "ReduceSum", &logarithms, &[1]);
        }
        let of_group = |(group, span): (usize, &Range<usize>)| {
            let at = format!("{MAP}.groups.{group}");
            let own = self.channels(format!("{at}.slice"), &logarithms, span);
            self.reduce(format!("{at}.sum"), "ReduceSum", &own, &[1])
        };
        let sums: Vec<Value> = sources.spans().iter().enumerate().map(of_group).collect();
        self.join(format!("{MAP}.join"), 1, &sums)
    }

    /// The evidence for the class whose mean evidence is greatest, group by group or as a mean over
    /// them, `[N, M, h, w]`.
    fn likeliest(&mut self, sources: &Sources<'_>) -> Value {
        let at = format!("{MAP}.likeliest");
        let logits = self.global_average(&at, sources.evidence);
        let of_group = |(group, span): (usize, &Range<usize>)| {
            let at = format!("{at}.groups.{group}");
            let own = self.channels(format!("{at}.logits"), &logits, span);
            let first = vec![integer("axis", 1), integer("keepdims", 1)];
            let class = self.add(format!("{at}.class"), "ArgMax", [&own], first); // [N, 1]
            let group = self.channels(format!("{at}.evidence"), sources.evidence, span);
            let by_image = vec![integer("batch_dims", 1)];
            let name = format!("{at}.gather");
            let seen = self.add(name, "GatherND", [&group, &class], by_image); // [N, h, w]
            self.unsqueeze(format!("{at}.unsqueeze"), &seen, 1)
        };
        let spans = sources.spans();
        let own: Vec<Value> = spans.iter().enumerate().map(of_group).collect();
        let joined = self.join(format!("{at}.join"), 1, &own);
        match sources.maps {
            Maps::One if own.len() > 1 => {
                self.reduce(format!("{at}.mean"), "ReduceMean", &joined, &[1])
            }
            _ => joined,
        }
    }

    /// The mean over a window; at the borders of what lies within the map.
    fn smoothed(&mut self, window: usize, raw: &Value) -> Value {
        if window == 1 {
            return raw.clone();
        }
        let settings = vec![
            integers("kernel_shape", &[window; 2]),
            integers("strides", &[1; 2]),
            integers("pads", &[window / 2; 4]),
            integer("count_include_pad", 0),
        ];
        self.add(format!("{MAP}.smooth"), "AveragePool", [raw], settings)
    }

    fn normalised(&mut self, norm: MapNorm, count: usize, raw: &Value) -> Result<Value, OnnxError> {
        let name = |part: &str| format!("{MAP}.{part}");
        match norm {
            MapNorm::Batch => {
                let normed = self.norm(&name("norm"), count, raw)?;
                Ok(self.sigmoid(MAP, &normed))
            }
            MapNorm::Image => {
                let [gain, shift] = self.scale(count)?;
                let scaled = self.instance_norm(name("scale"), [raw, &gain, &shift], EPSILON);
                Ok(self.sigmoid(MAP, &scaled))
            }
            MapNorm::None => {
                let [gain, shift] = self.scale(count)?;
                let each = self.integers(&[-1, 1, 1]);
                let gain = self.reshape(name("scale.gain.reshape"), &gain, &each);
                let shift = self.reshape(name("scale.shift.reshape"), &shift, &each);
                let scaled = self.product(name("scale.multiply"), raw, &gain);
                let shifted = self.sum(name("scale"), &scaled, &shift);
                Ok(self.sigmoid(MAP, &shifted))
            }
            MapNorm::MinMax => {
                let low = self.reduce(name("low"), "ReduceMin", raw, &[2, 3]);
                let high = self.reduce(name("high"), "ReduceMax", raw, &[2, 3]);
                let range = self.add(name("range"), "Sub", [&high, &low], vec![]);
                let range = self.plus(name("range.plus"), &range, EPSILON as f32);
                let risen = self.add(name("risen"), "Sub", [raw, &low], vec![]);
                Ok(self.add(name("min_max"), "Div", [&risen, &range], vec![]))
            }
            MapNorm::Softmax => Ok(self.softmax_map(raw)),
        }
    }

    /// Gain and shift of each map, `[M]` both.
    fn scale(&mut self, count: usize) -> Result<[Value; 2], OnnxError> {
        let gain = self.weight(format!("{MAP}.scale.gain"), &[count])?;
        let shift = self.weight(format!("{MAP}.scale.shift"), &[count])?;
        Ok([gain, shift])
    }

    /// Softmax over the positions times half their number.
    fn softmax_map(&mut self, raw: &Value) -> Value {
        let name = |part: &str| format!("{MAP}.{part}");
        let in_a_row = self.integers(&[0, 0, -1]);
        let flat = self.reshape(name("flat"), raw, &in_a_row);
        let shares = self.add(
            name("softmax"),
            "Softmax",
            [&flat],
            vec![integer("axis", -1)],
        );
        let positions = self.shape(name("positions"), &flat, 2, 3);
        let positions = self.cast(name("positions.cast"), &positions, DataType::Float);
        let half = self.times(name("positions.half"), &positions, 0.5);
        let weighted = self.product(name("multiply"), &shares, &half);
        let shape = self.shape(name("shape"), raw, 0, 4);
        self.reshape(name("reshape"), &weighted, &shape)
    }
}
