"""The fully connected layer, and what only moves, joins or passes values on."""

from __future__ import annotations

from cnnfast import nn
from cnnfast.io.onnx.export.nodes import Layer, Value, writes


@writes(nn.Linear)
def _linear(layer: Layer, x: Value) -> str:
    return layer.node("Gemm", x.name, *layer.states("weight", "bias"), transB=1)


@writes(nn.Flatten)
def _flatten(layer: Layer, x: Value) -> str:
    return layer.node("Flatten", x.name)


@writes(nn.Dropout)
def _nothing(layer: Layer, x: Value) -> str:
    return x.name


@writes(nn.Add)
def _add(layer: Layer, x: Value, y: Value) -> str:
    return layer.node("Add", x.name, y.name)


@writes(nn.Concatenate)
def _concatenate(layer: Layer, *xs: Value) -> str:
    return layer.node("Concat", *[x.name for x in xs], axis=1)
