"""Weights to a file and back, in the format that the file's name asks for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from cnnfast.io.elements import NUMBERS

# Each is a module beside this one, imported on use, with `read` and `write` if in _WRITTEN.
_FORMATS = {
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".pth": "torch_checkpoint",
    ".pt": "torch_checkpoint",
    ".onnx": "onnx.weights",
}
_WRITTEN = (".npz", ".safetensors")


def save_weights(state: Mapping[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    """Write arrays to a file, which replaces an older one only when it is complete.

    It is written under a temporary name in the same folder, flushed to the disk and renamed: after
    an error, ctrl-C or a crash the older file is still there, whole.

    Parameters
    ----------
    state : mapping of str to numpy.ndarray
        For instance ``model.state_dict()``: booleans, integers, real or complex floats.
    path : str or os.PathLike
        Ends in ``.npz``, which `numpy.load` reads too, or in ``.safetensors``, which needs the
        package of that name (``pip install cnnfast[safetensors]``) and cannot hold complex128.

    Raises
    ------
    TypeError
        A name is not a string, or a value not an array of numbers that such a file can hold.
    ValueError
        `path` ends otherwise, or a name cannot be one in such a file.
    ImportError
        The package for this kind of file is not installed.
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
    form = _format_of("save_weights", path, _WRITTEN)
    for name, array in state.items():
        if not isinstance(name, str):
            raise TypeError(f"save_weights: names must be strings, got {name!r}")
        if not isinstance(array, np.ndarray) or array.dtype.kind not in NUMBERS:
            found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"save_weights: {name} must be an array of numbers, got {found}")
    form.write(state, path)


def load_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the arrays of a weights file, for ``model.load_state_dict``.

    Nothing in the file is executed, and memory is taken only for what it really holds. A
    checkpoint of torch is read without torch: of its pickle only tensors and plain containers,
    and whatever else it asks for is refused by name.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``, as `save_weights` or `numpy.savez` write it; in ``.safetensors``, which
        needs the package of that name (``pip install cnnfast[safetensors]``); or in ``.pth`` or
        ``.pt``, as ``torch.save`` of any version writes a ``state_dict``; or in ``.onnx``, for the
        initialisers of the graph, which needs the package ``onnx``.

    Returns
    -------
    dict of str to numpy.ndarray
        In the file's order: writable arrays of the file's dtypes, in native byte order; float16
        and bfloat16 arrive as float32.

        A checkpoint of containers in containers is made flat: ``{"model": {"fc.bias": b}, "lr":
        [0.1]}`` has the names ``"model.fc.bias"`` and ``"lr.0"``. Plain numbers become arrays of
        no dimensions; what is neither an array nor a number (text, None, types) is left out.
        Tensors that share memory in torch share it here.

    Raises
    ------
    ValueError
        `path` ends otherwise, or the file is not such a file, is truncated or damaged, holds
        anything but the above, or claims to hold more than it does.
    ImportError
        The package for this kind of file is not installed.
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
    form = _format_of("load_weights", path, tuple(_FORMATS))
    try:
        return form.read(path)
    except ValueError as error:
        # Some errors quote the file at length.
        raise ValueError(f"load_weights: {path}: {error!s:.500}") from error


def _format_of(function: str, path: Path, endings: Sequence[str]) -> ModuleType:
    if path.suffix not in endings:
        raise ValueError(
            f"{function}: the name of a weights file must end in "
            f"{', '.join(endings[:-1])} or {endings[-1]}, got {path}"
        )
    return importlib.import_module(f"cnnfast.io.{_FORMATS[path.suffix]}")
