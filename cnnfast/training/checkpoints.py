"""Checkpoints: a folder for each, complete or not there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast.io import load_weights, save_weights
from cnnfast.io.atomic import new_folder, remove_folder, remove_remains, replacing
from cnnfast.training.history import better, check_monitor
from cnnfast.training.state import restore, state_of

if TYPE_CHECKING:
    from cnnfast.training.trainer import Trainer

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)")
_SUMS = "SHA256SUMS"
_STATE = "state.json"
_ENDINGS = (".safetensors", ".npz")


class Checkpoints:
    """A folder of checkpoints, of which the last few and the best one are kept.

    Each is a folder ``epoch-0003-step-00001407`` (complete epochs, steps) with

    =========================  ===================================================================
    ``weights.safetensors``    the model's parameters and buffers, for `cnnfast.load_weights`;
                               ``.npz`` where the package safetensors is not installed
    ``optimizer.safetensors``  what the optimizer remembers
    ``state.json``             schedule, random generators, position in the data, history,
                               callbacks
    ``SHA256SUMS``             their checksums, for ``sha256sum -c``
    =========================  ===================================================================

    It is written under a temporary name, flushed to the disk and renamed, so that after an error,
    a crash or a full disk those before it are still there, whole.

    Parameters
    ----------
    folder : str or os.PathLike
        Made if it is not there.
    keep : int
        How many of the last ones are kept.
    every_steps : int, optional
        Write one after so many steps too, not only after each epoch.
    monitor : str
        By which the best is chosen: "validation_loss", "validation_accuracy", "train_loss" or
        "train_accuracy". Without validation the first two know no best.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Checkpoints(folder, keep=2).paths()
    []
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keep: int = 3,
        every_steps: int | None = None,
        monitor: str = "validation_loss",
    ) -> None:
        for name, value in (("keep", keep), ("every_steps", every_steps)):
            if value is not None and value < 1:
                raise ValueError(f"Checkpoints: {name} must be at least 1, got {value}")
        self.folder = Path(folder)
        self.keep = keep
        self.every_steps = every_steps
        self.monitor = check_monitor("Checkpoints", monitor)

    def paths(self) -> list[Path]:
        """Give those that are there, the newest last."""
        found = [path for path in self.folder.glob("*") if _NAME.fullmatch(path.name)]
        return sorted(found, key=_place)

    def best(self) -> Path | None:
        """Give the one that `monitor` was best after; None if there is none with such a figure."""
        best, least = None, math.nan
        for path in self.paths():
            score = self._score(path)
            if better(self.monitor, score, least):
                best, least = path, score
        return best

    def save(self, trainer: Trainer) -> Path:
        """Write all that `load` needs to go on from here, and remove what is not to be kept.

        Raises
        ------
        FloatingPointError
            The weights are not finite; nothing is written.
        OSError
            It cannot be written; those before it are still there.
        """
        weights = trainer.model.state_dict()
        _check_finite(weights)
        name = f"epoch-{trainer.history.epochs:04d}-step-{trainer.step:08d}"
        path = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_remains(self.folder)
        if path.exists():
            # Of the very same moment: written before this run came back to it from an older one.
            if not _damage(path):
                return path
            remove_folder(path)
        ending = _ENDINGS[0] if importlib.util.find_spec("safetensors") else _ENDINGS[1]
        state = json.dumps(state_of(trainer), default=lambda value: value.tolist(), indent=1)
        try:
            with new_folder(path) as folder:
                save_weights(weights, folder / f"weights{ending}")
                save_weights(_arrays(trainer.optimizer.state_dict()), folder / f"optimizer{ending}")
                _write(folder / _STATE, state)
                _write(folder / _SUMS, _sums(folder))
        except OSError as error:
            last = self.paths()
            stands = f"the last one is {last[-1]}" if last else "there is none before it"
            raise OSError(
                error.errno, f"{error.strerror} (checkpoint not written; {stands})", str(path)
            ) from error
        self._prune()
        return path

    def newest(self) -> Path | None:
        """Give the newest one that is whole, and report newer ones (as warnings); None if empty.

        Raises
        ------
        ValueError
            All are damaged.
        """
        damaged = []
        for path in reversed(self.paths()):
            damage = _damage(path)
            if not damage:
                return path
            damaged.append(f"{path}: {damage}")
            warnings.warn(
                f"checkpoint {path} is damaged: {damage}; the one before it is used", stacklevel=2
            )
        if damaged:
            raise ValueError("Checkpoints: every checkpoint is damaged\n  " + "\n  ".join(damaged))
        return None

    def load(self, trainer: Trainer) -> Path | None:
        """Bring a trainer to where the `newest` checkpoint was; give its path, or None.

        Damaged ones after it are put aside: their names then end in ``.damaged``.

        Raises
        ------
        ValueError
            All are damaged, or it is one of another network, optimizer, schedule or data set.
        """
        path = self.newest()
        if path is not None:
            self._load(trainer, path)
            for damaged in self.paths()[self.paths().index(path) + 1 :]:
                os.replace(damaged, damaged.with_name(f"{damaged.name}.damaged"))
        return path

    def _load(self, trainer: Trainer, path: Path) -> None:
        state = json.loads((path / _STATE).read_text())
        steps: list[tuple[str, Callable[[Any], object], Any]] = [
            ("network", trainer.model.load_state_dict, _load_arrays(path, "weights")),
            ("run", partial(restore, trainer), state),
            ("optimizer", trainer.optimizer.load_state_dict, _load_arrays(path, "optimizer")),
        ]
        for what, load, value in steps:
            try:
                load(value)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"Checkpoints.load: {path} is a checkpoint of another {what}: {error}"
                ) from error

    def _prune(self) -> None:
        paths = self.paths()
        best = self.best()
        for path in paths[: -self.keep]:
            if path != best:
                remove_folder(path)

    def _score(self, path: Path) -> float:
        """Give the figure of `monitor`; NaN for a checkpoint inside an epoch."""
        try:
            state = json.loads((path / _STATE).read_text())
            return math.nan if state["progress"][2] else float(state["scores"][self.monitor])
        except (KeyError, IndexError, TypeError, ValueError, OSError):
            return math.nan


