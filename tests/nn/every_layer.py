"""A layer of each kind, the shape of its input, and what it should compute."""

import numpy as np
import pytest

from cnnfast import functional, nn

IMAGE = (2, 4, 7, 6)
SEQUENCE = (2, 4, 9)
VOLUME = (2, 4, 3, 4, 5)
FEATURES = (3, 5)


def conv(layer=nn.Conv2d, kernel_size=3, **arguments):
    rng = np.random.default_rng(0)
    return layer(4, 6, kernel_size=kernel_size, rng=rng, dtype=np.float64, **arguments)


LAYERS = {
    "conv": (
        lambda: conv(),
        IMAGE,
        lambda layer, x: functional.conv2d(x, layer.weight.data, layer.bias.data),
    ),
    "conv strided": (
        lambda: conv(stride=2, padding=(1, 0), dilation=(1, 2), groups=2, bias=False),
        IMAGE,
        lambda layer, x: functional.conv2d(x, layer.weight.data, None, 2, (1, 0), (1, 2), 2),
    ),
    "conv same": (
        lambda: conv(padding="same"),
        IMAGE,
        lambda layer, x: functional.conv2d(x, layer.weight.data, layer.bias.data, padding="same"),
    ),
    "conv uneven": (
        lambda: conv(padding=((2, 0), (1, 3))),
        IMAGE,
        lambda layer, x: functional.conv2d(
            x, layer.weight.data, layer.bias.data, padding=((2, 0), (1, 3))
        ),
    ),
    "conv 1d": (
        lambda: conv(nn.Conv1d, stride=2, padding=1, dilation=2, groups=2),
        SEQUENCE,
        lambda layer, x: functional.conv1d(x, layer.weight.data, layer.bias.data, 2, 1, 2, 2),
    ),
    "conv 3d": (
        lambda: conv(nn.Conv3d, (2, 1, 3), stride=(1, 2, 1), padding=(1, 0, 1), bias=False),
        VOLUME,
        lambda layer, x: functional.conv3d(x, layer.weight.data, None, (1, 2, 1), (1, 0, 1)),
    ),
    "conv 3d same": (
        lambda: conv(nn.Conv3d, 2, padding="same", groups=2),
        VOLUME,
        lambda layer, x: functional.conv3d(
            x, layer.weight.data, layer.bias.data, padding="same", groups=2
        ),
    ),
    "conv transposed": (
        lambda: conv(nn.ConvTranspose2d, 4, stride=2, padding=1, output_padding=(1, 0), groups=2),
        IMAGE,
        lambda layer, x: functional.conv_transpose2d(
            x, layer.weight.data, layer.bias.data, 2, 1, (1, 0), 2
        ),
    ),
    "conv transposed 1d": (
        lambda: conv(nn.ConvTranspose1d, stride=3, output_padding=2, bias=False),
        SEQUENCE,
        lambda layer, x: functional.conv_transpose1d(x, layer.weight.data, None, 3, 0, 2),
    ),
    "conv transposed 3d": (
        lambda: conv(nn.ConvTranspose3d, 2, stride=(2, 1, 2), dilation=(1, 2, 1)),
        VOLUME,
        lambda layer, x: functional.conv_transpose3d(
            x, layer.weight.data, layer.bias.data, (2, 1, 2), dilation=(1, 2, 1)
        ),
    ),
    "locally connected": (
        lambda: conv(nn.LocallyConnected2d, input_size=(7, 6), stride=2, padding=((1, 0), (0, 1))),
        IMAGE,
        lambda layer, x: functional.locally_connected2d(
            x, layer.weight.data, layer.bias.data, 2, ((1, 0), (0, 1))
        ),
    ),
    "linear": (
        lambda: nn.Linear(5, 4, dtype=np.float64),
        FEATURES,
        lambda layer, x: functional.linear(x, layer.weight.data, layer.bias.data),
    ),
    "linear without bias": (
        lambda: nn.Linear(5, 4, bias=False, dtype=np.float64),
        FEATURES,
        lambda layer, x: functional.linear(x, layer.weight.data),
    ),
    "max pool": (lambda: nn.MaxPool2d(2), IMAGE, lambda layer, x: functional.max_pool2d(x, 2)),
    "max pool with all": (
        lambda: nn.MaxPool2d((3, 2), 2, (1, 0), (1, 2), ceil_mode=True),
        IMAGE,
        lambda layer, x: functional.max_pool2d(x, (3, 2), 2, (1, 0), (1, 2), True),
    ),
    "average pool": (
        lambda: nn.AvgPool2d(3, 2, 1, True, False),
        IMAGE,
        lambda layer, x: functional.avg_pool2d(x, 3, 2, 1, True, False),
    ),
    "average pool with divisor": (
        lambda: nn.AvgPool2d(2, divisor_override=3),
        IMAGE,
        lambda layer, x: functional.avg_pool2d(x, 2, divisor_override=3),
    ),
    "norm pool": (
        lambda: nn.LPPool2d(2, 3, 2),
        IMAGE,
        lambda layer, x: functional.lp_pool2d(x, 2, 3, 2),
    ),
    "max pool 1d": (
        lambda: nn.MaxPool1d(3, 2, 1, ceil_mode=True),
        SEQUENCE,
        lambda layer, x: functional.max_pool1d(x, 3, 2, 1, ceil_mode=True),
    ),
    "max pool 3d": (
        lambda: nn.MaxPool3d((2, 3, 2), 1, (0, 1, 1), (1, 1, 2)),
        VOLUME,
        lambda layer, x: functional.max_pool3d(x, (2, 3, 2), 1, (0, 1, 1), (1, 1, 2)),
    ),
    "average pool 1d": (
        lambda: nn.AvgPool1d(3, 2, 1, True, False),
        SEQUENCE,
        lambda layer, x: functional.avg_pool1d(x, 3, 2, 1, True, False),
    ),
    "average pool 3d": (
        lambda: nn.AvgPool3d(2, divisor_override=3),
        VOLUME,
        lambda layer, x: functional.avg_pool3d(x, 2, divisor_override=3),
    ),
    "norm pool 1d": (
        lambda: nn.LPPool1d(2, 3, 2),
        SEQUENCE,
        lambda layer, x: functional.lp_pool1d(x, 2, 3, 2),
    ),
    "norm pool 3d": (
        lambda: nn.LPPool3d(3, 2, 1),
        VOLUME,
        lambda layer, x: functional.lp_pool3d(x, 3, 2, 1),
    ),
    "global average": (nn.GlobalAvgPool2d, IMAGE, lambda layer, x: functional.global_avg_pool2d(x)),
    "global maximum": (nn.GlobalMaxPool2d, IMAGE, lambda layer, x: functional.global_max_pool2d(x)),
    "adaptive average": (
        lambda: nn.AdaptiveAvgPool2d((3, 4)),
        IMAGE,
        lambda layer, x: functional.adaptive_avg_pool2d(x, (3, 4)),
    ),
    "adaptive maximum": (
        lambda: nn.AdaptiveMaxPool2d((3, 4)),
        IMAGE,
        lambda layer, x: functional.adaptive_max_pool2d(x, (3, 4)),
    ),
    "upsample": (
        lambda: nn.Upsample(scale_factor=1.5, mode="bilinear"),
        IMAGE,
        lambda layer, x: functional.interpolate(x, None, 1.5, "bilinear"),
    ),
    "zero pad": (
        lambda: nn.ZeroPad2d((1, 2, -1, 0)),
        IMAGE,
        lambda layer, x: functional.pad(x, (1, 2, -1, 0)),
    ),
    "reflection pad": (
        lambda: nn.ReflectionPad2d(2),
        IMAGE,
        lambda layer, x: functional.pad(x, 2, "reflect"),
    ),
    "flatten": (nn.Flatten, IMAGE, lambda layer, x: x.reshape(2, -1)),
    "relu": (nn.ReLU, IMAGE, lambda layer, x: functional.relu(x)),
    "leaky relu": (
        lambda: nn.LeakyReLU(0.2),
        IMAGE,
        lambda layer, x: functional.leaky_relu(x, 0.2),
    ),
    "leaky relu falling": (
        lambda: nn.LeakyReLU(-0.2),
        IMAGE,
        lambda layer, x: functional.leaky_relu(x, -0.2),
    ),
    "relu6": (nn.ReLU6, IMAGE, lambda layer, x: functional.relu6(x)),
    "prelu": (
        lambda: nn.PReLU(dtype=np.float64),
        IMAGE,
        lambda layer, x: functional.prelu(x, layer.weight.data),
    ),
    "prelu of channels": (
        lambda: nn.PReLU(IMAGE[1], 0.1, dtype=np.float64),
        IMAGE,
        lambda layer, x: functional.prelu(x, layer.weight.data),
    ),
    "elu": (lambda: nn.ELU(0.5), IMAGE, lambda layer, x: functional.elu(x, 0.5)),
    "selu": (nn.SELU, IMAGE, lambda layer, x: functional.selu(x)),
    "gelu": (nn.GELU, IMAGE, lambda layer, x: functional.gelu(x)),
    "gelu by tanh": (
        lambda: nn.GELU("tanh"),
        IMAGE,
        lambda layer, x: functional.gelu(x, "tanh"),
    ),
    "silu": (nn.SiLU, IMAGE, lambda layer, x: functional.silu(x)),
    "softplus": (
        lambda: nn.Softplus(2, 3),
        IMAGE,
        lambda layer, x: functional.softplus(x, 2, 3),
    ),
    "hardsigmoid": (nn.Hardsigmoid, IMAGE, lambda layer, x: functional.hardsigmoid(x)),
    "hardswish": (nn.Hardswish, IMAGE, lambda layer, x: functional.hardswish(x)),
    "sigmoid": (nn.Sigmoid, IMAGE, lambda layer, x: functional.sigmoid(x)),
    "tanh": (nn.Tanh, IMAGE, lambda layer, x: functional.tanh(x)),
    "softmax": (lambda: nn.Softmax(1), IMAGE, lambda layer, x: functional.softmax(x, 1)),
    "log softmax": (nn.LogSoftmax, FEATURES, lambda layer, x: functional.log_softmax(x)),
    "dropout": (lambda: nn.Dropout().eval(), IMAGE, lambda layer, x: x),
}
layers = pytest.mark.parametrize("name", LAYERS)


def make(name, seed=0):
    build, shape, expected = LAYERS[name]
    layer = build()
    return layer, np.random.default_rng(seed).standard_normal(shape), lambda x: expected(layer, x)
