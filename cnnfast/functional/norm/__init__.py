"""Normalisation: over the batch, groups of channels or neighbouring channels."""

from cnnfast.functional.norm.batch import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
)

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_train",
    "batch_norm_train_backward",
]
