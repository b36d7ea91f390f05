"""What a network costs, layer by layer and in all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnnfast.analysis import table
from cnnfast.analysis.memory import Memory
from cnnfast.analysis.multiply_adds import multiply_adds
from cnnfast.analysis.random_images import random_images
from cnnfast.analysis.receptive_field import Field, of_input, of_output
from cnnfast.analysis.wrappers import innermost
from cnnfast.nn import Module
from cnnfast.nn.trace import Trace, replay, trace


class Row(NamedTuple):
    """One value of a network: an input, or what a layer gives.

    Attributes
    ----------
    name : str
        Path of the layer, with ":1" behind it for the second of several values.
    kind : str
        The layer's class.
    output_shape : tuple of int
        For one image, N left out. (A vector of an ONNX graph's shape arithmetic has no N.)
    parameters : int
        Of the layer; if it serves several times, counted the first time.
    activations, activation_bytes : int
        Values that have to be stored for it: 0 if it lies in the memory of what it is made of.
    multiply_adds : int
        Multiplications with weights, each with an addition.
    receptive_field, jump : tuple
        Height and width, in pixels, of what an element sees of the image, and from there to what
        its neighbour sees. Empty for what depends on no image.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    activations: int
    activation_bytes: int
    multiply_adds: int
    receptive_field: tuple[int, ...]
    jump: tuple[float, ...]


class Summary(NamedTuple):
    """The ledger of a network: its rows and their sums. ``print`` it for a table.

    Attributes
    ----------
    rows : list of Row
        The inputs, then the layers in the order in which they run.
    parameters, parameter_bytes : int
        Each counted once, those too that no layer of the trace has.
    live_activations, live_bytes : int
        The most activations that there are at once in inference, each let go of after its last use.
    """

    rows: list[Row]
    parameters: int
    parameter_bytes: int
    live_activations: int
    live_bytes: int

    @property
    def activations(self) -> int:
        """Activations of one image, the image and all layers together."""
        return sum(row.activations for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def inference_bytes(self) -> int:
        """Parameters, and the most activations at once."""
        return self.parameter_bytes + self.live_bytes

    @property
    def forward_bytes(self) -> int:
        """Parameters and all activations: the notes' sum for a forward pass."""
        return self.parameter_bytes + self.activation_bytes

    @property
    def training_bytes(self) -> int:
        """Parameters, gradients and momentum; activations and their gradients."""
        return 3 * self.parameter_bytes + 2 * self.activation_bytes

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dicts, for instance for JSON."""
        totals = (
            "parameters",
            "parameter_bytes",
            "activations",
            "activation_bytes",
            "live_activations",
            "live_bytes",
            "multiply_adds",
            "inference_bytes",
            "forward_bytes",
            "training_bytes",
        )
        return {
            "rows": [row._asdict() for row in self.rows],
            "totals": {name: getattr(self, name) for name in totals},
        }

    def __str__(self) -> str:
        return table.text(self)


def summary(model: Module, *input_shapes: Sequence[int]) -> Summary:
    """Add up what a network costs for one image: parameters, memory, multiply-adds.

    The network runs once, on random numbers.

    Parameters
    ----------
    model : Module
        A `Sequential`, a `Graph`, or these in each other; any other module is one row.
    *input_shapes : sequence of int
        (C, H, W) for each input of the model, without N.

    Returns
    -------
    Summary
        A row for each value that depends on the inputs, and totals; ``print`` shows both as a
        table.

    Raises
    ------
    ValueError
        There is not one shape for each input, or the model takes none such (the layer says so).

    Notes
    -----
    Activations are counted as the course notes do for VGG-16: what elementwise layers (`ReLU`,
    `Dropout`, ...) give lies where their input was, if nobody else needs that, and so does what
    `Flatten` and an adaptive pool that pools nothing give. Every other output is stored, and so is
    the input.

    For training the notes count activations twice, as there is a gradient for each, and parameters
    three times: themselves, gradients and momentum.

    Examples
    --------
    >>> from cnnfast.nn import Conv2d, Flatten, Linear, ReLU, Sequential
    >>> model = Sequential(Conv2d(3, 8, 3), ReLU(), Flatten(), Linear(8 * 30 * 30, 10))
    >>> ledger = summary(model, (3, 32, 32))
    >>> ledger.parameters, ledger.activations == 3 * 32 * 32 + 8 * 30 * 30 + 10
    (72234, True)
    >>> ledger.rows[1]._asdict()["receptive_field"], ledger.rows[1].multiply_adds
    ((3, 3), 194400)
    """
    traced = trace(model)
    images = random_images("summary", model, input_shapes)
    parameters = list(model.parameters())
    memory = Memory(traced)
    rows = list(_rows(traced, images, memory))
    count, size = sum(p.size for p in parameters), sum(p.data.nbytes for p in parameters)
    return Summary(rows, count, size, *memory.most_at_once())


def _rows(traced: Trace, images: Sequence[np.ndarray], memory: Memory) -> Iterator[Row]:
    """Run a network; yield its rows, and find memory for every value."""
    fields: dict[str | None, Field] = {}  # of what depends on the inputs
    for name, image in zip(traced.inputs, images, strict=True):
        memory.store(name, image)
        fields[name] = of_input(image.shape)
        yield _row(name, "Input", image, True, fields[name])
    counted: set[int] = set()
    for call, taken, given in replay(traced, images):
        seen = [fields[source] for source in call.sources if source in fields]
        if not seen:  # a constant
            for name in given:
                memory.skip(name)
            continue
        layer = innermost(call.module)
        new = {id(p): p.size for p in call.module.parameters() if id(p) not in counted}
        counted |= new.keys()
        y = next(iter(given.values()))
        costs = sum(new.values()), multiply_adds(layer, np.shape(taken[0]), np.shape(y))
        for name, value in given.items():
            value = np.asarray(value)
            stored = memory.place(name, value, call, taken)
            fields[name] = of_output(layer, seen, value.shape)
            yield _row(name, type(layer).__name__, value, stored, fields[name], *costs)
            costs = 0, 0  # are those of all its values together
        memory.end(call)


def _row(
    name: str,
    kind: str,
    value: np.ndarray,
    stored: bool,
    field: Field,
    parameters: int = 0,
    products: int = 0,
) -> Row:
    return Row(
        name,
        kind,
        value.shape[1:] if value.ndim > 1 else value.shape,
        parameters,
        value.size if stored else 0,
        value.nbytes if stored else 0,
        products,
        tuple(map(math.ceil, field.size)),
        tuple(int(j) if j.denominator == 1 else float(j) for j in field.jump),
    )
