"""Normalisation: over the batch, groups of channels or neighbouring channels."""

from cnnfast.functional.norm.batch import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
)
from cnnfast.functional.norm.group import (
    group_norm,
    group_norm_backward,
    instance_norm,
    instance_norm_backward,
)
from cnnfast.functional.norm.layer import layer_norm, layer_norm_backward
from cnnfast.functional.norm.local_response import (
    local_response_norm,
    local_response_norm_backward,
)

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
    "group_norm",
    "group_norm_backward",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "local_response_norm",
    "local_response_norm_backward",
]
