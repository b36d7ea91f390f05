"""How much memory a network needs for a batch: an estimate, from the ledger and its kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnfast.analysis.ledger import Summary
from cnnfast.analysis.steps import Step
from cnnfast.analysis.wrappers import innermost
from cnnfast.functional import explain_conv2d
from cnnfast.nn import Conv2d, Module
from cnnfast.nn.fusion import Fused, fuse_nodes
from cnnfast.nn.node import Node
from cnnfast.nn.trace import trace

# Memory is taken to grow evenly beyond batches of these sizes.
BATCHES = 16, 64


class Footprint(NamedTuple):
    """Memory that work on a batch needs, beside that of the interpreter.

    Attributes
    ----------
    fixed : int
        Bytes for a batch of any size.
    per_image : int
        Bytes for each image.

    Examples
    --------
    >>> need = Footprint(fixed=1000, per_image=10)
    >>> need.bytes(5), need.images(1055), need.images(500)
    (1050, 5, 0)
    """

    fixed: int
    per_image: int

    def bytes(self, images: int) -> int:
        """Of a batch of so many images."""
        return self.fixed + images * self.per_image

    def images(self, available: int) -> int:
        """Count the images of the largest batch that fits in so many bytes; 0 if none does."""
        return max(0, available - self.fixed) // self.per_image


def of_inference(steps: Sequence[Step], ledger: Summary) -> Footprint:
    """Estimate what ``model(images)`` needs.

    That is parameters, filters packed for the kernels, the images, and the most that values and
    kernels' scratch take at once.
    """

    def need(n: int) -> int:
        kernels = _kernels(steps, n)
        blocks = _Blocks()
        _infer(steps, kernels, blocks, n)
        return ledger.parameter_bytes + _packed(kernels) + n * _images(ledger) + blocks.total

    return _growing(need)


def of_training(model: Module, steps: Sequence[Step], ledger: Summary) -> Footprint:
    """Estimate what a step of SGD with momentum needs.

    That is parameters three times (with gradients and momentum), the images, and the most that
    values, gradients, packed filters and kernels' scratch take at once. Layers that learn as one
    give one value.
    """
    traced = trace(model)
    nodes = fuse_nodes(traced.calls, traced.outputs)

    def need(n: int) -> int:
        kernels = _kernels(steps, n)
        blocks = _Blocks()
        _learn(nodes, steps, kernels, blocks, n)
        return 3 * ledger.parameter_bytes + n * _images(ledger) + blocks.total

    return _growing(need)


def _images(ledger: Summary) -> int:
    return sum(row.activation_bytes for row in ledger.rows if row.kind == "Input")


# ---------------------------------------------------------------------------- kernels


class _Kernel(NamedTuple):
    """How a convolution is computed: bytes of its filters as the layer keeps them, and scratch."""

    packed: int
    forward: int
    backward: tuple[int, int]


def _kernels(steps: Iterable[Step], n: int) -> dict[str, _Kernel]:
    """Ask for those of a batch of `n`."""
    result = {}
    for step in steps:
        if type(step.layer) is Conv2d and step.window is not None:
            _, c, h, w = step.x_shape
            dtype = step.layer.weight.dtype
            channels_last = np.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
            x = np.empty((n, c, h, w), dtype) if step.of_input else channels_last
            result[step.name] = _kernel(step.layer, x)
    return result


def _kernel(conv: Conv2d, x: np.ndarray) -> _Kernel:
    options: dict[str, Any] = {
        name: getattr(conv, name)
        for name in ("stride", "padding", "dilation", "groups", "algorithm")
    }
    explained = explain_conv2d(x, conv.weight.data, **options, memory_format="channels_last")
    packed = conv.weight.data.nbytes
    if explained.forward.algorithm == "winograd":  # transformed filters are as large as its tiles
        for size, outputs in zip(conv.kernel_size, explained.forward.tile, strict=True):
            packed = packed // size * (outputs + size - 1)
    forward, *backward = (each.workspace_bytes for each in explained)
    return _Kernel(packed, max(0, forward - packed), (backward[0], backward[1]))


_NO_KERNEL = _Kernel(0, 0, (0, 0))


def _packed(kernels: dict[str, _Kernel]) -> int:
    return sum(kernel.packed for kernel in kernels.values())


# ---------------------------------------------------------------------------- what is in use


class _Blocks:
    """Blocks of memory in use, by name."""

    def __init__(self) -> None:
        self._most = self._largest = 0
        self._used: dict[str, int] = {}

    @property
    def total(self) -> int:
        """The most bytes in use at once, and room for the largest block once more.

        What stays (gradients and momentum after the first step, filters packed to infer) comes to
        lie where a large block was, and the next such block does not fit there any more.
        """
        return self._most + self._largest

    def take(self, name: str, size: int) -> None:
        self._used[name] = size
        self._most = max(self._most, sum(self._used.values()))
        self._largest = max(self._largest, size)

    def give(self, name: str) -> None:
        """Let go of a block, if there is one of that name: inputs have none."""
        self._used.pop(name, None)

    def lend(self, *sizes: int) -> None:
        """Take scratch of these sizes, one after the other, and let go of it."""
        for size in sizes:
            self.take("scratch", size)
            self.give("scratch")


def _infer(steps: Sequence[Step], kernels: dict[str, _Kernel], blocks: _Blocks, n: int) -> None:
    """Take and give what a network does that only infers."""
    home: dict[str, str] = {}  # of values that lie in the memory of another
    for step, done_with in zip(steps, _done_with(steps), strict=True):
        if step.name in kernels:
            blocks.lend(kernels[step.name].forward)
        for name, memory in step.given.items():
            if isinstance(memory, str):
                home[name] = home.get(memory, memory)
            else:
                blocks.take(name, n * memory)
        for name in done_with:
            if name not in home.values():
                blocks.give(home.pop(name, name))


def _done_with(steps: Sequence[Step]) -> list[list[str]]:
    """Say for each step what is let go of after it: containers hold what they took to their end."""
    last_use = {name: i for i, step in enumerate(steps) for name in step.done_with}
    ends = {path: i for i, step in enumerate(steps) for path in _containers(step)}
    begun: set[str] = set()
    for step in steps:
        for path in set(_containers(step)) - begun:
            begun.add(path)
            for source in set(step.sources) & last_use.keys():
                last_use[source] = max(last_use[source], ends[path])
    done: list[list[str]] = [[] for _ in steps]
    for name, i in last_use.items():
        done[i].append(name)
    return done


def _containers(step: Step) -> list[str]:
    """Give the paths of the containers that a layer is in, but the network."""
    parts = step.name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _learn(
    nodes: Sequence[Node],
    steps: Iterable[Step],
    kernels: dict[str, _Kernel],
    blocks: _Blocks,
    n: int,
) -> None:
    """Take and give what a network does that learns."""
    of_layer = {id(step.layer): kernels.get(step.name, _NO_KERNEL) for step in steps}
    sizes = {name: n * _bytes(memory) for step in steps for name, memory in step.given.items()}
    for node in nodes:
        kernel = _of(node, of_layer)
        blocks.lend(kernel.packed + kernel.forward)
        blocks.take(node.name, sizes.get(node.name, 0))
    before = ""
    for node in reversed(nodes):
        gradient = f"gradient behind {node.name}"
        blocks.take(gradient, sum(sizes.get(source or "", 0) for source in node.sources))
        # A ReLU that runs with the layer before it makes a gradient of its own.
        blocks.take("masked", sizes.get(node.name, 0) if isinstance(node.module, Fused) else 0)
        blocks.lend(*_of(node, of_layer).backward)
        for name in ("masked", node.name, before):
            blocks.give(name)
        before = gradient


def _of(node: Node, kernels: dict[int, _Kernel]) -> _Kernel:
    module = node.module.layer if isinstance(node.module, Fused) else innermost(node.module)
    return kernels.get(id(module), _NO_KERNEL)


def _bytes(memory: int | str) -> int:
    """Of a value, none if it lies in the memory of another."""
    return memory if isinstance(memory, int) else 0


def _growing(need: Callable[[int], int]) -> Footprint:
    few, many = BATCHES
    per_image = max(1, (need(many) - need(few)) // (many - few))
    return Footprint(max(0, need(few) - few * per_image), per_image)
