"""The networks and their attention branches in plain PyTorch, under the names of the official ABN code.

image --extract--> F --------------------> (1+M).F --refine--> G --classify--> logits
                    \\--[mixed attention]--own copy of the last stage--> class maps --pool--> attention logits
                                                                               \\--conv, sigmoid--> M
"""

import re

import torch
from torch import nn
from torch.nn import functional as F

from blocks import (
    BasicBlock,
    Bottleneck,
    DenseLayer,
    MixedAttention,
    ResNextBlock,
    SqueezeExciteBottleneck,
    Transition,
    WideBlock,
    conv1x1,
    conv3x3,
)


class Network(nn.Module):
    """What all have in common. A family adds its layers, `extract` and `refine`."""

    # SENet's map is the sum of log(1 + a) over the class maps.
    sums_logarithms = False
    # The official ResNeXt declares the norm after the branch's stage and never calls it.
    skips_norm = False

    def add_branch(self, attention, name, stage, inputs, outputs, classes):
        """The branch's copy of the last stage, under its name, leads from `inputs` channels to `outputs`."""
        self.att = name if attention != "none" else None
        if self.att is None:
            return
        self.sums_logarithms = self.sums_logarithms and attention == "abn"
        self.skips_norm = self.skips_norm and attention == "abn"
        self.mixed = MixedAttention(inputs) if attention == "manet" else nn.Identity()
        self.add_module(name, stage)
        self.bn_att = nn.BatchNorm2d(outputs).requires_grad_(not self.skips_norm)
        self.att_conv = conv1x1(outputs, classes)
        self.bn_att2 = nn.BatchNorm2d(classes)
        self.att_conv2 = conv1x1(classes, classes)
        if not self.sums_logarithms:
            self.att_conv3 = conv1x1(classes, 1) if attention == "manet" else conv3x3(classes, 1)
            self.bn_att3 = nn.BatchNorm2d(1)

    def branch(self, x):
        x = getattr(self, self.att)(self.mixed(x))
        x = x if self.skips_norm else self.bn_att(x)
        x = F.relu(self.bn_att2(self.att_conv(x)))
        logits = self.att_conv2(x).mean((2, 3))
        if self.sums_logarithms:
            return logits, torch.log1p(x).sum(1, keepdim=True)
        return logits, torch.sigmoid(self.bn_att3(self.att_conv3(x)))

    def classify(self, x):
        return self.fc(x.mean((2, 3)))

    def forward(self, x):
        """Logits and, in a network with attention, attention logits and map."""
        x = self.extract(x)
        if self.att is None:
            return (self.classify(self.refine(x)),)
        attention_logits, attention_map = self.branch(x)
        x = x * attention_map + x
        return self.classify(self.refine(x)), attention_logits, attention_map


def told(logits):
    """Of each label the pair whose softmax is the sigmoid of its logit."""
    return torch.stack([-logits / 2, logits / 2], 2).flatten(1)


def stage(block, blocks, inputs, width, stride):
    outputs = width * block.expansion
    first = block(inputs, width, stride)
    return nn.Sequential(first, *(block(outputs, width, 1) for _ in range(blocks - 1)))


class ResNet(Network):
    """A stem, stages of which the first keeps the size and the others halve it, a classifier."""

    def __init__(self, block, blocks, widths, classes, attention, imagenet=False):
        super().__init__()
        self.sums_logarithms = block is SqueezeExciteBottleneck
        inputs = 64 if imagenet else 16
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False) if imagenet else conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.imagenet = imagenet
        self.stages = [f"layer{number}" for number in range(1, len(widths) + 1)]
        for name, count, width in zip(self.stages, blocks, widths):
            self.add_module(name, stage(block, count, inputs, width, 1 if name == "layer1" else 2))
            before, inputs = inputs, width * block.expansion
        self.fc = nn.Linear(inputs, classes)
        copy = stage(block, blocks[-1], before, widths[-1], 1)
        self.add_branch(attention, f"att_{self.stages[-1]}", copy, before, inputs, classes)

    def extract(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, padding=1)
        for name in self.stages[:-1]:
            x = getattr(self, name)(x)
        return x

    def refine(self, x):
        return getattr(self, self.stages[-1])(x)


