"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once the block has ended well.

    Until then it has a temporary name in the same folder, and `path` is what it was before: also
    if the block raises, the disk is full, or the machine stops.
    """
    # Not tempfile: it would leave the file readable for its owner only.
    temporary = _temporary(path)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # Of a full disk it names no file, of a folder that is not there the temporary one.
        if error.filename is None or os.fspath(error.filename) == os.fspath(temporary):
            raise OSError(error.errno, error.strerror or str(error), os.fspath(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that is at `path` once the block has ended well, with all that is in it then.

    Until then it has a temporary name beside it. The files in it are to be written by `replacing`.
    """
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        _flush_folder(temporary)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _flush_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder; half of it is never to be seen at `path`."""
    temporary = _temporary(path)
    os.rename(path, temporary)
    shutil.rmtree(temporary)


def remove_remains(folder: Path) -> None:
    """Remove what the functions above left unfinished in a folder when they were killed."""
    for remains in folder.glob(f".*.{'[0-9a-f]' * 8}.tmp"):
        if remains.is_dir():
            shutil.rmtree(remains, ignore_errors=True)
        else:
            remains.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")


def _flush_folder(folder: Path) -> None:
    """Make the new name itself outlive a crash of the machine."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
