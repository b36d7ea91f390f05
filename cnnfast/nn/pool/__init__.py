"""Pooling layers."""

from cnnfast.nn.pool.adaptive_pool import AdaptiveAvgPool2d, AdaptiveMaxPool2d
from cnnfast.nn.pool.avg_pool import AvgPool1d, AvgPool2d, AvgPool3d
from cnnfast.nn.pool.global_pool import GlobalAvgPool2d, GlobalMaxPool2d
from cnnfast.nn.pool.lp_pool import LPPool1d, LPPool2d, LPPool3d
from cnnfast.nn.pool.max_pool import MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool2d

__all__ = [
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool2d",
]
