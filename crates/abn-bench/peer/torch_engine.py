"""PyTorch: eager in either layout, or compiled by inductor in the faster one."""

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from networks import network
from protocol import peak_memory, predictions, threads

STEPS = 3  # of the check, as in check.rs
RATE = 1e-4


class Torch:
    """A network at work on one batch of random images."""

    def __init__(self, options):
        torch.set_num_threads(threads())
        torch.manual_seed(0)
        self.name = f"PyTorch {torch.__version__}"
        self.trains = options.mode == "train"
        self.device = torch.device(options.torch_device)
        self.autocast = {"bf16": torch.bfloat16, "f16": torch.float16}.get(options.precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=options.precision == "f16")
        if self.device.type == "cuda":
            # As ours, which takes what is fastest, TF32 included.
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
        nchw = options.engine == "pytorch_nchw"
        self.format = torch.contiguous_format if nchw else torch.channels_last
        self.model = network(options.arch, options.classes, options.attention)
        self.model.to(self.device, memory_format=self.format)
        self.model.train(self.trains)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
        images = torch.randn(options.batch, 3, options.size, options.size)
        self.images = images.to(self.device).contiguous(memory_format=self.format)
        self.labels = torch.arange(options.batch, device=self.device) % options.classes
        self.several = options.attention == "mtabn"
        if self.several:
            labels = torch.arange(options.classes, device=self.device)
            self.labels = (torch.arange(options.batch, device=self.device)[:, None] + labels) % 3 % 2
        self.predict, self.objective = self.model, self.loss
        if options.engine == "torch_compile":
            self.compile()

    def compile(self):
        """What is timed, no more: a network takes minutes. In training its losses are what the check looks at."""
        if self.trains:
            self.objective = torch.compile(self.loss, fullgraph=True, dynamic=False)
        else:
            # As PyTorch advises, weights become constants, which folds the norms.
            torch._inductor.config.freezing = True
            self.predict = torch.compile(self.model, fullgraph=True, dynamic=False)

    def parameters(self):
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)

    def step(self):
        return self.train() if self.trains else self.infer()

    def loss(self):
        logits, *attention = self.model(self.images)
        if self.several:
            # A logit for each label; the other one of the pair that is told is its negative.
            of_labels = [2 * each[:, 1::2] for each in (logits, attention[0])]
            return sum(F.binary_cross_entropy_with_logits(each, self.labels.float()) for each in of_labels)
        loss = F.cross_entropy(logits, self.labels)
        return loss + F.cross_entropy(attention[0], self.labels) if attention else loss

    def train(self):
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            loss = self.objective()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item()

    @torch.inference_mode()
    def infer(self):
        outputs = self.predict(self.images)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return outputs

    def memory(self):
        return torch.cuda.max_memory_reserved(self.device) if self.device.type == "cuda" else peak_memory()

    def check(self, file):
        tensors = load_file(file)
        self.images = tensors.pop("images").to(self.device).contiguous(memory_format=self.format)
        self.model.load_state_dict(tensors, strict=True)
        self.model.eval()
        answers = predictions(self.infer())
        self.model.train(self.trains)
        losses = [self.train() for _ in range(STEPS)] if self.trains else []
        return answers | {"losses": losses}
