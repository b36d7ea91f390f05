"""Every layer: what it computes, its gradients, its memory, its modes, its errors."""

import copy
import pickle
import threading
import weakref

import numpy as np
import pytest

from cnnfast import functional, nn
from tests import oracle

IMAGE = (2, 4, 7, 6)
SEQUENCE = (2, 4, 9)
VOLUME = (2, 4, 3, 4, 5)
FEATURES = (3, 5)


def conv(layer=nn.Conv2d, kernel_size=3, **arguments):
    rng = np.random.default_rng(0)
    return layer(4, 6, kernel_size=kernel_size, rng=rng, dtype=np.float64, **arguments)


# A layer, the shape of its input, and what it should compute.
LAYERS = {
    "conv": (
        lambda: conv(),
        IMAGE,
        lambda layer, x: functional.conv2d(x, layer.weight.data, layer.bias.data),
    ),
    "conv strided": (
        lambda: conv(stride=2, padding=(1, 0), dilation=(1, 2), groups=2, bias=False),
        IMAGE,
        lambda layer, x: functional.conv2d(x, layer.weight.data, None, 2, (1, 0), (1, 2), 2),
    ),
    "conv same": (
        lambda: conv(padding="same"),
        IMAGE,
        lambda layer, x: functional.conv2d(x, layer.weight.data, layer.bias.data, padding="same"),
    ),
    "conv uneven": (
        lambda: conv(padding=((2, 0), (1, 3))),
        IMAGE,
        lambda layer, x: functional.conv2d(
            x, layer.weight.data, layer.bias.data, padding=((2, 0), (1, 3))
        ),
    ),
    "conv 1d": (
        lambda: conv(nn.Conv1d, stride=2, padding=1, dilation=2, groups=2),
        SEQUENCE,
        lambda layer, x: functional.conv1d(x, layer.weight.data, layer.bias.data, 2, 1, 2, 2),
    ),
    "conv 3d": (
        lambda: conv(nn.Conv3d, (2, 1, 3), stride=(1, 2, 1), padding=(1, 0, 1), bias=False),
        VOLUME,
        lambda layer, x: functional.conv3d(x, layer.weight.data, None, (1, 2, 1), (1, 0, 1)),
    ),
    "conv 3d same": (
        lambda: conv(nn.Conv3d, 2, padding="same", groups=2),
        VOLUME,
        lambda layer, x: functional.conv3d(
            x, layer.weight.data, layer.bias.data, padding="same", groups=2
        ),
    ),
    "conv transposed": (
        lambda: conv(nn.ConvTranspose2d, 4, stride=2, padding=1, output_padding=(1, 0), groups=2),
        IMAGE,
        lambda layer, x: functional.conv_transpose2d(
            x, layer.weight.data, layer.bias.data, 2, 1, (1, 0), 2
        ),
    ),
    "conv transposed 1d": (
        lambda: conv(nn.ConvTranspose1d, stride=3, output_padding=2, bias=False),
        SEQUENCE,
        lambda layer, x: functional.conv_transpose1d(x, layer.weight.data, None, 3, 0, 2),
    ),
    "conv transposed 3d": (
        lambda: conv(nn.ConvTranspose3d, 2, stride=(2, 1, 2), dilation=(1, 2, 1)),
        VOLUME,
        lambda layer, x: functional.conv_transpose3d(
            x, layer.weight.data, layer.bias.data, (2, 1, 2), dilation=(1, 2, 1)
        ),
    ),
    "locally connected": (
        lambda: conv(nn.LocallyConnected2d, input_size=(7, 6), stride=2, padding=((1, 0), (0, 1))),
        IMAGE,
        lambda layer, x: functional.locally_connected2d(
            x, layer.weight.data, layer.bias.data, 2, ((1, 0), (0, 1))
        ),
    ),
    "linear": (
        lambda: nn.Linear(5, 4, dtype=np.float64),
        FEATURES,
        lambda layer, x: functional.linear(x, layer.weight.data, layer.bias.data),
    ),
    "linear without bias": (
        lambda: nn.Linear(5, 4, bias=False, dtype=np.float64),
        FEATURES,
        lambda layer, x: functional.linear(x, layer.weight.data),
    ),
    "max pool": (lambda: nn.MaxPool2d(2), IMAGE, lambda layer, x: functional.max_pool2d(x, 2)),
    "max pool with all": (
        lambda: nn.MaxPool2d((3, 2), 2, (1, 0), (1, 2), ceil_mode=True),
        IMAGE,
        lambda layer, x: functional.max_pool2d(x, (3, 2), 2, (1, 0), (1, 2), True),
    ),
    "average pool": (
        lambda: nn.AvgPool2d(3, 2, 1, True, False),
        IMAGE,
        lambda layer, x: functional.avg_pool2d(x, 3, 2, 1, True, False),
    ),
    "average pool with divisor": (
        lambda: nn.AvgPool2d(2, divisor_override=3),
        IMAGE,
        lambda layer, x: functional.avg_pool2d(x, 2, divisor_override=3),
    ),
    "norm pool": (
        lambda: nn.LPPool2d(2, 3, 2),
        IMAGE,
        lambda layer, x: functional.lp_pool2d(x, 2, 3, 2),
    ),
    "max pool 1d": (
        lambda: nn.MaxPool1d(3, 2, 1, ceil_mode=True),
        SEQUENCE,
        lambda layer, x: functional.max_pool1d(x, 3, 2, 1, ceil_mode=True),
    ),
    "max pool 3d": (
        lambda: nn.MaxPool3d((2, 3, 2), 1, (0, 1, 1), (1, 1, 2)),
        VOLUME,
        lambda layer, x: functional.max_pool3d(x, (2, 3, 2), 1, (0, 1, 1), (1, 1, 2)),
    ),
    "average pool 1d": (
        lambda: nn.AvgPool1d(3, 2, 1, True, False),
        SEQUENCE,
        lambda layer, x: functional.avg_pool1d(x, 3, 2, 1, True, False),
    ),
    "average pool 3d": (
        lambda: nn.AvgPool3d(2, divisor_override=3),
        VOLUME,
        lambda layer, x: functional.avg_pool3d(x, 2, divisor_override=3),
    ),
    "norm pool 1d": (
        lambda: nn.LPPool1d(2, 3, 2),
        SEQUENCE,
        lambda layer, x: functional.lp_pool1d(x, 2, 3, 2),
    ),
    "norm pool 3d": (
        lambda: nn.LPPool3d(3, 2, 1),
        VOLUME,
        lambda layer, x: functional.lp_pool3d(x, 3, 2, 1),
    ),
    "global average": (nn.GlobalAvgPool2d, IMAGE, lambda layer, x: functional.global_avg_pool2d(x)),
    "global maximum": (nn.GlobalMaxPool2d, IMAGE, lambda layer, x: functional.global_max_pool2d(x)),
    "adaptive average": (
        lambda: nn.AdaptiveAvgPool2d((3, 4)),
        IMAGE,
        lambda layer, x: functional.adaptive_avg_pool2d(x, (3, 4)),
    ),
    "adaptive maximum": (
        lambda: nn.AdaptiveMaxPool2d((3, 4)),
        IMAGE,
        lambda layer, x: functional.adaptive_max_pool2d(x, (3, 4)),
    ),
    "upsample": (
        lambda: nn.Upsample(scale_factor=1.5, mode="bilinear"),
        IMAGE,
        lambda layer, x: functional.interpolate(x, None, 1.5, "bilinear"),
    ),
    "zero pad": (
        lambda: nn.ZeroPad2d((1, 2, -1, 0)),
        IMAGE,
        lambda layer, x: functional.pad(x, (1, 2, -1, 0)),
    ),
    "reflection pad": (
        lambda: nn.ReflectionPad2d(2),
        IMAGE,
        lambda layer, x: functional.pad(x, 2, "reflect"),
    ),
    "flatten": (nn.Flatten, IMAGE, lambda layer, x: x.reshape(2, -1)),
    "relu": (nn.ReLU, IMAGE, lambda layer, x: functional.relu(x)),
    "leaky relu": (
        lambda: nn.LeakyReLU(0.2),
        IMAGE,
        lambda layer, x: functional.leaky_relu(x, 0.2),
    ),
    "leaky relu falling": (
        lambda: nn.LeakyReLU(-0.2),
        IMAGE,
        lambda layer, x: functional.leaky_relu(x, -0.2),
    ),
    "relu6": (nn.ReLU6, IMAGE, lambda layer, x: functional.relu6(x)),
    "prelu": (
        lambda: nn.PReLU(dtype=np.float64),
        IMAGE,
        lambda layer, x: functional.prelu(x, layer.weight.data),
    ),
    "prelu of channels": (
        lambda: nn.PReLU(IMAGE[1], 0.1, dtype=np.float64),
        IMAGE,
        lambda layer, x: functional.prelu(x, layer.weight.data),
    ),
    "elu": (lambda: nn.ELU(0.5), IMAGE, lambda layer, x: functional.elu(x, 0.5)),
    "selu": (nn.SELU, IMAGE, lambda layer, x: functional.selu(x)),
    "gelu": (nn.GELU, IMAGE, lambda layer, x: functional.gelu(x)),
    "gelu by tanh": (
        lambda: nn.GELU("tanh"),
        IMAGE,
        lambda layer, x: functional.gelu(x, "tanh"),
    ),
    "silu": (nn.SiLU, IMAGE, lambda layer, x: functional.silu(x)),
    "softplus": (
        lambda: nn.Softplus(2, 3),
        IMAGE,
        lambda layer, x: functional.softplus(x, 2, 3),
    ),
    "hardsigmoid": (nn.Hardsigmoid, IMAGE, lambda layer, x: functional.hardsigmoid(x)),
    "hardswish": (nn.Hardswish, IMAGE, lambda layer, x: functional.hardswish(x)),
    "sigmoid": (nn.Sigmoid, IMAGE, lambda layer, x: functional.sigmoid(x)),
    "tanh": (nn.Tanh, IMAGE, lambda layer, x: functional.tanh(x)),
    "softmax": (lambda: nn.Softmax(1), IMAGE, lambda layer, x: functional.softmax(x, 1)),
    "log softmax": (nn.LogSoftmax, FEATURES, lambda layer, x: functional.log_softmax(x)),
    "dropout": (lambda: nn.Dropout().eval(), IMAGE, lambda layer, x: x),
}
layers = pytest.mark.parametrize("name", LAYERS)


