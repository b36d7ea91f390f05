"""What a convolution adds and rectifies before it stores its output."""

import numpy as np
import pytest

from cnnfast.functional import conv2d
from tests import oracle
from tests.helpers import channels_last, with_gaps

pytestmark = pytest.mark.usefixtures("isa")

# x, weight, stride, padding, groups: each kernel of the forward pass, with remainders of channels.
CASES = {
    "direct": ((2, 5, 9, 11), (19, 5, 3, 3), 2, 1, 1),
    "direct, whole vectors": ((1, 3, 15, 4), (32, 3, 1, 3), 1, 0, 1),
    "groups": ((2, 6, 7, 8), (38, 3, 2, 2), 1, 0, 2),
    "depthwise": ((2, 21, 9, 8), (21, 1, 3, 3), 1, 1, 21),
    "winograd": ((4, 16, 13, 15), (35, 16, 3, 3), 1, 1, 1),
    "winograd, groups": ((4, 32, 13, 9), (34, 16, 3, 3), 1, 1, 2),
    "few channels": ((2, 5, 9, 11), (3, 5, 3, 3), 1, 1, 1),
    "planes": ((2, 7, 6, 6), (18, 7, 1, 1), 1, 0, 1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("shortcut", ["none", "contiguous", "channels_last", "gaps"])
def test_residual_and_relu(dtype, case, order, shortcut):
    shape, filters, stride, padding, groups = case
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    x = channels_last(x) if order == "channels_last" else x
    weight = rng.standard_normal(filters).astype(dtype)
    bias = rng.standard_normal(filters[0]).astype(dtype)
    want = oracle.conv2d(x, weight, bias, stride, padding, 1, groups)
    scale = oracle.conv2d_scale(x, weight, bias, stride, padding, 1, groups).max()
    residual = None
    if shortcut != "none":
        residual = 5 * rng.standard_normal(want.shape).astype(dtype)
        want = want + residual
        residual = {"contiguous": np.copy, "channels_last": channels_last, "gaps": with_gaps}[
            shortcut
        ](residual)
        residual.flags.writeable = False
    bound = (6e-6 if dtype == np.float32 else 1e-14) * (scale + 20)
    for relu, (least, most) in {
        False: (-np.inf, np.inf),
        True: (0, np.inf),
        1.5: (0, 1.5),
    }.items():
        y = conv2d(x, weight, bias, stride, padding, 1, groups, residual=residual, relu=relu)
        assert np.abs(y - want.clip(least, most)).max() <= bound, relu
        assert (y >= least).all(), relu


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nan_is_not_rectified_away(case):
    shape, filters, stride, padding, groups = case
    y = conv2d(
        channels_last(np.zeros(shape, np.float32)),
        np.zeros(filters, np.float32),
        np.full(filters[0], np.nan, np.float32),
        stride,
        padding,
        1,
        groups,
        relu=True,
    )
    assert np.isnan(y).all()


def test_a_residual_that_does_not_fit():
    x, weight = np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3))
    with pytest.raises(ValueError, match=r"conv2d: residual has shape \(1, 3, 5, 5\), but"):
        conv2d(x, weight, residual=np.zeros((1, 3, 5, 5)))
    with pytest.raises(TypeError, match="conv2d: residual is float32"):
        conv2d(x, weight, residual=np.zeros((1, 3, 3, 3), np.float32))
