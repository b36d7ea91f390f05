"""Normalisations."""

from __future__ import annotations

import numpy as np

from cnnfast import nn
from cnnfast.io.onnx.export.nodes import Layer, Value, writes


@writes(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
def _batch_norm(layer: Layer, x: Value) -> str:
    if layer.module.track_running_stats:
        return _by_running_stats(layer, x)
    axes = layer.constant("axes", [0, *range(2, len(x.shape))])
    deviation = layer.node("Sub", x.name, layer.node("ReduceMean", x.name, axes))
    variance = layer.node("ReduceMean", layer.node("Mul", deviation, deviation), axes)
    shifted = layer.node("Add", variance, layer.constant("eps", layer.module.eps, x.dtype))
    return _affine(layer, layer.node("Div", deviation, layer.node("Sqrt", shifted)), x)


@writes(nn.InstanceNorm2d)
def _instance_norm(layer: Layer, x: Value) -> str:
    if layer.module.track_running_stats:
        return _by_running_stats(layer, x)
    scale, shift = _scale_and_shift(layer, x.shape[1:2], x.dtype)
    return layer.node("InstanceNormalization", x.name, scale, shift, epsilon=layer.module.eps)


def _by_running_stats(layer: Layer, x: Value) -> str:
    scale, shift = _scale_and_shift(layer, x.shape[1:2], x.dtype)
    moments = layer.states("running_mean", "running_var")
    return layer.node(
        "BatchNormalization", x.name, scale, shift, *moments, epsilon=layer.module.eps
    )


@writes(nn.GroupNorm)
def _group_norm(layer: Layer, x: Value) -> str:
    # ONNX has an operator for this from opset 21 on. A group is an instance's channel.
    groups = layer.module.num_groups
    scale, shift = (layer.constant(n, np.full(groups, v), x.dtype) for n, v in _NEUTRAL.items())
    split = layer.node("Reshape", x.name, layer.constant("groups", [0, groups, -1]))
    y = layer.node("InstanceNormalization", split, scale, shift, epsilon=layer.module.eps)
    whole = layer.node("Reshape", y, layer.constant("shape", [0, *x.shape[1:]]))
    return _affine(layer, whole, x)


@writes(nn.LayerNorm)
def _layer_norm(layer: Layer, x: Value) -> str:
    module = layer.module
    scale, shift = _scale_and_shift(layer, module.normalized_shape, x.dtype)
    return layer.node(
        "LayerNormalization",
        x.name,
        scale,
        shift,
        axis=-len(module.normalized_shape),
        epsilon=module.eps,
    )


@writes(nn.LocalResponseNorm)
def _local_response_norm(layer: Layer, x: Value) -> str:
    module = layer.module
    if module.size % 2 and len(x.shape) == 4:
        return layer.node(
            "LRN", x.name, size=module.size, alpha=module.alpha, beta=module.beta, bias=module.k
        )
    # LRN is for images, and of an even window it has the larger half behind the channel.
    square = layer.node("Mul", x.name, x.name)
    columns = layer.node("Reshape", square, layer.constant("columns", [0, 1, x.shape[1], -1]))
    mean = layer.node(
        "AveragePool",
        columns,
        kernel_shape=[module.size, 1],
        pads=[module.size // 2, 0, (module.size - 1) // 2, 0],
        count_include_pad=1,
    )
    mean = layer.node("Reshape", mean, layer.constant("shape", [0, *x.shape[1:]]))
    scaled = layer.node("Mul", mean, layer.constant("alpha", module.alpha, x.dtype))
    base = layer.node("Add", scaled, layer.constant("k", module.k, x.dtype))
    power = layer.node("Pow", base, layer.constant("beta", module.beta, x.dtype))
    return layer.node("Div", x.name, power)


_NEUTRAL = {"weight": 1, "bias": 0}


def _scale_and_shift(layer: Layer, shape: tuple[int, ...], dtype: np.dtype) -> list[str]:
    """Give the layer's weight and bias, or what stands for them where it has none."""
    return [
        layer.constant(name, np.full(shape, neutral), dtype)
        if getattr(layer.module, name) is None
        else layer.state(name)
        for name, neutral in _NEUTRAL.items()
    ]


def _affine(layer: Layer, y: str, x: Value) -> str:
    """Scale and shift channels, as far as the layer does."""
    shape = (x.shape[1], *[1] * (len(x.shape) - 2))
    for name, op in (("weight", "Mul"), ("bias", "Add")):
        if getattr(layer.module, name) is not None:
            y = layer.node(op, y, layer.state(name, shape))
    return y
