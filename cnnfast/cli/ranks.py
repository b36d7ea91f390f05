"""Subcommands that ``mpiexec`` starts several times."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cnnfast.cli import CommandError

if TYPE_CHECKING:
    from cnnfast.distributed import World

_world: World | None = None


def join() -> World | None:
    """Join the other ranks; None if no launcher started this process.

    Only rank 0 prints from here on, but for errors.

    Raises
    ------
    CommandError
        A launcher did, but there is no mpi4py to find the others with.
    """
    from cnnfast import distributed

    global _world
    if distributed.launched():
        try:
            _world = distributed.init()
        except ImportError as error:
            raise CommandError(str(error)) from error
        if _world.rank:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (to the end of the process)
    return _world


def end(code: int) -> None:
    """End the other ranks too, with this exit code, if there are any."""
    if _world is not None and _world.size > 1:
        _world.abort(code)
