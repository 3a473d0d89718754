"""PyTorch's network with given weights as an ONNX file, for images of the shape of those beside the weights."""

import logging

import torch
from safetensors.torch import load_file

from networks import network


def export(options):
    tensors = load_file(options.weights)
    images = tensors.pop("images")
    model = network(options.arch, options.classes, options.attention)
    model.load_state_dict(tensors, strict=True)
    model.eval()
    outputs = ["logits"] if options.attention == "none" else ["logits", "attention", "map"]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # It tells what it could do if there were torchvision.
    torch.onnx.export(
        model, (images,), options.onnx, input_names=["images"], output_names=outputs, dynamo=True, verbose=False
    )
