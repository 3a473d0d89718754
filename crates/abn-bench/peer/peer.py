"""The peer of `abn-bench worker` and `abn-bench peak`: the same networks, requests and answers, by other engines.

A worker prints a line when its network is built, and then one line of JSON for each line that it reads:
`warm SECONDS`, `go`, `memory`, `check FILE`. See crates/abn-bench/src/worker.rs. No engine is imported but the
one that is asked for, for its memory counts.
"""

import argparse
import sys
import time

from protocol import answer, peak_memory

ENGINES = ["pytorch_nchw", "pytorch_channels_last", "torch_compile", "onnx_runtime", "openvino"]


def of_name(name):
    match name:
        case "onnx_runtime":
            from onnxruntime_engine import OnnxRuntime

            return OnnxRuntime
        case "openvino":
            from openvino_engine import OpenVino

            return OpenVino
    from torch_engine import Torch

    return Torch


def warm_up(engine, seconds):
    """Works for at least that long and two steps; gives the number of steps that take as long."""
    engine.step()
    started, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - started < seconds:
        engine.step()
        steps += 1
    each = (time.perf_counter() - started) / steps
    return max(1, round(seconds / each))


def work(options):
    make = of_name(options.engine)
    empty = peak_memory()
    engine = make(options)
    answer({"engine": engine.name, "empty": empty, "parameters": engine.parameters()})
    steps = 1
    for line in sys.stdin:
        request, _, argument = line.strip().partition(" ")
        if request == "warm":
            steps = warm_up(engine, float(argument))
            answer(None)
        elif request == "go":
            started = time.perf_counter()
            for _ in range(steps):
                engine.step()
            answer({"images": steps * options.batch, "seconds": time.perf_counter() - started})
        elif request == "memory":
            answer(engine.memory())
        elif request == "check":
            answer(engine.check(argument))
        else:
            sys.exit(f"`{line.strip()}` is no request")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("probe", help="what cannot be measured, and why")
    tasks.add_parser("peak", help="the most that the machine can do")
    export = tasks.add_parser("export", help="a network as ONNX file")
    export.add_argument("--weights", required=True)
    worker = tasks.add_parser("worker", help="one network")
    worker.add_argument("--engine", choices=ENGINES, required=True)
    worker.add_argument("--onnx", help="the network for the engines that cannot build it")
    export.add_argument("--onnx", required=True)
    for task in (worker, export):
        task.add_argument("--arch", required=True)
        task.add_argument("--attention", choices=["none", "abn", "manet", "mtabn"], required=True)
        task.add_argument("--mode", choices=["train", "infer"], required=True)
        for number in ["--batch", "--size", "--classes"]:
            task.add_argument(number, type=int, required=True)
        task.add_argument("--device", help="ours; PyTorch's is --torch-device")
        task.add_argument("--torch-device", default="cpu")
        task.add_argument("--precision", choices=["f32", "bf16", "f16"], default="f32")
    return parser.parse_args()


def main():
    options = arguments()
    match options.task:
        case "worker":
            work(options)
        case "export":
            from export import export

            answer(export(options))
        case "peak":
            from peaks import peaks

            answer(peaks())
        case "probe":
            from probe import missing

            answer(missing())


if __name__ == "__main__":
    main()
