"""ONNX Runtime on the CPU."""

import onnxruntime

from onnx_engine import OnnxEngine
from protocol import threads


class OnnxRuntime(OnnxEngine):
    def __init__(self, options):
        super().__init__(options)
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads()
        settings.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(options.onnx, settings, ["CPUExecutionProvider"])

    def step(self):
        return self.session.run(None, {"images": self.images})
