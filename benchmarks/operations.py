"""The operations around convolutions, and matrix products, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.arrays import channels_last, normal
from benchmarks.contests import Calls, Contest
from benchmarks.peers import torch_formats
from cnnfast import functional
from cnnfast.functional.max_pool import max_pool2d_routed

VGG, ALEXNET, RESNET = (4, 64, 224, 224), (8, 96, 55, 55), (8, 64, 112, 112)
DEEP, LAST = (8, 256, 56, 56), (8, 512, 7, 7)

# A pass as each library takes it: of the input (of PyTorch too its module), a function without
# arguments; of its gradient, one of the output's gradient.
Pass = Callable[..., Callable[..., Any]]


class Operation(NamedTuple):
    """An operation, the shapes it is measured on, and how each library does it."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    forward: Pass
    backward: Pass
    torch_forward: Pass
    torch_backward: Pass


def contests() -> Iterator[Contest]:
    """All of them, each made up when it begins."""
    for in_c_order in (False, True):
        group = "operations, C order" if in_c_order else "operations"
        for operation in OPERATIONS:
            for shape in operation.shapes:
                for enter in (_forward, _backward):
                    name = f"{operation.name}{enter.__name__} {shape}".replace("_", " ")
                    calls = partial(enter, operation, shape, in_c_order)
                    yield Contest(group, name.replace(" forward", ""), float(np.prod(shape)), calls)
    for fan_in, fan_out in ((9216, 4096), (25088, 4096), (4096, 4096), (4096, 1000)):
        for batch in (1, 16):
            for enter in (_linear, _linear_backward):
                name = f"{batch} x {fan_in} -> {fan_out}"
                name += ", gradients" if enter is _linear_backward else ""
                work = 2 * batch * fan_in * fan_out * (1 + (enter is _linear_backward))
                yield Contest("linear", name, work, partial(enter, batch, fan_in, fan_out))


def _images(shape: tuple[int, ...], in_c_order: bool, seed: int = 0) -> np.ndarray:
    x = normal(np.random.default_rng(seed), shape)
    return x if in_c_order or len(shape) < 4 else channels_last(x)


def _tensors(x: np.ndarray) -> Iterator[tuple[str, Any, Any]]:
    """PyTorch's competitors: a name, the module, and the tensor in its memory format."""
    torch, formats = torch_formats()
    for name, memory_format in formats.items():
        tensor = torch.from_numpy(np.ascontiguousarray(x))
        yield name, torch, tensor.to(memory_format=memory_format) if x.ndim == 4 else tensor


def _forward(operation: Operation, shape: tuple[int, ...], in_c_order: bool) -> Calls:
    x = _images(shape, in_c_order)
    calls: Calls = {"cnnfast": operation.forward(x)}
    for name, torch, tensor in _tensors(x):
        calls[name] = operation.torch_forward(torch, tensor)
    return calls


def _backward(operation: Operation, shape: tuple[int, ...], in_c_order: bool) -> Calls:
    x = _images(shape, in_c_order)
    grad = _images(operation.forward(x)().shape, in_c_order, seed=1)
    calls: Calls = {"cnnfast": partial(operation.backward(x), grad)}
    for (name, torch, tensor), (_, _, g) in zip(_tensors(x), _tensors(grad), strict=True):
        calls[name] = partial(operation.torch_backward(torch, tensor), g)
    return calls


# ---------------------------------------------------------------------------- pools


def _max_pool(kernel_size: int, padding: int, *shapes: tuple[int, ...]) -> Operation:
    window = (kernel_size, 2, padding)
    lists = ([kernel_size] * 2, [2, 2], [padding] * 2, [1, 1], False)

    def torch_backward(torch: Any, x: Any) -> Callable[[Any], Any]:
        _, indices = torch.ops.aten.max_pool2d_with_indices(x, *lists)
        backward = torch.ops.aten.max_pool2d_with_indices_backward
        return lambda grad: backward(grad, x, *lists, indices)

    return Operation(
        f"max pool {kernel_size}x{kernel_size}/2",
        shapes,
        lambda x: partial(functional.max_pool2d, x, *window),
        lambda x: max_pool2d_routed(x, *window, 1, False, False)[1],
        lambda torch, x: partial(torch.nn.functional.max_pool2d, x, *window),
        torch_backward,
    )


AVERAGE = Operation(
    "average pool 2x2/2",
    (DEEP, (8, 512, 28, 28)),
    lambda x: partial(functional.avg_pool2d, x, 2),
    lambda x: lambda grad: functional.avg_pool2d_backward(grad, x, 2),
    lambda torch, x: partial(torch.nn.functional.avg_pool2d, x, 2),
    lambda torch, x: (
        lambda grad: torch.ops.aten.avg_pool2d_backward(
            grad, x, [2, 2], [2, 2], [0, 0], False, True, None
        )
    ),
)
GLOBAL_AVERAGE = Operation(
    "global average pool",
    ((8, 2048, 7, 7), LAST),
    lambda x: partial(functional.global_avg_pool2d, x),
    lambda x: lambda grad: functional.global_avg_pool2d_backward(grad, x),
    lambda torch, x: partial(torch.nn.functional.adaptive_avg_pool2d, x, 1),
    lambda torch, x: lambda grad: torch.ops.aten._adaptive_avg_pool2d_backward(grad, x),
)


# ---------------------------------------------------------------------------- normalisation


