"""How much memory there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def memory_limit(root: Path = Path("/")) -> int | None:
    """Give the bytes that this process may use: the machine's memory, cut by its cgroups' limits.

    Parameters
    ----------
    root : pathlib.Path
        Of the file system that the system's files are in.

    Returns
    -------
    int or None
        None where the system does not tell.

    Examples
    --------
    >>> memory_limit() > 2**20
    True
    """
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return min([physical, *_cgroup_limits(root)])


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Go through the limits of the cgroup that this process is in, and of all around it."""
    mounted = root / "sys/fs/cgroup"
    for line in _words(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, name = mounted, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = top / path.strip("/")  # in a container there may be no such folder, but its top
        for place in (folder, *folder.parents):
            if place.is_relative_to(top):
                yield from (int(word) for word in _words(place / name) if word.isdecimal())


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
