"""Runs programs of this folder on several ranks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import CHECKOUT

# Beside the interpreter lies the launcher that came with the library mpi4py finds there.
LAUNCHER = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")

needs_mpi = pytest.mark.skipif(
    LAUNCHER is None or find_spec("mpi4py") is None, reason="needs mpi4py and mpiexec"
)

# More ranks than processors, and root in a container: Open MPI wants to be told.
SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
OURS = ("CNNFAST_", "OMP_", "OMPI_", "PMI", "PYTHONWARNINGS")


def command(ranks: int, *arguments: object) -> list[str]:
    """The command that runs ``python ...`` on so many ranks."""
    return [str(LAUNCHER), "-n", str(ranks), sys.executable, *map(str, arguments)]


def environment() -> dict[str, str]:
    inherited = {name: v for name, v in os.environ.items() if not name.startswith(OURS)}
    return inherited | SETTINGS


def program(ranks: int, name: str, *arguments: object) -> list[str]:
    """The command that runs a function of `programs` on so many ranks."""
    return command(ranks, "-m", "tests.distributed.programs", name, *arguments)


@contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a job; whatever is left of it afterwards is killed."""
    job = subprocess.Popen(
        words,
        cwd=CHECKOUT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield job
    finally:
        job.kill()
        job.communicate()


def launch(words: list[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a job to its end; one that hangs fails."""
    with started(words) as job:
        out, errors = job.communicate(timeout=timeout)
    return subprocess.CompletedProcess(words, job.returncode, out, errors)
