"""How a large batch runs: in parts whose values stay in the processor's caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import EllipsisType

import numpy as np

from cnnfast import nn
from cnnfast.inference.layout import Value
from cnnfast.inference.recorder import RECORDABLE
from cnnfast.nn.node import Node
from cnnfast.nn.trace import Trace

# Bytes of values that the last cache before memory holds, beside weights and other processes: half
# of the 32 MB that eight cores of a server share.
CACHE = 16 << 20

Part = slice | EllipsisType

INDEPENDENT = (*RECORDABLE, nn.Concatenate, nn.Flatten)


def split(
    net: Trace, inputs: Sequence[np.ndarray], values: Mapping[str, Value], block_bytes: int
) -> list[Part]:
    """Split a batch into parts of one size, of which the last may begin within the one before.

    `values` and `block_bytes` are those of the whole batch. That stays whole if it fits into the
    cache; if the weights, which every part reads anew, are larger than a part's values; and if
    some layer might not treat every image for itself.
    """
    batch = len(inputs[0])
    fitting = max(1, batch * CACHE // max(1, block_bytes))
    count = -(-batch // fitting)
    if count <= 1:
        return [...]
    size = -(-batch // count)
    written = sum(value.size for value in values.values() if value.host is None)
    weights = sum(p.size * p.dtype.itemsize for call in net.calls for p in call.module.parameters())
    if written * size // batch < weights or not _independent(net, inputs, values):
        return [...]
    starts = (min(i * size, batch - size) for i in range(count))
    return [slice(start, start + size) for start in starts]


def _independent(net: Trace, inputs: Sequence[np.ndarray], values: Mapping[str, Value]) -> bool:
    """Whether every layer treats every image for itself, as far as is known."""
    batch = len(inputs[0])
    images = all(x.ndim == 4 and len(x) == batch for x in inputs)
    each_has_its_values = all(value.shape[:1] == (batch,) for value in values.values())
    return images and each_has_its_values and not any(_mixes(call, values) for call in net.calls)


def _mixes(call: Node, values: Mapping[str, Value]) -> bool:
    module = call.module
    if type(module) not in INDEPENDENT:
        return True
    if isinstance(module, (nn.Softmax, nn.LogSoftmax)):
        return module.dim % len(values[call.name].shape) == 0
    return isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and not module.track_running_stats
