"""Normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast import nn
from cnnfast.functional import (
    batch_norm,
    batch_norm_backward,
    batch_norm_train,
    batch_norm_train_backward,
    group_norm,
    group_norm_backward,
    instance_norm,
    instance_norm_backward,
    layer_norm_backward,
)
from cnnfast.io.onnx.node import OnnxNode
from cnnfast.io.onnx.operation import Operation, adopt
from cnnfast.io.onnx.operators._arrays import sum_to
from cnnfast.io.onnx.operators._ranks import AnyRank
from cnnfast.io.onnx.registry import Placed, operator


def _constants(node: OnnxNode, *indices: int) -> list[np.ndarray] | None:
    """Vectors that the file gives, if it gives all of them, in float32 or more."""
    arrays = [node.constant(index) for index in indices]
    if any(array is None for array in arrays):
        return None
    shapes = {array.shape for array in arrays if array is not None}
    if len(shapes) > 1:
        raise ValueError(f"scale, shift and statistics must have one number of channels: {shapes}")
    return [a.astype(np.promote_types(a.dtype, np.float32)) for a in arrays if a is not None]


def _all(gradients: tuple) -> tuple[np.ndarray, ...]:
    """Gradients that all were wanted: none is None."""
    return gradients


# ---------------------------------------------------------------------------- batch


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` for (N, C, ...)."""

    dimensions = (2, 3, 4, 5)  # type: ignore[assignment]


class BatchNormalization(Operation):
    """Batch normalisation with statistics that are computed, or constant ones."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def __call__(self, x: np.ndarray, *vectors: np.ndarray) -> np.ndarray:
        weight, bias, mean, var = vectors
        return batch_norm(x, mean, var, weight, bias, self.eps)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, weight, _, mean, var = inputs
        factor = weight / np.sqrt(var + self.eps)
        gx, gw, gb = _all(batch_norm_backward(grad, x, mean, var, weight, self.eps))
        return gx, gw, gb, -factor * gb, -weight * gw / (2 * (var + self.eps))


class BatchNormalizationTraining(Operation):
    """Batch normalisation by the batch's moments, which the running statistics follow.

    The variance is that of the batch, over n, in both places.
    """

    def __init__(self, eps: float, momentum: float, outputs: int) -> None:
        self.eps, self.momentum, self.outputs = eps, momentum, outputs

    def __call__(self, x: np.ndarray, *vectors: np.ndarray) -> Any:
        weight, bias, *running = vectors
        y, *moments = batch_norm_train(x, weight, bias, self.eps)
        kept = self.momentum
        moved = (
            (kept * old + (1 - kept) * new).astype(old.dtype)
            for old, new in zip(running, moments, strict=True)
        )
        results = y, *moved
        return results[0] if self.outputs == 1 else results[: self.outputs]

    def gradient(self, grad: Any, inputs: tuple, output: Any) -> tuple:
        x, weight, bias, *_ = inputs
        grads = grad if self.outputs > 1 else (grad,)
        if grads[0] is None or any(g is not None for g in grads[1:]):
            raise NotImplementedError("BatchNormalization: only its first output has a gradient")
        _, mean, var = batch_norm_train(x, weight, bias, self.eps)
        gx, gw, gb = _all(batch_norm_train_backward(grads[0], x, mean, var, weight, self.eps))
        return gx, gw, gb, None, None


@operator("BatchNormalization", kernels=True)
def batch_normalization(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs", "is_test")  # an output for the statistics says it as well
    eps, momentum = node.attribute("epsilon"), node.attribute("momentum")
    if not node.attribute("spatial", 1):
        raise node.unsupported("spatial 0")
    training = node.attribute("training_mode", 0)
    if node.outputs > 1 and not training:
        raise node.unsupported("statistics as outputs before opset 14")
    given = _constants(node, 1, 2, 3, 4)
    if node.outputs > 1 or (training and given is None):
        return BatchNormalizationTraining(eps, momentum, node.outputs), node.inputs
    if given is None:
        return BatchNormalization(eps), node.inputs
    # With training_mode and nobody to take the statistics, they come from the batch for ever.
    layer = BatchNorm(
        len(given[0]), eps, 1 - momentum, track_running_stats=not training, dtype=given[0].dtype
    )
    adopt(layer, weight=node.parameter(1), bias=node.parameter(2))
    if not training:
        adopt(layer, running_mean=given[2], running_var=given[3])
    return layer, node.inputs[:1]


# ---------------------------------------------------------------------------- instance, group


class InstanceNorm(AnyRank, nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` for (N, C, ...)."""


