"""Every layer: what it computes, its gradients, its memory, its modes."""

import copy
import pickle
import threading
import weakref

import numpy as np
import pytest

from cnnfast import functional, nn
from tests.nn.every_layer import IMAGE, conv, layers, make


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


def test_saliency_works_in_eval_mode():
    model = nn.Sequential(conv(), nn.Dropout(), nn.Flatten(), nn.Linear(120, 2, dtype=np.float64))
    model.eval()
    x = np.random.default_rng(0).standard_normal(IMAGE)
    y, backward = model.forward(x)
    np.testing.assert_array_equal(y, model(x))
    saliency = backward(np.array([[1.0, 0.0]] * 2))
    assert saliency.shape == x.shape
    assert saliency.any()


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
