"""What cannot be measured in this Python, and why."""

import importlib

import torch


def reason_against(check):
    """The first line of what it raises."""
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]


def compile_something():
    torch.compile(lambda x: x.relu() + 1)(torch.ones(8))


def import_all(*modules):
    return lambda: [importlib.import_module(module) for module in modules]


CHECKS = {
    "torch_compile": compile_something,
    "onnx_runtime": import_all("onnx", "onnxscript", "onnxruntime"),
    "openvino": import_all("onnx", "onnxscript", "openvino"),
}


def missing():
    reasons = {engine: reason_against(check) for engine, check in CHECKS.items()}
    return {engine: reason for engine, reason in reasons.items() if reason}
