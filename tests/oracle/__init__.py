"""A second opinion on every operation: float64 NumPy over whole arrays.

`cnnfast.reference` is the definition but too slow to sweep; this shares no code and no method with
it (nor anything with cnnfast) and is checked against it in test_against_loops.py. Inputs of any
dtype and strides are taken as their exact float64 values; every result is float64. Padding is an
int, a pair or ((top, bottom), (left, right)). Convolution goes filter tap by filter tap over
strided slices, pooling by gathering windows with index tables.
"""

from tests.oracle.activation import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    hardsigmoid,
    hardsigmoid_backward,
    hardswish,
    hardswish_backward,
    leaky_relu,
    leaky_relu_backward,
    prelu,
    prelu_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    selu,
    selu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softplus,
    softplus_backward,
    tanh,
    tanh_backward,
)
from tests.oracle.columns import col2im, im2col
from tests.oracle.conv import conv2d, conv2d_backward, conv2d_scale
from tests.oracle.geometry import Padding, Pair, output_size, two
from tests.oracle.linear import linear, linear_backward
from tests.oracle.norm import (
    Normalized,
    local_response_norm,
    local_response_norm_backward,
    normalized,
    over_batch,
    per_channel,
)
from tests.oracle.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from tests.oracle.scores import (
    cross_entropy,
    hinge_loss,
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)

__all__ = [
    "Normalized",
    "Padding",
    "Pair",
    "avg_pool2d",
    "avg_pool2d_backward",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "conv2d_scale",
    "cross_entropy",
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardswish",
    "hardswish_backward",
    "hinge_loss",
    "im2col",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "log_softmax",
    "log_softmax_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "normalized",
    "output_size",
    "over_batch",
    "per_channel",
    "prelu",
    "prelu_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
    "two",
]
