"""What the machine can do at most, as PyTorch measures it. See crates/abn-bench/src/peak.rs."""

import time

import torch
from torch.nn import functional as F

from protocol import threads


def best(operations, run):
    """The highest rate of a number of operations, after a run to warm up."""
    run()
    started, fastest = time.perf_counter(), float("inf")
    while time.perf_counter() - started < 1.5:
        began = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - began)
    return operations / fastest


@torch.inference_mode()
def peaks():
    torch.set_num_threads(threads())
    side = 2048
    a, b = torch.rand(side, side), torch.rand(side, side)
    found = [("matrix product 2048x2048x2048", best(2 * side**3, lambda: a @ b))]
    for batch, channels, side in [(16, 512, 7), (64, 64, 16)]:
        name = f"3x3 convolution {channels} to {channels} at {side}x{side}, batch {batch}"
        images = torch.rand(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
        operations = 2 * batch * channels * side * side * channels * 9
        found.append((name, best(operations, lambda: F.conv2d(images, weight, padding=1))))
    return found