def make(name, seed=0):
    build, shape, expected = LAYERS[name]
    layer = build()
    return layer, np.random.default_rng(seed).standard_normal(shape), lambda x: expected(layer, x)


def channels_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def slopes(function, at):
    """Numerical gradient of the number `function()` in the array `at`, which is put back."""
    result, step = np.empty_like(at), 1e-6
    for i in np.ndindex(at.shape):
        value = at[i]
        at[i] = value + step
        above = function()
        at[i] = value - step
        result[i] = (above - function()) / (2 * step)
        at[i] = value
    return result


@layers
def test_computes_what_its_function_does(name):
    layer, x, expected = make(name)
    y, _ = layer.forward(x)
    np.testing.assert_array_equal(layer(x), expected(x))
    np.testing.assert_array_equal(y, expected(x))


@layers
def test_gradients_are_slopes(name):
    layer, x, _ = make(name)
    y, backward = layer.forward(x)
    grad = np.random.default_rng(9).standard_normal(y.shape)
    gx = backward(grad.copy())

    def value():
        return (layer(x) * grad).sum()

    np.testing.assert_allclose(gx, slopes(value, x), atol=1e-7)
    for parameter in layer.parameters():
        with parameter.writable() as w:
            np.testing.assert_allclose(parameter.grad, slopes(value, w), atol=1e-7)


