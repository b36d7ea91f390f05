"""LeNet-5."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._network import Network
from cnnfast.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU


def lenet5(
    num_classes: int = 10,
    in_channels: int = 1,
    *,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a LeNet-5 for images of 28x28, in its usual modern form: ReLU and max pooling.

    Parameters
    ----------
    num_classes, in_channels : int
    rng : numpy.random.Generator, optional
        Where the initial weights come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        From images (N, in_channels, 28, 28) to scores (N, num_classes).

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", 1998. There the images are 32x32 (here the padding of the first convolution
    makes up for it), and what is ReLU and max pooling here is tanh and a learned average.

    Examples
    --------
    >>> lenet5()(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 10)
    """
    return Network(
        {
            "conv1": Conv2d(in_channels, 6, 5, padding=2, rng=rng, dtype=dtype),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "conv2": Conv2d(6, 16, 5, rng=rng, dtype=dtype),
            "relu2": ReLU(),
            "pool2": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": Linear(16 * 5 * 5, 120, rng=rng, dtype=dtype),
            "relu3": ReLU(),
            "fc2": Linear(120, 84, rng=rng, dtype=dtype),
            "relu4": ReLU(),
            "fc3": Linear(84, num_classes, rng=rng, dtype=dtype),
        },
        head="fc3",
    )
