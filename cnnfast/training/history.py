"""What became of every epoch."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from cnnfast.io.atomic import replacing

_INTEGERS = ("epoch", "step", "images")
_COLUMNS = (
    "epoch",
    "step",
    "lr",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "images",
    "seconds",
)


class History(Mapping[str, np.ndarray]):
    """A column of numbers for each thing that is measured, with one entry for each epoch.

    ================================================  ============================================
    ``epoch``, ``step``                               numbers, from 1: of the epoch, of its last
                                                      step counted from the beginning
    ``lr``                                            learning rate of that step
    ``train_loss``, ``train_accuracy``                means over the epoch, while it learned
    ``validation_loss``, ``validation_accuracy``      after the epoch; NaN without validation
    ``images``, ``seconds``                           learned from, and how long that took
                                                      (without validation)
    ================================================  ============================================

    Accuracies are NaN where labels are no classes.

    Examples
    --------
    >>> history = History()
    >>> history.append(epoch=1, step=10, lr=0.1, train_loss=2.0, train_accuracy=0.5,
    ...                validation_loss=1.5, validation_accuracy=0.75, images=640, seconds=2.0)
    >>> history["train_loss"], history.epochs
    (array([2.]), 1)
    """

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    @property
    def epochs(self) -> int:
        """How many there are."""
        return len(self._rows)

    def append(self, **values: float) -> None:
        """Add an epoch: a value for each column."""
        if set(values) != set(_COLUMNS):
            raise TypeError(
                f"History.append: values must be {', '.join(_COLUMNS)}, got {', '.join(values)}"
            )
        self._rows.append(
            tuple(int(values[c]) if c in _INTEGERS else float(values[c]) for c in _COLUMNS)
        )

    def __getitem__(self, column: str) -> np.ndarray:
        index = _COLUMNS.index(column) if column in _COLUMNS else None
        if index is None:
            raise KeyError(f"History: no column {column!r}, there are {', '.join(_COLUMNS)}")
        dtype = np.int64 if column in _INTEGERS else np.float64
        return np.array([row[index] for row in self._rows], dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(_COLUMNS)

    def __len__(self) -> int:
        return len(_COLUMNS)

    def to_dict(self) -> dict[str, list[float]]:
        """Give the columns as lists."""
        return {column: self[column].tolist() for column in self}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file: a line of names, and one for each epoch."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *self._rows])
        with replacing(Path(path)) as file:
            file.write(text.getvalue().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The file is another.
        """
        with open(path, newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
        history = cls()
        try:
            for row in rows:
                history.append(**dict(zip(header, map(float, row), strict=True)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"History.load: {path}: {error}") from error
        return history

    def rows(self) -> list[list[float]]:
        """Give all of it as plain lists, epoch by epoch, for `from_rows`."""
        return [list(row) for row in self._rows]

    @classmethod
    def from_rows(cls, rows: list[list[float]]) -> History:
        """Make one of what `rows` gave."""
        history = cls()
        for row in rows:
            history.append(**dict(zip(_COLUMNS, row, strict=True)))
        return history


def check_monitor(function: str, monitor: str) -> str:
    """Check that `monitor` is a column by which an epoch can be better than another."""
    if monitor not in _COLUMNS[3:7]:
        raise ValueError(
            f"{function}: monitor must be one of {', '.join(_COLUMNS[3:7])}, got {monitor!r}"
        )
    return monitor


def better(monitor: str, value: float, than: float, by: float = 0.0) -> bool:
    """Tell whether `value` is better: higher for an accuracy, lower for a loss; NaN never is."""
    gain = value - than if monitor.endswith("accuracy") else than - value
    return gain > by or (math.isnan(than) and not math.isnan(value))
