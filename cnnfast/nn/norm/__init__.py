"""Normalisation layers; the formulas are in `cnnfast.functional`."""

from cnnfast.nn.norm.local_response import LocalResponseNorm
from cnnfast.nn.norm.running import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm2d
from cnnfast.nn.norm.sample import GroupNorm, LayerNorm

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm2d",
    "LayerNorm",
    "LocalResponseNorm",
]
