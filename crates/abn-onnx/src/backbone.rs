//! Stem, stages and head: the network, cut before its last stage.

use abn_core::backbone::{HeadConfig, NetworkConfig, StageConfig, StemConfig};

use crate::conv::Bias;
use crate::error::OnnxError;
use crate::graph::{Graph, Value};
use crate::proto::DataType;

/// Where the network's weights lie.
const NETWORK: &str = "network";

impl Graph {
    /// Everything before the last stage: images `[N, 3, H, W]` to features F `[N, C, h, w]`.
    pub(crate) fn extract(
        &mut self,
        config: &NetworkConfig,
        images: &Value,
    ) -> Result<Value, OnnxError> {
        let mut features = self.stem(config.stem, images)?;
        for (index, stage) in config.extractor().iter().enumerate() {
            features = self.stage(&stage_at(index), stage, &features)?;
        }
        Ok(features)
    }

    /// The last stage: attended features `[N, C, h, w]` to G `[N, D, h', w']`.
    pub(crate) fn refine(
        &mut self,
        config: &NetworkConfig,
        features: &Value,
    ) -> Result<Value, OnnxError> {
        let stage = config.last_stage();
        let refined = self.stage(&stage_at(config.extractor().len()), stage, features)?;
        if !config.final_norm {
            return Ok(refined);
        }
        let at = format!("{NETWORK}.norm");
        let normed = self.norm(&at, stage.outputs(), &refined)?;
        Ok(self.relu(&at, &normed))
    }

    /// The head: G `[N, D, h', w']` to what is learned, `[N, classes]`.
    pub(crate) fn classify(
        &mut self,
        config: &NetworkConfig,
        classes: usize,
        refined: &Value,
    ) -> Result<Value, OnnxError> {
        let at = format!("{NETWORK}.head");
        let channels = config.last_stage().outputs();
        let layers = config.head.layers(channels, classes);
        match config.head {
            HeadConfig::Pooled => {
                let pooled = self.global_average(&at, refined);
                self.linear(&at, &at, (channels, classes), Bias::Yes, &pooled)
            }
            HeadConfig::FullyConnected { grid, .. } => {
                let pooled = self.halve(&at, refined);
                let gridded = self.averaged_to(&at, grid, &pooled);
                let mut values = self.flatten(&at, &gridded);
                for (index, sides) in layers.iter().enumerate() {
                    let layer = format!("{at}.layers.{index}");
                    if index > 0 {
                        values = self.relu(&layer, &values);
                    }
                    values = self.linear(&layer, &layer, *sides, Bias::Yes, &values)?;
                }
                Ok(values)
            }
        }
    }

    fn stem(&mut self, config: StemConfig, images: &Value) -> Result<Value, OnnxError> {
        let Some(shape) = config.conv() else {
            return Ok(images.clone());
        };
        let at = format!("{NETWORK}.stem");
        let features = match config {
            StemConfig::Bare { .. } => self.conv(&format!("{at}.conv"), shape, images)?,
            _ => {
                let normed = self.conv_norm(&at, shape, images)?;
                self.relu(&at, &normed)
            }
        };
        if config.pools() {
            return Ok(self.halve_overlapping(&at, &features));
        }
        Ok(features)
    }

    /// Blocks in sequence, with what a family has before or behind them.
    pub(crate) fn stage(
        &mut self,
        at: &str,
        config: &StageConfig,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let mut features = x.clone();
        if config.begins_with_pool() {
            features = self.halve(at, &features);
        }
        for (index, shapes) in config.block_inputs().enumerate() {
            let block = format!("{at}.blocks.{index}");
            features = self.block(&block, &config.block, shapes, &features)?;
        }
        let Some(shape) = config.transition() else {
            return Ok(features);
        };
        let at = format!("{at}.transition");
        let norm = format!("{at}.norm");
        let normed = self.norm(&norm, shape.inputs, &features)?;
        let active = self.relu(&norm, &normed);
        let narrowed = self.conv(&format!("{at}.conv"), shape, &active)?;
        Ok(self.halve_average(&at, &narrowed))
    }

    /// Averages to a grid of any number of cells, `[N, C, h, w]` to `[N, C, grid, grid]`. ONNX has
    /// no operator for that where h and w are not known: a matrix averages the rows, another the
    /// columns, and both are made of the lengths that are met. Where h = grid, it is the identity.
    fn averaged_to(&mut self, at: &str, grid: usize, x: &Value) -> Value {
        let rows = self.averages(&format!("{at}.rows"), grid, 2, x);
        let columns = self.averages(&format!("{at}.columns"), grid, 3, x);
        let columns = self.add(
            format!("{at}.columns.transpose"),
            "Transpose",
            [&columns],
            vec![crate::graph::integers("perm", &[1, 0])],
        );
        let of_rows = self.add(format!("{at}.rows.average"), "MatMul", [&rows, x], vec![]);
        let operands = [&of_rows, &columns];
        self.add(format!("{at}.columns.average"), "MatMul", operands, vec![])
    }

    /// The matrix `[grid, n]` of the averages over an axis of length n: cell i covers the positions
    /// from floor(i n / grid) to before ceil((i + 1) n / grid), as PyTorch's adaptive pooling.
    fn averages(&mut self, at: &str, grid: usize, axis: i64, x: &Value) -> Value {
        let cells = grid as i64;
        let length = self.shape(format!("{at}.length"), x, axis, axis + 1);
        let [first, behind] = [0, 1].map(|from| {
            let cells: Vec<i64> = (from..cells + from).collect();
            self.shaped_integers(&[cells.len() as i64, 1], &cells)
        });
        let [count, less] = [cells, cells - 1].map(|value| self.integers(&[value]));
        let name = |part: &str| format!("{at}.{part}");
        let start = self.product(name("first"), &first, &length);
        let start = self.add(name("start"), "Div", [&start, &count], vec![]);
        let end = self.product(name("behind"), &behind, &length);
        let end = self.sum(name("rounded"), &end, &less);
        let end = self.add(name("end"), "Div", [&end, &count], vec![]);
        // Range reads numbers without axes.
        let [zero, one] = [0, 1].map(|value| self.shaped_integers(&[], &[value]));
        let number = self.add(name("number"), "Squeeze", [&length], vec![]);
        let position = self.add(name("position"), "Range", [&zero, &number, &one], vec![]);
        let after = self.add(name("after"), "GreaterOrEqual", [&position, &start], vec![]);
        let before = self.add(name("before"), "Less", [&position, &end], vec![]);
        let inside = self.add(name("inside"), "And", [&after, &before], vec![]);
        let inside = self.cast(name("weight"), &inside, DataType::Float);
        let covered = self.add(name("covered"), "Sub", [&end, &start], vec![]);
        let covered = self.cast(name("sum"), &covered, DataType::Float);
        self.add(name("matrix"), "Div", [&inside, &covered], vec![])
    }
}

fn stage_at(index: usize) -> String {
    format!("{NETWORK}.stages.{index}")
}