@layers
def test_the_input_gradient_can_be_left_out(name):
    layer, x, _ = make(name)
    y, backward = layer.forward(x)
    backward(np.ones_like(y))
    grads = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    _, backward = layer.forward(x)
    assert backward(np.ones_like(y), input_grad=False) is None
    for p, g in zip(layer.parameters(), grads, strict=True):
        np.testing.assert_array_equal(p.grad, g)


@layers
def test_gradients_accumulate(name):
    layer, x, _ = make(name)
    for _ in range(2):
        y, backward = layer.forward(x)
        backward(np.ones_like(y))
    twice = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    _, backward = layer.forward(x)
    backward(np.ones_like(y))
    for p, g in zip(layer.parameters(), twice, strict=True):
        np.testing.assert_allclose(g, 2 * p.grad)


@layers
def test_inputs_may_be_read_only_and_stay_as_they_are(name):
    layer, x, _ = make(name)
    x.flags.writeable = False
    before = x.copy()
    y, backward = layer.forward(x)
    grad = np.ones_like(y)
    grad.flags.writeable = False
    backward(grad)
    np.testing.assert_array_equal(x, before)
    assert (grad == 1).all()


@layers
def test_memory_order(name):
    layer, x, _ = make(name)
    if x.ndim == 2:
        return
    for image in (x, channels_last(x)):
        last = functional._memory.is_channels_last(image)
        y, backward = layer.forward(image)
        for result in (y, layer(image)):
            if result.ndim > 2 and any(size != 1 for size in result.shape[2:]):
                always = name.startswith("conv")
                assert functional._memory.is_channels_last(result) == (last or always)
        gx = backward(np.ones_like(y))
        assert functional._memory.is_channels_last(gx) == last
        np.testing.assert_allclose(gx, layer.forward(x)[1](np.ones_like(y)), atol=1e-12)


