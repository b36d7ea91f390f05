"""``cnnfast convert``: weights from a file of one kind into a file of another."""

from __future__ import annotations

import argparse

from cnnfast.cli import CommandError
from cnnfast.io import load_weights, save_weights


def run(options: argparse.Namespace) -> None:
    try:
        state = load_weights(options.source)
        save_weights(state, options.target)
    except (ImportError, TypeError, ValueError) as error:
        raise CommandError(str(error)) from error
    print(f"{len(state)} arrays saved in {options.target}")
