"""The command ``cnnfast``.

Here is how subcommands end. Each has a module of its name, imported when it is used, with a
function ``run``. What they share:

arguments.py    what they take          settings.py     what ``train`` takes
values.py       arguments from text     config.py       settings in files
datasets.py     what settings stand for, and so networks.py, batches.py, optimizers.py
learning.py     a network in training   run_folder.py   the files that ``train`` leaves
ranks.py        several processes       text.py         figures as text
race/           kernels timed against others
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cnnfast.cli.arguments import parser

SHOWN = 3  # of the many things that may be wrong with a file


class CommandError(Exception):
    """What the person who typed the command did or can do something about, in one line.

    Parameters
    ----------
    message : str
    code : int
        The exit code.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, by default the program's own, and return its exit code.

    0 if all went well, 1 for a network that is not as good as asked for, 2 for bad input of any
    kind, 3 for a training that diverged, 130 after ctrl-C.
    """
    options = parser().parse_args(argv)
    try:
        importlib.import_module(f"cnnfast.cli.{options.command}").run(options)
        sys.stdout.flush()
    except CommandError as error:
        return _fail(error.code, f"error: {_in_one_line(str(error))}")
    except BrokenPipeError:  # `cnnfast train ... | head`: nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(2, f"error: {_in_words(error)}")
    except KeyboardInterrupt as interrupt:
        return _fail(130, ": ".join(["interrupted", *map(str, interrupt.args)]))
    return 0


@contextmanager
def warnings_in_words() -> Iterator[None]:
    """Print warnings as this command's, each time, and without where in the code they arose."""

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        print(f"cnnfast: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _fail(code: int, message: str) -> int:
    from cnnfast.cli import ranks

    print(f"cnnfast: {message}", file=sys.stderr)
    ranks.end(code)
    return code


def _in_one_line(text: str) -> str:
    """Put lines one after the other: the first and, of what follows, the first few.

    Where the last line points at something in the one above, lines stay as they are.
    """
    if text.endswith("^"):
        return text
    first, *lines = [line.strip() for line in text.splitlines()] or [""]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "; ".join([first, *lines[:SHOWN], *more])


def _in_words(error: OSError) -> str:
    """Give what went wrong and where, without the number; or all that the error says."""
    parts = [str(part) for part in (error.filename, error.strerror) if part is not None]
    return ": ".join(parts) or str(error)