@layers
def test_empty_batches(name):
    layer, x, _ = make(name)
    whole = layer(x)
    y, backward = layer.forward(x[:0])
    assert y.shape == layer(x[:0]).shape == (0, *whole.shape[1:])
    gx = backward(np.empty_like(y))
    assert gx.shape == (0, *x.shape[1:])
    assert not any(p.grad.any() for p in layer.parameters())


@layers
def test_float32_stays_float32(name):
    layer, x, _ = make(name)
    layer, x = layer.astype(np.float32), x.astype(np.float32)
    y, backward = layer.forward(x)
    gx = backward(np.ones_like(y))
    assert y.dtype == gx.dtype == np.float32
    assert all(p.grad.dtype == np.float32 for p in layer.parameters())


@layers
def test_bad_arrays(name):
    layer, x, _ = make(name)
    for use in (layer, layer.forward):
        with pytest.raises(TypeError, match="must be a NumPy array, got list"):
            use([1.0])
        with pytest.raises(TypeError, match="must be float32 or float64, got int64"):
            use(np.ones(x.shape, np.int64))
    if name == "dropout":
        return  # the identity looks at no gradient's shape
    y, backward = layer.forward(x)
    with pytest.raises(ValueError, match=r"grad has shape"):
        backward(np.ones((*y.shape[:-1], y.shape[-1] + 1)))
    with pytest.raises(RuntimeError, match="already run"):
        backward(np.ones_like(y))


@layers
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_compute_the_same(name, duplicate):
    layer, x, expected = make(name)
    np.testing.assert_array_equal(duplicate(layer)(x), expected(x))


