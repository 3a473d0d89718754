//! Gradients of a module by name.

use std::collections::BTreeMap;

use abn_core::state::Path;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The gradient of every parameter that has one, by our names; linear layers lie as PyTorch's.
pub(crate) fn gradients_of<M: Module>(
    module: &M,
    gradients: &GradientsParams,
) -> BTreeMap<String, Vec<f64>> {
    let mut visitor = Visitor {
        gradients,
        path: Path::default(),
        found: BTreeMap::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}

struct Visitor<'a> {
    gradients: &'a GradientsParams,
    path: Path,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Visitor<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else {
            return;
        };
        let gradient = if D == 2 {
            gradient.swap_dims(0, 1)
        } else {
            gradient
        };
        self.found.insert(
            self.path.name(),
            gradient.into_data().iter::<f64>().collect(),
        );
    }
}
