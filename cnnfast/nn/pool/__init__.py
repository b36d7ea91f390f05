"""Pooling layers."""

from cnnfast.nn.pool.adaptive_pool import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from cnnfast.nn.pool.avg_pool import AvgPool2d
from cnnfast.nn.pool.global_pool import GlobalAvgPool2d, GlobalMaxPool2d
from cnnfast.nn.pool.lp_pool import LPPool2d
from cnnfast.nn.pool.max_pool import MaxPool2d

__all__ = [
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "LPPool2d",
    "MaxPool2d",
]