class Multitask(ResNet):
    """ABN's code for facial attributes: the last stage perceives the features under the map of each label, and each
    label has a layer of its own."""

    def __init__(self, block, blocks, widths, labels):
        super().__init__(block, blocks, widths, labels, "none", imagenet=True)
        outputs = widths[-1] * block.expansion
        self.layer4_att = stage(block, blocks[-1], widths[-2] * block.expansion, widths[-1], 1)
        self.conv_att = conv1x1(outputs, labels)
        del self.fc
        self.output_per = nn.ModuleList(nn.Linear(outputs, 1) for _ in range(labels))

    def forward(self, x):
        x = self.extract(x)
        maps = self.conv_att(self.layer4_att(x))
        seen = (self.refine(x * maps[:, label : label + 1]) for label in range(maps.shape[1]))
        logits = [head(features.mean((2, 3))) for head, features in zip(self.output_per, seen)]
        return told(torch.cat(logits, 1)), told(maps.mean((2, 3))), maps


class WideStage(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


class WideResNet(Network):
    """Its blocks begin with norm and ReLU, so the last ones follow the last stage."""

    def __init__(self, blocks, widening, classes, attention):
        super().__init__()
        widths = [widening * width for width in (16, 32, 64)]
        self.conv1 = conv3x3(3, 16)
        self.block1 = WideStage(stage(WideBlock, blocks, 16, widths[0], 1))
        self.block2 = WideStage(stage(WideBlock, blocks, widths[0], widths[1], 2))
        self.block3 = WideStage(stage(WideBlock, blocks, widths[1], widths[2], 2))
        self.bn1 = nn.BatchNorm2d(widths[2])
        self.fc = nn.Linear(widths[2], classes)
        copy = WideStage(stage(WideBlock, blocks, widths[1], widths[2], 1))
        self.add_branch(attention, "att_block3", copy, widths[1], widths[2], classes)

    def extract(self, x):
        return self.block2(self.block1(self.conv1(x)))

    def refine(self, x):
        return F.relu(self.bn1(self.block3(x)))


class ResNext(Network):
    """CIFAR's, of `groups` groups of `width` channels."""

    skips_norm = True

    def __init__(self, blocks, groups, width, classes, attention):
        super().__init__()
        self.conv_1_3x3 = conv3x3(3, 64)
        self.bn_1 = nn.BatchNorm2d(64)

        def named(name, inputs, level, stride):
            shape = (groups * width << level, 256 << level, groups)
            layers = nn.Sequential()
            for block in range(blocks):
                layers.add_module(f"{name}_bottleneck_{block}", ResNextBlock(inputs, *shape, stride))
                inputs, stride = 256 << level, 1
            return layers

        self.stage_1 = named("stage_1", 64, 0, 1)
        self.stage_2 = named("stage_2", 256, 1, 2)
        self.stage_3 = named("stage_3", 512, 2, 2)
        self.classifier = nn.Linear(1024, classes)
        self.add_branch(attention, "stage_att", named("stage_att", 512, 2, 1), 512, 1024, classes)

    def extract(self, x):
        return self.stage_2(self.stage_1(F.relu(self.bn_1(self.conv_1_3x3(x)))))

    def refine(self, x):
        return self.stage_3(x)

    def classify(self, x):
        return self.classifier(x.mean((2, 3)))


class DenseNet(Network):
    """DenseNet-BC: every layer adds `growth` channels, transitions halve them."""

    def __init__(self, layers, growth, classes, attention):
        super().__init__()

        def dense(inputs):
            return nn.Sequential(*(DenseLayer(inputs + index * growth, growth) for index in range(layers)))

        added = layers * growth
        first = 2 * growth
        second = (first + added) // 2
        third = (second + added) // 2
        self.conv1 = conv3x3(3, first)
        self.dense1, self.trans1 = dense(first), Transition(first + added)
        self.dense2, self.trans2 = dense(second), Transition(second + added)
        self.dense3 = dense(third)
        self.bn = nn.BatchNorm2d(third + added)
        self.fc = nn.Linear(third + added, classes)
        self.add_branch(attention, "att_dense3", dense(third), third, third + added, classes)

    def extract(self, x):
        x = self.trans1(self.dense1(self.conv1(x)))
        return self.trans2(self.dense2(x))

    def refine(self, x):
        return F.relu(self.bn(self.dense3(x)))


def plain(inputs, width):
    return [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]


class Vgg(Network):
    """Cut after conv5: what is left for `refine` is nothing. The branch's stage is two convolutions."""

    def __init__(self, convs, classes, attention):
        super().__init__()
        layers, inputs = [], 3
        for count, width in zip(convs, [64, 128, 256, 512, 512]):
            for _ in range(count):
                layers += plain(inputs, width)
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        # Nothing is dropped: the losses are to be the same as ours.
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.0)),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.0)),
            nn.Linear(4096, classes),
        )
        copy = nn.Sequential(*plain(512, 512), *plain(512, 512))
        self.add_branch(attention, "att_features", copy, 512, 512, classes)

    def extract(self, x):
        for layer in self.features[:-1]:
            x = layer(x)
        return x

    def refine(self, x):
        return x

    def classify(self, x):
        x = F.adaptive_avg_pool2d(self.features[-1](x), 7)
        return self.classifier(x.flatten(1))


