"""The modules of the assignment folder that are replaced."""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

import numpy as np

from cnnfast.compat.cs231n import columns, conv, max_pool

# What each module of the assignment folder is replaced by.
PROVIDED = {
    "cs231n.im2col_cython": (columns,),
    "cs231n.fast_layers": (columns, conv, max_pool),
}


class _CourseModules(MetaPathFinder, Loader):
    """Finds and loads the modules of `PROVIDED`, whatever the assignment folder holds."""

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in PROVIDED:
            return None
        return spec_from_file_location(fullname, __file__, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "cs231n.fast_layers":
            # What else importing the course's file does: it loads the extension, and whoever
            # imports * gets what it imports itself.
            importlib.import_module("cs231n.im2col_cython")
            module.__dict__["np"] = np
            with contextlib.suppress(ImportError):
                module.__dict__.update(_public(importlib.import_module("cs231n.im2col")))
        module.__dict__.update(_provided(module.__name__))


_COURSE_MODULES = _CourseModules()


def _provided(module: str) -> dict[str, Any]:
    return {name: getattr(ours, name) for ours in PROVIDED[module] for name in ours.__all__}


def _public(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def install() -> None:
    """Make ``cs231n.fast_layers`` and ``cs231n.im2col_cython`` come from here.

    From then on, an assignment folder's own ``fast_layers.py``, and its ``im2col_cython`` whether
    compiled or not, are left unread. Call it first. Called after the folder's modules have been
    imported, it replaces their functions wherever ``__main__`` or a module of ``cs231n`` holds
    them. Calling it again changes nothing.

    Examples
    --------
    At the top of the notebook:

    >>> from cnnfast.compat import cs231n
    >>> cs231n.install()  # doctest: +SKIP
    >>> from cs231n.fast_layers import *  # doctest: +SKIP
    """
    if _COURSE_MODULES not in sys.meta_path:
        sys.meta_path.insert(0, _COURSE_MODULES)
    for name in PROVIDED:
        module = sys.modules.get(name)
        if module is not None and module.__loader__ is not _COURSE_MODULES:
            _replace(module)


def _replace(module: ModuleType) -> None:
    """Load our functions into a module that was imported from the assignment folder."""
    provided = _provided(module.__name__)
    before = vars(module)
    replaced = {
        id(before[name]): new for name, new in provided.items() if callable(before.get(name))
    }
    holders = [
        holder
        for name, holder in list(sys.modules.items())
        if isinstance(holder, ModuleType) and (name == "__main__" or name.split(".")[0] == "cs231n")
    ]
    found = [
        # One function may have gone by several names, so the name decides if it is one of ours.
        (holder, name, provided.get(name, replaced[id(value)]))
        for holder in holders
        for name, value in list(vars(holder).items())
        if id(value) in replaced
    ]
    importlib.reload(module)
    for holder, name, new in found:
        setattr(holder, name, new)
