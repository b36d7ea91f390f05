"""How long a network that learns waits for its batches."""

import time

import numpy as np
import pytest

from cnnfast import models, nn, optim
from cnnfast.data import DataLoader
from cnnfast.data.transforms import (
    Compose,
    Cutout,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
)

STEPS = 8


def share_of_waiting(loader, step):
    """Give the share of time that some steps spend on getting their batches, the first excepted."""
    batches = iter(loader)
    step(*next(batches))
    waited, start = 0.0, time.perf_counter()
    for _ in range(STEPS):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        step(*batch)
    return waited / (time.perf_counter() - start)


@pytest.mark.slow
def test_a_resnet20_hardly_waits():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (128 * 20, 3, 32, 32), np.uint8)
    labels = rng.integers(0, 10, len(images))
    augment = Compose(
        [
            RandomCrop(32, padding=4),
            RandomHorizontalFlip(),
            Normalize([0.5] * 3, [0.25] * 3),
            Cutout(8),
        ]
    )
    loader = DataLoader(images, labels, 128, shuffle=True, seed=0, transform=augment, workers=1)
    model = models.cifar_resnet20(rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    criterion = nn.CrossEntropyLoss()

    def step(x, y):
        scores, backward = model.forward(x)
        _, gradient = criterion(scores, y)
        backward(gradient, input_grad=False)
        optimizer.step()
        optimizer.zero_grad()

    # The best of three, because others may use this machine. On an idle one it is 0.1 %.
    assert min(share_of_waiting(loader, step) for _ in range(3)) < 0.03