@layers
def test_leaves_no_trace_in_the_layer(name):
    layer, x, _ = make(name)
    before = dict(vars(layer))
    alive = weakref.ref(x)
    y, backward = layer.forward(x)
    backward(np.ones_like(y))
    assert vars(layer) == before
    del x, y
    assert alive() is None


@layers
def test_threads_share_a_layer(name):
    layer, _, expected = make(name)
    inputs = [make(name, seed)[1] for seed in range(8)]
    outputs, gradients = [None] * 8, [None] * 8

    def work(i):
        outputs[i], backward = layer.forward(inputs[i])
        gradients[i] = backward(np.full_like(outputs[i], i))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    grads = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    for i, x in enumerate(inputs):
        y, backward = layer.forward(x)
        np.testing.assert_array_equal(outputs[i], expected(x))
        np.testing.assert_allclose(gradients[i], backward(np.full_like(y, i)), atol=1e-12)
    for p, g in zip(layer.parameters(), grads, strict=True):
        np.testing.assert_allclose(g, p.grad, atol=1e-9)


# ---------------------------------------------------------------------------- what is kept


def held_by(backward):
    """All arrays within reach of a backward pass."""
    arrays, todo, seen = [], [backward._pending[0]], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            arrays.append(item)
        elif isinstance(item, (tuple, list)):
            todo += item
        elif callable(item) and getattr(item, "__closure__", None):
            todo += [cell.cell_contents for cell in item.__closure__]
    return arrays


@pytest.mark.parametrize(
    "name", ["relu", "leaky relu", "sigmoid", "tanh", "softmax", "max pool", "average pool"]
)
def test_the_input_is_not_kept(name):
    layer, x, _ = make(name)
    y, backward = layer.forward(x)
    held = held_by(backward)
    assert not any(np.shares_memory(array, x) for array in held)
    if name == "max pool":
        assert sum(array.nbytes for array in held) == y.size
    if name == "average pool":
        assert not held


def test_flatten_keeps_nothing_and_orders_features_by_channel():
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    for image in (x, channels_last(x)):
        y, backward = nn.Flatten().forward(image)
        assert y.tolist() == x.reshape(2, 12).tolist()
        assert sum(array.size for array in held_by(backward)) == 0
        np.testing.assert_array_equal(backward(y), x)
    assert nn.Flatten()(np.ones((2, 3))).shape == (2, 3)
    assert nn.Flatten()(np.ones((2, 3, 4, 1, 2))).shape == (2, 24)
    with pytest.raises(ValueError, match="Flatten: x must have 2 dimensions or more"):
        nn.Flatten()(np.ones(3))
    _, backward = nn.Flatten().forward(x)
    with pytest.raises(ValueError, match=r"Flatten: grad has shape \(4, 6\)"):
        backward(np.ones((4, 6)))  # as many elements, but another shape
    _, backward = nn.Flatten().forward(x)
    with pytest.raises(TypeError, match="Flatten: grad is float32 but x is float64"):
        backward(np.ones((2, 12), np.float32))


# ---------------------------------------------------------------------------- convolution


def test_convolution_matches_the_oracle():
    layer = conv(stride=2, padding=1)
    x = np.random.default_rng(0).standard_normal(IMAGE)
    weight, bias = layer.weight.data, layer.bias.data
    y, backward = layer.forward(x)
    np.testing.assert_allclose(y, oracle.conv2d(x, weight, bias, 2, 1), atol=1e-12)
    gx = backward(y.copy())
    expected = oracle.conv2d_backward(y, x, weight, 2, 1)
    for actual, wanted in zip((gx, layer.weight.grad, layer.bias.grad), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, atol=1e-10)


