"""Fewer, larger steps: what follows a convolution becomes part of it."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np

from cnnfast.nn import Add, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Linear, Module
from cnnfast.nn.fusion import CEILINGS, fuse_nodes
from cnnfast.nn.parameter import Parameter
from cnnfast.nn.trace import Trace, trace


class FusedConv2d(Conv2d):
    """A convolution with what follows it: conv(x) + residual, cut off at 0 and a ceiling."""

    adds = False
    ceiling = 0.0  #: Of a ReLU; 0 without one.

    def __init__(self, conv: Conv2d) -> None:
        vars(self).update(vars(conv))

    def __call__(self, x: np.ndarray, residual: np.ndarray | None = None) -> np.ndarray:
        return self._compute(x, self.weight.packed, residual=residual, ceiling=self.ceiling)


def fuse(model: Module) -> Trace:
    """Trace a network in inference mode and fuse what can be.

    Dropout disappears, batch normalisation is folded into the weights before it, and an addition
    and a ReLU after a convolution become part of it. A fused step has the name of the last layer
    that went into it. The model stays as it is, and weights that need not change are shared.
    """
    net = _without_dropout(trace(model))
    calls = fuse_nodes(net.calls, net.outputs, partial(_fused, net.inputs))
    return net._replace(calls=calls)


def _without_dropout(net: Trace) -> Trace:
    instead: dict[str | None, str | None] = {}
    calls = []
    for call in net.calls:
        sources = tuple(instead.get(source, source) for source in call.sources)
        if isinstance(call.module, Dropout):
            (instead[call.name],) = sources
        else:
            calls.append(call._replace(sources=sources))
    outputs = tuple(instead.get(output) or output for output in net.outputs)
    return Trace(calls, net.inputs, outputs)


def _fused(
    inputs: tuple[str, ...], first: Module, second: Module, others: tuple[str | None, ...]
) -> Module | None:
    """`first`, whose output `second` takes, and that as one; see `nn.fusion.Rule`."""
    if isinstance(second, (BatchNorm1d, BatchNorm2d)):
        return _folded(first, second)
    if type(first) not in (Conv2d, FusedConv2d):
        return None
    conv = FusedConv2d(first)  # type: ignore[arg-type]
    if conv.ceiling:
        return None
    # The place of an input changes from run to run, so it is no residual.
    if isinstance(second, Add) and not conv.adds and others[0] not in inputs:
        conv.adds = True
        return conv
    if type(second) in CEILINGS:
        conv.ceiling = CEILINGS[type(second)]
        return conv
    return None


def _folded(layer: Module, norm: BatchNorm1d | BatchNorm2d) -> Module | None:
    """A layer that computes ``norm(layer(x))``, if it is of the kind that can."""
    if not norm.track_running_stats:
        return None
    folded: Conv2d | Linear
    if isinstance(norm, BatchNorm2d) and type(layer) is Conv2d:
        folded = FusedConv2d(layer)
    elif isinstance(norm, BatchNorm1d) and type(layer) is Linear:
        folded = copy.copy(layer)
    else:
        return None
    folded.weight, folded.bias = folded_parameters(folded, norm)
    return folded


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
    weight = layer.weight.data
    scale = scale.reshape(-1, *[1] * (weight.ndim - 1))
    multiply = partial(np.multiply, weight, scale, casting="same_kind")  # not by way of a copy
    scaled = Parameter.filled_later(weight.shape, dtype, lambda out: multiply(out=out))
    return scaled, Parameter(shift.astype(dtype))
