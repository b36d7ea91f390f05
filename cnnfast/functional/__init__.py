"""Stateless operations, arrays in and out: each `<op>` has its `<op>_backward`."""

from cnnfast.functional._algorithm import set_conv_precision
from cnnfast.functional.activation import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from cnnfast.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.functional.columns import col2im, im2col
from cnnfast.functional.conv import conv2d, conv2d_backward
from cnnfast.functional.dropout import dropout, dropout_backward
from cnnfast.functional.explain import explain_conv2d
from cnnfast.functional.global_pool import (
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
)
from cnnfast.functional.linear import linear, linear_backward
from cnnfast.functional.loss import cross_entropy, hinge_loss
from cnnfast.functional.lp_pool import lp_pool2d, lp_pool2d_backward
from cnnfast.functional.max_pool import max_pool2d, max_pool2d_backward
from cnnfast.functional.softmax import (
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "cross_entropy",
    "dropout",
    "dropout_backward",
    "explain_conv2d",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "hinge_loss",
    "im2col",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "set_conv_precision",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
]
