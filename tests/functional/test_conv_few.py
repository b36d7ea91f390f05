"""Gradients of weights where both sides have few channels: every remainder of a tile."""

import numpy as np
import pytest

from cnnfast.functional import conv2d, conv2d_backward, explain_conv2d
from tests import oracle
from tests.helpers import channels_last, guarded, using_threads, with_gaps

pytestmark = pytest.mark.usefixtures("isa")

ORDERS = {"contiguous": np.copy, "channels_last": channels_last, "gaps": with_gaps}


def check(shape, filters, geometry, order, dtype=np.float32):
    rng = np.random.default_rng(0)
    x = ORDERS[order](rng.standard_normal(shape).astype(dtype))
    weight = rng.standard_normal(filters).astype(dtype)
    grad = rng.standard_normal(conv2d(x, weight, None, *geometry).shape).astype(dtype)
    grad = ORDERS[order](grad)
    _, gw, _ = guarded(conv2d_backward, grad, x, weight, *geometry, needs=("weight",))
    _, want, _ = oracle.conv2d_backward(grad, x, weight, *geometry)
    _, scale, _ = oracle.conv2d_backward(abs(grad), abs(x), abs(weight), *geometry)
    bound = 3e-6 if dtype == np.float32 else 1e-14
    assert np.abs(gw - want).max(initial=0) <= bound * scale.max(initial=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("filters", range(1, 9))
@pytest.mark.parametrize("order", ORDERS)
def test_every_remainder_of_a_tile(channels, filters, order):
    for kernel in ((1, 1), (2, 3), (5, 5)):
        check((3, channels, 9, 11), (filters, channels, *kernel), (1, 1), order)


@pytest.mark.parametrize("width", range(1, 36))
def test_every_remainder_of_a_vector(width):
    check((2, 2, 3, width), (3, 2, 3, 1), (1, 1), "channels_last")
    check((2, 2, 3, width), (3, 2, 1, 3), (1, 1), "contiguous", np.float64)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 2, ((0, 3), (2, 1))])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_geometry(stride, padding, dilation, groups):
    geometry = (stride, padding, dilation, groups)
    check((5, 2 * groups, 13, 12), (3 * groups, 2, 3, 4), geometry, "channels_last")


def test_blocks_of_rows_and_parts_of_the_batch():
    check((1, 1, 300, 200), (2, 1, 5, 5), (1, 2), "contiguous")
    check((37, 1, 12, 12), (2, 1, 5, 5), (1, 2), "channels_last")
    check((0, 1, 12, 12), (2, 1, 5, 5), (1, 2), "contiguous")
    check((2, 1, 300, 200), (2, 1, 3, 3), ((40, 1), 2), "contiguous")


def test_strides_over_most_of_an_image_take_no_memory_for_it():
    x = np.broadcast_to(np.float32(1), (1, 1, 3000, 3000))
    passes = explain_conv2d(x, np.ones((1, 1, 2, 2), np.float32), stride=2900)
    assert passes.weight_gradient.kernel == "few channels"
    assert passes.weight_gradient.workspace_bytes < 1 << 20


def test_the_same_bits_on_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal((40, c, 28, 28), dtype=np.float32) for c in (1, 6))
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            results.append(conv2d_backward(grad, x, np.ones((6, 1, 5, 5), np.float32), 1, 2)[1])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
