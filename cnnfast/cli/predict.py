"""``cnnfast predict``: what a trained network takes images for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnfast import models
from cnnfast.cli import CommandError
from cnnfast.cli.networks import IMAGENET_SIDE, network, usual_side
from cnnfast.cli.text import percent
from cnnfast.data import center_square, imagenet_preprocess, load_image
from cnnfast.data.images import IMAGENET_MEAN, IMAGENET_STD
from cnnfast.functional import softmax
from cnnfast.io import load_weights
from cnnfast.nn import Conv2d, Module
from cnnfast.training.bar import bar

# torchvision's GoogLeNet learned from images scaled to [-1, 1].
HALVES = (0.5, 0.5, 0.5)


class Input(NamedTuple):
    """The images that a network takes: (1, channels, side, side)."""

    channels: int
    side: int
    dtype: np.dtype
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD


def run(options: argparse.Namespace) -> None:
    with _errors_in_words():
        labels = _read_labels(options.labels) if options.labels else None
        read = _from_onnx if options.model.endswith(".onnx") else _from_zoo
        model, taken = read(options)
    several = len(options.images) > 1
    with bar(len(options.images), "predicting", " images") if several else nullcontext() as shown:
        for path in options.images:
            with _errors_in_words():
                probabilities = _probabilities(model, _prepared(path, taken))
                text = f"{path}\n{_table(probabilities, labels, options.top)}"
            if shown is None:
                print(text, flush=True)
            else:
                shown.write(text)
                shown.update()


@contextmanager
def _errors_in_words() -> Iterator[None]:
    """Turn what is wrong with a file, or missing on this machine, into one line."""
    try:
        yield
    except (ImportError, NotImplementedError, TypeError, ValueError) as error:
        raise CommandError(str(error) or repr(error)) from error


# ---------------------------------------------------------------------------- networks


def _from_zoo(options: argparse.Namespace) -> tuple[Module, Input]:
    name = options.model
    model: Any = network(name)
    if options.weights is None:
        raise CommandError(f"{name} has learned nothing: give it a file with --weights")
    state = load_weights(options.weights)
    arguments: dict[str, Any] = {}
    if name == "googlenet" and any(key.startswith("aux") for key in state):
        arguments["aux_logits"] = True
    head = next(key for key, p in model.named_parameters() if p is model.head.weight)
    if head in state and len(state[head]) != len(model.head.weight.data):
        arguments["num_classes"] = len(state[head])
    if arguments:
        model = getattr(models, name)(**arguments)
    model.load_state_dict(state)
    first = next(module for module in model.modules() if isinstance(module, Conv2d))
    taken = Input(first.in_channels, options.size or usual_side(name), first.weight.dtype)
    return model, taken._replace(mean=HALVES, std=HALVES) if name == "googlenet" else taken


def _from_onnx(options: argparse.Namespace) -> tuple[Module, Input]:
    if options.weights is not None:
        raise CommandError(f"{options.model} has its own weights: leave out --weights")
    model = network(options.model)
    import onnx

    graph = onnx.load_model(options.model, load_external_data=False).graph
    known = {tensor.name for tensor in graph.initializer}
    kinds = [value.type.tensor_type for value in graph.input if value.name not in known]
    shapes = [[d.dim_value for d in kind.shape.dim] for kind in kinds]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in (1, 3):
        raise CommandError(
            f"{options.model} takes inputs of shapes {shapes}, must take images (N, 3, H, W) or "
            "(N, 1, H, W); 0 stands for any number"
        )
    _, channels, height, width = shapes[0]
    if height != width:
        raise CommandError(f"{options.model} takes images {height} x {width}, must be square")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kinds[0].elem_type)
    return model, Input(channels, options.size or height or IMAGENET_SIDE, dtype)


# ---------------------------------------------------------------------------- images


def _prepared(path: Path, taken: Input) -> np.ndarray:
    """Read an image into a batch of one."""
    image = load_image(path, taken.channels)
    if taken.channels == 3:
        x = imagenet_preprocess(image, taken.side, taken.mean, taken.std)
    else:  # as `cnnfast train` has them
        x = center_square(image, taken.side, taken.side).transpose(2, 0, 1) / np.float32(255)
    return x[np.newaxis].astype(taken.dtype)


def _probabilities(model: Module, x: np.ndarray) -> np.ndarray:
    y = model(x)
    scores = (y[0] if isinstance(y, tuple) else y).reshape(1, -1)
    # Some networks end in a softmax. Scores hardly ever look like the result of one.
    done = scores.min() >= 0 and abs(scores.sum() - 1) < 1e-3
    return (scores if done else softmax(scores))[0]


def _table(probabilities: np.ndarray, labels: list[str] | None, top: int) -> str:
    if labels is None:
        labels = [str(i) for i in range(len(probabilities))]
    if len(labels) != len(probabilities):
        raise ValueError(
            f"there are {len(labels)} labels, but the network knows {len(probabilities)} classes"
        )
    best = np.argsort(-probabilities, kind="stable")[:top]
    width = max(len(labels[i]) for i in best)
    return "\n".join(f"  {labels[i]:{width}}  {percent(probabilities[i]):>8}" for i in best)


# ---------------------------------------------------------------------------- labels


def _read_labels(path: Path) -> list[str]:
    """Read a label a line, or JSON: a list, or an object of numbers as Keras has it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".json":
        return text.splitlines()
    try:
        found = json.loads(text)
        if isinstance(found, dict):  # {"0": "tench", ...} or {"0": ["n01440764", "tench"], ...}
            found = [found[str(i)] for i in range(len(found))]
        labels = [item if isinstance(item, str) else item[-1] for item in found]
    except (KeyError, IndexError, TypeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not labels in JSON: {error!r}") from error
    if not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{path}: labels must be strings")
    return labels
