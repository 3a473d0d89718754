"""The peer of `abn-bench worker` and `abn-bench peak`: the same networks, requests and answers, in PyTorch.

A worker prints a line when its network is built, and then one line of JSON for each line that it reads:
`warm SECONDS`, `go`, `memory`, `check FILE`. See crates/abn-bench/src/worker.rs.
"""

import argparse
import json
import os
import sys
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from networks import network

STEPS = 3  # of the check, as in check.rs
RATE = 1e-4


def answer(value):
    print(json.dumps(value), flush=True)


class Workload:
    """A network at work on one batch of random images."""

    def __init__(self, options):
        torch.manual_seed(0)
        self.options = options
        self.format = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
        self.model = network(options.arch, options.classes, options.attention).to(memory_format=self.format)
        self.model.train(options.mode == "train")
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
        images = torch.randn(options.batch, 3, options.size, options.size)
        self.images = images.contiguous(memory_format=self.format)
        self.labels = torch.arange(options.batch) % options.classes

    def step(self):
        return self.train() if self.options.mode == "train" else self.infer()

    def train(self):
        self.optimizer.zero_grad()
        logits, attention_logits, _ = self.model(self.images)
        loss = F.cross_entropy(logits, self.labels)
        if attention_logits is not None:
            loss = loss + F.cross_entropy(attention_logits, self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def infer(self):
        return self.model(self.images)

    def warm_up(self, seconds):
        self.step()
        started, steps = time.perf_counter(), 0
        while steps == 0 or time.perf_counter() - started < seconds:
            self.step()
            steps += 1
        each = (time.perf_counter() - started) / steps
        return max(1, round(seconds / each))

    def repetition(self, steps):
        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        return {"images": steps * self.options.batch, "seconds": time.perf_counter() - started}

    def check(self, file):
        tensors = load_file(file)
        self.images = tensors.pop("images").contiguous(memory_format=self.format)
        self.model.load_state_dict(tensors, strict=True)
        self.model.eval()
        names = ["logits", "attention", "map"]
        answers = {name: [] if value is None else value.flatten().tolist() for name, value in zip(names, self.infer())}
        self.model.train()
        return {**answers, "losses": [self.train() for _ in range(STEPS)]}


def peak_memory():
    """Of this process, in bytes; known on Linux."""
    try:
        with open("/proc/self/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except OSError:
        return None


def work(options):
    empty = peak_memory()
    workload = Workload(options)
    parameters = sum(parameter.numel() for parameter in workload.model.parameters())
    answer({"engine": f"PyTorch {torch.__version__}", "empty": empty, "parameters": parameters})
    steps = 1
    for line in sys.stdin:
        request, _, argument = line.strip().partition(" ")
        if request == "warm":
            steps = workload.warm_up(float(argument))
            answer(None)
        elif request == "go":
            answer(workload.repetition(steps))
        elif request == "memory":
            answer(peak_memory())
        elif request == "check":
            answer(workload.check(argument))
        else:
            sys.exit(f"`{line.strip()}` is no request")


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
    side = 2048
    a, b = torch.rand(side, side), torch.rand(side, side)
    found = [("matrix product 2048x2048x2048", best(2 * side**3, lambda: a @ b))]
    for batch, channels, side in [(16, 512, 7), (64, 64, 16)]:
        name = f"3x3 convolution {channels} to {channels} at {side}x{side}, batch {batch}"
        images = torch.rand(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
        operations = 2 * batch * channels * side * side * channels * 9
        found.append((name, best(operations, lambda: F.conv2d(images, weight, padding=1))))
    answer(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("peak")
    worker = tasks.add_parser("worker")
    worker.add_argument("--arch", required=True)
    worker.add_argument("--attention", choices=["none", "abn", "manet"], required=True)
    worker.add_argument("--mode", choices=["train", "infer"], required=True)
    worker.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    for number in ["--batch", "--size", "--classes"]:
        worker.add_argument(number, type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    if options.task == "peak":
        peaks()
    else:
        work(options)


if __name__ == "__main__":
    main()
