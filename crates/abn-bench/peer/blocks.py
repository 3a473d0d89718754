"""What the networks are made of, under the names of the official ABN code."""

import torch
from torch import nn
from torch.nn import functional as F


def conv1x1(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def conv3x3(inputs, outputs, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=groups, bias=False)


def shortcut(inputs, outputs, stride):
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))


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

    def path(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))

    def forward(self, x):
        return F.relu(self.path(x) + self.downsample(x))


class SqueezeExciteBottleneck(Bottleneck):
    """SENet's: a weight for every channel at the end of the path."""

    def __init__(self, inputs, width, stride, reduction=16):
        super().__init__(inputs, width, stride)
        outputs = self.expansion * width
        self.fc1 = nn.Linear(outputs, outputs // reduction)
        self.fc2 = nn.Linear(outputs // reduction, outputs)

    def path(self, x):
        x = super().path(x)
        gate = self.fc2(F.relu(self.fc1(x.mean((2, 3)))))
        return x * torch.sigmoid(gate)[:, :, None, None]


class WideBlock(nn.Module):
    """Norm and ReLU come before each convolution."""

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


class ResNextBlock(nn.Module):
    """CIFAR's ResNeXt: a bottleneck whose 3x3 convolution has groups."""

    def __init__(self, inputs, width, outputs, groups, stride):
        super().__init__()
        self.conv_reduce = conv1x1(inputs, width)
        self.bn_reduce = nn.BatchNorm2d(width)
        self.conv_conv = conv3x3(width, width, stride, groups)
        self.bn = nn.BatchNorm2d(width)
        self.conv_expand = conv1x1(width, outputs)
        self.bn_expand = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.add_module("shortcut_conv", conv1x1(inputs, outputs, stride))
            self.shortcut.add_module("shortcut_bn", nn.BatchNorm2d(outputs))

    def forward(self, x):
        path = F.relu(self.bn_reduce(self.conv_reduce(x)))
        path = F.relu(self.bn(self.conv_conv(path)))
        path = self.bn_expand(self.conv_expand(path))
        return F.relu(path + self.shortcut(x))


class DenseLayer(nn.Module):
    """The input and, behind it, `growth` new channels."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv1x1(inputs, 4 * growth)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = conv3x3(4 * growth, growth)

    def forward(self, x):
        added = self.conv1(F.relu(self.bn1(x)))
        added = self.conv2(F.relu(self.bn2(added)))
        return torch.cat([x, added], 1)


class Transition(nn.Module):
    """Half the channels at half the size."""

    def __init__(self, inputs):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv1x1(inputs, inputs // 2)

    def forward(self, x):
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)


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
