"""The zoo's networks in PyTorch: torchvision's and, where it has none, written out here."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from typing import Any

import torch
from torch import nn


def torch_network(name: str) -> nn.Module:
    """The network that `cnnfast.models` has under this name; `googlenet_aux` is one more.

    Raises
    ------
    ImportError
        It is one of torchvision's, which is not installed or does not fit PyTorch.
    """
    if name == "lenet5":
        return lenet5()
    if name == "zfnet":
        return zfnet()
    if name.startswith("cifar_resnet"):
        return CifarResNet(int(name.removeprefix("cifar_resnet")))
    vision = torchvision_models()
    if name.startswith("googlenet"):
        return vision.GoogLeNet(aux_logits=name == "googlenet_aux", init_weights=False)
    return getattr(vision, name)()


def digits_network(name: str) -> nn.Module:
    """The same for grey images and ten classes, without dropout."""
    if name == "lenet5":
        return lenet5()
    if name.startswith("cifar_resnet"):
        return CifarResNet(int(name.removeprefix("cifar_resnet")), in_channels=1)
    network = getattr(torchvision_models(), name)(num_classes=10, dropout=0.0)
    network.features[0] = nn.Conv2d(1, network.features[0].out_channels, 3, padding=1)
    return network


def torchvision_models() -> Any:
    """torchvision.models; an ImportError where its compiled operators do not fit PyTorch."""
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        raise ImportError(f"torchvision does not fit this PyTorch: {error}") from error


def lenet5() -> nn.Module:
    layers = {
        "conv1": nn.Conv2d(1, 6, 5, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(6, 16, 5),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(400, 120),
        "relu3": nn.ReLU(),
        "fc2": nn.Linear(120, 84),
        "relu4": nn.ReLU(),
        "fc3": nn.Linear(84, 10),
    }
    return nn.Sequential(OrderedDict(layers))


def zfnet() -> nn.Module:
    def stage(channels: int, filters: int, *window: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, filters, *window), nn.ReLU()]

    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    features = [*stage(3, 96, 7, 2, 1), pool, norm, *stage(96, 256, 5, 2), pool, norm]
    features += [*stage(256, 384, 3, 1, 1), *stage(384, 384, 3, 1, 1), *stage(384, 256, 3, 1, 1)]
    classifier = [nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU()]
    classifier += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*features, pool),
            avgpool=nn.AdaptiveAvgPool2d(6),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(*classifier),
        )
    )


class CifarBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.missing = stride, width - channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        half = self.missing // 2
        shortcut = nn.functional.pad(
            x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half)
        )
        return (y + shortcut).relu()


class CifarResNet(nn.Module):
    def __init__(self, depth: int, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks = (depth - 2) // 6
        self.layer1 = self.stage(16, 16, 1, blocks)
        self.layer2 = self.stage(16, 32, 2, blocks)
        self.layer3 = self.stage(32, 64, 2, blocks)
        self.fc = nn.Linear(64, num_classes)

    @staticmethod
    def stage(channels: int, width: int, stride: int, blocks: int) -> nn.Module:
        rest = [CifarBlock(width, width, 1) for _ in range(blocks - 1)]
        return nn.Sequential(CifarBlock(channels, width, stride), *rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))
