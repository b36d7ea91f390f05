"""Other libraries doing the same tasks, each imported only when it takes part.

A peer has a `name`, a `version`, and `call(task)`: the task as a function without arguments, or
None where the library has nothing of the kind. Whatever can be prepared once, is: arrays become
tensors, models are built and their weights packed outside the timing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cnnfast.cli.race import Task


def torch_formats() -> tuple[Any, dict[str, Any]]:
    """PyTorch, and the memory formats it competes in."""
    torch = importlib.import_module("torch")
    return torch, {
        "torch NCHW": torch.contiguous_format,
        "torch channels-last": torch.channels_last,
    }


class Torch:
    """PyTorch's own kernels, without autograd around them."""

    name = "PyTorch"

    def __init__(self, threads: int) -> None:
        self.torch = importlib.import_module("torch")
        self.torch.set_num_threads(threads)
        self.torch.set_grad_enabled(False)
        self.version = self.torch.__version__

    def call(self, task: Task) -> Callable[[], Any]:
        tensors = [
            self.torch.from_numpy(operand) if isinstance(operand, np.ndarray) else operand
            for operand in task.operands
        ]
        return getattr(self, f"_{task.kernel}")(task, *tensors)

    def _im2col(self, task, x, kernel_size, stride, padding):
        unfold = self.torch.nn.functional.unfold
        return partial(unfold, x, kernel_size, stride=stride, padding=padding)

    def _col2im(self, task, columns, output_size, kernel_size, stride, padding):
        fold = self.torch.nn.functional.fold
        return partial(fold, columns, output_size, kernel_size, stride=stride, padding=padding)

    def _conv2d(self, task, *operands):
        return partial(self.torch.nn.functional.conv2d, *operands)

    def _conv2d_backward(self, task, grad, x, weight, stride, padding, dilation, groups):
        # fmt: off
        return partial(
            self.torch.ops.aten.convolution_backward, grad, x, weight, [len(weight)],
            [stride] * 2, [padding] * 2, [dilation] * 2, False, [0, 0], groups, [True] * 3,
        )
        # fmt: on

    def _max_pool2d(self, task, *operands):
        return partial(self.torch.nn.functional.max_pool2d, *operands)

    def _max_pool2d_backward(self, task, grad, indices, input_shape):
        layer = task.layer
        window = (layer.kernel_size, [layer.stride] * 2, [layer.padding] * 2, [1, 1])
        backward = self.torch.ops.aten.max_pool2d_with_indices_backward
        x = self.torch.empty(input_shape)  # only its shape is looked at
        return partial(backward, grad, x, *window, layer.ceil_mode, indices)


class OnnxRuntime:
    """ONNX Runtime on models of one node: it has forward passes only."""

    name = "ONNX Runtime"

    def __init__(self, threads: int) -> None:
        self.onnx = importlib.import_module("onnx")
        self.runtime = importlib.import_module("onnxruntime")
        self.options = self.runtime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.version = self.runtime.__version__

    def call(self, task: Task) -> Callable[[], Any] | None:
        layer = task.layer
        attributes = {
            "kernel_shape": layer.kernel_size,
            "strides": [layer.stride] * 2,
            "pads": [layer.padding] * 4,
        }
        if task.kernel == "conv2d":
            x, weight, bias = task.operands[:3]
            constants = {"weight": weight, "bias": bias}
            return self._run("Conv", x, constants, group=layer.groups, **attributes)
        if task.kernel == "max_pool2d":
            x = task.operands[0]
            return self._run("MaxPool", x, {}, ceil_mode=int(layer.ceil_mode), **attributes)
        return None

    def _run(self, operator: str, x: np.ndarray, constants: dict[str, np.ndarray], **attributes):
        helper, number = self.onnx.helper, self.onnx.TensorProto.FLOAT
        node = helper.make_node(operator, ["x", *constants], ["y"], **attributes)
        graph = helper.make_graph(
            [node],
            operator,
            [helper.make_tensor_value_info("x", number, x.shape)],
            [helper.make_tensor_value_info("y", number, None)],
            [self.onnx.numpy_helper.from_array(value, key) for key, value in constants.items()],
        )
        # An older version of the format than onnx writes by itself: any runtime reads it.
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
        session = self.runtime.InferenceSession(
            model.SerializeToString(), self.options, providers=["CPUExecutionProvider"]
        )
        return partial(session.run, ["y"], {"x": x})


def installed(threads: int) -> tuple[list[Any], list[str]]:
    """All peers that can be imported, and a line on each that can not."""
    found, missing = [], []
    for peer in (Torch, OnnxRuntime):
        try:
            found.append(peer(threads))
        except ImportError as error:
            missing.append(f"{peer.name} does not take part: {error}")
    return found, missing