IMAGENET = {
    18: (BasicBlock, [2, 2, 2, 2]),
    34: (BasicBlock, [3, 4, 6, 3]),
    50: (Bottleneck, [3, 4, 6, 3]),
    101: (Bottleneck, [3, 4, 23, 3]),
    152: (Bottleneck, [3, 8, 36, 3]),
}

VGG = {
    11: [1, 1, 2, 2, 2],
    13: [2, 2, 2, 2, 2],
    16: [2, 2, 3, 3, 3],
    19: [2, 2, 4, 4, 4],
}


def resnet(depth, classes, attention):
    """Of ImageNet's depths or, like the official code's, of CIFAR's."""
    if depth in IMAGENET:
        block, blocks = IMAGENET[depth]
        if attention == "mtabn":
            return Multitask(block, blocks, [64, 128, 256, 512], classes)
        return ResNet(block, blocks, [64, 128, 256, 512], classes, attention, imagenet=True)
    block = Bottleneck if depth >= 44 else BasicBlock
    return ResNet(block, [(depth - 2) // 6] * 3, [16, 32, 64], classes, attention)


def network(name, classes, attention):
    """resnetD, se-resnet50 and deeper, wrn-D-K, resnextD-CxWd of CIFAR, densenet-bc-D-K, vggD-bn."""
    family = re.match(r"(se-)?[a-z]+", name)[0]
    depth, *numbers = map(int, re.findall(r"\d+", name))
    match family:
        case "resnet":
            return resnet(depth, classes, attention)
        case "se-resnet":
            widths = [64, 128, 256, 512]
            return ResNet(SqueezeExciteBottleneck, IMAGENET[depth][1], widths, classes, attention, imagenet=True)
        case "wrn":
            return WideResNet((depth - 4) // 6, *numbers, classes, attention)
        case "resnext":
            return ResNext((depth - 2) // 9, *numbers, classes, attention)
        case "densenet":
            return DenseNet((depth - 4) // 6, *numbers, classes, attention)
        case "vgg":
            return Vgg(VGG[depth], classes, attention)
    raise ValueError(f"no network of PyTorch's is called {name}")
