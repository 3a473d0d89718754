"""ResNet, wide ResNet and their attention branches in plain PyTorch, under the names of the official ABN code.

image --extract--> F --------------------> (1+M).F --refine--> G --pool, fc--> logits
                    \\--[mixed attention]--own copy of the last stage--> class maps --pool--> attention logits
                                                                               \\--conv, sigmoid--> M
"""

import torch
from torch import nn
from torch.nn import functional as F


def conv1x1(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = conv3x3(inputs, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)

    def forward(self, x):
        path = F.relu(self.bn1(self.conv1(x)))
        path = self.bn2(self.conv2(path))
        return F.relu(path + self.downsample(x))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = conv1x1(inputs, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x):
        path = F.relu(self.bn1(self.conv1(x)))
        path = F.relu(self.bn2(self.conv2(path)))
        path = self.bn3(self.conv3(path))
        return F.relu(path + self.downsample(x))


def shortcut(inputs, outputs, stride):
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))


class WideBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.convShortcut = conv1x1(inputs, width, stride) if inputs != width else None

    def forward(self, x):
        activated = F.relu(self.bn1(x))
        path = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return path + (x if self.convShortcut is None else self.convShortcut(activated))


class WideStage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layer = blocks

    def forward(self, x):
        return self.layer(x)


def stage(block, blocks, inputs, width, stride):
    outputs = width * block.expansion
    first = block(inputs, width, stride)
    layers = nn.Sequential(first, *(block(outputs, width, 1) for _ in range(blocks - 1)))
    return WideStage(layers) if block is WideBlock else layers


class ChannelAttention(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.fc1 = nn.Linear(channels, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, channels, bias=False)

    def forward(self, x):
        pooled = x.mean((2, 3)), x.amax((2, 3))
        average, maximum = (self.fc2(F.relu(self.fc1(values))) for values in pooled)
        return torch.sigmoid(average + maximum)[:, :, None, None]


class SpatialAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x):
        planes = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return torch.sigmoid(self.conv(planes))


class MixedAttention(nn.Module):
    """MANet's: channels, then positions."""

    def __init__(self, channels):
        super().__init__()
        self.channel = ChannelAttention(channels)
        self.spatial = SpatialAttention()

    def forward(self, x):
        x = self.channel(x) * x
        return self.spatial(x) * x


class ResNet(nn.Module):
    """Any of the networks: a stem, stages of which the first keeps the size and the others halve it, a classifier."""

    def __init__(self, block, blocks, widths, classes, attention, imagenet=False):
        super().__init__()
        wide = block is WideBlock
        inputs = 64 if imagenet else 16
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False) if imagenet else conv3x3(3, 16)
        # Pre-activation networks have their norm at the end instead.
        self.bn1 = nn.BatchNorm2d(widths[-1] if wide else inputs)
        self.wide, self.imagenet = wide, imagenet
        self.last = f"block{len(widths)}" if wide else f"layer{len(widths)}"
        self.stages = []
        for number, (count, width) in enumerate(zip(blocks, widths), 1):
            name = f"block{number}" if wide else f"layer{number}"
            self.add_module(name, stage(block, count, inputs, width, 1 if number == 1 else 2))
            self.stages.append(name)
            before, inputs = inputs, width * block.expansion
        self.fc = nn.Linear(inputs, classes)
        self.attention = attention
        if attention != "none":
            self.mixed = MixedAttention(before) if attention == "manet" else nn.Identity()
            self.add_module(f"att_{self.last}", stage(block, blocks[-1], before, widths[-1], 1))
            self.bn_att = nn.BatchNorm2d(inputs)
            self.att_conv = conv1x1(inputs, classes)
            self.bn_att2 = nn.BatchNorm2d(classes)
            self.att_conv2 = conv1x1(classes, classes)
            self.att_conv3 = conv1x1(classes, 1) if attention == "manet" else conv3x3(classes, 1)
            self.bn_att3 = nn.BatchNorm2d(1)

    def extract(self, x):
        x = self.conv1(x)
        if not self.wide:
            x = F.relu(self.bn1(x))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, padding=1)
        for name in self.stages[:-1]:
            x = getattr(self, name)(x)
        return x

    def branch(self, x):
        x = getattr(self, f"att_{self.last}")(self.mixed(x))
        x = F.relu(self.bn_att2(self.att_conv(self.bn_att(x))))
        logits = self.att_conv2(x).mean((2, 3))
        return logits, torch.sigmoid(self.bn_att3(self.att_conv3(x)))

    def refine(self, x):
        x = getattr(self, self.last)(x)
        return F.relu(self.bn1(x)) if self.wide else x

    def forward(self, x):
        """Logits, attention logits, map; the last two are None in a network without attention."""
        x = self.extract(x)
        attention_logits, attention_map = None, None
        if self.attention != "none":
            attention_logits, attention_map = self.branch(x)
            x = x * attention_map + x
        return self.fc(self.refine(x).mean((2, 3))), attention_logits, attention_map


IMAGENET = {
    18: (BasicBlock, [2, 2, 2, 2]),
    34: (BasicBlock, [3, 4, 6, 3]),
    50: (Bottleneck, [3, 4, 6, 3]),
    101: (Bottleneck, [3, 4, 23, 3]),
    152: (Bottleneck, [3, 8, 36, 3]),
}


def network(name, classes, attention):
    """resnetD of ImageNet's depths or, like the official code's, of CIFAR's; wrn-D-K."""
    family, *numbers = name.replace("resnet", "resnet-").split("-")
    depth, *widening = map(int, numbers)
    if family == "wrn":
        widths = [widening[0] * width for width in (16, 32, 64)]
        return ResNet(WideBlock, [(depth - 4) // 6] * 3, widths, classes, attention)
    if depth in IMAGENET:
        block, blocks = IMAGENET[depth]
        return ResNet(block, blocks, [64, 128, 256, 512], classes, attention, imagenet=True)
    block = Bottleneck if depth >= 44 else BasicBlock
    return ResNet(block, [(depth - 2) // 6] * 3, [16, 32, 64], classes, attention)
