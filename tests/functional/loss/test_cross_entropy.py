"""Cross-entropy with weights, smoothing, ignored labels and maps, against the plain loops."""

import math

import numpy as np
import pytest

from cnnfast import reference
from cnnfast.functional import cross_entropy
from tests.helpers import FLOATS, LAYOUTS, ORDERS, guarded, is_channels_last, random

each_dtype = pytest.mark.parametrize("dtype", FLOATS)
OPTIONS = [
    {},
    {"reduction": "sum"},
    {"weight": True},
    {"weight": True, "reduction": "sum"},
    {"ignore_index": 1},
    {"label_smoothing": 0.3},
    {"label_smoothing": 1.0},
    {"label_smoothing": 0.3, "reduction": "sum", "ignore_index": 1},
    {"label_smoothing": 0.1, "weight": True, "ignore_index": 1},
]
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def batch(shape, dtype, options):
    logits = 3 * random(*shape, dtype=dtype)
    labels = np.random.default_rng(1).integers(0, shape[1], (shape[0], *shape[2:]))
    if "weight" in options:
        weight = np.random.default_rng(2).random(shape[1]).astype(dtype) + dtype(0.5)
        options = options | {"weight": weight}
    return logits, labels, options


def by_loops(logits, labels, options):
    """Maps are batches of pixels to the loops."""
    classes = logits.shape[1]
    rows = np.moveaxis(logits, 1, -1)
    loss, gradient = reference.cross_entropy(
        rows.reshape(-1, classes).astype(float), labels.ravel(), **options
    )
    return loss, np.moveaxis(gradient.reshape(rows.shape), -1, 1)


@each_dtype
@each_option
@pytest.mark.parametrize("shape", [(6, 5), (1, 1), (40, 3), (2, 4, 3, 5), (3, 4, 6)])
def test_matches_the_loops(shape, options, dtype):
    logits, labels, options = batch(shape, dtype, options)
    loss, gradient = guarded(cross_entropy, logits, labels, **options)
    want, want_gradient = by_loops(logits, labels, options)
    eps = float(np.finfo(dtype).eps)
    assert type(loss) is float
    assert loss == pytest.approx(want, rel=64 * eps, abs=1e-12)
    np.testing.assert_allclose(gradient, want_gradient, atol=32 * eps)
    assert gradient.dtype == dtype


@each_option
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 2)])
def test_gradient_is_the_slope(shape, options):
    logits, labels, options = batch(shape, np.float64, options)
    _, gradient = cross_entropy(logits, labels, **options)
    for at in np.ndindex(shape):
        nudge = np.zeros(shape)
        nudge[at] = 1e-6
        above, _ = cross_entropy(logits + nudge, labels, **options)
        below, _ = cross_entropy(logits - nudge, labels, **options)
        assert gradient[at] == pytest.approx((above - below) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_maps_in_any_memory(layout):
    logits, labels, _ = batch((2, 4, 3, 5), np.float64, {})
    want, want_gradient = cross_entropy(logits, labels)
    loss, gradient = guarded(cross_entropy, LAYOUTS[layout](logits), labels)
    assert loss == pytest.approx(want, rel=1e-14)
    np.testing.assert_allclose(gradient, want_gradient, atol=1e-15)
    for order in ORDERS:
        stored = ORDERS[order](logits)
        assert is_channels_last(cross_entropy(stored, labels)[1]) == is_channels_last(stored)


def test_what_is_ignored_does_not_matter():
    """Neither its scores, NaN among them, nor whether the label is a class."""
    logits, labels, _ = batch((6, 5), np.float64, {})
    want, want_gradient = cross_entropy(logits[:4], labels[:4])
    logits[4], logits[5] = np.inf, [0, -np.inf, 0, 0, 0]
    for index in (-100, 7, -1):
        labels[4:] = index
        loss, gradient = cross_entropy(logits, labels, ignore_index=index)
        assert loss == pytest.approx(want)
        np.testing.assert_allclose(gradient[:4], want_gradient)
        assert not gradient[5].any()
    labels[:] = -100
    loss, gradient = cross_entropy(logits[:4], labels[:4])
    assert math.isnan(loss)
    assert not gradient.any()
    assert cross_entropy(logits[:4], labels[:4], reduction="sum")[0] == 0


@each_option
def test_stable_at_extreme_logits(options):
    logits = np.array([[1e4, 0, -1e4], [-1e30, 1e30, 0]], np.float32)
    _, _, options = batch(logits.shape, np.float32, options)
    loss, gradient = cross_entropy(logits, np.array([0, 2]), **options)
    assert math.isfinite(loss)
    assert np.isfinite(gradient).all()


def test_impossible_classes_that_are_not_the_label():
    """A probability of 0 leaves the loss finite, but every class counts when smoothed."""
    logits, labels = np.array([[0.0, 0.0, -np.inf]]), np.array([0])
    loss, gradient = cross_entropy(logits, labels)
    assert loss == pytest.approx(math.log(2))
    assert gradient.tolist() == [[-0.5, 0.5, 0]]
    assert cross_entropy(logits, labels, label_smoothing=0.1)[0] == math.inf


@each_option
def test_empty_batch(options):
    logits, labels, options = batch((0, 3), np.float32, options)
    loss, gradient = cross_entropy(logits, labels, **options)
    assert loss == 0 if options.get("reduction") == "sum" else math.isnan(loss)
    assert gradient.shape == (0, 3)


def test_bad_arguments():
    logits, labels, _ = batch((6, 5), np.float64, {})
    weight = np.ones(5)
    for error, message, options in [
        (TypeError, "weight is float32 but logits is float64", {"weight": np.ones(5, "f")}),
        (TypeError, "weight must be a NumPy array", {"weight": [1.0] * 5}),
        (ValueError, r"weight has shape \(4,\), but one value for", {"weight": weight[:4]}),
        (ValueError, "weight must have 1 dimensions", {"weight": weight[None]}),
        (TypeError, "ignore_index must be an integer", {"ignore_index": 1.0}),
        (ValueError, 'reduction must be "mean" or "sum", got', {"reduction": "none"}),
        (TypeError, "label_smoothing must be a number", {"label_smoothing": "0.1"}),
        (ValueError, "label_smoothing must be in 0..1", {"label_smoothing": 1.1}),
        (ValueError, "label_smoothing must be in 0..1", {"label_smoothing": math.nan}),
    ]:
        with pytest.raises(error, match=f"^cross_entropy: {message}"):
            cross_entropy(logits, labels, **options)
    maps = random(2, 5, 3, 4)
    with pytest.raises(ValueError, match=r"^cross_entropy: labels must have shape \(2, 3, 4\)"):
        cross_entropy(maps, np.zeros((2, 4, 3), int))
    stray = np.zeros((2, 3, 4), int)
    stray[1, 2, 0] = 5
    with pytest.raises(ValueError, match=r"^cross_entropy: labels\[1, 2, 0\] is 5, but .* in 0..4"):
        cross_entropy(maps, stray)
    stray[0, 0, 0] = -100  # is none of the strays
    with pytest.raises(ValueError, match=r"labels\[1, 2, 0\] is 5"):
        cross_entropy(maps, stray)
