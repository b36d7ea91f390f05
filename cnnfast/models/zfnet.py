"""ZFNet."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.nn import AdaptiveAvgPool2d, Flatten, LocalResponseNorm, MaxPool2d, ReLU, Sequential


def zfnet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a ZFNet: AlexNet with a finer first layer, 7x7 filters at stride 2 for 11x11 at 4.

    Its maps are those of the paper's figure 3: 110, 55, 26, 13 and 6 rows for an image of 224. The
    paper normalises contrast "across feature maps" after each of the first two pools and does not
    say how; here it is AlexNet's local response normalisation, over 5 channels.

    Parameters
    ----------
    num_classes, in_channels : int
    dropout : float
        Probability before each of the first two fully connected layers.
    rng : numpy.random.Generator, optional
        Where the initial weights and the dropped elements come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        From images (N, in_channels, 224, 224), or any from 47x47 on, to scores (N, num_classes).

    References
    ----------
    M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", 2013,
    arXiv:1311.2901.

    Examples
    --------
    >>> zfnet(10)(np.zeros((1, 3, 47, 47), np.float32)).shape
    (1, 10)
    """
    make = Layers(rng, dtype)
    features = Sequential(
        make.conv(in_channels, 96, 7, 2, 1),
        ReLU(),
        MaxPool2d(3, 2, ceil_mode=True),
        _contrast(),
        make.conv(96, 256, 5, 2),
        ReLU(),
        MaxPool2d(3, 2, ceil_mode=True),
        _contrast(),
        make.conv(256, 384, 3, 1, 1),
        ReLU(),
        make.conv(384, 384, 3, 1, 1),
        ReLU(),
        make.conv(384, 256, 3, 1, 1),
        ReLU(),
        MaxPool2d(3, 2, ceil_mode=True),
    )
    classifier = Sequential(
        make.dropout(dropout),
        make.linear(256 * 6 * 6, 4096),
        ReLU(),
        make.dropout(dropout),
        make.linear(4096, 4096),
        ReLU(),
        make.linear(4096, num_classes),
    )
    return Network(
        {
            "features": features,
            "avgpool": AdaptiveAvgPool2d(6),
            "flatten": Flatten(),
            "classifier": classifier,
        },
        head="classifier.6",
    )


def _contrast() -> LocalResponseNorm:
    return LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
