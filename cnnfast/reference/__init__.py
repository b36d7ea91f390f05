"""Every operation of cnnfast as the plainest loops: slow, and meant to be read.

The code speaks the symbols of the course notes:

====  ===================================================================
N     images in the batch
D     depth, the channels of the input
H, W  height and width of the input
K     filters, which become the channels of the output
F     extent of a filter or pooling window (FH rows by FW columns)
S     stride (SH, SW)
P     padding on each side of an axis (PH, PW)
====  ===================================================================

A batch has shape (N, D, H, W) and a bank of filters (K, D, FH, FW). Window sizes, strides, padding
and dilation are an int or a pair (vertical, horizontal). Dilation is spelled out: it is the
distance between neighbouring taps, 1 for an ordinary filter. Products are formed in the dtype of
the input and summed in double; results have the dtype of the input. Nothing is checked.
"""

from cnnfast.reference.activation import (
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
from cnnfast.reference.adaptive_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    adaptive_max_pool2d,
)
from cnnfast.reference.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.reference.columns import col2im, im2col
from cnnfast.reference.conv import conv2d, conv2d_backward
from cnnfast.reference.geometry import output_size, pair, pooled_size
from cnnfast.reference.linear import linear, linear_backward
from cnnfast.reference.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from cnnfast.reference.lp_pool import lp_pool2d, lp_pool2d_backward
from cnnfast.reference.max_pool import max_pool2d, max_pool2d_backward
from cnnfast.reference.norm import (
    batch_norm,
    batch_norm_train,
    batch_norm_train_backward,
    local_response_norm,
    local_response_norm_backward,
)
from cnnfast.reference.pad import pad, pad_backward
from cnnfast.reference.resize import interpolate, interpolate_backward
from cnnfast.reference.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_train",
    "batch_norm_train_backward",
    "binary_cross_entropy_with_logits",
    "col2im",
    "conv2d",
    "conv2d_backward",
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
    "interpolate",
    "interpolate_backward",
    "l1_loss",
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
    "mse_loss",
    "output_size",
    "pad",
    "pad_backward",
    "pair",
    "pooled_size",
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
    "smooth_l1_loss",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
]
