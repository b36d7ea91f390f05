"""Losses as objects."""

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast import nn
from tests.helpers import random

SCORES, LABELS = random(4, 3), np.array([0, 2, 1, 1])
X, TARGET = random(4, 3, seed=1), np.random.default_rng(2).random((4, 3))
WEIGHT = np.array([1.0, 2.0, 0.5])
ENTROPY, BINARY = F.cross_entropy, F.binary_cross_entropy_with_logits


@pytest.mark.parametrize(
    ("criterion", "arguments", "result", "text"),
    [
        (nn.CrossEntropyLoss(), (SCORES, LABELS), ENTROPY(SCORES, LABELS), ""),
        (
            nn.CrossEntropyLoss(WEIGHT, 1, "sum", 0.2),
            (SCORES, LABELS),
            ENTROPY(SCORES, LABELS, WEIGHT, 1, "sum", 0.2),
            "weight=array([1. , 2. , 0.5]), ignore_index=1, reduction='sum', label_smoothing=0.2",
        ),
        (nn.HingeLoss(), (SCORES, LABELS), F.hinge_loss(SCORES, LABELS), "margin=1.0"),
        (nn.HingeLoss(0.3), (SCORES, LABELS), F.hinge_loss(SCORES, LABELS, 0.3), "margin=0.3"),
        (nn.MSELoss(), (X, TARGET), F.mse_loss(X, TARGET), ""),
        (nn.MSELoss("sum"), (X, TARGET), F.mse_loss(X, TARGET, "sum"), "reduction='sum'"),
        (nn.L1Loss("sum"), (X, TARGET), F.l1_loss(X, TARGET, "sum"), "reduction='sum'"),
        (
            nn.SmoothL1Loss("sum", 0.2),
            (X, TARGET),
            F.smooth_l1_loss(X, TARGET, "sum", 0.2),
            "reduction='sum', beta=0.2",
        ),
        (nn.BCEWithLogitsLoss(), (X, TARGET), BINARY(X, TARGET), ""),
        (
            nn.BCEWithLogitsLoss(TARGET[0], "sum", WEIGHT),
            (X, TARGET),
            BINARY(X, TARGET, TARGET[0], "sum", WEIGHT),
            None,
        ),
    ],
)
def test_losses_are_their_functions(criterion, arguments, result, text):
    loss, gradient = criterion(*arguments)
    assert loss == result[0]
    np.testing.assert_array_equal(gradient, result[1])
    if text is not None:
        assert repr(criterion) == f"{type(criterion).__name__}({text})"


@pytest.mark.parametrize(
    "name", ["CrossEntropyLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss"]
)
def test_an_unknown_reduction_is_seen_at_once(name):
    with pytest.raises(ValueError, match=f'^{name}: reduction must be "mean" or "sum", got \'no\''):
        getattr(nn, name)(reduction="no")
