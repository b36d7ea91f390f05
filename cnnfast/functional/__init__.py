"""Stateless operations, arrays in and out: each `<op>` has its `<op>_backward`."""

from cnnfast.functional._algorithm import set_conv_precision
from cnnfast.functional.activation.elu import elu, elu_backward, selu, selu_backward
from cnnfast.functional.activation.gelu import gelu, gelu_backward
from cnnfast.functional.activation.hard import (
    hardsigmoid,
    hardsigmoid_backward,
    hardswish,
    hardswish_backward,
)
from cnnfast.functional.activation.prelu import prelu, prelu_backward
from cnnfast.functional.activation.relu import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
)
from cnnfast.functional.activation.sigmoid import (
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
)
from cnnfast.functional.activation.softplus import softplus, softplus_backward
from cnnfast.functional.activation.tanh import tanh, tanh_backward
from cnnfast.functional.adaptive_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    adaptive_max_pool2d,
    adaptive_max_pool2d_backward,
)
from cnnfast.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from cnnfast.functional.columns import col2im, im2col
from cnnfast.functional.combine import add, add_backward, concat, concat_backward
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
from cnnfast.functional.norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
    group_norm,
    group_norm_backward,
    instance_norm,
    instance_norm_backward,
    layer_norm,
    layer_norm_backward,
    local_response_norm,
    local_response_norm_backward,
)
from cnnfast.functional.softmax import (
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
    "add",
    "add_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "col2im",
    "concat",
    "concat_backward",
    "conv2d",
    "conv2d_backward",
    "cross_entropy",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "explain_conv2d",
    "gelu",
    "gelu_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "group_norm",
    "group_norm_backward",
    "hardsigmoid",
    "hardsigmoid_backward",
    "hardswish",
    "hardswish_backward",
    "hinge_loss",
    "im2col",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
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
    "prelu",
    "prelu_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "selu",
    "selu_backward",
    "set_conv_precision",
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
]
