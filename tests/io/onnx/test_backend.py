"""The ONNX project's own test cases: node by node, from PyTorch's tests, and large networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cnnfast.io.onnx.loader import build
from cnnfast.io.onnx.registry import OPERATORS
from cnnfast.nn import Graph
from tests.io.onnx import cases, left_out
from tests.io.onnx.cases import Case

#: What image networks are made of: every case with nothing but these must pass.
PROMISED = """
Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool GlobalLpPool LpPool
MaxUnpool BatchNormalization LRN InstanceNormalization GroupNormalization LayerNormalization
Gemm MatMul Relu LeakyRelu PRelu Elu Selu Gelu Sigmoid Tanh HardSigmoid HardSwish Softplus
Softsign Add Sub Mul Div Sum Max Min Mean Concat Split Slice Gather Pad Reshape Flatten Squeeze
Unsqueeze Transpose Expand Shape ConstantOfShape Cast Clip ReduceMean ReduceSum ReduceMax
ReduceL2 Resize Upsample Dropout Identity DepthToSpace SpaceToDepth Softmax LogSoftmax ArgMax
Col2Im Pow Sqrt Exp
"""


def network(case: Case) -> Graph:
    return build(case.model, Path(), case.name)


def is_known(case: Case) -> bool:
    return case.operators <= {*OPERATORS, "Constant"}


def run(model: Graph, case: Case) -> None:
    for inputs, expected in case.data:
        outputs = model(*inputs)
        cases.check(case, outputs if isinstance(outputs, tuple) else (outputs,), expected)


def failures(chosen: list[Case], test) -> list[str]:
    """Run `test` on each; one line for each that fails."""
    failed = []
    for case in chosen:
        try:
            test(case)
        except Exception as error:
            failed.append(f"{case.name}: {type(error).__name__}: {' '.join(str(error).split())}")
    return failed


def runnable() -> list[Case]:
    """The cases that must pass, in the tolerance that each has."""
    chosen = []
    for case in cases.all_cases():
        if is_known(case) and case.name not in left_out.CASES:
            rtol, _ = left_out.LOOSER.get(case.name, (case.rtol, ""))
            chosen.append(case._replace(rtol=rtol))
    return chosen


def test_every_promised_operator_is_there():
    assert set(PROMISED.split()) - set(OPERATORS) == set()


def test_cases():
    chosen = runnable()
    assert len(chosen) >= 1200
    assert failures(chosen, lambda case: run(network(case), case)) == []


def test_cases_with_weights_in_the_file():
    """Where a case has inputs besides its first, they become constants: parameters of layers."""

    def test(case: Case) -> None:
        case = with_constants(case)
        run(network(case), case)

    chosen = [c for c in runnable() if len(c.data) == 1 and len(c.data[0][0]) > 1]
    chosen = [c for c in chosen if all(x.dtype.kind != "O" for x in c.data[0][0])]
    assert len(chosen) >= 600
    assert failures(chosen, test) == []


def with_constants(case: Case) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    given = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in given]
    ((inputs, expected),) = case.data
    for name, array in zip(names[1:], inputs[1:], strict=True):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return case._replace(model=model, data=[(inputs[:1], expected)])


def test_what_is_left_out_is_refused():
    """And says why: at each of those cases, nothing but NotImplementedError."""

    def test(case: Case) -> None:
        with pytest.raises(NotImplementedError, match="not supported:"):
            network(case)

    chosen = [c for c in cases.all_cases() if not is_known(c) or c.name in left_out.CASES]
    assert failures(chosen, test) == []


def test_the_list_of_what_is_left_out_is_complete():
    every = cases.all_cases()
    missing = {name for case in every for name in case.operators} - {*OPERATORS, "Constant"}
    assert missing == set(left_out.OPERATORS)
    known = {case.name for case in every if is_known(case)}
    assert {*left_out.CASES, *left_out.LOOSER} <= known


def test_gradients():
    """Of every case with a gradient, against the change of the output along a direction."""
    tested: set[str] = set()

    def test(case: Case) -> None:
        if check_gradient(case):
            tested.update(case.operators)

    assert failures(runnable(), test) == []
    assert {"Conv", "MaxPool", "BatchNormalization", "Gemm", "PRelu", "Softmax"} <= tested


def check_gradient(case: Case) -> bool:
    """Check one case in float64; False if there is nothing to differentiate."""
    inputs, _ = case.data[0]
    if case.operators & {"Cast", "CastLike"}:
        return False  # they leave float64
    if not any(isinstance(x, np.ndarray) and x.dtype == np.float32 for x in inputs):
        return False
    model = network(case).eval().astype(np.float64)
    rng = np.random.default_rng(0)
    # Off the kinks, where many of the inputs are.
    xs = [x + rng.uniform(1e-4, 1e-3, x.shape) if x.dtype == np.float32 else x for x in inputs]
    try:
        y, backward = model.forward(*xs)
    except NotImplementedError:
        return False
    several = isinstance(y, tuple)
    ys = y if several else (y,)
    if not all(np.isfinite(y).all() for y in ys):
        return False
    weights = [rng.standard_normal(y.shape) if y.dtype == np.float64 else None for y in ys]
    if all(w is None for w in weights[:1]):
        return False
    weights[1:] = [None] * len(weights[1:])  # statistics, masks
    grads = backward(tuple(weights) if several else weights[0])
    grads = grads if isinstance(grads, tuple) else (grads,)
    directions = [None if g is None else rng.standard_normal(g.shape) for g in grads]

    def loss(step: float) -> float:
        moved = [x if d is None else x + step * d for x, d in zip(xs, directions, strict=True)]
        outputs = model(*moved)
        outputs = outputs if several else (outputs,)
        return sum((w * y).sum() for w, y in zip(weights, outputs, strict=True) if w is not None)

    step = 1e-6
    numerical = (loss(step) - loss(-step)) / (2 * step)
    terms = [g * d for g, d in zip(grads, directions, strict=True) if d is not None]
    analytical = sum(term.sum() for term in terms)
    size = sum(np.abs(term).sum() for term in terms) + 1e-3
    assert abs(analytical - numerical) <= 1e-5 * size
    return True


@pytest.mark.parametrize("name", cases.LIGHT)
def test_large_networks(name):
    case = cases.light_case(name)
    run(network(case), case)
