"""Weights in the checkpoints that ``torch.save`` writes, read without torch.

zipped.py, legacy.py, tarred.py    the three formats in the order of their age, youngest first
unpickler.py                       the pickle in each of them, read as data
tensors.py                         what stands for tensors in it, and their elements
flat.py                            the names
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cnnfast.io.torch_checkpoint import legacy, tarred, zipped
from cnnfast.io.torch_checkpoint.flat import flatten
from cnnfast.io.torch_checkpoint.tensors import Blocks

_FORMATS = (zipped, legacy, tarred)
_BEGINNING = 512  # bytes, enough for any of them to tell


def read(path: Path) -> dict[str, np.ndarray]:
    """Do what `cnnfast.load_weights` promises."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        tree, blocks = _open(file, size)
        return flatten(tree, blocks, size)


def _open(file: BinaryIO, size: int) -> tuple[object, Blocks]:
    beginning = file.read(_BEGINNING)
    for form in _FORMATS:
        if form.begins(beginning):
            return form.load(file, size)
    raise ValueError("no checkpoint of torch: neither a zip archive nor an older format")
