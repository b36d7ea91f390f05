"""The networks of shapes.json."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = Path(__file__).parents[1] / "shapes.json"


@dataclass(frozen=True)
class Network:
    """A network of the zoo, the images it takes, and how many of them make a batch."""

    name: str
    model: str
    image: tuple[int, int, int]
    batch: int
    quick: bool = False

    def make(self) -> Any:
        """Make it in cnnfast, always with the same random weights.

        Biases, scales and running statistics are random too, so that nothing done wrong with them
        stays unnoticed. Dropout never drops, so that steps of training can be compared.
        """
        # Only here: a process that measures another library's memory does not load cnnfast.
        models, nn = map(importlib.import_module, ("cnnfast.models", "cnnfast.nn"))
        rng = np.random.default_rng(0)
        model = getattr(models, self.model)(rng=rng)
        state = model.state_dict()
        for key, array in state.items():
            if key.endswith("running_var"):
                state[key] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
            elif array.ndim == 1:
                state[key] = array + 0.1 * rng.standard_normal(array.shape, np.float32)
        model.load_state_dict(state)
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        return model

    def images(self, count: int) -> np.ndarray:
        return np.random.default_rng(1).standard_normal((count, *self.image), np.float32)

    def labels(self) -> np.ndarray:
        """Labels of a batch: classes that every one of the networks has."""
        return np.random.default_rng(2).integers(10, size=self.batch)


def networks(quick: bool = False) -> list[Network]:
    """Read the table; with `quick` only those marked so."""
    rows = json.loads(SHAPES.read_text())["networks"]
    table = [Network(**{**row, "image": tuple(row["image"])}) for row in rows]
    return [network for network in table if network.quick or not quick]
