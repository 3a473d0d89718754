"""The peer of `abn-bench data-worker`: the same requests and answers, by torchvision and by DALI.

It prints a line when it is ready, and then one line of JSON for each line that it reads: `go SECONDS`,
`check N`, `memory`. See crates/abn-bench/src/data/worker.rs.
"""

import argparse
import json
import sys
import time

MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]


def answer(value):
    print(json.dumps(value), flush=True)


class Torchvision:
    def __init__(self, options):
        import PIL
        import torch
        import torchvision
        from torchvision.datasets import ImageFolder
        from torchvision.transforms import v2

        torch.set_num_threads(1)  # in this process; each worker process has one anyway
        self.torch, self.options = torch, options
        self.name = f"torchvision {torchvision.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}"
        size = (
            [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]
            if options.view == "train"
            else [v2.Resize(256, antialias=True), v2.CenterCrop(224)]
        )
        end = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
        tensors = options.reader == "torchvision-tensors"
        steps = [v2.PILToTensor()] + size + end if tensors else size + [v2.PILToTensor()] + end
        self.images = ImageFolder(options.data, transform=v2.Compose(steps))
        self.loader = torch.utils.data.DataLoader(
            self.images,
            batch_size=options.batch,
            shuffle=True,
            num_workers=0 if options.threads == 1 else options.threads,
            persistent_workers=options.threads > 1,
        )
        self.batches = None

    def batch(self):
        while True:
            if self.batches is None:
                self.batches = iter(self.loader)
            try:
                images, _ = next(self.batches)
                return len(images)
            except StopIteration:
                self.batches = None

    def check(self, count):
        return self.torch.stack([self.images[index][0] for index in range(count)]).flatten().tolist()


class Dali:
    def __init__(self, options):
        import nvidia.dali as dali
        from nvidia.dali import fn, pipeline_def, types

        self.name, self.options = f"DALI {dali.__version__}", options

        @pipeline_def(batch_size=options.batch, num_threads=options.threads, device_id=None)
        def pipeline(shuffled):
            files, labels = fn.readers.file(file_root=options.data, random_shuffle=shuffled, name="files")
            if options.view == "train":
                images = fn.decoders.image_random_crop(
                    files, device="cpu", random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3]
                )
                images = fn.resize(images, size=(224, 224), antialias=True)
                flipped = fn.random.coin_flip()
            else:
                images = fn.decoders.image(files, device="cpu")
                images = fn.resize(images, resize_shorter=256, antialias=True)
                flipped = 0
            return fn.crop_mirror_normalize(
                images,
                dtype=types.FLOAT,
                output_layout="CHW",
                crop=(224, 224),
                mean=[255 * value for value in MEAN],
                std=[255 * value for value in STD],
                mirror=flipped,
            ), labels

        self.make = pipeline
        self.pipeline = pipeline(True)
        self.pipeline.build()

    def batch(self):
        images, _ = self.pipeline.run()
        return len(images)

    def check(self, count):
        import numpy

        pipeline, seen = self.make(False), []
        pipeline.build()
        while sum(map(len, seen)) < count:
            seen.append(pipeline.run()[0].as_array())
        return numpy.concatenate(seen)[:count].flatten().tolist()


def memory():
    """Peak resident memory in bytes of this process and of those that it started."""
    import resource

    peak = 0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        peak += resource.getrusage(who).ru_maxrss * 1024
    return peak


def main():
    parser = argparse.ArgumentParser()
    for name in ("reader", "view", "data"):
        parser.add_argument(f"--{name}")
    for name in ("threads", "batch"):
        parser.add_argument(f"--{name}", type=int)
    options = parser.parse_args()
    reader = Dali(options) if options.reader == "dali" else Torchvision(options)
    answer({"engine": reader.name})
    for line in sys.stdin:
        request, _, argument = line.strip().partition(" ")
        if request == "go":
            started, images = time.perf_counter(), 0
            while time.perf_counter() - started < float(argument):
                images += reader.batch()
            answer({"images": images, "seconds": time.perf_counter() - started})
        elif request == "check":
            answer(reader.check(int(argument)))
        elif request == "memory":
            answer(memory())
        else:
            sys.exit(f"`{line.strip()}` is no request")


if __name__ == "__main__":
    main()
