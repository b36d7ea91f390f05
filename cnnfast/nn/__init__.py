"""Layers: parameters, and what a backward pass needs of them. Names are those of torch.nn."""

from cnnfast.nn import init
from cnnfast.nn.activation import (
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from cnnfast.nn.backward import Backward
from cnnfast.nn.channels import ZeroPadChannels
from cnnfast.nn.containers import Concat, Graph, Residual, Sequential
from cnnfast.nn.conv import Conv2d
from cnnfast.nn.convert import convert_linear_to_conv
from cnnfast.nn.dropout import Dropout
from cnnfast.nn.join import Add, Concatenate
from cnnfast.nn.linear import Flatten, Linear
from cnnfast.nn.loss import CrossEntropyLoss, HingeLoss
from cnnfast.nn.module import Module
from cnnfast.nn.norm import (
    BatchNorm1d,
    BatchNorm2d,
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    LocalResponseNorm,
)
from cnnfast.nn.parameter import Parameter
from cnnfast.nn.pool import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    LPPool2d,
    MaxPool2d,
)
from cnnfast.nn.softmax import LogSoftmax, Softmax

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "Add",
    "AvgPool2d",
    "Backward",
    "BatchNorm1d",
    "BatchNorm2d",
    "Concat",
    "Concatenate",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "Graph",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "HingeLoss",
    "InstanceNorm2d",
    "LPPool2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MaxPool2d",
    "Module",
    "PReLU",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "ZeroPadChannels",
    "convert_linear_to_conv",
    "init",
]
