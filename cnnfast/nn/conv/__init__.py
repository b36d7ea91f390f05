"""Convolutional layers."""

from cnnfast.nn.conv.conv import Conv1d, Conv2d, Conv3d
from cnnfast.nn.conv.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from cnnfast.nn.conv.locally_connected import LocallyConnected2d

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LocallyConnected2d",
]