def weights_of(checkpoint: Path) -> dict[str, np.ndarray]:
    """Read the weights of a checkpoint; raise a ValueError if it is damaged."""
    if damage := _damage(checkpoint):
        raise ValueError(f"checkpoint {checkpoint} is damaged: {damage}")
    return _load_arrays(checkpoint, "weights")


def _place(path: Path) -> tuple[int, ...]:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return tuple(map(int, found.groups()))


def _check_finite(weights: dict[str, np.ndarray]) -> None:
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise FloatingPointError(
                f"Checkpoints.save: {name} is not finite; the checkpoints before it are still there"
            )


def _arrays(state: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in state.items()}


def _load_arrays(checkpoint: Path, what: str) -> dict[str, np.ndarray]:
    for ending in _ENDINGS:
        path = checkpoint / f"{what}{ending}"
        if path.exists():
            return load_weights(path)
    raise ValueError(f"{checkpoint}: no {what}")


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def _sums(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.name != _SUMS)
    return "".join(f"{_sha256(path)}  {path.name}\n" for path in files)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _damage(checkpoint: Path) -> str:
    """Say what is wrong with the files of a checkpoint; empty if nothing is."""
    try:
        lines = (checkpoint / _SUMS).read_text().splitlines()
        expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        return f"{_SUMS} is missing or torn"
    if _STATE not in expected or len(expected) != 3:
        return f"{_SUMS} is torn"
    for name, digest in expected.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if _sha256(path) != digest:
            return f"{name} does not have the checksum of {_SUMS}"
    return ""
