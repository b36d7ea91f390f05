"""What optimizers have in common."""

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.nn import Parameter
from cnnfast.optim import SGD, Adam, Optimizer

OPTIMIZERS = {
    "sgd": lambda params, lr=0.1: SGD(params, lr),
    "momentum": lambda params, lr=0.1: SGD(params, lr, momentum=0.9),
    "adam": lambda params, lr=0.1: Adam(params, lr),
}
optimizers = pytest.mark.parametrize("name", OPTIMIZERS)


def parameters():
    rng = np.random.default_rng(0)
    return [
        Parameter(rng.standard_normal((2, 3))),
        Parameter(rng.standard_normal(4).astype(np.float32)),
    ]


def train(optimizer, steps, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in optimizer.params:
            p.grad = rng.standard_normal(p.shape).astype(p.dtype)
        optimizer.step()


@optimizers
def test_parameters_come_from_any_iterable_read_once(name):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    optimizer = OPTIMIZERS[name](model.parameters())
    assert optimizer.params == list(model.parameters())
    train(optimizer, 1)
    assert all(p.version == 1 for p in model.parameters())


@optimizers
def test_bad_parameters(name):
    make, kind = OPTIMIZERS[name], "Adam" if name == "adam" else "SGD"
    with pytest.raises(ValueError, match=f"{kind}: there are no parameters to optimize"):
        make([])
    with pytest.raises(ValueError, match="there are no parameters"):
        make(nn.ReLU().parameters())
    with pytest.raises(TypeError, match=rf"{kind}: params\[1\] must be a Parameter, got ndarray"):
        make([parameters()[0], np.ones(3)])
    with pytest.raises(TypeError, match=r"params\[0\] must be a Parameter, got Linear.*model\.par"):
        make(nn.Sequential(nn.Linear(1, 1)))
    with pytest.raises(ValueError, match=f"{kind}: params holds a parameter twice"):
        make(parameters()[:1] * 2)


@optimizers
def test_without_gradient_or_frozen_a_parameter_stays(name):
    first, second = parameters()
    optimizer = OPTIMIZERS[name]([first, second])
    optimizer.step()
    first.grad = np.ones(first.shape)
    first.requires_grad = False
    optimizer.step()
    assert first.version == second.version == 0
    assert optimizer.state == [{}, {}]


@optimizers
def test_the_learning_rate_may_change(name):
    p, q = Parameter(np.zeros(1)), Parameter(np.zeros(1))
    one, other = OPTIMIZERS[name]([p], 0.5), OPTIMIZERS[name]([q], 0.25)
    other.lr = 0.5
    train(one, 1)
    train(other, 1)
    assert p.data == q.data
    one.lr = 0
    before = p.data.copy()
    train(one, 2)
    assert p.data == before


@optimizers
def test_a_numpy_learning_rate_keeps_float32(name):
    exact, given = (Parameter(np.ones(5, np.float32)) for _ in range(2))
    one, other = OPTIMIZERS[name]([exact]), OPTIMIZERS[name]([given])
    other.lr = np.float64(0.1)
    train(one, 3)
    train(other, 3)
    np.testing.assert_array_equal(exact.data, given.data)


@optimizers
def test_gradients_in_any_memory(name):
    values = np.random.default_rng(0).standard_normal((4, 6))
    results = []
    for gradient in (values, np.asfortranarray(values), np.repeat(values, 2, axis=1)[:, ::2]):
        p = Parameter(np.zeros((4, 6)))
        p.grad = gradient
        OPTIMIZERS[name]([p]).step()
        results.append(p.data)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@optimizers
def test_zero_grad(name):
    params = parameters()
    optimizer = OPTIMIZERS[name](params)
    train(optimizer, 1)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


@optimizers
@pytest.mark.parametrize("saved", [False, True])
def test_state_can_be_taken_up_again(name, saved, tmp_path):
    straight, first, second = parameters(), parameters(), parameters()
    optimizer = OPTIMIZERS[name](straight)
    train(optimizer, 3)
    optimizer.lr = 0.01
    train(optimizer, 2, seed=1)

    before = OPTIMIZERS[name](first)
    train(before, 3)
    before.lr = 0.01
    state = before.state_dict()
    if saved:
        np.savez(tmp_path / "state.npz", **state)
        with np.load(tmp_path / "state.npz") as file:
            state = dict(file)
    for p, q in zip(first, second, strict=True):
        q.assign(p.data)
    after = OPTIMIZERS[name](second)
    after.load_state_dict(state)
    train(before, 1)  # the copy does not follow the original
    train(after, 2, seed=1)
    assert after.lr == 0.01
    for p, q in zip(straight, second, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_names_in_the_state():
    optimizer = Adam(parameters())
    assert optimizer.state_dict() == {"lr": 1e-3}
    train(optimizer, 2)
    state = optimizer.state_dict()
    assert list(state) == [
        "lr",
        "0.step",
        "0.exp_avg",
        "0.exp_avg_sq",
        "1.step",
        "1.exp_avg",
        "1.exp_avg_sq",
    ]
    assert state["1.step"] == 2
    momentum = SGD(parameters(), 0.1, momentum=0.9)
    train(momentum, 1)
    assert list(momentum.state_dict()) == ["lr", "0.momentum_buffer", "1.momentum_buffer"]


def test_state_that_does_not_fit_changes_nothing():
    optimizer = Adam(parameters())
    train(optimizer, 1)
    good = optimizer.state_dict()

    def state(**changes):
        changed = {**good, **{k.replace("_dot_", "."): v for k, v in changes.items()}}
        return {k: v for k, v in changed.items() if v is not None}

    for bad, message in [
        (state(lr=None), "Adam.load_state_dict: missing: lr"),
        (state(lr=-1), "Adam: lr must be at least 0"),
        (state(_dot_step=1), r"unexpected: \.step"),
        (state(**{"2_dot_step": 1}), r"unexpected: 2\.step"),
        (state(**{"0_dot_momentum_buffer": np.ones(3)}), r"unexpected: 0\.momentum_buffer"),
        (state(other=1), "unexpected: other"),
        (state(**{"0_dot_exp_avg": np.ones(3)}), r"0\.exp_avg has shape \(3,\), expected \(2, 3\)"),
        (state(**{"0_dot_step": np.ones(3)}), r"0\.step has shape \(3,\), expected \(\)"),
        (state(**{"1_dot_exp_avg": None, "1_dot_step": None}), r"missing: 1\.step, 1\.exp_avg"),
    ]:
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(bad)
    after = optimizer.state_dict()
    assert list(after) == list(good)
    assert all(np.array_equal(after[k], good[k]) for k in good)


def test_an_optimizer_without_a_rule():
    optimizer = Optimizer(parameters(), 0.1)
    with pytest.raises(NotImplementedError):
        train(optimizer, 1)
