"""What the course notes would say about the sizes of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnfast.analysis import footprint, rules
from cnnfast.analysis.footprint import Footprint
from cnnfast.analysis.ledger import Summary, summary
from cnnfast.analysis.machine import memory_limit
from cnnfast.analysis.random_images import random_images
from cnnfast.analysis.rules import Finding
from cnnfast.analysis.steps import steps
from cnnfast.analysis.table import aligned, quantity
from cnnfast.nn import Module

# What a batch may take of the memory: estimates err, and others need some, too.
USABLE = 0.8
# How many layers to name where memory and parameters sit.
LARGEST = 3


class Share(NamedTuple):
    """What one layer has of something.

    Attributes
    ----------
    layer : str
    amount : int
    part : float
        Of the whole, from 0 to 1.
    """

    layer: str
    amount: int
    part: float


class Advice(NamedTuple):
    """What breaks the notes' rules, and what fits in memory. ``print`` it to read it.

    Attributes
    ----------
    findings : list of Finding
        What breaks a rule, from the first layer to the last.
    memory : list of Share
        The layers with the most activations: bytes for an image.
    parameters : list of Share
        The layers with the most parameters.
    training, inference : Footprint
        Estimated memory for a batch; training is with SGD and momentum.
    memory_limit : int or None
        Bytes that this process may use, as far as the system tells.
    """

    findings: list[Finding]
    memory: list[Share]
    parameters: list[Share]
    training: Footprint
    inference: Footprint
    memory_limit: int | None

    @property
    def training_batch(self) -> int | None:
        """Images of the largest batch to train with in four fifths of the memory."""
        return self._batch(self.training)

    @property
    def inference_batch(self) -> int | None:
        """Images of the largest batch to infer in four fifths of the memory."""
        return self._batch(self.inference)

    def _batch(self, need: Footprint) -> int | None:
        return None if self.memory_limit is None else need.images(int(USABLE * self.memory_limit))

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dicts, for instance for JSON."""
        return {
            "findings": [finding._asdict() for finding in self.findings],
            "memory": [share._asdict() for share in self.memory],
            "parameters": [share._asdict() for share in self.parameters],
            "training": {**self.training._asdict(), "batch": self.training_batch},
            "inference": {**self.inference._asdict(), "batch": self.inference_batch},
            "memory_limit": self.memory_limit,
        }

    def __str__(self) -> str:
        found = aligned(self.findings or [("nothing breaks the notes' rules",)])
        sums = [("memory", _shares(self.memory, "B")), ("parameters", _shares(self.parameters))]
        needs = [(f"{name} batch", self._need(name)) for name in ("training", "inference")]
        return "\n".join([*found, "", *aligned([*sums, *needs])])

    def _need(self, name: str) -> str:
        need = getattr(self, name)
        text = f"about {quantity(need.fixed, 'B')} and {quantity(need.per_image, 'B')} an image"
        if self.memory_limit is None:
            return text
        limit, batch = quantity(self.memory_limit, "B"), getattr(self, f"{name}_batch")
        return f"up to {batch:,} images in {USABLE:.0%} of {limit}: {text}"


def advise(model: Module, *input_shapes: Sequence[int]) -> Advice:
    """Say what in a network breaks the course notes' rules for sizes, and what fits in memory.

    The network runs twice, on random numbers. The rules, by the names that findings have:

    input
        Height and width are divisible by 2 as often as the network halves them.
    shrinks
        Convolutions keep the size of the map: padding (F - 1)/2 for filters of F x F.
    stride
        Convolutions have stride 1; pools make maps smaller.
    fit
        (W - F + 2P)/S + 1 is a whole number, for convolutions and pools.
    pool
        Pools have windows of 2x2, at most 3x3.
    filter
        Behind the first layer there are no large filters where a stack of 3x3 ones, as many in each
        layer, sees as much with fewer parameters.

    Parameters
    ----------
    model : Module
    *input_shapes : sequence of int
        (C, H, W) for each input of the model, without N.

    Returns
    -------
    Advice
        ``print`` it, or see its attributes.

    Raises
    ------
    ValueError
        As `summary`.

    Notes
    -----
    What fits in memory is an estimate for the kernels that this machine takes, and supposes that a
    fifth of the memory is left to others. It leaves out the interpreter, and the scratch of
    convolutions that are no `Conv2d`.

    References
    ----------
    A. Karpathy, "Convolutional networks", notes of the course CS231n: layer sizing patterns.

    Examples
    --------
    >>> from cnnfast.nn import Conv2d, MaxPool2d, Sequential
    >>> advice = advise(Sequential(Conv2d(3, 8, 5), MaxPool2d(2)), (3, 33, 33))
    >>> for finding in advice.findings:
    ...     print(*finding, sep=" | ")
    input | input | 33 / 2 = 16.5 | a pixel of the last map is 2 wide; 32 or 34 would divide evenly
    0 | shrinks | 33x33 becomes 29x29 | padding=2 keeps the size of the map
    1 | fit | (29 - 2 + 0)/2 + 1 = 14.5 | leaves out the last 1 of 29 rows or columns
    """
    ledger = summary(model, *input_shapes)
    run = steps(model, random_images("advise", model, input_shapes))
    return Advice(
        rules.broken(run, ledger),
        _largest(ledger, "activation_bytes"),
        _largest(ledger, "parameters"),
        footprint.of_training(model, run, ledger),
        footprint.of_inference(run, ledger),
        memory_limit(),
    )


def _largest(ledger: Summary, column: str) -> list[Share]:
    total = sum(getattr(row, column) for row in ledger.rows)
    rows = sorted(ledger.rows, key=lambda row: -getattr(row, column))[:LARGEST]
    amounts = [(row.name, getattr(row, column)) for row in rows]
    return [Share(name, amount, amount / total) for name, amount in amounts if amount]


def _shares(shares: Sequence[Share], unit: str = "") -> str:
    texts = [f"{s.layer} {s.part:.0%} ({quantity(s.amount, unit)})" for s in shares]
    return ", ".join(texts) or "none"
