"""Races between cnnfast's kernels and others', for ``cnnfast demo`` and for the benchmarks.

turns.py        calls timed in turns, once they agree
tasks.py        what is raced: a kernel on the arrays of a layer
vectorised.py   the same kernels by a careful NumPy author
kernels.py      a task raced, and the naive loops timed on a slice of it
table.py        what was measured, as text
"""

from cnnfast.cli.race.kernels import Result, measure, time_loops
from cnnfast.cli.race.table import table, times
from cnnfast.cli.race.tasks import KERNELS, Layer, Task
from cnnfast.cli.race.turns import Timing, UnequalError, check_equal, race

__all__ = [
    "KERNELS",
    "Layer",
    "Result",
    "Task",
    "Timing",
    "UnequalError",
    "check_equal",
    "measure",
    "race",
    "table",
    "time_loops",
    "times",
]