def test_a_frozen_layer_computes_and_gathers_nothing_for_itself():
    layer, x, _ = make("conv")
    layer.weight.requires_grad = False
    y, backward = layer.forward(x)
    backward(np.ones_like(y))
    assert layer.weight.grad is None
    assert layer.bias.grad is not None
    layer.bias.requires_grad = False
    layer.zero_grad()
    _, backward = layer.forward(x)
    assert backward("not even looked at", input_grad=False) is None
    assert layer.bias.grad is None


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: nn.Conv2d(4, 4, 3, stride=2, strict=True), "conv2d: strict: height 8 leaves 1"),
        (lambda: nn.MaxPool2d(3, strict=True), "max_pool2d: strict: height 8 leaves 2"),
        (lambda: nn.AvgPool2d(3, strict=True), "avg_pool2d: strict: height 8 leaves 2"),
        (lambda: nn.LPPool2d(2, 3, strict=True), "lp_pool2d: strict: height 8 leaves 2"),
    ],
)
def test_strict(layer, message):
    x = np.ones((1, 4, 8, 8), np.float32)
    for use in (layer(), layer().forward):
        with pytest.raises(ValueError, match=message):
            use(x)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.Conv2d(0, 4, 3), ValueError, "Conv2d: in_channels must be at least 1, got 0"),
        (lambda: nn.Conv2d(4, -1, 3), ValueError, "Conv2d: out_channels must be at least 1"),
        (lambda: nn.Conv2d(4, 4.0, 3), TypeError, "Conv2d: out_channels must be an integer"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, "Conv2d: groups must be at least 1"),
        (lambda: nn.Conv2d(4, 6, 3, groups=4), ValueError, "must be multiples of groups 4"),
        (lambda: nn.Conv2d(4, 4, 0), ValueError, "Conv2d: kernel_size must be at least 1"),
        (lambda: nn.Conv2d(4, 4, (3, 3, 3)), ValueError, "Conv2d: kernel_size must be an int or"),
        (lambda: nn.Conv2d(4, 4, 3, stride=0), ValueError, "Conv2d: stride must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, dilation=0), ValueError, "Conv2d: dilation must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, padding=-1), ValueError, "Conv2d: padding must be at least 0"),
        (lambda: nn.Conv2d(4, 4, 3, padding=[]), ValueError, "Conv2d: padding must be"),
        (lambda: nn.Conv2d(4, 4, 3, padding="full"), ValueError, 'must be "same" or "valid"'),
        (lambda: nn.Conv2d(4, 4, 3, 2, "same"), ValueError, 'padding "same" needs stride 1'),
        (lambda: nn.Conv2d(4, 4, 3, dtype=int), TypeError, "dtype must be float32 or float64"),
        (lambda: nn.Conv1d(4, 4, (3, 3)), ValueError, "Conv1d: kernel_size must be an int, got"),
        (lambda: nn.Conv3d(4, 4, (3, 3)), ValueError, "Conv3d: kernel_size must be an int or thr"),
        (lambda: nn.Conv3d(4, 6, 3, groups=4), ValueError, "Conv3d: .* multiples of groups 4"),
        (lambda: nn.ConvTranspose2d(4, 4, 3, 0), ValueError, "stride must be at least 1, got 0"),
        (lambda: nn.ConvTranspose2d(4, 4, 3, 2, 0, 2), ValueError, "output_padding .* less than"),
        (lambda: nn.ConvTranspose1d(4, 4, 3, 2, 0, -1), ValueError, "output_padding must be at l"),
        (lambda: nn.ConvTranspose3d(0, 4, 3), ValueError, "ConvTranspose3d: in_channels must be"),
        (lambda: nn.LocallyConnected2d(4, 4, 5, 6), ValueError, "kernel_size .* spans 6 rows"),
        (lambda: nn.LocallyConnected2d(4, 4, 0, 1), ValueError, "input_size must be at least 1"),
        (lambda: nn.LocallyConnected2d(0, 4, 5, 1), ValueError, "in_channels must be at least 1"),
        (lambda: nn.MaxPool1d((2, 2)), ValueError, "MaxPool1d: kernel_size must be an int, got"),
        (lambda: nn.MaxPool3d(2, padding=2), ValueError, "MaxPool3d: padding .* at most half"),
        (lambda: nn.AvgPool3d((2, 2)), ValueError, "AvgPool3d: kernel_size must be an int or thr"),
        (lambda: nn.LPPool1d(2, 0), ValueError, "LPPool1d: kernel_size must be at least 1"),
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size must be at least 1"),
        (lambda: nn.MaxPool2d(2, 0), ValueError, "MaxPool2d: stride must be at least 1"),
        (lambda: nn.MaxPool2d(2, padding=2), ValueError, "MaxPool2d: padding .* at most half"),
        (lambda: nn.MaxPool2d(2, 2, 0, 1, False, False, True), TypeError, "positional"),
        (lambda: nn.AvgPool2d("2"), TypeError, "AvgPool2d: kernel_size must be an int"),
        (lambda: nn.LPPool2d(2, 2, -1), ValueError, "LPPool2d: stride must be at least 1"),
        (lambda: nn.Linear(0, 3), ValueError, "Linear: in_features must be at least 1, got 0"),
        (lambda: nn.Linear(3, "3"), TypeError, "Linear: out_features must be an integer"),
        (lambda: nn.Linear(3, 3, dtype=np.float16), TypeError, "dtype must be float32 or float64"),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: p must be in 0..1, got 1.5"),
    ],
)
def test_bad_constructor_arguments(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv1d(2, 4, 3, groups=2), "2, 4, kernel_size=(3,), stride=(1,), groups=2"),
        (
            nn.Conv3d(1, 1, 1, dilation=(1, 2, 1), bias=False, strict=True),
            "1, 1, kernel_size=(1, 1, 1), stride=(1, 1, 1), dilation=(1, 2, 1), bias=False, "
            "strict=True",
        ),
        (
            nn.ConvTranspose2d(1, 2, 3, 2, 1, (0, 1)),
            "1, 2, kernel_size=(3, 3), stride=(2, 2), padding=1, output_padding=(0, 1)",
        ),
        (nn.MaxPool3d(2, padding=1), "kernel_size=2, stride=2, padding=1"),
    ],
)
def test_texts(layer, text):
    assert repr(layer) == f"{type(layer).__name__}({text})"


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(4, 2, 1), (3, 1, 2), (2, 2, 1)])
def test_a_transposed_convolution_keeps_the_size_of_signals(kernel, stride, groups):
    """With ReLU before it, which halves the mean square."""
    rng = np.random.default_rng(0)
    layer = nn.ConvTranspose2d(64, 32, kernel, stride, groups=groups, rng=rng, dtype=np.float64)
    x = np.maximum(rng.standard_normal((2, 64, 16, 16)), 0)
    inner = layer(x)[:, :, kernel:-kernel, kernel:-kernel]
    assert 0.8 < (inner**2).mean() < 1.25


# ---------------------------------------------------------------------------- dropout


def test_dropout_drops_only_in_forward_and_only_in_training():
    layer = nn.Dropout(0.5, rng=np.random.default_rng(0))
    x = np.ones((10, 10), np.float32)
    assert layer(x) is x
    y, backward = layer.forward(x)
    assert set(np.unique(y)) == {0, 2}
    np.testing.assert_array_equal(backward(x), y)
    another, _ = layer.forward(x)
    assert (another != y).any()
    layer.eval()
    y, backward = layer.forward(x)
    assert y is x
    assert backward(x) is x


def test_saliency_works_in_eval_mode():
    model = nn.Sequential(conv(), nn.Dropout(), nn.Flatten(), nn.Linear(120, 2, dtype=np.float64))
    model.eval()
    x = np.random.default_rng(0).standard_normal(IMAGE)
    y, backward = model.forward(x)
    np.testing.assert_array_equal(y, model(x))
    saliency = backward(np.array([[1.0, 0.0]] * 2))
    assert saliency.shape == x.shape
    assert saliency.any()
