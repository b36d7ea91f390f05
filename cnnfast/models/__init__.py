"""Networks. Each function makes one with fresh random weights.

``model.head`` is the layer that makes the scores; another may take its place.
"""

from cnnfast.models.alexnet import alexnet
from cnnfast.models.cifar_resnet import (
    cifar_resnet20,
    cifar_resnet32,
    cifar_resnet44,
    cifar_resnet56,
)
from cnnfast.models.googlenet import googlenet
from cnnfast.models.lenet import lenet5
from cnnfast.models.mobilenet import mobilenet_v2
from cnnfast.models.pattern import from_pattern
from cnnfast.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from cnnfast.models.squeezenet import squeezenet1_1
from cnnfast.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from cnnfast.models.zfnet import zfnet

__all__ = [
    "alexnet",
    "cifar_resnet20",
    "cifar_resnet32",
    "cifar_resnet44",
    "cifar_resnet56",
    "from_pattern",
    "googlenet",
    "lenet5",
    "mobilenet_v2",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "zfnet",
]

# Of the networks, which need no pattern.
NAMES = tuple(name for name in __all__ if name != "from_pattern")
