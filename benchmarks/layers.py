"""Convolutions on the table of layers, and the operations around them, against PyTorch."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import cnnfast
from benchmarks import operations
from benchmarks.arrays import channels_last, normal
from benchmarks.contests import Calls, Contest, hold, matching
from benchmarks.kernels import layers
from benchmarks.peers import torch_formats
from cnnfast import functional, nn
from cnnfast.cli.race import Layer

TABLE = layers(sections=["layer_table"])
# Rows with enough channels on both sides for the gradient of the input to be worth computing.
WITH_INPUT_GRADIENT = [TABLE[row - 1] for row in (2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 15)]
# Rows whose time is arithmetic, not memory nor the call.
COMPUTE_BOUND = [TABLE[row - 1] for row in (1, 2, 3, 5, 6, 7, 8, 9, 11, 13, 15)]
SMALL = Layer("1x8x8x8, 8 filters of 3x3", n=1, c=8, h=8, w=8, k=8, r=3, s=3, padding=1)


def contests() -> Iterator[Contest]:
    """All contests, each made up when it begins."""
    for layer in TABLE:
        yield _contest("forward", layer, _forward)
    for layer in TABLE:
        yield _contest("forward, batch 1", replace(layer, n=1), _forward)
    for layer in WITH_INPUT_GRADIENT:
        yield _contest("gradient of the input", layer, partial(_backward, needs=("x",)))
    for layer in TABLE:
        yield _contest("gradient of the weights", layer, partial(_backward, needs=("weight",)))
    for layer in TABLE:
        needs = ("x", "weight", "bias")
        yield _contest("all gradients", layer, partial(_backward, needs=needs), passes=2)
    for layer in TABLE:
        yield _contest("forward, C order in and out", layer, _forward_c_order)
    for layer in COMPUTE_BOUND:
        yield _contest("two threads over one", layer, _threads)
    yield _contest("one small call", SMALL, _forward)
    yield from operations.contests()


def _contest(group: str, layer: Layer, enter: Any, passes: int = 1) -> Contest:
    rows, columns = layer.out
    macs = layer.n * layer.k * layer.c // layer.groups * layer.r * layer.s * rows * columns
    return Contest(group, layer.name, 2 * macs * passes, partial(enter, layer))


class Arrays:
    """The operands of a convolution and its gradients, for cnnfast and for PyTorch."""

    def __init__(self, layer: Layer) -> None:
        rng = np.random.default_rng(0)
        self.x = normal(rng, layer.image)
        self.weight = normal(rng, layer.filters) / np.float32(np.sqrt(layer.c * layer.r * layer.s))
        self.bias = normal(rng, (layer.k,))
        self.grad = normal(rng, (layer.n, layer.k, *layer.out))


def _forward(layer: Layer) -> Calls:
    arrays = Arrays(layer)
    module = nn.Conv2d(layer.c, layer.k, layer.kernel_size, layer.stride, layer.padding)
    module.weight.assign(arrays.weight)
    module.bias.assign(arrays.bias)
    module.eval()
    calls: Calls = {"cnnfast": partial(module, channels_last(arrays.x))}
    torch, formats = torch_formats()
    for name, memory_format in formats.items():
        peer = torch.nn.Conv2d(layer.c, layer.k, layer.kernel_size, layer.stride, layer.padding)
        peer.weight.data = torch.from_numpy(arrays.weight)
        peer.bias.data = torch.from_numpy(arrays.bias)
        peer = peer.eval().to(memory_format=memory_format)
        calls[name] = partial(peer, torch.from_numpy(arrays.x).to(memory_format=memory_format))
    return calls


def _forward_c_order(layer: Layer) -> Calls:
    arrays = Arrays(layer)
    operands = arrays.x, arrays.weight, arrays.bias
    torch, _ = torch_formats()
    tensors = [torch.from_numpy(operand) for operand in operands]
    convolve = torch.nn.functional.conv2d
    return {
        "cnnfast": partial(functional.conv2d, *operands, layer.stride, layer.padding),
        "torch NCHW": partial(convolve, *tensors, layer.stride, layer.padding),
    }


def _backward(layer: Layer, needs: tuple[str, ...]) -> Calls:
    arrays = Arrays(layer)
    grad, x = channels_last(arrays.grad), channels_last(arrays.x)

    def cnnfast_gradients() -> list[np.ndarray]:
        gradients = functional.conv2d_backward(
            grad, x, arrays.weight, layer.stride, layer.padding, needs=needs
        )
        return [gradient for gradient in gradients if gradient is not None]

    calls: Calls = {"cnnfast": cnnfast_gradients}
    torch, formats = torch_formats()
    for name, memory_format in formats.items():
        tensors = [
            torch.from_numpy(array).to(memory_format=memory_format)
            for array in (arrays.grad, arrays.x, arrays.weight)
        ]
        calls[name] = partial(_torch_gradients, torch, layer, needs, tensors)
    return calls


def _torch_gradients(torch: Any, layer: Layer, needs: tuple[str, ...], tensors: list) -> list:
    # fmt: off
    gradients = torch.ops.aten.convolution_backward(
        *tensors, [layer.k], [layer.stride] * 2, [layer.padding] * 2, [1, 1], False, [0, 0], 1,
        [name in needs for name in ("x", "weight", "bias")],
    )
    # fmt: on
    return [gradient for gradient in gradients if gradient is not None]


def _threads(layer: Layer) -> Calls:
    call = _forward(layer)["cnnfast"]

    def on_one_thread() -> np.ndarray:
        count = cnnfast.get_num_threads()
        cnnfast.set_num_threads(1)
        try:
            return call()
        finally:
            cnnfast.set_num_threads(count)

    return {"cnnfast": call, "cnnfast on one thread": on_one_thread}


def main() -> None:
    """Hold the contests that match, and print the seconds as JSON."""
    only, turn, threads, seconds = sys.argv[1:]
    torch = importlib.import_module("torch")
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    chosen = matching(contests(), only)
    print(json.dumps([*hold(chosen, int(turn), int(threads), float(seconds))]))


if __name__ == "__main__":
    main()
