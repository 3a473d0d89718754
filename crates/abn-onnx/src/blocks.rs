//! Blocks of every family.

use abn_core::backbone::BlockConfig;
use abn_core::backbone::preactivation::PreActivationConfig;
use abn_core::backbone::residual::ResidualConfig;
use abn_core::conv::ConvShape;

use crate::conv::Bias;
use crate::error::OnnxError;
use crate::graph::{Graph, Value};

impl Graph {
    /// A block, `[N, inputs, H, W]` to `[N, outputs, ceil(H / stride), ceil(W / stride)]`.
    pub(crate) fn block(
        &mut self,
        at: &str,
        config: &BlockConfig,
        (inputs, stride): (usize, usize),
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let (path, projection) = config.convs(inputs, stride);
        match config {
            BlockConfig::Residual(config) => {
                let shapes = (inputs, stride);
                self.residual(at, config, shapes, (&path, projection), x)
            }
            BlockConfig::PreActivation(config) => {
                self.pre_activation(at, config, (&path, projection), x)
            }
            BlockConfig::Dense(_) => self.dense(at, &path, x),
            BlockConfig::Plain { .. } => self.plain(at, &path, x),
        }
    }

    /// relu(gate(path(x)) + shortcut(x)).
    fn residual(
        &mut self,
        at: &str,
        config: &ResidualConfig,
        (inputs, stride): (usize, usize),
        (path, projection): (&[ConvShape], Option<ConvShape>),
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let mut features = x.clone();
        for (index, shape) in path.iter().enumerate() {
            let at = format!("{at}.convs.{index}");
            features = self.conv_norm(&at, *shape, &features)?;
            if index + 1 < path.len() {
                features = self.relu(&at, &features);
            }
        }
        if let Some(gate) = &config.gate {
            features = self.mixed(&format!("{at}.gate"), gate, config.outputs(), &features)?;
        }
        let reshaped = stride != 1 || inputs != config.outputs();
        let shortcut = match projection {
            Some(shape) => self.conv_norm(&format!("{at}.shortcut"), shape, x)?,
            None if reshaped => self.padded(at, (inputs, config.outputs()), stride, x),
            None => x.clone(),
        };
        let sum = self.sum(format!("{at}.add"), &features, &shortcut);
        Ok(self.relu(at, &sum))
    }

    /// Every other pixel, and zero channels on both sides.
    fn padded(
        &mut self,
        at: &str,
        (inputs, outputs): (usize, usize),
        stride: usize,
        x: &Value,
    ) -> Value {
        let stride = stride as i64;
        let [starts, ends, axes, steps] =
            [[0; 2], [i64::MAX; 2], [2, 3], [stride; 2]].map(|values| self.integers(&values));
        let operands = [x, &starts, &ends, &axes, &steps];
        let seen = self.add(format!("{at}.shortcut.slice"), "Slice", operands, vec![]);
        let missing = outputs.saturating_sub(inputs);
        let (before, after) = ((missing / 2) as i64, (missing - missing / 2) as i64);
        let pads = self.integers(&[0, before, 0, 0, 0, after, 0, 0]);
        let zero = self.floats(&[], &[0.0]);
        let operands = [&seen, &pads, &zero];
        self.add(format!("{at}.shortcut.pad"), "Pad", operands, vec![])
    }

    /// gate(path(x)) + shortcut(x), batch norm and ReLU before each convolution.
    fn pre_activation(
        &mut self,
        at: &str,
        config: &PreActivationConfig,
        (path, projection): (&[ConvShape], Option<ConvShape>),
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let (activated, path) = self.activated(at, path, x)?;
        let path = match &config.gate {
            Some(gate) => self.mixed(&format!("{at}.gate"), gate, config.width, &path)?,
            None => path,
        };
        let shortcut = match projection {
            // The activated input is projected, the raw one added where no projection is needed.
            Some(shape) => self.conv(&format!("{at}.shortcut"), shape, &activated)?,
            None => x.clone(),
        };
        Ok(self.sum(format!("{at}.add"), &path, &shortcut))
    }

    /// The input and, behind it, new channels.
    fn dense(&mut self, at: &str, path: &[ConvShape], x: &Value) -> Result<Value, OnnxError> {
        let (_, added) = self.activated(at, path, x)?;
        Ok(self.join(format!("{at}.join"), 1, &[x.clone(), added]))
    }

    /// Convolutions with a batch norm and a ReLU before each: the first one's input after these,
    /// and what comes out.
    fn activated(
        &mut self,
        at: &str,
        path: &[ConvShape],
        x: &Value,
    ) -> Result<(Value, Value), OnnxError> {
        let (mut features, mut first) = (x.clone(), None);
        for (index, shape) in path.iter().enumerate() {
            let norm = format!("{at}.norm{}", index + 1);
            let normed = self.norm(&norm, shape.inputs, &features)?;
            let active = self.relu(&norm, &normed);
            features = self.conv(&format!("{at}.conv{}", index + 1), *shape, &active)?;
            first.get_or_insert(active);
        }
        Ok((first.unwrap_or_else(|| x.clone()), features))
    }

    /// Convolution with bias, batch norm, ReLU.
    fn plain(&mut self, at: &str, path: &[ConvShape], x: &Value) -> Result<Value, OnnxError> {
        let mut features = x.clone();
        for shape in path {
            let normed = self.conv_norm_with(at, *shape, Bias::Yes, &features)?;
            features = self.relu(at, &normed);
        }
        Ok(features)
    }
}
