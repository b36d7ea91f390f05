"""``cnnfast convert``: weights from a file of one kind into a file of another."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cnnfast.cli import CommandError
from cnnfast.cli.networks import network
from cnnfast.io import load_weights, save_weights


def run(options: argparse.Namespace) -> None:
    try:
        state = weights(options.source)
        save_weights(state, options.target)
    except (ImportError, TypeError, ValueError) as error:
        raise CommandError(str(error)) from error
    print(f"{len(state)} arrays saved in {options.target}")


def weights(source: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a weights file, or those of an ONNX file's network."""
    if source.suffix == ".onnx":
        return network(str(source)).state_dict()
    return load_weights(source)
