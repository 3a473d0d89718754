"""What all that run an ONNX file have in common."""

import numpy
from safetensors import safe_open

from protocol import peak_memory, predictions


class OnnxEngine:
    """A network at work on one batch of random images. Subclasses make `step`, which gives the outputs."""

    def __init__(self, options):
        shape = (options.batch, 3, options.size, options.size)
        self.images = numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)

    def parameters(self):
        """Unknown: some have become parts of others."""

    def memory(self):
        return peak_memory()

    def check(self, file):
        with safe_open(file, "numpy") as tensors:
            self.images = tensors.get_tensor("images")
        return predictions(self.step()) | {"losses": []}
