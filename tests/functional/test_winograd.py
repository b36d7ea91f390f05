"""Winograd's minimal filtering: every remainder of its tiles, its error, and when it is taken."""

import numpy as np
import pytest

import cnnfast
from cnnfast import nn
from cnnfast.functional import conv2d, conv2d_backward
from cnnfast.functional._algorithm import choose, get_conv_precision
from cnnfast.functional._window import window
from tests import oracle
from tests.helpers import channels_last, using_threads

BOUND = 6e-6
# Kernel size and stride of every set of transforms, with filters that fill their taps and that do
# not: 2, 3, 4 and 5 taps for each phase of the stride.
SIZES = [(2, 1), (3, 1), (4, 1), (5, 1), (3, 2), (5, 2), (7, 2), (10, 2), (7, 3), (11, 4), (17, 4)]

pytestmark = pytest.mark.usefixtures("isa")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def images(rng, shape, order):
    x = rng.standard_normal(shape, dtype=np.float32)
    return channels_last(x) if order == "channels_last" else x


def chosen(what, batch, weight, win, groups=1):
    precision = get_conv_precision()
    arguments = batch, weight.shape, weight.dtype, win, groups, precision
    choice = choose("test", what, "auto", *arguments)
    return choice.algorithm, choice.tile


def worst_error(x, weight, bias, y, padding):
    scale = oracle.conv2d_scale(x, weight, bias, 1, padding).max()
    return np.abs(y - oracle.conv2d(x, weight, bias, 1, padding)).max() / scale


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("height", range(1, 10))
@pytest.mark.parametrize("width", [1, 2, 5, 8])
@pytest.mark.parametrize("batch", [1, 40])
def test_every_remainder_of_a_tile(order, height, width, batch, rng):
    """Batch 1 takes tiles of 2x2; at batch 40 there are tiles enough for 4x4."""
    x = images(rng, (batch, 3, height, width), order)
    weight = rng.standard_normal((5, 3, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(5, dtype=np.float32)
    y = conv2d(x, weight, bias, padding=1, algorithm="winograd")
    assert worst_error(x, weight, bias, y, 1) <= BOUND


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("width", [223, 224, 225, 300])
def test_rows_of_more_tiles_than_a_block(order, width, rng):
    x = images(rng, (2, 3, 6, width), order)
    weight = rng.standard_normal((5, 3, 3, 3), dtype=np.float32)
    y = conv2d(x, weight, padding=1, algorithm="winograd")
    assert worst_error(x, weight, None, y, 1) <= BOUND


@pytest.mark.parametrize("channels", [1, 7, 15, 16, 17, 33])
@pytest.mark.parametrize("filters", [1, 15, 31, 32, 33, 65])
def test_every_remainder_of_a_panel(channels, filters, rng):
    x = images(rng, (4, channels, 13, 14), "channels_last")
    weight = rng.standard_normal((filters, channels, 3, 3), dtype=np.float32)
    y = conv2d(x, weight, padding=((0, 2), (1, 0)), algorithm="winograd")
    assert worst_error(x, weight, None, y, ((0, 2), (1, 0))) <= BOUND


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize(("kernel", "stride"), SIZES)
@pytest.mark.parametrize("padding", [0, 1, ((0, 2), (3, 1))])
@pytest.mark.parametrize("extra", range(3))
def test_every_size(order, kernel, stride, padding, extra, rng):
    """The output and its gradients, with every remainder of a stride."""
    x = images(rng, (3, 5, kernel + 3 * stride + extra, kernel + 6 * stride + 2 * extra), order)
    weight = rng.standard_normal((18, 5, kernel, kernel), dtype=np.float32)
    bias = rng.standard_normal(18, dtype=np.float32)
    y = conv2d(x, weight, bias, stride, padding, algorithm="winograd")
    scale = oracle.conv2d_scale(x, weight, bias, stride, padding).max()
    assert np.abs(y - oracle.conv2d(x, weight, bias, stride, padding)).max() <= BOUND * scale

    grad = images(rng, y.shape, order)
    gradients = conv2d_backward(grad, x, weight, stride, padding, algorithm="winograd")
    want = oracle.conv2d_backward(grad, x, weight, stride, padding)
    scales = oracle.conv2d_backward(abs(grad), abs(x), abs(weight), stride, padding)
    for gradient, right, scale, bound in zip(
        gradients, want, scales, (BOUND, 3e-6, 3e-6), strict=True
    ):
        assert np.abs(gradient - right).max() <= bound * scale.max()


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("groups", [2, 3])
def test_groups(order, groups, rng):
    x = images(rng, (3, 4 * groups, 13, 11), order)
    weight = rng.standard_normal((9 * groups, 4, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(9 * groups, dtype=np.float32)
    y = conv2d(x, weight, bias, 1, 1, 1, groups, algorithm="winograd")
    scale = oracle.conv2d_scale(x, weight, bias, 1, 1, 1, groups).max()
    assert np.abs(y - oracle.conv2d(x, weight, bias, 1, 1, 1, groups)).max() <= BOUND * scale
    grad = images(rng, y.shape, order)
    gradients = conv2d_backward(grad, x, weight, 1, 1, 1, groups, algorithm="winograd")
    want = oracle.conv2d_backward(grad, x, weight, 1, 1, 1, groups)
    scales = oracle.conv2d_backward(abs(grad), abs(x), abs(weight), 1, 1, 1, groups)
    for gradient, right, scale in zip(gradients, want, scales, strict=True):
        assert np.abs(gradient - right).max() <= 3e-6 * scale.max()


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("padding", [0, 1, 2, ((0, 2), (3, 1))])
@pytest.mark.parametrize("batch", [1, 9])
def test_gradient_of_the_input(order, padding, batch, rng):
    x = images(rng, (batch, 18, 11, 13), order)
    weight = rng.standard_normal((20, 18, 3, 3), dtype=np.float32)
    y = conv2d(x, weight, padding=padding)
    grad = images(rng, y.shape, order)
    win = window("test", x.shape[2:], 3, 1, padding)
    assert chosen("input", batch, weight, win) == ("winograd", 4 if batch == 9 else 2)
    gx, _, _ = conv2d_backward(grad, x, weight, padding=padding, needs=("x",))
    want, _, _ = oracle.conv2d_backward(grad, x, weight, 1, padding)
    scale, _, _ = oracle.conv2d_backward(abs(grad), abs(x), abs(weight), 1, padding)
    assert np.abs(gx - want).max() <= BOUND * scale.max()


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("size", [(13, 14), (12, 17), (3, 70)])
@pytest.mark.parametrize("channels", [(16, 16), (19, 33), (256, 17)])
def test_gradient_of_the_weights(order, size, channels, rng):
    """Of 256 channels: as many bytes from tile to tile as would share cache sets."""
    c, k = channels
    batch = 10
    x = images(rng, (batch, c, *size), order)
    weight = np.zeros((k, c, 3, 3), np.float32)
    grad = images(rng, (batch, k, *size), order)
    win = window("test", size, 3, 1, 1)
    assert chosen("weights", batch, weight, win) == ("winograd", 4)
    _, gw, _ = conv2d_backward(grad, x, weight, padding=1, needs=("weight",))
    _, want, _ = oracle.conv2d_backward(grad, x, weight, 1, 1)
    _, scale, _ = oracle.conv2d_backward(abs(grad), abs(x), weight, 1, 1)
    assert np.abs(gw - want).max() <= 3e-6 * scale.max()


@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
@pytest.mark.parametrize("filters", [65, 150, 256])
@pytest.mark.parametrize("size", [7, 13, 25])
def test_threads_share_the_filters_where_there_are_few_blocks_of_tiles(order, filters, size, rng):
    x = images(rng, (1, 96, size, size), order)
    weight = rng.standard_normal((filters, 96, 3, 3), dtype=np.float32)
    bias = rng.standard_normal(filters, dtype=np.float32)
    grad = images(rng, (1, filters, size, size), order)
    residual = images(rng, grad.shape, order)
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            y = conv2d(x, weight, bias, padding=1, algorithm="winograd")
            rectified = conv2d(x, weight, bias, 1, 1, residual=residual, relu=True)
            gx, _, _ = conv2d_backward(
                grad, x, weight, padding=1, needs=("x",), algorithm="winograd"
            )
            results.append((y, rectified, gx))
    y, rectified, gx = results[0]
    assert worst_error(x, weight, bias, y, 1) <= BOUND
    np.testing.assert_allclose(rectified, np.maximum(y + residual, 0), atol=1e-4)
    turned = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    assert worst_error(grad, turned, None, gx, 1) <= BOUND
    for others in results[1:]:
        assert all(map(np.array_equal, others, results[0]))


def test_gradient_of_the_weights_is_the_same_on_any_number_of_threads(rng):
    x, grad = (images(rng, (40, 32, 28, 28), "channels_last") for _ in range(2))
    weight = rng.standard_normal((32, 32, 3, 3), dtype=np.float32)
    results = []
    for threads in (1, 2, 3, 7):
        with using_threads(threads):
            y = conv2d(x, weight, padding=1)
            gx, gw, _ = conv2d_backward(grad, x, weight, padding=1)
            results.append((y, gx, gw))
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


@pytest.mark.parametrize("magnitudes", ["powers", "one large", "cancelling"])
def test_adversarial_magnitudes(magnitudes, rng):
    x = rng.standard_normal((8, 16, 16, 16), dtype=np.float32)
    weight = rng.standard_normal((16, 16, 3, 3), dtype=np.float32)
    if magnitudes == "powers":
        x *= (10.0 ** rng.uniform(-6, 6, (1, 16, 1, 1))).astype(np.float32)
        weight *= (10.0 ** rng.uniform(-6, 6, (16, 1, 1, 1))).astype(np.float32)
    elif magnitudes == "one large":
        x[:, :, 7, 7] *= 1e4
        weight[:, :, 0, 2] *= 1e4
    else:
        x[:, 1::2] = -x[:, ::2]
        weight[:, 1::2] = weight[:, ::2]
    y = conv2d(x, weight, padding=1, algorithm="winograd")
    assert worst_error(x, weight, None, y, 1) <= BOUND


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (7, 2), (11, 4)])
def test_a_nan_spreads_at_most_over_its_tiles(poison, kernel, stride, rng):
    x = rng.standard_normal((4, 16, 40, 40), dtype=np.float32)
    weight = rng.standard_normal((16, 16, kernel, kernel), dtype=np.float32)
    clean = conv2d(x, weight, stride=stride, algorithm="winograd")
    x[2, 3, 19, 21] = poison
    y = conv2d(x, weight, stride=stride, algorithm="winograd")
    direct = conv2d(x, weight, stride=stride, algorithm="direct")
    assert not np.isfinite(y[~np.isfinite(direct)]).any()
    tile = 7 - -(-kernel // stride)
    spread = np.zeros(y.shape, bool)
    for i, j in {(i // tile, j // tile) for _, _, i, j in np.argwhere(~np.isfinite(direct))}:
        spread[2, :, i * tile : (i + 1) * tile, j * tile : (j + 1) * tile] = True
    np.testing.assert_array_equal(y[~spread], clean[~spread])


def test_when_it_is_taken(rng):
    def auto(weight_shape=(32, 32, 3, 3), dtype=np.float32, batch=8, groups=1, **geometry):
        win = window(
            "test",
            geometry.get("size", (28, 28)),
            weight_shape[2:],
            geometry.get("stride", 1),
            1,
            geometry.get("dilation", 1),
        )
        weight = np.zeros(weight_shape, dtype)
        return chosen(geometry.get("what", "forward"), batch, weight, win, groups)

    assert auto() == ("winograd", 4)
    assert auto(batch=1) == ("winograd", 4)
    assert auto(batch=1, size=(20, 20)) == ("winograd", 2)
    assert auto(batch=1, size=(14, 14), what="weights") == ("direct", 0)
    assert auto(dtype=np.float64) == ("direct", 0)
    assert auto(weight_shape=(32, 32, 5, 5)) == ("winograd", 2)
    assert auto(weight_shape=(32, 32, 4, 4)) == ("winograd", 3)
    assert auto(weight_shape=(32, 32, 2, 2)) == ("winograd", 5)
    assert auto(weight_shape=(32, 3, 3, 3)) == ("direct", 0)
    assert auto(weight_shape=(32, 32, 1, 1)) == ("direct", 0)
    assert auto(weight_shape=(32, 32, 6, 6)) == ("direct", 0)
    assert auto(weight_shape=(32, 32, 3, 5)) == ("direct", 0)
    assert auto(weight_shape=(32, 3, 7, 7), stride=2) == ("winograd", 3)
    assert auto(weight_shape=(32, 3, 11, 11), stride=4) == ("direct", 0)  # 5 x 5 outputs
    assert auto(weight_shape=(32, 3, 11, 11), stride=4, size=(57, 57)) == ("winograd", 4)
    assert auto(stride=2) == ("direct", 0)  # too little saved
    assert auto(dilation=2) == ("direct", 0)
    assert auto(weight_shape=(32, 16, 3, 3), groups=2) == ("winograd", 4)
    assert auto(weight_shape=(32, 8, 3, 3), groups=4) == ("direct", 0)
    assert auto(weight_shape=(32, 16, 3, 3), groups=4) == ("direct", 0)
    cnnfast.set_conv_precision("exact")
    try:
        assert auto() == ("direct", 0)
    finally:
        cnnfast.set_conv_precision("fast")


def test_where_it_does_not_apply():
    x, weight = np.zeros((1, 4, 8, 8)), np.zeros((4, 4, 3, 3))
    with pytest.raises(ValueError, match=r'conv2d: algorithm "winograd" does not apply.*float32'):
        conv2d(x, weight, algorithm="winograd")
    with pytest.raises(ValueError, match="conv2d: algorithm must be"):
        conv2d(x, weight, algorithm="fft")
    with pytest.raises(ValueError, match="set_conv_precision: precision must be"):
        cnnfast.set_conv_precision("sloppy")


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
def test_the_other_algorithms_agree(algorithm, groups, order, rng):
    x = images(rng, (2, 6, 11, 9), order)
    weight = rng.standard_normal((9, 6 // groups, 3, 2), dtype=np.float32)
    bias = rng.standard_normal(9, dtype=np.float32)
    y = conv2d(x, weight, bias, (2, 1), 1, (1, 2), groups, algorithm=algorithm)
    geometry = (2, 1), 1, (1, 2), groups
    want = oracle.conv2d(x, weight, bias, *geometry)
    scale = oracle.conv2d_scale(x, weight, bias, *geometry).max()
    assert np.abs(y - want).max() <= 3e-6 * scale

    grad = images(rng, y.shape, order)
    gradients = conv2d_backward(grad, x, weight, *geometry, algorithm=algorithm)
    want = oracle.conv2d_backward(grad, x, weight, *geometry)
    scales = oracle.conv2d_backward(abs(grad), abs(x), abs(weight), *geometry)
    for gradient, right, scale in zip(gradients, want, scales, strict=True):
        assert np.abs(gradient - right).max() <= 3e-6 * scale.max()


@pytest.mark.parametrize("algorithm", ["direct", "winograd"])
def test_packed_filters_follow_every_change(algorithm, rng):
    layer = nn.Conv2d(16, 16, 3, padding=1, algorithm=algorithm, rng=rng)
    x = rng.standard_normal((8, 16, 12, 12), dtype=np.float32)

    def check():
        want = oracle.conv2d(x, layer.weight.data, layer.bias.data, 1, 1)
        for _ in range(2):  # the second time from the packed filters
            np.testing.assert_allclose(layer(x), want, atol=1e-5 * np.abs(want).max())

    check()
    layer.weight.assign(rng.standard_normal(layer.weight.shape, dtype=np.float32))
    check()
    with layer.weight.writable() as w:
        w *= -2
        check()
        w += 1
        check()
    check()
    layer.load_state_dict({name: 3 * value for name, value in layer.state_dict().items()})
    check()
    optimizer = cnnfast.optim.SGD(layer.parameters(), lr=0.1)
    y, backward = layer.forward(x)
    backward(y, input_grad=False)
    optimizer.step()
    check()
