"""The example of a network without pooling."""

import re

import numpy as np
import pytest

from cnnfast.nn import Linear, MaxPool2d
from examples import all_convolutional


def test_both_networks_learn(capsys):
    all_convolutional.main(["--images", "2000", "--epochs", "3", "--width", "8"])
    pooled, strided = capsys.readouterr().out.splitlines()
    assert pooled.startswith("max pooling ")
    assert strided.startswith("strided convolutions ")
    for line in (pooled, strided):
        assert float(re.search(r"([\d.]+)%", line)[1]) > 50


@pytest.mark.parametrize("pooling", [True, False])
def test_maps_are_halved_twice_either_way(pooling):
    model = all_convolutional.network(4, pooling, np.random.default_rng(0))
    kinds = [type(layer) for layer in model]
    assert (MaxPool2d in kinds) == pooling
    assert Linear not in kinds
    x, sides = np.zeros((1, 1, 28, 28), np.float32), []
    for layer in model[:-2]:
        x = layer(x)
        sides.append(x.shape[2])
    assert sorted(set(sides), reverse=True) == [28, 14, 7]
    assert model(np.zeros((2, 1, 28, 28), np.float32)).shape == (2, 10)
