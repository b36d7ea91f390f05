"""The zoo's networks in PyTorch: torchvision's and, where it has none, written out here."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict

import pytest

from benchmarks.networks.competitors import lenet5, torchvision_models

torch = pytest.importorskip("torch")
nn = torch.nn


def torch_network(name: str) -> nn.Module:
    """The network that `cnnfast.models` has under this name; `googlenet_aux` is one more."""
    if name == "lenet5":
        return lenet5(nn)
    if name == "zfnet":
        return zfnet()
    if name.startswith("cifar_resnet"):
        return CifarResNet(int(name.removeprefix("cifar_resnet")))
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    vision = torchvision_models(torch)
    if name.startswith("googlenet"):
        return vision.GoogLeNet(aux_logits=name == "googlenet_aux", init_weights=False)
    return getattr(vision, name)()


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
    def __init__(self, depth: int, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
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