class InstanceNormalization(Operation):
    """Instance normalisation with computed scales and shifts."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray
    ) -> np.ndarray:
        return instance_norm(x, weight, bias, self.eps)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, weight, _ = inputs
        gx, gw, gb = _all(instance_norm_backward(grad, x, weight, self.eps))
        return gx, gw, gb


@operator("InstanceNormalization", kernels=True)
def instance_normalization(node: OnnxNode) -> Placed:
    node.ignore("consumed_inputs")
    eps = node.attribute("epsilon")
    given = _constants(node, 1, 2)
    if given is None:
        return InstanceNormalization(eps), node.inputs
    layer = InstanceNorm(len(given[0]), eps, affine=True, dtype=given[0].dtype)
    return adopt(layer, weight=node.parameter(1), bias=node.parameter(2)), node.inputs[:1]


class GroupNormalization(Operation):
    """Group normalisation with computed scales and shifts, or with one for each group."""

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def _vectors(self, x: np.ndarray, *vectors: np.ndarray) -> list[np.ndarray]:
        channels = x.shape[1]
        return [
            v if v.shape == (channels,) else np.repeat(v, channels // self.groups) for v in vectors
        ]

    def __call__(  # type: ignore[override]
        self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray
    ) -> np.ndarray:
        weight, bias = self._vectors(x, weight, bias)
        return group_norm(x, self.groups, weight, bias, self.eps)

    def gradient(self, grad: np.ndarray, inputs: tuple, output: Any) -> tuple:
        x, weight, bias = inputs
        scale, _ = self._vectors(x, weight, bias)
        gx, *gradients = _all(group_norm_backward(grad, x, self.groups, scale, self.eps))
        gw, gb = (g.reshape(len(weight), -1).sum(axis=1) for g in gradients)
        return gx, gw, gb


@operator("GroupNormalization", kernels=True)
def group_normalization(node: OnnxNode) -> Placed:
    node.ignore("stash_type")
    eps, groups = node.attribute("epsilon"), node.attribute("num_groups")
    given = _constants(node, 1, 2)
    if node.version < 21 or given is None:
        return GroupNormalization(groups, eps), node.inputs
    layer = nn.GroupNorm(groups, len(given[0]), eps, dtype=given[0].dtype)
    return adopt(layer, weight=node.parameter(1), bias=node.parameter(2)), node.inputs[:1]


# ---------------------------------------------------------------------------- layer


class LayerNormalization(Operation):
    """Layer normalisation from an axis on, with any scale and shift, and its moments if wanted."""

    def __init__(self, axis: int, eps: float, outputs: int) -> None:
        self.axis, self.eps, self.outputs = axis, eps, outputs

    def __call__(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> Any:  # type: ignore[override]
        axes = self._axes(x)
        mean = x.mean(axis=axes, keepdims=True)
        centred = x - mean
        inverse = 1 / np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + self.eps)
        y = centred * inverse * weight
        if bias is not None:
            y = y + bias
        results = y.astype(x.dtype), mean.astype(x.dtype), inverse.astype(x.dtype)
        return results[0] if self.outputs == 1 else results[: self.outputs]

    def gradient(self, grad: Any, inputs: tuple, output: Any) -> tuple:
        grads = grad if self.outputs > 1 else (grad,)
        if grads[0] is None or any(g is not None for g in grads[1:]):
            raise NotImplementedError("LayerNormalization: only its first output has a gradient")
        x, weight, *bias = inputs
        shape = x.shape[self._axes(x)[0] :]
        scale = np.ascontiguousarray(np.broadcast_to(weight, shape))
        gx, gw, gb = _all(layer_norm_backward(grads[0], x, shape, scale, self.eps))
        return (
            gx,
            sum_to(gw, weight.shape),
            *(b if b is None else sum_to(gb, b.shape) for b in bias),
        )

    def _axes(self, x: np.ndarray) -> tuple[int, ...]:
        if not -x.ndim <= self.axis < x.ndim:
            raise ValueError(f"LayerNormalization: axis {self.axis} is none of the {x.ndim} of x")
        return tuple(range(self.axis % x.ndim, x.ndim))


@operator("LayerNormalization", kernels=True)
def layer_normalization(node: OnnxNode) -> Placed:
    node.ignore("stash_type")
    axis, eps = node.attribute("axis"), node.attribute("epsilon")
    given = _constants(node, 1, 2) if node.has(2) else _constants(node, 1)
    # Which axes of x are those of the weights is known only if they are counted from the end.
    if given is None or node.outputs > 1 or given[0].ndim != -axis:
        return LayerNormalization(axis, eps, node.outputs), node.inputs
    layer = nn.LayerNorm((1,) * -axis, eps, dtype=given[0].dtype)
    shift = node.parameter(2) if node.has(2) else None
    adopt(layer, normalized_shape=given[0].shape, weight=node.parameter(1), bias=shift)
    return layer, node.inputs[:1]


# ---------------------------------------------------------------------------- local response


class ReversedChannels(nn.Module):
    """A layer on the channels in reverse order.

    ONNX's windows of an even size have their longer half behind the channel, those of `layer` in
    front of it.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.layer(x[:, ::-1])[:, ::-1]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backward]:
        y, backward = self.layer.forward(x[:, ::-1])

        def run(grad: np.ndarray, input_grad: bool) -> np.ndarray | None:
            gx = backward(grad[:, ::-1], input_grad)
            return gx if gx is None else gx[:, ::-1]

        return y[:, ::-1], nn.Backward(run)


@operator("LRN", kernels=True)
def lrn(node: OnnxNode) -> Placed:
    size = node.attribute("size")
    settings = (node.attribute(name) for name in ("alpha", "beta", "bias"))
    layer = nn.LocalResponseNorm(size, *settings)
    return (layer if size % 2 else ReversedChannels(layer)), node.inputs
