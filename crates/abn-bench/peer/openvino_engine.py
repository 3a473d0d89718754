"""OpenVINO on the CPU: one batch at a time by all threads, in single precision."""

import openvino

from onnx_engine import OnnxEngine
from protocol import threads

SETTINGS = {"NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class OpenVino(OnnxEngine):
    def __init__(self, options):
        super().__init__(options)
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        core = openvino.Core()
        settings = SETTINGS | {"INFERENCE_NUM_THREADS": threads()}
        self.request = core.compile_model(core.read_model(options.onnx), "CPU", settings).create_infer_request()

    def step(self):
        return self.request.infer({"images": self.images}).to_tuple()
