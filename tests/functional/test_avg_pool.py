"""Average pooling against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.functional import (
    avg_pool2d,
)
from tests.functional.pools import (
    WINDOWS,
    check_avg_pool,
    each_dtype,
    each_isa,
    each_order,
)
from tests.helpers import (
    random,
    sizes,
)

COUNTS = 147  # windows in a row, or channels: beyond eight times the longest vector

pytestmark = pytest.mark.usefixtures("one_thread")


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "ceil_mode"), WINDOWS)
def test_every_kind_of_average_pool(size, kernel, stride, padding, ceil_mode, dtype, order):
    x = random(2, 5, *size, dtype=dtype)
    for rest in [(True,), (False,), (True, 3), (False, 3), (True, -2)]:
        check_avg_pool(x, order, kernel, stride, padding, ceil_mode, *rest)
    other = "contiguous" if order == "channels_last" else "channels_last"
    check_avg_pool(x, order, kernel, stride, padding, ceil_mode, grad_layout=other)


@each_isa
@each_dtype
@each_order
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_number_of_windows_averaged_at_a_time(stride, dtype, order):
    everything = random(1, COUNTS, 3, 5, dtype=dtype)
    if order == "contiguous":
        everything = random(1, 2, 3, COUNTS * stride + 3, dtype=dtype)
    for count in sizes(COUNTS, dtype):
        if order == "contiguous":
            x = everything[..., : (count - 1) * stride + 3]
        else:
            x = everything[:, :count]
        check_avg_pool(x, order, (2, 3), stride, 0)


@each_order
@pytest.mark.parametrize("size", range(1, 21))
def test_every_number_of_rows_averaged_in_a_band(size, order):
    x = random(1, 3, size, 6, dtype=np.float32)
    check_avg_pool(x, order, 1, 2, 0)
    if size > 1:
        check_avg_pool(x, order, (2, 3), 1, 1)


def test_average_at_the_border():
    x = np.array([[[[3.0, 6.0, 9.0]]]])
    window = ((1, 3), 1, (0, 1))
    assert avg_pool2d(x, *window).tolist() == [[[[3.0, 6.0, 5.0]]]]
    assert avg_pool2d(x, *window, count_include_pad=False).tolist() == [[[[4.5, 6.0, 7.5]]]]
    assert avg_pool2d(x, *window, divisor_override=1).tolist() == [[[[9.0, 18.0, 15.0]]]]
    # What ceil_mode adds beyond the padding is never counted: onnx#4958.
    assert avg_pool2d(x, (1, 2), 2, 0, ceil_mode=True).tolist() == [[[[4.5, 9.0]]]]
