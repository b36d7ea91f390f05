"""Unpooling against the plain loops, and with the pooling it undoes."""

import numpy as np
import pytest

from cnnfast import functional as F  # noqa: N812
from cnnfast import nn
from tests.helpers import (
    FLOATS,
    LAYOUTS,
    ORDERS,
    assert_same,
    guarded,
    integers,
    is_channels_last,
    numerical_gradient,
    random,
)

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_order = pytest.mark.parametrize("order", ORDERS)


def unpooled(x: np.ndarray, indices: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    y = np.zeros((*x.shape[:2], *size))
    for at in np.ndindex(x.shape):
        y[at[:2]].flat[indices[at]] = x[at]
    return y


def gathered(grad: np.ndarray, indices: np.ndarray) -> np.ndarray:
    gx = np.zeros(indices.shape)
    for at in np.ndindex(indices.shape):
        gx[at] = grad[at[:2]].flat[indices[at]]
    return gx


@each_dtype
@each_order
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [((6, 8), 2, None, 0), ((7, 9), 3, 2, 0), ((8, 10), 3, 2, 1), ((5, 4), (2, 1), (3, 2), 0)],
)
def test_puts_maxima_back(size, kernel, stride, padding, order, dtype):
    """Overlapping windows have the same maximum more than once."""
    stored = ORDERS[order](integers(2, 3, *size, dtype=dtype))
    y, indices = F.max_pool2d(stored, kernel, stride, padding, return_indices=True)
    back = guarded(F.max_unpool2d, y, indices, kernel, stride, padding, size)
    assert_same(back, unpooled(y, indices, size))
    assert back.dtype == dtype
    assert is_channels_last(back) == is_channels_last(stored)
    grad = integers(2, 3, *size, dtype=dtype, seed=1)
    for other in ORDERS.values():
        gx = guarded(F.max_unpool2d_backward, other(grad), indices)
        assert_same(gx, gathered(grad, indices))
        assert gx.dtype == dtype


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory(layout):
    x, grad = random(2, 3, 4, 5), random(2, 3, 7, 8, seed=1)
    rng = np.random.default_rng(0)
    indices = np.stack([rng.permutation(56)[:20] for _ in range(6)]).reshape(2, 3, 4, 5)
    for other in LAYOUTS:
        if other not in ("real_part", "reversed"):
            at = LAYOUTS[other](indices)
            y = guarded(F.max_unpool2d, LAYOUTS[layout](x), at, 2, output_size=(7, 8))
            assert_same(y, unpooled(x, indices, (7, 8)))
            gx = guarded(F.max_unpool2d_backward, LAYOUTS[layout](grad), at)
            assert_same(gx, gathered(grad, indices))


@each_order
def test_the_last_of_equal_indices_wins(order):
    x, indices = ORDERS[order](random(2, 3, 4, 5)), np.full((2, 3, 4, 5), 7)
    y = F.max_unpool2d(x, indices, 2)
    assert_same(y[:, :, 0, 7], x[:, :, -1, -1])
    assert np.count_nonzero(y) == 6


def test_gradient_is_the_derivative():
    x = random(1, 2, 3, 4)
    indices = np.stack([np.random.default_rng(c).permutation(48)[:12] for c in range(2)])
    indices, grad = indices.reshape(x.shape), random(1, 2, 6, 8)
    want = numerical_gradient(lambda x: F.max_unpool2d(x, indices, 2), x, grad)
    np.testing.assert_allclose(F.max_unpool2d_backward(grad, indices), want, atol=1e-8)


def test_sizes():
    x, indices = random(1, 2, 3, 4), np.zeros((1, 2, 3, 4), np.uint8)
    for arguments, size in [
        ((2,), (6, 8)),
        ((3, 2), (7, 9)),
        ((3, 2, 1), (5, 7)),
        (((2, 3), (1, 2), (0, 1)), (4, 7)),
        ((2, None, 0, (7, 9)), (7, 9)),
    ]:
        assert F.max_unpool2d(x, indices, *arguments).shape[2:] == size


def test_empty_batch():
    x, indices = np.empty((0, 2, 3, 4), np.float32), np.empty((0, 2, 3, 4), np.int64)
    y = F.max_unpool2d(x, indices, 2)
    assert y.shape == (0, 2, 6, 8)
    assert F.max_unpool2d_backward(y, indices).shape == x.shape


# ---------------------------------------------------------------------------- layers


@each_order
def test_a_pair_of_layers(order):
    """As in SegNet: the decoder puts back where the encoder found."""
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    x = ORDERS[order](random(2, 3, 7, 9))
    y, indices = pool(x)
    back = unpool(y, indices, (7, 9))
    assert_same(back, np.where(back == x, x, 0))
    assert np.count_nonzero(back) == y.size
    (y, indices), backward = pool.forward(x)
    back, unpool_backward = unpool.forward(y, indices, (7, 9))
    grad = random(2, 3, 7, 9, seed=1)
    gy, nothing = unpool_backward(grad)
    assert nothing is None
    assert_same(gy, gathered(grad, indices))
    gx = backward(gy)
    assert_same(gx, np.where(back == x, grad, 0))
    assert is_channels_last(gx) == is_channels_last(x)