def _parameters(channels: int) -> list[np.ndarray]:
    """Weight, bias, mean and variance."""
    rng = np.random.default_rng(2)
    return [normal(rng, (channels,)) for _ in range(3)] + [rng.random(channels, np.float32) + 1]


def _batch_norm(training: bool) -> Operation:
    def forward(x: np.ndarray) -> Callable[[], Any]:
        weight, bias, mean, var = _parameters(x.shape[1])
        if training:
            return lambda: functional.batch_norm_train(x, weight, bias)[0]
        return lambda: functional.batch_norm(x, mean, var, weight, bias)

    def backward(x: np.ndarray) -> Callable[[Any], Any]:
        weight, _, mean, var = _parameters(x.shape[1])
        if training:
            _, mean, var = functional.batch_norm_train(x, weight)
            return lambda grad: functional.batch_norm_train_backward(grad, x, mean, var, weight)
        return lambda grad: functional.batch_norm_backward(grad, x, mean, var, weight)

    def torch_forward(torch: Any, x: Any) -> Callable[[], Any]:
        weight, bias, mean, var = map(torch.from_numpy, _parameters(x.shape[1]))
        norm = torch.ops.aten.native_batch_norm
        running = (None, None) if training else (mean, var)
        return lambda: norm(x, weight, bias, *running, training, 0.1, 1e-5)[0]

    def torch_backward(torch: Any, x: Any) -> Callable[[Any], Any]:
        weight, _, *running = map(torch.from_numpy, _parameters(x.shape[1]))
        running = [None, None] if training else running
        norm, back = torch.ops.aten.native_batch_norm, torch.ops.aten.native_batch_norm_backward
        _, mean, scale = norm(x, weight, None, *running, training, 0.1, 1e-5)
        facts = (weight, *running, mean, scale, training, 1e-5, [True] * 3)
        return lambda grad: back(grad, x, *facts)

    name = "batch norm, training" if training else "batch norm, inference"
    return Operation(name, (RESNET, DEEP, LAST), forward, backward, torch_forward, torch_backward)


def _torch_lrn_backward(torch: Any, x: Any) -> Callable[[Any], Any]:
    with torch.enable_grad():
        x.requires_grad_()
        y = torch.nn.functional.local_response_norm(x, 5)
    return lambda grad: torch.autograd.grad(y, x, grad, retain_graph=True)[0]


LRN = Operation(
    "LRN of 5",
    (ALEXNET, (8, 256, 27, 27)),
    lambda x: partial(functional.local_response_norm, x, 5),
    lambda x: lambda grad: functional.local_response_norm_backward(grad, x, 5),
    lambda torch, x: partial(torch.nn.functional.local_response_norm, x, 5),
    _torch_lrn_backward,
)


# ---------------------------------------------------------------------------- elementwise


RELU = Operation(
    "ReLU",
    (VGG, ALEXNET, DEEP, LAST),
    lambda x: partial(functional.relu, x),
    lambda x: lambda grad: functional.relu_backward(grad, x),
    lambda torch, x: partial(torch.relu, x),
    lambda torch, x: lambda grad: torch.ops.aten.threshold_backward(grad, x, 0),
)


def _softmax_backward(x: np.ndarray) -> Callable[[Any], Any]:
    return lambda grad: functional.softmax_backward(grad, x)


def _torch_softmax_backward(torch: Any, x: Any) -> Callable[[Any], Any]:
    """From the input, as ours: the output is computed anew."""
    back = torch.ops.aten._softmax_backward_data
    return lambda grad: back(grad, torch.softmax(x, -1), -1, x.dtype)


SOFTMAX = Operation(
    "softmax",
    ((8, 1000), (128, 1000)),
    lambda x: partial(functional.softmax, x),
    _softmax_backward,
    lambda torch, x: partial(torch.softmax, x, -1),
    _torch_softmax_backward,
)

OPERATIONS = (
    _max_pool(2, 0, VGG, DEEP, (4, 512, 14, 14)),
    _max_pool(3, 0, ALEXNET, (8, 256, 13, 13)),
    _max_pool(3, 1, RESNET),
    AVERAGE,
    GLOBAL_AVERAGE,
    _batch_norm(training=True),
    _batch_norm(training=False),
    RELU,
    LRN,
    SOFTMAX,
)


# ---------------------------------------------------------------------------- matrix products


def _linear(batch: int, fan_in: int, fan_out: int) -> Calls:
    rng = np.random.default_rng(0)
    operands = [normal(rng, shape) for shape in ((batch, fan_in), (fan_out, fan_in), (fan_out,))]
    torch, _ = torch_formats()
    tensors = [torch.from_numpy(operand) for operand in operands]
    return {
        "cnnfast": partial(functional.linear, *operands),
        "torch": partial(torch.nn.functional.linear, *tensors),
    }


def _linear_backward(batch: int, fan_in: int, fan_out: int) -> Calls:
    rng = np.random.default_rng(0)
    operands = [
        normal(rng, shape) for shape in ((batch, fan_out), (batch, fan_in), (fan_out, fan_in))
    ]
    torch, _ = torch_formats()
    grad, x, weight = (torch.from_numpy(operand) for operand in operands)
    return {
        "cnnfast": partial(functional.linear_backward, *operands),
        "torch": lambda: (grad @ weight, grad.T @ x, grad.sum(0)),
    }
