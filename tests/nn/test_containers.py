"""Sequential: order, names, and a way back that stops where nothing in front learns."""

import weakref

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.functional._conv import passes
from cnnfast.nn import Backward, Module, Sequential


class Double(Module):
    """Doubles, and notes what its backward pass was asked for."""

    def __init__(self, log, name):
        self.log = log
        self.name = name

    def __call__(self, x):
        return 2 * x

    def forward(self, x):
        y = self(x)

        def run(grad, input_grad):
            self.log.append((self.name, input_grad))
            return 2 * grad if input_grad else None

        return y, Backward(run)


class Learned(Double):
    def __init__(self, log, name):
        super().__init__(log, name)
        self.weight = nn.Parameter(np.zeros(1))


def test_applies_its_layers_in_order():
    rng = np.random.default_rng(0)
    first, last = nn.Linear(3, 4, rng=rng), nn.Linear(4, 2, rng=rng)
    model = Sequential(first, nn.ReLU(), last)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    expected = last(nn.ReLU()(first(x)))
    np.testing.assert_array_equal(model(x), expected)
    y, backward = model.forward(x)
    np.testing.assert_array_equal(y, expected)
    grad = rng.standard_normal(y.shape).astype(np.float32)
    hidden, b1 = first.forward(x)
    active, b2 = nn.ReLU().forward(hidden)
    _, b3 = last.forward(active)
    expected_gx = b1(b2(b3(grad)))
    expected_grads = [p.grad for p in model.parameters()]
    model.zero_grad()
    np.testing.assert_array_equal(backward(grad), expected_gx)
    for p, g in zip(model.parameters(), expected_grads, strict=True):
        np.testing.assert_array_equal(p.grad, g)


def test_empty():
    x = np.ones(3)
    assert Sequential()(x) is x
    for input_grad, expected in ((True, x), (False, None)):
        y, backward = Sequential().forward(x)
        assert y is x
        assert backward(x, input_grad=input_grad) is expected


def test_names_indices_and_slices():
    relu, tanh, flat = nn.ReLU(), nn.Tanh(), nn.Flatten()
    model = Sequential({"a": relu, "b": tanh, "c": flat})
    assert model.b is tanh
    assert len(model) == 3
    assert list(model) == [relu, tanh, flat]
    assert model[0] is relu
    assert model[-1] is flat
    tail = model[1:]
    assert type(tail) is Sequential
    assert [name for name, _ in tail.named_children()] == ["b", "c"]
    with pytest.raises(IndexError):
        model[3]
    model.b = nn.Sigmoid()
    assert type(model[1]) is nn.Sigmoid
    assert [name for name, _ in Sequential(relu, tanh).named_children()] == ["0", "1"]


def test_bad_layers_and_names():
    for name in ("", "a.b", "forward", "training", 3):
        with pytest.raises(ValueError, match="Sequential: a layer cannot be named"):
            Sequential({name: nn.ReLU()})
    with pytest.raises(TypeError, match="Sequential: layer 1 must be a Module, got 3"):
        Sequential(nn.ReLU(), 3)
    with pytest.raises(TypeError, match="Sequential: layer 0 must be a Module"):
        Sequential([nn.ReLU()])


def test_with_an_input_gradient_every_layer_runs():
    log = []
    model = Sequential(Double(log, "a"), Learned(log, "b"), Double(log, "c"))
    _, backward = model.forward(np.ones(1))
    assert backward(np.ones(1)).tolist() == [8]
    assert log == [("c", True), ("b", True), ("a", True)]


def test_without_one_the_way_back_ends_at_the_first_layer_that_learns():
    log = []
    model = Sequential(
        Double(log, "a"),
        Learned(log, "b"),
        Double(log, "c"),
        Sequential(Double(log, "d"), Learned(log, "e")),
        Double(log, "f"),
    )
    _, backward = model.forward(np.ones(1))
    assert backward(np.ones(1), input_grad=False) is None
    assert log == [("f", True), ("e", True), ("d", True), ("c", True), ("b", False)]

    log.clear()
    model[1].weight.requires_grad = False
    _, backward = model.forward(np.ones(1))
    backward(np.ones(1), input_grad=False)
    assert log == [("f", True), ("e", False)]

    log.clear()
    model[3][1].weight.requires_grad = False
    _, backward = model.forward(np.ones(1))
    assert backward(np.ones(1), input_grad=False) is None
    assert log == []


def test_the_first_convolution_computes_no_input_gradient(monkeypatch):
    asked = []
    genuine = passes.backward

    def spy(*args, **options):
        *_, needs = args
        asked.append(set(needs))
        return genuine(*args, **options)

    monkeypatch.setattr(passes, "backward", spy)
    model = Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    y, backward = model.forward(np.ones((1, 1, 6, 6), np.float32))
    backward(y, input_grad=False)
    assert asked == [{"x", "weight", "bias"}, {"weight", "bias"}]


def test_a_layer_may_occur_twice():
    layer = nn.Linear(3, 3, bias=False, dtype=np.float64, rng=np.random.default_rng(0))
    model = Sequential(layer, layer)
    assert len(model) == 2
    assert len(list(model.parameters())) == 1
    x, grad = np.random.default_rng(1).standard_normal((2, 4, 3))
    _, backward = model.forward(x)
    backward(grad)
    w = layer.weight.data
    np.testing.assert_allclose(layer.weight.grad, grad.T @ (x @ w.T) + (grad @ w).T @ x)


class Holder(Module):
    """Keeps its output for the way back, and lets tests watch it."""

    def __init__(self):
        self.alive = []

    def forward(self, x):
        y = x + 1
        self.alive.append(weakref.ref(y))
        return y, Backward.without_parameters(lambda grad: grad * y)


class Watcher(Module):
    def __init__(self, see):
        self.see = see

    def forward(self, x):
        def run(grad):
            self.see()
            return grad

        return x * 1, Backward.without_parameters(run)


def test_what_layers_keep_is_freed_layer_by_layer():
    first, last = Holder(), Holder()
    seen = []

    def see():
        seen.append([holder.alive[0]() is not None for holder in (first, last)])

    _, backward = Sequential(first, Watcher(see), last, nn.Tanh()).forward(np.ones(3))
    see()
    backward(np.ones(3))
    see()
    assert seen == [[True, True], [True, False], [False, False]]


def test_layers_that_need_not_run_free_what_they_hold_too():
    holder = Holder()
    model = Sequential(holder, nn.Linear(3, 2, dtype=np.float64))
    y, backward = model.forward(np.ones((1, 3)))
    backward(y, input_grad=False)
    assert holder.alive[0]() is None


def test_inference_keeps_nothing():
    alive = []

    class Spy(Module):
        def __call__(self, x):
            y = x + 1
            alive.append(weakref.ref(y))
            return y

    Sequential(Spy(), nn.ReLU(), nn.Linear(3, 2, dtype=np.float64))(np.ones((1, 3)))
    assert alive[0]() is None
