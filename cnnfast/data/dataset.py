"""What the readers of whole data sets return."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Images and labels to learn from, and others to test with.

    Images are float32 (N, C, H, W) in [0, 1], labels int64 (N,).
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
