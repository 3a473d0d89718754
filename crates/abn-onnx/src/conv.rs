//! Convolutions, with and without a batch norm behind them, and linear layers.

use abn_core::conv::ConvShape;
use abn_core::norm::EPSILON;

use crate::error::OnnxError;
use crate::graph::{Graph, Value, float, integer, integers};

/// Whether a layer has a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    /// It has.
    Yes,
    /// It has not.
    No,
}

impl Bias {
    pub(crate) fn of(biased: bool) -> Self {
        if biased { Self::Yes } else { Self::No }
    }
}

impl Graph {
    /// A convolution, "same" padding, without bias.
    pub(crate) fn conv(
        &mut self,
        at: &str,
        shape: ConvShape,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        self.conv_with(at, shape, Bias::No, x)
    }

    fn conv_with(
        &mut self,
        at: &str,
        shape: ConvShape,
        bias: Bias,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let ConvShape {
            inputs,
            outputs,
            side,
            stride,
            groups,
        } = shape;
        let dims = [outputs, inputs / groups, side, side];
        let weight = self.weight(format!("{at}.weight"), &dims)?;
        let mut operands = vec![x.clone(), weight];
        if bias == Bias::Yes {
            operands.push(self.weight(format!("{at}.bias"), &[outputs])?);
        }
        let settings = vec![
            integers("kernel_shape", &[side; 2]),
            integers("strides", &[stride; 2]),
            integers("pads", &[side / 2; 4]),
            integer("group", groups as i64),
        ];
        let operands: Vec<&Value> = operands.iter().collect();
        Ok(self.add_of(at, "Conv", &operands, settings))
    }

    /// Batch norm by the running statistics.
    pub(crate) fn norm(
        &mut self,
        at: &str,
        channels: usize,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let mut statistic = |name: &str| self.weight(format!("{at}.{name}"), &[channels]);
        let gamma = statistic("gamma")?;
        let beta = statistic("beta")?;
        let mean = statistic("running_mean")?;
        let variance = statistic("running_var")?;
        let operands = [x, &gamma, &beta, &mean, &variance];
        let settings = vec![float("epsilon", EPSILON)];
        Ok(self.add(at, "BatchNormalization", operands, settings))
    }

    /// A convolution without bias, then its batch norm.
    pub(crate) fn conv_norm(
        &mut self,
        at: &str,
        shape: ConvShape,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        self.conv_norm_with(at, shape, Bias::No, x)
    }

    /// A convolution, then its batch norm.
    pub(crate) fn conv_norm_with(
        &mut self,
        at: &str,
        shape: ConvShape,
        bias: Bias,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let convolved = self.conv_with(&format!("{at}.conv"), shape, bias, x)?;
        self.norm(&format!("{at}.norm"), shape.outputs, &convolved)
    }

    /// A linear layer whose weights lie at a path, `[N, inputs]` to `[N, outputs]`. Where a layer
    /// is applied twice, the names of its nodes differ from that path.
    pub(crate) fn linear(
        &mut self,
        name: &str,
        at: &str,
        (inputs, outputs): (usize, usize),
        bias: Bias,
        x: &Value,
    ) -> Result<Value, OnnxError> {
        let mut operands = vec![
            x.clone(),
            self.weight(format!("{at}.weight"), &[inputs, outputs])?,
        ];
        if bias == Bias::Yes {
            operands.push(self.weight(format!("{at}.bias"), &[outputs])?);
        }
        let operands: Vec<&Value> = operands.iter().collect();
        Ok(self.add_of(name, "Gemm", &operands, vec![]))
    }
}