def test_a_pair_of_layers_in_a_graph():
    graph = nn.Graph(
        {
            "pool": (nn.MaxPool2d(2, return_indices=True), "input"),
            "relu": (nn.ReLU(), "pool:0"),
            "unpool": (nn.MaxUnpool2d(2), "relu", "pool:1"),
        }
    )
    x = random(1, 2, 4, 6)
    y, backward = graph.forward(x)
    assert_same(y, graph(x))
    grad = random(*y.shape, seed=1)
    want = numerical_gradient(graph, x, grad)
    np.testing.assert_allclose(backward(grad), want, atol=1e-8)


def test_layers_take_torchs_arguments():
    layer = nn.MaxPool2d(3, 2, 0, 1, True, True)
    assert layer.return_indices
    assert layer.ceil_mode
    assert repr(layer) == "MaxPool2d(kernel_size=3, stride=2, return_indices=True, ceil_mode=True)"
    assert repr(nn.MaxUnpool2d(3, 2, 1)) == "MaxUnpool2d(kernel_size=3, stride=2, padding=1)"


# ---------------------------------------------------------------------------- bad input


def test_bad_indices():
    x, indices = random(1, 2, 3, 4), np.zeros((1, 2, 3, 4), np.int64)
    for name, call in [
        ("max_unpool2d", lambda at: F.max_unpool2d(x, at, 2)),
        ("max_unpool2d_backward", lambda at: F.max_unpool2d_backward(np.ones((1, 2, 6, 8)), at)),
    ]:
        for stray in (-1, 48, 2**40, -(2**63)):
            at = indices.copy()
            at[0, 1, 2, 3] = stray
            with pytest.raises(ValueError, match=rf"^{name}: 1 of the indices lie outside 0..47, "):
                call(at)
        unsigned = indices.astype(np.uint64)
        unsigned[0, 0, 0, 0] = 2**64 - 1
        with pytest.raises(ValueError, match=rf"^{name}: 1 of the indices lie outside 0..47"):
            call(unsigned)
        for wrong in (indices.astype(float), indices > 0, indices.tolist(), None):
            with pytest.raises(TypeError, match=rf"^{name}: indices must be an integer array"):
                call(wrong)
        for wrong in (indices[:, :1], indices[0], np.zeros((2, 2, 3, 4), int)):
            with pytest.raises(ValueError, match=rf"^{name}: indices has shape"):
                call(wrong)
    with pytest.raises(ValueError, match=r"^max_unpool2d: indices has shape \(1, 2, 3, 3\)"):
        F.max_unpool2d(x, indices[..., :3], 2)


def test_bad_arguments():
    x, indices = random(1, 2, 3, 4), np.zeros((1, 2, 3, 4), np.int64)
    for name, call in [
        ("max_unpool2d", lambda *arguments: F.max_unpool2d(x, indices, *arguments)),
        ("MaxUnpool2d", nn.MaxUnpool2d),
    ]:
        with pytest.raises(ValueError, match=rf"^{name}: kernel_size must be at least 1"):
            call(0)
        with pytest.raises(ValueError, match=rf"^{name}: stride must be at least 1"):
            call(2, 0)
        with pytest.raises(ValueError, match=rf"^{name}: padding must be at least 0"):
            call(2, 2, -1)
        with pytest.raises(TypeError, match=rf"^{name}: kernel_size must be an int"):
            call(2.0)
    with pytest.raises(ValueError, match=r"^max_unpool2d: output_size must be at least 1"):
        F.max_unpool2d(x, indices, 2, output_size=(6, 0))
    with pytest.raises(ValueError, match=r"^max_unpool2d: kernel_size .* make nothing of an image"):
        F.max_unpool2d(x, indices, 2, 1, 3)
    with pytest.raises(ValueError, match=r"^max_unpool2d: x must have 4 dimensions"):
        F.max_unpool2d(x[0], indices, 2)
    with pytest.raises(ValueError, match=r"^max_unpool2d: x may have no empty dimension"):
        F.max_unpool2d(x[:, :0], indices[:, :0], 2)
    with pytest.raises(TypeError, match=r"^max_unpool2d: x must be float32 or float64"):
        F.max_unpool2d(x.astype(int), indices, 2)
    _, backward = nn.MaxUnpool2d(2).forward(x, indices)
    with pytest.raises(ValueError, match=r"^max_unpool2d_backward: grad has shape \(1, 2, 5, 8\)"):
        backward(np.ones((1, 2, 5, 8)))
    _, backward = nn.MaxUnpool2d(2).forward(x, indices)
    with pytest.raises(TypeError, match=r"^max_unpool2d_backward: grad is float32, but what was"):
        backward(np.ones((1, 2, 6, 8), np.float32))
