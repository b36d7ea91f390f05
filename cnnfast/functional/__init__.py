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
from cnnfast.functional.avg_pool import (
    avg_pool1d,
    avg_pool1d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    avg_pool3d,
    avg_pool3d_backward,
)
from cnnfast.functional.columns import col2im, im2col
from cnnfast.functional.combine import add, add_backward, concat, concat_backward
from cnnfast.functional.conv import conv2d, conv2d_backward
from cnnfast.functional.conv1d import conv1d, conv1d_backward
from cnnfast.functional.conv3d import conv3d, conv3d_backward
from cnnfast.functional.conv_transpose import (
    conv_transpose1d,
    conv_transpose1d_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
    conv_transpose3d,
    conv_transpose3d_backward,
)
from cnnfast.functional.dropout import dropout, dropout_backward
from cnnfast.functional.explain import explain_conv2d
from cnnfast.functional.global_pool import (
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
)
from cnnfast.functional.linear import linear, linear_backward
from cnnfast.functional.locally_connected import (
    locally_connected2d,
    locally_connected2d_backward,
)
from cnnfast.functional.loss.binary import binary_cross_entropy_with_logits
from cnnfast.functional.loss.cross_entropy import cross_entropy
from cnnfast.functional.loss.hinge import hinge_loss
from cnnfast.functional.loss.regression import l1_loss, mse_loss, smooth_l1_loss
from cnnfast.functional.lp_pool import (
    lp_pool1d,
    lp_pool1d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    lp_pool3d,
    lp_pool3d_backward,
)
from cnnfast.functional.max_pool import (
    max_pool1d,
    max_pool1d_backward,
    max_pool2d,
    max_pool2d_backward,
    max_pool3d,
    max_pool3d_backward,
)
from cnnfast.functional.max_unpool import max_unpool2d, max_unpool2d_backward
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
from cnnfast.functional.pad import pad, pad_backward
from cnnfast.functional.resize import interpolate, interpolate_backward
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
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "binary_cross_entropy_with_logits",
    "col2im",
    "concat",
    "concat_backward",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv3d",
    "conv3d_backward",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose3d",
    "conv_transpose3d_backward",
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
    "interpolate",
    "interpolate_backward",
    "l1_loss",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "locally_connected2d",
    "locally_connected2d_backward",
    "log_softmax",
    "log_softmax_backward",
    "lp_pool1d",
    "lp_pool1d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "lp_pool3d",
    "lp_pool3d_backward",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "max_unpool2d",
    "max_unpool2d_backward",
    "mse_loss",
    "pad",
    "pad_backward",
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
    "smooth_l1_loss",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
]
