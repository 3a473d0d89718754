//! All gradients of a module in one row of numbers: how those of a batch's shares are averaged, in
//! this process or among several.
//!
//! ```text
//! g = ((0 + w_1 g_1) + w_2 g_2) + ...      w_s: images of share s over those of the batch
//! ```
//!
//! in 32 bits, each product rounded before it is added, in the order of the shares. So it has the
//! same bits wherever the shares were computed.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Shape, Tensor, TensorData, Transaction};

/// The gradients of a module's parameters, one behind the other in the order of its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatGradients {
    /// Those of a parameter without gradients are 0.
    pub values: Vec<f32>,
    /// Whether each parameter has gradients.
    pub present: Vec<bool>,
}

impl FlatGradients {
    /// No gradients of that module.
    pub fn none<M: Module>(module: &M) -> Self {
        Self::of(module, &GradientsParams::new())
    }

    /// Those of that module, read in one go.
    pub fn of<M: Module>(module: &M, gradients: &GradientsParams) -> Self {
        let mut reader = Reader {
            gradients,
            present: Vec::new(),
            sizes: Vec::new(),
            asked: Transaction::default(),
        };
        module.visit(&mut reader);
        let mut read = reader.asked.execute().into_iter();
        let mut values = Vec::with_capacity(reader.sizes.iter().sum());
        for (present, size) in reader.present.iter().zip(reader.sizes) {
            let data = present.then(|| read.next()).flatten();
            let end = values.len() + size;
            values.extend(data.iter().flat_map(TensorData::iter::<f32>));
            values.resize(end, 0.0);
        }
        Self {
            values,
            present: reader.present,
        }
    }

    /// Adds those of another share of the same module.
    pub fn add(&mut self, weight: f32, other: &Self) {
        add_weighted(&mut self.values, weight, &other.values);
        for (present, other) in self.present.iter_mut().zip(&other.present) {
            *present |= other;
        }
    }

    /// The gradients as an optimiser takes them, on that device without autodiff.
    pub fn of_parameters<M: Module>(&self, module: &M, device: &Device) -> GradientsParams {
        let mut writer = Writer {
            flat: self,
            parameter: 0,
            value: 0,
            device,
            gradients: GradientsParams::new(),
        };
        module.visit(&mut writer);
        writer.gradients
    }
}

/// `sum + weight x part`, number by number.
pub fn add_weighted(sum: &mut [f32], weight: f32, part: &[f32]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += weight * part;
    }
}

struct Reader<'a> {
    gradients: &'a GradientsParams,
    present: Vec<bool>,
    /// Values of each parameter.
    sizes: Vec<usize>,
    asked: Transaction,
}

impl ModuleVisitor for Reader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id);
        self.present.push(gradient.is_some());
        self.sizes.push(param.shape().num_elements());
        if let Some(gradient) = gradient {
            self.asked = std::mem::take(&mut self.asked).register(gradient);
        }
    }
}

struct Writer<'a> {
    flat: &'a FlatGradients,
    parameter: usize,
    value: usize,
    device: &'a Device,
    gradients: GradientsParams,
}

impl ModuleVisitor for Writer<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape: Shape = param.shape();
        let values = self.value..self.value + shape.num_elements();
        self.value = values.end;
        if self.flat.present[self.parameter] {
            let values = self.flat.values[values].to_vec();
            let gradient = Tensor::<D>::from_data(TensorData::new(values, shape), self.device);
            self.gradients.register(param.id, gradient);
        }
        self.parameter += 1;
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use super::*;

    #[derive(Module, Debug)]
    struct Pair {
        used: Param<Tensor<2>>,
        unused: Param<Tensor<1>>,
    }

    /// Of `used . [1, 2]` once and `used . [3, 5]` three times: (1 + 3 x 3) / 4, (2 + 3 x 5) / 4.
    #[test]
    fn gradients_are_averaged_by_hand_and_the_unused_stay_absent() {
        let inner = Device::flex();
        let device = inner.clone().autodiff();
        let pair = Pair {
            used: Param::from_data([[1.0_f32, 1.0]], &device),
            unused: Param::from_data([1.0_f32; 3], &device),
        };
        let gradients = |factors: [f32; 2]| {
            let factors = Tensor::<2>::from_floats([factors], &device);
            let cost = (pair.used.val() * factors).sum();
            FlatGradients::of(&pair, &GradientsParams::from_grads(cost.backward(), &pair))
        };
        let mut mean = FlatGradients::none(&pair);
        assert_eq!(mean.present, [false, false]);
        mean.add(0.25, &gradients([1.0, 2.0]));
        mean.add(0.75, &gradients([3.0, 5.0]));
        assert_eq!(mean.values, [2.5, 4.25, 0.0, 0.0, 0.0]);
        assert_eq!(mean.present, [true, false]);
        let parameters = mean.of_parameters(&pair, &inner);
        let used = parameters.get::<2>(pair.used.id).unwrap();
        let used: Vec<f32> = used.into_data().iter().collect();
        assert_eq!(used, [2.5, 4.25]);
        assert!(parameters.get::<1>(pair.unused.id).is_none());
    }
}
