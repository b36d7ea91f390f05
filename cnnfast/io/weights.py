"""Weights to a file and back, in the format that the file's name asks for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

# Each is a module beside this one, with `read` and `write`, imported on use.
_FORMATS = {".npz": "npz"}


def save_weights(state: Mapping[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    """Write arrays to a file, which replaces an older one only when it is complete.

    It is written under a temporary name in the same folder, flushed to the disk and renamed: after
    an error, ctrl-C or a crash the older file is still there, whole.

    Parameters
    ----------
    state : mapping of str to numpy.ndarray
        For instance ``model.state_dict()``: booleans, integers, real or complex floats.
    path : str or os.PathLike
        Ends in ``.npz``. `numpy.load` reads such files too.

    Raises
    ------
    TypeError
        A name is not a string, or a value not an array of numbers.
    ValueError
        `path` ends otherwise, or a name cannot be one in such a file.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights({"fc.bias": np.ones(3, np.float32)}, f"{folder}/weights.npz")
    ...     load_weights(f"{folder}/weights.npz")
    {'fc.bias': array([1., 1., 1.], dtype=float32)}
    """
    path = Path(path)
    _format_of("save_weights", path).write(state, path)


def load_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the arrays of a weights file, for ``model.load_state_dict``.

    Nothing in the file is executed or unpickled, and memory is taken only for what it really
    holds.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``; `save_weights` or `numpy.savez` wrote it.

    Returns
    -------
    dict of str to numpy.ndarray
        In the file's order: writable arrays of the file's dtypes, in native byte order.

    Raises
    ------
    ValueError
        `path` ends otherwise, or the file is not such a file, is truncated or damaged, holds
        anything but arrays of numbers, or claims to hold more than it does.
    OSError
        The file cannot be opened or read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/weights.npz", weight=np.zeros((2, 3)))
    ...     load_weights(f"{folder}/weights.npz")["weight"].shape
    (2, 3)
    """
    path = Path(path)
    return _format_of("load_weights", path).read(path)


def _format_of(function: str, path: Path) -> ModuleType:
    if path.suffix not in _FORMATS:
        raise ValueError(
            f"{function}: the name of a weights file must end in {' or '.join(_FORMATS)}, "
            f"got {path}"
        )
    return importlib.import_module(f"cnnfast.io.{_FORMATS[path.suffix]}")
