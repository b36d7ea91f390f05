"""Fewer, larger steps: what follows a convolution becomes part of it."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.nn import Add, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU, ReLU6
from cnnfast.nn.parameter import Parameter
from cnnfast.nn.trace import Call, Trace, trace

#: Where layers that rectify cut off.
CEILINGS: dict[type[Module], float] = {ReLU: math.inf, ReLU6: 6.0}


class FusedConv2d(Conv2d):
    """A convolution with what follows it: conv(x) + residual, cut off at 0 and a ceiling."""

    def __init__(self, conv: Conv2d) -> None:
        vars(self).update(vars(conv))
        self.adds = False
        self.ceiling = 0.0  # of a ReLU; 0 without one

    def __call__(self, x: np.ndarray, residual: np.ndarray | None = None) -> np.ndarray:
        return self._compute(x, residual=residual, ceiling=self.ceiling)


def fuse(model: Module) -> Trace:
    """Trace a network in inference mode and fuse what can be.

    Dropout disappears, batch normalisation is folded into the weights before it, and an addition
    and a ReLU after a convolution become part of it. A fused step has the name of the last layer
    that went into it. The model stays as it is, and weights that need not change are shared.
    """
    network = _Network(trace(model))
    for rewrite in (_drop_dropout, _fold_batch_norm, _add_residual, _rectify):
        for call in tuple(network.calls.values()):
            if call.name in network.calls:
                rewrite(network, call)
    return network.as_trace()


class _Network:
    """The calls of a trace by name, in order, to be rewritten."""

    def __init__(self, traced: Trace) -> None:
        self.calls = {call.name: call for call in traced.calls}
        self.inputs, self.outputs = traced.inputs, traced.outputs

    def as_trace(self) -> Trace:
        return Trace(list(self.calls.values()), self.inputs, self.outputs)

    def producer(self, value: str | None) -> Call | None:
        """The call that gives `value`, if nobody but one call wants it."""
        if value is None or value in self.outputs:
            return None
        takers = sum(call.sources.count(value) for call in self.calls.values())
        return self.calls.get(value) if takers == 1 else None

    def merge(self, first: Call, last: Call, module: Module, sources: tuple) -> None:
        """Put `module` in the place and under the name of `last`; `first` goes."""
        del self.calls[first.name]
        self.calls[last.name] = Call(last.name, module, sources)


def _drop_dropout(network: _Network, call: Call) -> None:
    if isinstance(call.module, Dropout):
        (source,) = call.sources
        del network.calls[call.name]
        for other in network.calls.values():
            sources = tuple(source if s == call.name else s for s in other.sources)
            network.calls[other.name] = other._replace(sources=sources)
        network.outputs = tuple(
            source if value == call.name and source else value for value in network.outputs
        )


def _fold_batch_norm(network: _Network, call: Call) -> None:
    norm = call.module
    if not isinstance(norm, (BatchNorm1d, BatchNorm2d)) or not norm.track_running_stats:
        return
    before = network.producer(call.sources[0])
    if before is None:
        return
    if isinstance(norm, BatchNorm2d) and type(before.module) is Conv2d:
        folded: Module = FusedConv2d(before.module)
    elif isinstance(norm, BatchNorm1d) and type(before.module) is Linear:
        folded = Linear.__new__(Linear)
        vars(folded).update(vars(before.module))
    else:
        return
    folded.weight, folded.bias = folded_parameters(before.module, norm)  # type: ignore[attr-defined]
    network.merge(before, call, folded, before.sources)


def folded_parameters(
    layer: Conv2d | Linear, norm: BatchNorm1d | BatchNorm2d
) -> tuple[Parameter, Parameter]:
    """Weights and bias that compute ``norm(layer(x))``.

    With s = gamma / sqrt(var + eps): W' = s W and b' = s (b - mean) + beta, formed in float64.
    """
    dtype = layer.weight.dtype
    scale = 1 / np.sqrt(norm.running_var.astype(np.float64) + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.data
    shift = -norm.running_mean * scale
    if layer.bias is not None:
        shift = shift + layer.bias.data * scale
    if norm.bias is not None:
        shift = shift + norm.bias.data
    weight = layer.weight.data * scale.reshape(-1, *[1] * (layer.weight.data.ndim - 1))
    return Parameter(weight.astype(dtype)), Parameter(shift.astype(dtype))


def _add_residual(network: _Network, call: Call) -> None:
    if not isinstance(call.module, Add):
        return
    # The later of two convolutions: what it is added to is then already there.
    for value, other in (call.sources[::-1], call.sources):
        before = network.producer(value)
        if before is None or not isinstance(before.module, Conv2d) or other in network.inputs:
            continue
        conv = as_fused(before.module)
        if conv is not None and not conv.adds and not conv.ceiling:
            conv.adds = True
            network.merge(before, call, conv, (*before.sources, other))
            return


def _rectify(network: _Network, call: Call) -> None:
    ceiling = CEILINGS.get(type(call.module))
    if ceiling is None:
        return
    before = network.producer(call.sources[0])
    conv = as_fused(before.module) if before is not None else None
    if before is not None and conv is not None and not conv.ceiling:
        conv.ceiling = ceiling
        network.merge(before, call, conv, before.sources)


def as_fused(module: Module) -> FusedConv2d | None:
    """A convolution that more may be fused to; None if `module` is none."""
    if type(module) is FusedConv2d:
        return module
    return FusedConv2d(module) if type(module) is Conv2d else None
