//! The gradient of what is added at the end of another operation.

use burn::backend::Flex;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::grads::Gradients;

use super::ChannelsLast;
use crate::Buffers;

/// A residual that an operation adds to its output.
pub(super) struct Residual {
    /// Who wants its gradient, if anybody does.
    pub(super) node: Option<NodeId>,
    /// Whether a ReLU follows the sum, so that the gradient of its terms is not that of the output.
    pub(super) behind_relu: bool,
}

impl Residual {
    /// Runs a backward pass, which rewrites the output's gradient as that of the other term and,
    /// where it is asked to, writes the residual's.
    pub(super) fn with<R>(
        self,
        gradient: ChannelsLast,
        gradients: &mut Gradients,
        backward: impl FnOnce(Buffers, Option<&mut [f32]>) -> R,
    ) -> (ChannelsLast, R) {
        let Some(node) = self.node else {
            return gradient.rewritten(|buffers| backward(buffers, None));
        };
        if !self.behind_relu {
            gradients.register::<Flex>(node, gradient.clone().into_tensor());
            return gradient.rewritten(|buffers| backward(buffers, None));
        }
        let (of_residual, results) = ChannelsLast::filled_with(gradient.dims(), |residual| {
            gradient.rewritten(|buffers| backward(buffers, Some(residual)))
        });
        gradients.register::<Flex>(node, of_residual.into_tensor());
        results
    }
}
