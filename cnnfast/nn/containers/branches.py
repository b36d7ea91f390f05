"""Branches that start from one input and meet again."""

from __future__ import annotations

from collections.abc import Mapping

from cnnfast.nn.containers.graph import Graph
from cnnfast.nn.containers.sequential import named_layers
from cnnfast.nn.join import Add, Concatenate
from cnnfast.nn.module import Module


class Residual(Graph):
    """Add what a network makes of its input to the input: body(x) + shortcut(x).

    Parameters
    ----------
    body : Module
        Must keep the shape, or make of it what `shortcut` does.
    shortcut : Module, optional
        None passes the input on as it is.
    recompute : bool
        As in `Sequential`.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.nn import ReLU
    >>> Residual(ReLU())(np.array([-1.0, 2.0])).tolist()
    [-1.0, 4.0]
    """

    def __init__(
        self, body: Module, shortcut: Module | None = None, *, recompute: bool = False
    ) -> None:
        nodes: dict[str, tuple] = {"body": (body, "input")}
        if shortcut is not None:
            nodes["shortcut"] = (shortcut, "input")
        nodes["add"] = (Add(), "body", "input" if shortcut is None else "shortcut")
        super().__init__(nodes, recompute=recompute)


class Concat(Graph):
    """Put the outputs of several networks behind each other, along the channels.

    An inception module is one; each branch gets the whole input.

    Parameters
    ----------
    *branches : Module, or one mapping of names to modules
        Without names they are called "0", "1", ... Each gives (N, C_i, H, W) with one H and W.
    recompute : bool
        As in `Sequential`.

    References
    ----------
    C. Szegedy et al., "Going deeper with convolutions", 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast.nn import Conv2d, MaxPool2d
    >>> block = Concat({"conv": Conv2d(3, 8, 3, padding=1), "pool": MaxPool2d(3, 1, padding=1)})
    >>> block(np.zeros((1, 3, 7, 7), np.float32)).shape
    (1, 11, 7, 7)
    """

    def __init__(self, *branches: Module | Mapping[str, Module], recompute: bool = False) -> None:
        named = named_layers(branches)
        if not named:
            raise ValueError("Concat: there must be at least one branch")
        nodes: dict[str, tuple] = {name: (branch, "input") for name, branch in named.items()}
        super().__init__({**nodes, "concat": (Concatenate(), *named)}, recompute=recompute)
