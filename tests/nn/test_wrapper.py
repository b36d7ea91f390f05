"""A network in a coat is seen as the network."""

import numpy as np

import cnnfast
from cnnfast import analysis, nn
from cnnfast.nn.wrapper import Wrapper, unwrapped


def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, rng=rng), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2, rng=rng)
    )


def test_names_state_and_modes_are_the_networks():
    inner = network()
    outer = Wrapper(Wrapper(inner))
    assert unwrapped(outer) is inner
    assert list(outer.modules()) == list(inner.modules())
    assert [n for n, _ in outer.named_parameters()] == [n for n, _ in inner.named_parameters()]
    assert list(outer.state_dict()) == list(inner.state_dict())
    outer.eval()
    assert not inner[1].training
    outer.load_state_dict({n: np.zeros_like(v) for n, v in inner.state_dict().items()})
    assert not inner[0].weight.data.any()


def test_what_looks_into_networks_looks_through():
    inner, x = network(), np.ones((3, 1, 4, 4), np.float32)
    outer = Wrapper(inner)
    np.testing.assert_array_equal(outer(x), inner(x))
    assert str(analysis.summary(outer, (1, 4, 4))) == str(analysis.summary(inner, (1, 4, 4)))
    np.testing.assert_allclose(
        cnnfast.compile(outer.eval(), (None, 1, 4, 4))(x), inner(x), rtol=1e-5, atol=1e-6
    )
