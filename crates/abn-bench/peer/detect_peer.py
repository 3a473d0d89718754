"""The peer of `abn-bench detect-worker`: the same requests and answers, by torchvision.

It prints a line when it is ready, and then one line of JSON for each line that it reads: `go SECONDS`,
`memory`. See crates/abn-bench/src/detect/worker.rs.
"""

import argparse
import json
import os
import random
import resource
import sys
import time

import torch
import torchvision
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import batched_nms, roi_align
from torchvision.ops.misc import FrozenBatchNorm2d

SIDE = 512
OBJECTS = 8
CLASSES = 91
RATE = 1e-4


def drawn(side):
    width, height = (random.uniform(side / 16, side / 2) for _ in range(2))
    x, y = random.uniform(0, side - width), random.uniform(0, side - height)
    return [x, y, x + width, y + height]


def align(with_gradient):
    features = torch.rand(1, 256, 128, 128, requires_grad=with_gradient)
    regions = [torch.tensor([drawn(SIDE) for _ in range(512)])]

    def work():
        found = roi_align(features, regions, 7, spatial_scale=0.25, sampling_ratio=2)
        if with_gradient:
            features.grad = None
            found.sum().backward()
        return 1

    return work


def suppress():
    boxes = torch.tensor([drawn(SIDE) for _ in range(10_000)])
    scores, groups = torch.rand(10_000), torch.arange(10_000) // 2000

    def work():
        batched_nms(boxes, scores, groups, 0.7)
        return 1

    return work


def detector(name):
    backbone = resnet_fpn_backbone(
        backbone_name=name, weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3
    )
    return FasterRCNN(backbone, CLASSES, min_size=SIDE, max_size=SIDE)


def train(name):
    model = detector(name).train()
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=RATE, momentum=0.9, weight_decay=1e-4)
    images = [torch.rand(3, SIDE, SIDE) for _ in range(2)]
    targets = [
        {
            "boxes": torch.tensor([drawn(SIDE) for _ in range(OBJECTS)]),
            "labels": torch.arange(1, OBJECTS + 1),
        }
        for _ in images
    ]

    def work():
        losses = model(images, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        return len(images)

    return work


def infer(name):
    model = detector(name).eval()
    images = [torch.rand(3, SIDE, SIDE)]

    def work():
        with torch.inference_mode():
            model(images)
        return 1

    return work


TASKS = {
    "roi-align": lambda: align(False),
    "roi-align-gradient": lambda: align(True),
    "nms": suppress,
    "train-resnet18": lambda: train("resnet18"),
    "train-resnet50": lambda: train("resnet50"),
    "infer-resnet18": lambda: infer("resnet18"),
    "infer-resnet50": lambda: infer("resnet50"),
}


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=TASKS, required=True)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    random.seed(0)
    torch.manual_seed(0)
    work = TASKS[options.task]()
    answer({"engine": f"torchvision {torchvision.__version__}, torch {torch.__version__}"})
    for line in sys.stdin:
        request, *arguments = line.split()
        if request == "go":
            started, images = time.perf_counter(), 0
            while time.perf_counter() - started < float(arguments[0]):
                images += work()
            answer({"images": images, "seconds": time.perf_counter() - started})
        else:
            answer(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
