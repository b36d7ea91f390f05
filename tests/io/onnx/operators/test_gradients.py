"""Every operator that learns, against central differences."""

import numpy as np
import pytest

from tests.helpers import random
from tests.io.onnx.nodes import check_gradients


def numbers(*values):
    return np.array(values, np.int64)


def positive(*shape, seed=0):
    return np.abs(random(*shape, seed=seed)) + 0.5


X, Y = random(2, 3, 4), random(3, 1, seed=1)
IMAGES = random(2, 3, 4, 6, seed=2)

CASES = {
    "Add": ("Add", X, Y),
    "Add, of one shape": ("Add", X, random(2, 3, 4, seed=3)),
    "Add, at an axis": ("Add", X, random(3, seed=1), {"opset": 6, "axis": 1, "broadcast": 1}),
    "Sub": ("Sub", X, Y),
    "Sub, the other way": ("Sub", Y, X),
    "Mul": ("Mul", X, Y),
    "Mul, at an axis": ("Mul", X, random(2, seed=1), {"opset": 6, "axis": 0, "broadcast": 1}),
    "Div": ("Div", X, Y),
    "Mod": ("Mod", 3 * X, positive(3, 1), {"fmod": 1}),
    "Mod, of the sign of the second": ("Mod", 3 * X, Y),
    "Pow": ("Pow", positive(2, 3, 4), Y),
    "Pow, of a whole number": ("Pow", X, np.array(3)),
    "Pow, square": ("Pow", X, np.array(2.0, np.float32)),
    "Sum": ("Sum", X, Y, random(1, seed=2)),
    "Mean": ("Mean", X, Y, random(1, seed=2)),
    "Max": ("Max", X, Y, random(1, seed=2)),
    "Min": ("Min", X, Y),
    "Clip": ("Clip", X, np.array(-0.5, np.float32), np.array(0.4, np.float32)),
    "Clip, to ReLU6": ("Clip", 5 * X, np.array(0.0, np.float32), np.array(6.0, np.float32)),
    "Clip, before opset 11": ("Clip", X, {"opset": 6, "min": 0.1}),
    "Where": ("Where", X[0] > 0, X, Y),
    "Concat": ("Concat", X, random(2, 1, 4), random(2, 2, 4), {"axis": 1}),
    "Concat, of images": ("Concat", IMAGES, random(2, 1, 4, 6), {"axis": -3}),
    "Split": ("Split", X, numbers(1, 0, 3), {"axis": -1, "outputs": 3}),
    "Split, evenly": ("Split", X, {"axis": 2, "num_outputs": 3, "outputs": 3}),
    "Slice": ("Slice", X, numbers(2, -2), numbers(0, 9), numbers(1, 2), numbers(-1, 1)),
    "Slice, before opset 10": ("Slice", X, {"opset": 9, "starts": [1], "ends": [9], "axes": [-1]}),
    "Gather": ("Gather", X, np.array([[0, -1, 2], [2, 2, 0]]), {"axis": 1}),
    "Gather, one": ("Gather", X, np.array(-2), {"axis": 2}),
    "Pad": ("Pad", X, numbers(0, 2, -1, 1, 0, 3)),
    "Pad, edge": ("Pad", X, numbers(3, 2, -1, 1, 0, 3), {"mode": "edge"}),
    "Pad, reflect": ("Pad", X, numbers(0, 2, -1, 1, 0, 2), {"mode": "reflect"}),
    "Pad, wrap": ("Pad", X, numbers(5, 4), None, numbers(1), {"mode": "wrap"}),
    "Reshape": ("Reshape", X, numbers(0, 2, -1)),
    "Flatten": ("Flatten", X, {"axis": -1}),
    "Squeeze": ("Squeeze", random(1, 3, 1, 2), numbers(0)),
    "Unsqueeze": ("Unsqueeze", X, numbers(0, -1)),
    "Transpose": ("Transpose", X, {"perm": [1, 2, 0]}),
    "Transpose, reversed": ("Transpose", X),
    "Expand": ("Expand", Y, numbers(2, 3, 4)),
    "Tile": ("Tile", X, numbers(2, 1, 3)),
    "Tile, before opset 6": ("Tile", X, np.array(3), np.array(1), {"opset": 1}),
    "DepthToSpace": ("DepthToSpace", random(1, 8, 2, 3), {"blocksize": 2}),
    "DepthToSpace, CRD": ("DepthToSpace", random(1, 8, 2, 3), {"blocksize": 2, "mode": "CRD"}),
    "SpaceToDepth": ("SpaceToDepth", IMAGES, {"blocksize": 2}),
    "Resize": ("Resize", IMAGES, None, None, numbers(2, 3, 7, 4), {"mode": "linear"}),
    "Resize, nearest": ("Resize", IMAGES, None, np.array([1, 1, 0.6, 2], np.float32)),
    "Resize, cubic, antialiased": (
        *("Resize", IMAGES, None, None, numbers(3, 8)),
        {"mode": "cubic", "antialias": 1, "exclude_outside": 1, "axes": [2, 3]},
    ),
    "Resize, of a part": (
        *("Resize", IMAGES, np.array([0.1, -0.3, 0.9, 1.2], np.float32), None, numbers(5, 5)),
        {
            "mode": "linear",
            "axes": [2, 3],
            "coordinate_transformation_mode": "tf_crop_and_resize",
            "extrapolation_value": 7.0,
        },
    ),
    "Resize, of a vector": ("Resize", random(5), None, None, numbers(8), {"mode": "linear"}),
    "Upsample": ("Upsample", IMAGES, {"opset": 7, "scales": [1.0, 1.0, 2.0, 1.5]}),
    **{
        name: (name, X, numbers(-1, 0))
        for name in ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin")
    },
    **{
        name: (name, positive(2, 3, 4), numbers(1), {"keepdims": 0})
        for name in ("ReduceLogSum", "ReduceLogSumExp", "ReduceProd", "ReduceSumSquare")
    },
    "ReduceSum": ("ReduceSum", X, {"keepdims": 0}),
    "ReduceMean, of images": ("ReduceMean", IMAGES, {"axes": [2, 3], "opset": 13}),
    "ReduceL2, of nothing": ("ReduceL2", X, {"noop_with_empty_axes": 1}),
    **{name: (name, X) for name in ("Abs", "Erf", "Exp", "Neg", "Reciprocal")},
    **{name: (name, positive(2, 3)) for name in ("Log", "Sqrt")},
}


@pytest.mark.parametrize("case", CASES)
def test_gradient(case):
    operator, *inputs = CASES[case]
    settings = inputs.pop() if isinstance(inputs[-1], dict) else {}
    check_gradients(operator, *inputs, **settings)
