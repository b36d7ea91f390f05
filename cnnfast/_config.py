"""What this build is and what it runs on."""

from __future__ import annotations

import platform
import sys

import numpy as np

from cnnfast._ext import dispatch, threads
from cnnfast._version import version


def config() -> dict[str, str]:
    """The facts that `show_config` prints, and that a benchmark's result file records."""
    return {
        "cnnfast": version,
        "instruction set": f"{dispatch.chosen_isa()} "
        f"(this machine can run {', '.join(dispatch.supported_isas())})",
        "threads": f"{threads.get_num_threads()} "
        f"({'limited' if threads.has_openmp() else 'not limited'} by threadpoolctl)",
        "compiler": dispatch.compiler(),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "processor": processor(),
        "NumPy": f"{np.__version__} with {blas()}",
    }


def show_config() -> None:
    """Print the version, instruction sets, threads, compiler, and NumPy with its BLAS.

    Examples
    --------
    >>> import cnnfast
    >>> cnnfast.show_config()  # doctest: +ELLIPSIS
    cnnfast         : ...
    instruction set : ...
    """
    facts = config()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}} : {value}")


def processor() -> str:
    """The processor's name, as far as the system tells."""
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo") as file:
                for line in file:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()


def blas() -> str:
    """The name and version of NumPy's BLAS."""
    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']}"
    except (TypeError, KeyError):  # before NumPy 1.25 there are no dicts
        return "a BLAS it does not name"
