"""Networks of one node."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from cnnfast.io.onnx.loader import build
from cnnfast.nn import Graph
from tests.helpers import numerical_gradient

NEWEST = 22


def network(
    operator: str,
    *inputs: np.ndarray | None,
    opset: int = NEWEST,
    outputs: int = 1,
    given: Collection[int] = (),
    **attributes: Any,
) -> Graph:
    """A network of one node that takes such inputs; those with the numbers `given` it has."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    ends = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(operator, names, ends, **attributes)
    taken = [
        helper.make_tensor_value_info(names[i], helper.np_dtype_to_tensor_dtype(x.dtype), None)
        for i, x in enumerate(inputs)
        if x is not None and i not in given
    ]
    constants = [numpy_helper.from_array(inputs[i], names[i]) for i in given]
    results = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in ends]
    graph = helper.make_graph([node], "one", taken, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return build(model, Path(), operator)


def run(operator: str, *inputs: np.ndarray | None, **settings: Any) -> Any:
    """What such a network gives."""
    given = settings.get("given", ())
    live = [x for i, x in enumerate(inputs) if x is not None and i not in given]
    return network(operator, *inputs, **settings)(*live)


def check_gradients(operator: str, *inputs: np.ndarray | None, **settings: Any) -> None:
    """Compare with central differences. Inputs that are not float64 belong to the network."""
    given = [i for i, x in enumerate(inputs) if x is not None and x.dtype != np.float64]
    live = [x for x in inputs if x is not None and x.dtype == np.float64]
    model = network(operator, *inputs, given=given, **settings)
    before = [x.copy() for x in live]
    output, backward = model.forward(*live)
    rng = np.random.default_rng(0)
    parts = output if isinstance(output, tuple) else (output,)
    grads = tuple(rng.standard_normal(y.shape) for y in parts)
    gradients = backward(grads if isinstance(output, tuple) else grads[0])
    gradients = gradients if len(live) > 1 else (gradients,)

    def values(i: int, x: np.ndarray) -> np.ndarray:
        return _joined(model(*live[:i], x, *live[i + 1 :]))

    for i, (x, gx) in enumerate(zip(live, gradients, strict=True)):
        want = numerical_gradient(lambda x, i=i: values(i, x), x, _joined(grads))
        assert gx.shape == x.shape
        assert gx.dtype == x.dtype
        np.testing.assert_allclose(gx, want, rtol=1e-6, atol=1e-7)
    assert all((x == b).all() for x, b in zip(live, before, strict=True)), "an input was changed"


def _joined(output: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    parts = output if isinstance(output, tuple) else (output,)
    return np.concatenate([y.ravel() for y in parts])
