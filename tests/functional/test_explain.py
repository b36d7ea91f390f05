"""explain_conv2d: which kernel runs, so that no fast path gets lost unnoticed."""

import numpy as np
import pytest
from cnnfast._ext.dispatch import supported_isas

import cnnfast
from benchmarks.layers import TABLE
from cnnfast import explain_conv2d
from cnnfast._ext import workspace
from cnnfast.functional import conv2d
from tests.helpers import using_isa, using_threads


def images(n, c, h, w, dtype=np.float32):
    """Zeros in channels-last memory; what nobody reads takes no room, large as it may be."""
    return np.zeros((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def explain_layer(layer, n=None, dtype=np.float32, **options):
    x = images(n or layer.n, layer.c, layer.h, layer.w, dtype=dtype)
    return explain_conv2d(
        x, np.zeros(layer.filters, dtype), None, layer.stride, layer.padding, **options
    )


# Kernels of the forward pass and of the two gradients, row by row of the table.
WINOGRAD = ("winograd",) * 3
EXPECTED = [
    WINOGRAD,
    WINOGRAD,
    WINOGRAD,
    ("direct", "few channels", "direct"),
    WINOGRAD,
    WINOGRAD,
    WINOGRAD,
    WINOGRAD,
    WINOGRAD,
    ("direct",) * 3,
    ("direct",) * 3,
    ("direct",) * 3,
    WINOGRAD,
    ("few channels", "few channels", "few channels"),
    WINOGRAD,
]


@pytest.mark.parametrize(("layer", "kernels"), [*zip(TABLE, EXPECTED, strict=True)], ids=str)
def test_kernels_of_the_table(layer, kernels):
    best, *_ = supported_isas()
    with using_isa(best):
        passes = explain_layer(layer)
    assert tuple(step.kernel for step in passes) == kernels
    assert {step.instruction_set for step in passes} == {best}
    assert all(step.algorithm == "direct" for step in explain_layer(layer, dtype=np.float64))


@pytest.mark.parametrize(
    ("arguments", "kernel"),
    [
        (((2, 8, 9, 9), (8, 1, 3, 3), None, 1, 0, 1, 8), "depthwise"),
        (((2, 8, 9, 9), (9, 8, 1, 1)), "planes"),
        (((2, 8, 9, 9), (9, 8, 1, 1), None, 2), "direct"),
        (((2, 8, 9, 9), (4, 8, 3, 3)), "few channels"),
        (((2, 8, 9, 9), (24, 8, 3, 3)), "direct"),
        (((2, 16, 9, 9), (24, 16, 3, 3)), "winograd"),
    ],
)
def test_kernels_in_c_order(arguments, kernel):
    x, weight, *geometry = arguments
    passes = explain_conv2d(np.zeros(x, np.float32), np.zeros(weight, np.float32), *geometry)
    assert passes.forward.kernel == kernel


def test_what_it_says():
    x, weight = images(8, 64, 56, 56), np.zeros((64, 64, 3, 3), np.float32)
    with using_threads(2):
        passes = explain_conv2d(x, weight, padding=1)
        assert passes.forward.threads == 2
    assert passes.forward.tile == (4, 4)
    assert "factor 4.0 fewer" in passes.forward.reason
    assert str(passes).count("\n") == 2
    assert "weight gradient" in str(passes)
    asked = explain_conv2d(x, weight, padding=1, algorithm="direct").forward
    assert (asked.kernel, asked.reason) == ("direct", "asked for")
    cnnfast.set_conv_precision("exact")
    try:
        assert "exact" in explain_conv2d(x, weight, padding=1).forward.reason
    finally:
        cnnfast.set_conv_precision("fast")


@pytest.mark.parametrize("layer", TABLE, ids=str)
def test_workspace_is_bounded_whatever_the_batch(layer):
    """A batch of 8 may still use fewer tiles than a block has; from there on nothing grows."""
    few, many = explain_layer(layer, n=64), explain_layer(layer, n=128)
    for step, larger in zip(few, many, strict=True):
        assert larger.workspace_bytes <= 1.01 * step.workspace_bytes
        assert larger.workspace_bytes <= 100 << 20


def test_nothing_is_computed_nor_kept():
    x, weight = images(4, 16, 20, 20), np.full((16, 16, 3, 3), np.nan, np.float32)
    before = workspace.memory_stats()["in_use"]
    for algorithm in ("auto", "direct", "im2col"):
        explain_conv2d(x, weight, algorithm=algorithm)
    assert workspace.memory_stats()["in_use"] == before
    assert conv2d(x, np.ones_like(weight)).shape == (4, 16, 18, 18)  # and not dry any more
    assert np.isfinite(conv2d(x, np.ones_like(weight))).all()


def test_bad_arguments_are_refused_as_by_the_convolution():
    with pytest.raises(ValueError, match="conv2d: x has 3 channels"):
        explain_conv2d(images(1, 3, 8, 8), np.zeros((4, 2, 3, 3), np.float32))
    with pytest.raises(ValueError, match='"winograd" does not apply'):
        explain_conv2d(images(1, 2, 8, 8), np.zeros((4, 2, 1, 1), np.float32), algorithm="winograd")
    x = images(1, 2, 8, 8)
    assert np.isfinite(conv2d(x, np.zeros((4, 2, 1, 1), np.float32))).all()
