"""A backward pass runs once, frees what it held, and does no work that nobody wants."""

import threading
import weakref

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.nn import Backward, Parameter


def test_a_second_call_says_why_it_fails():
    backward = Backward(lambda grad, input_grad: grad)
    grad = np.ones(3)
    assert backward(grad) is grad
    with pytest.raises(RuntimeError, match=r"already run.*call forward again"):
        backward(grad)


def test_a_call_that_failed_counts():
    _, backward = nn.Linear(2, 2).forward(np.ones((1, 2), np.float32))
    with pytest.raises(ValueError, match="grad has shape"):
        backward(np.ones((1, 3), np.float32))
    with pytest.raises(RuntimeError, match="already run"):
        backward(np.ones((1, 2), np.float32))


def test_what_it_holds_is_freed_as_it_runs():
    held = np.ones(3)
    alive = weakref.ref(held)
    backward = Backward.without_parameters(lambda grad, held=held: grad * held)
    del held
    assert alive() is not None
    backward(np.ones(3))
    assert alive() is None


def test_of_many_threads_one_runs_it():
    outcomes = []
    backward = Backward(lambda grad, input_grad: grad)
    start = threading.Barrier(8)

    def work():
        start.wait()
        try:
            outcomes.append(backward(np.ones(1)) is not None)
        except RuntimeError:
            outcomes.append(False)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]


def test_without_parameters_and_without_an_input_gradient_nothing_runs():
    def fail(grad):
        raise AssertionError

    assert Backward.without_parameters(fail)(np.ones(1), input_grad=False) is None


@pytest.mark.parametrize("input_grad", [True, False])
@pytest.mark.parametrize("frozen", [(), ("weight",), ("bias",), ("weight", "bias")])
def test_only_what_is_wanted_is_computed(input_grad, frozen):
    parameters = {name: Parameter(np.zeros(1), name not in frozen) for name in ("weight", "bias")}
    asked = []

    def run(grad, needs):
        asked.append(set(needs))
        return [np.ones(1) if name in needs else None for name in ("x", "weight", "bias")]

    gx = Backward.with_parameters(run, **parameters)(np.ones(1), input_grad=input_grad)
    wanted = {"weight", "bias"} - set(frozen) | ({"x"} if input_grad else set())
    assert asked == ([wanted] if wanted else [])
    assert (gx is not None) == input_grad
    for name, parameter in parameters.items():
        assert (parameter.grad is not None) == (name in wanted)


def test_a_parameter_may_be_missing():
    weight = Parameter(np.zeros(1))
    backward = Backward.with_parameters(
        lambda grad, needs: (grad, grad * 2, None), weight=weight, bias=None
    )
    assert backward(np.ones(1)).tolist() == [1]
    assert weight.grad.tolist() == [2]


def test_a_parameter_changed_in_between_would_give_a_wrong_gradient():
    layer = nn.Linear(2, 2)
    x = np.ones((1, 2), np.float32)
    for input_grad in (True, False):
        y, backward = layer.forward(x)
        layer.weight.assign(np.zeros((2, 2), np.float32))
        if input_grad:
            with pytest.raises(RuntimeError, match="changed between forward and backward"):
                backward(y)
            assert layer.weight.grad is None
        else:  # the weights' own gradient does not depend on them
            backward(y, input_grad=False)
            assert layer.weight.grad is not None
