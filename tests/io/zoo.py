"""The zoo's networks, in sizes that files can be made of by the dozen."""

from __future__ import annotations

import numpy as np

from cnnfast import models, nn


def network(name: str, rng: np.random.Generator) -> nn.Module:
    """One network; of VGG's, whose weights are 90 % fully connected, narrow ones.

    AlexNet and ZFNet, as large as they are, stand for weights of hundreds of megabytes."""
    model = getattr(models, name)(rng=rng)
    if name.startswith("vgg"):
        for index, width, features in ((0, 512 * 7 * 7, 64), (3, 64, 64), (6, 64, 1000)):
            setattr(model.classifier, str(index), nn.Linear(width, features, rng=rng))
    return model
