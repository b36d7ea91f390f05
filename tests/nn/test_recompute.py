"""Recomputing: the same outputs, gradients, statistics and random numbers, and less memory."""

import copy

import numpy as np
import pytest

import cnnfast
from cnnfast import nn
from cnnfast.nn.moment import named_generators

RNG = np.random.default_rng(0)


def block(channels, rng, **options):
    return nn.Residual(
        nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, rng=RNG),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(0.3, rng=rng),
        ),
        nn.Sequential(nn.Dropout(0.2, rng=rng)),
        **options,
    )


def model():
    rng = np.random.default_rng(1)
    return nn.Sequential(
        block(4, rng), nn.Concat(block(4, rng), nn.Tanh()), nn.Sequential(block(8, rng), nn.ReLU())
    )


def recomputing(network):
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, (nn.Sequential, nn.Graph)):
            module.recompute = True
    return twin


def states(network):
    return [m.rng.bit_generator.state for m in network.modules() if isinstance(m, nn.Dropout)]


def test_nothing_changes():
    plain = model()
    twin = recomputing(plain)
    for _ in range(3):
        x = RNG.standard_normal((2, 4, 6, 6)).astype(np.float32)
        grad = RNG.standard_normal((2, 8, 6, 6)).astype(np.float32)
        y, backward = plain.forward(x)
        z, again = twin.forward(x)
        np.testing.assert_array_equal(y, z)
        np.testing.assert_array_equal(backward(grad), again(grad))
        for p, q in zip(plain.parameters(), twin.parameters(), strict=True):
            np.testing.assert_array_equal(p.grad, q.grad)
        for name, value in plain.state_dict().items():
            np.testing.assert_array_equal(value, twin.state_dict()[name], err_msg=name)
        assert states(plain) == states(twin)


def test_other_forward_passes_in_between():
    plain = model()
    twin = recomputing(plain)
    xs = [RNG.standard_normal((2, 4, 6, 6)).astype(np.float32) for _ in range(2)]
    grad = RNG.standard_normal((2, 8, 6, 6)).astype(np.float32)
    first, second = [plain.forward(x)[1] for x in xs]
    other_first, other_second = [twin.forward(x)[1] for x in xs]
    np.testing.assert_array_equal(first(grad), other_first(grad))
    np.testing.assert_array_equal(second(grad), other_second(grad))
    assert states(plain) == states(twin)


def test_only_the_input_is_kept():
    x = np.ones((1, 8, 64, 64), np.float32)
    layers = [nn.Conv2d(8, 8, 1, rng=RNG) for _ in range(10)]
    kept = {}
    for recompute in (False, True):
        network = nn.Sequential(*layers, recompute=recompute)
        network.forward(x)
        before = cnnfast.memory_stats()["in_use"]
        backward = network.forward(x)[1]
        kept[recompute] = cnnfast.memory_stats()["in_use"] - before
        del backward
    assert kept[False] > 9 * x.nbytes
    assert kept[True] < x.nbytes / 2


def test_options_of_containers():
    assert nn.Sequential(nn.ReLU(), recompute=True).recompute
    assert nn.Residual(nn.ReLU(), recompute=True).recompute
    assert nn.Concat(nn.ReLU(), recompute=True).recompute
    assert nn.Graph({"a": (nn.ReLU(), "input")}, recompute=True).recompute
    assert not nn.Sequential(nn.ReLU()).recompute


def test_changed_parameters_are_noticed():
    network = nn.Sequential(nn.Linear(2, 2), recompute=True)
    _, backward = network.forward(np.ones((1, 2), np.float32))
    network[0].bias.assign(np.ones(2, np.float32))
    with pytest.raises(RuntimeError, match="changed between forward and backward"):
        backward(np.ones((1, 2), np.float32))


def test_threads_do_not_change_bits():
    network = recomputing(model())
    x = RNG.standard_normal((2, 4, 16, 16)).astype(np.float32)
    grad = RNG.standard_normal((2, 8, 16, 16)).astype(np.float32)
    before, results = cnnfast.get_num_threads(), []
    try:
        for threads in (1, 2, 7):
            cnnfast.set_num_threads(threads)
            results.append(copy.deepcopy(network).forward(x)[1](grad))
    finally:
        cnnfast.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_generators_are_found_by_name_and_once():
    shared, own = np.random.default_rng(0), np.random.default_rng(1)
    inner = nn.Sequential(nn.Dropout(rng=shared), nn.ReLU(), nn.Dropout(rng=own))
    found = list(named_generators(nn.Sequential({"first": nn.Dropout(rng=shared), "rest": inner})))
    assert found == [("first.rng", shared), ("rest.2.rng", own)]
    assert list(named_generators(nn.Dropout(rng=own))) == [("rng", own)]
