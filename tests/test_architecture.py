"""The rooms of the package and the arrows between them, read from the sources.

An arrow is an import. It may go down the levels below, never up and never sideways.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "cnnfast"

# Rooms are the package's folders and top modules; "cnnfast" itself is __init__.py.
LEVELS = (
    {"_ext", "_version", "data", "reference"},
    {"functional", "_config"},
    {"nn"},
    {"models", "optim"},
    {"inference", "io", "compat", "analysis", "distributed"},
    {"training"},
    {"sklearn"},
    {"cnnfast"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

# Rooms whose insides not every higher room may use.
DOORS = {
    "reference": {"cli"},
    "_ext": {"functional", "inference", "optim"},  # the kernels
}
# Settings and memory, not kernels.
OPEN_MODULES = {"cnnfast._ext.dispatch", "cnnfast._ext.threads", "cnnfast._ext.workspace"}


class Arrow(NamedTuple):
    file: Path
    line: int
    source: str  # room
    target: str  # dotted module
    names: tuple[str, ...]  # what is taken from it; none for `import module`


# ---------------------------------------------------------------------------- reading


def arrows(package: Path) -> Iterator[Arrow]:
    """Every import of the package's own modules, in Python and in Cython."""
    for file in sorted(package.rglob("*.py")):
        yield from python_arrows(package, file)
    for file in sorted([*package.rglob("*.pyx"), *package.rglob("*.pxd")]):
        text = re.sub(r'""".*?"""', lambda m: "\n" * m[0].count("\n"), file.read_text(), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r"\s*(?:from\s+(\S+)\s+c?import|c?import\s+(\S+))", line)
            module = found and (found[1] or found[2])
            if module and module.split(".")[0] == "cnnfast":
                yield Arrow(file, number, room_of(package, file), module, ())


def python_arrows(package: Path, file: Path) -> Iterator[Arrow]:
    source = room_of(package, file)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "cnnfast":
                    yield Arrow(file, node.lineno, source, alias.name, ())
        elif isinstance(node, ast.ImportFrom):
            module = absolute(package, file, node)
            if module.split(".")[0] != "cnnfast":
                continue
            for alias in node.names:
                # `from cnnfast._ext import conv` takes a module as much as a name.
                part = package.joinpath(*module.split(".")[1:], alias.name)
                is_module = any(part.with_suffix(suffix).exists() for suffix in ("", ".py", ".pyx"))
                if is_module:
                    yield Arrow(file, node.lineno, source, f"{module}.{alias.name}", ())
                else:
                    yield Arrow(file, node.lineno, source, module, (alias.name,))
        elif isinstance(node, ast.Call) and node.args:
            called = (
                node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            )
            if called in ("import_module", "__import__"):
                module = beginning(node.args[0])
                if module.split(".")[0] == "cnnfast":
                    yield Arrow(file, node.lineno, source, module.rstrip("."), ())


def absolute(package: Path, file: Path, node: ast.ImportFrom) -> str:
    """The module of a `from ... import`, dots in front resolved."""
    if not node.level:
        return node.module or ""
    folder = file.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    parts = ["cnnfast", *folder.relative_to(package).parts, node.module]
    return ".".join(filter(None, parts))


def beginning(node: ast.expr) -> str:
    """A string, or as much of an f-string as is written out."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def room_of(package: Path, file: Path) -> str:
    first = file.relative_to(package).parts[0].partition(".")[0]
    return "cnnfast" if first == "__init__" else first


# ---------------------------------------------------------------------------- judging


def wrong_arrows(package: Path) -> list[str]:
    found = []
    for arrow in arrows(package):
        reason = fault(arrow)
        if reason:
            where = f"{arrow.file.relative_to(package.parent)}:{arrow.line}"
            found.append(f"{where}: {arrow.target}: {reason}")
    return found


def fault(arrow: Arrow) -> str | None:
    """What is wrong with an arrow, if anything."""
    source, target = arrow.source, [*arrow.target.split("."), "cnnfast"][1]
    for room in (source, target):
        if room not in LEVEL:
            return f"{room} has no level in {Path(__file__).name}"
    if source == target:
        return None
    if LEVEL[target] >= LEVEL[source]:
        return f"{source} may not import {target}"
    if arrow.target not in OPEN_MODULES and source not in DOORS.get(target, {source}):
        return f"only {' and '.join(sorted(DOORS[target]))} may import {target}"
    if (source, target) == ("optim", "nn") and arrow.names != ("Parameter",):
        return "optim may import only Parameter from nn"
    return None


def test_no_arrow_points_back():
    assert wrong_arrows(PACKAGE) == []


def test_every_room_is_read():
    found = [*arrows(PACKAGE)]
    rooms = {arrow.source for arrow in found}
    assert {"_ext", "functional", "nn", "models", "optim", "cnnfast"} <= rooms
    kernels = {arrow.target for arrow in found if arrow.source == "functional"}
    assert {"cnnfast._ext.conv", "cnnfast._ext.pool", "cnnfast._ext.columns"} <= kernels


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("functional/conv.py", "from cnnfast.nn import Conv2d", "functional may not import nn"),
        ("functional/conv.py", "from cnnfast import nn", "functional may not import nn"),
        ("functional/conv.py", "import cnnfast.nn.conv as c", "functional may not import nn"),
        ("functional/conv.py", "from ..nn.conv import Conv2d", "functional may not import nn"),
        ("functional/conv.py", "from .. import nn", "functional may not import nn"),
        ("functional/conv.py", "def f():\n    from cnnfast.nn import x", "not import nn"),
        ("functional/conv.py", "m.import_module('cnnfast.nn')", "functional may not import nn"),
        ("functional/conv.py", "m.import_module(f'cnnfast.nn.{x}')", "may not import nn"),
        ("functional/conv.py", "import cnnfast", "functional may not import cnnfast"),
        ("functional/conv.py", "from cnnfast import __version__", "may not import cnnfast"),
        ("functional/conv.py", "from cnnfast import reference", "only cli may import reference"),
        ("nn/conv.py", "from cnnfast.models import lenet5", "nn may not import models"),
        (
            "nn/conv.py",
            "from cnnfast._ext import conv",
            "only functional and inference and optim",
        ),
        ("nn/conv.py", "from cnnfast._ext.conv import forward", "only functional and inference"),
        ("optim/sgd.py", "from cnnfast.models import lenet5", "optim may not import models"),
        ("optim/sgd.py", "from cnnfast.nn import Module", "only Parameter"),
        ("optim/sgd.py", "from cnnfast.nn import Parameter, Module", "only Parameter"),
        ("data/idx.py", "from cnnfast.functional import relu", "data may not import functional"),
        ("data/idx.py", "from cnnfast._version import version", "data may not import _version"),
        ("reference/conv.py", "from cnnfast.data import mnist", "reference may not import data"),
        ("models/lenet.py", "from cnnfast.io import load", "models may not import io"),
        ("training/loop.py", "from cnnfast.cli import main", "training may not import cli"),
        ("__init__.py", "from cnnfast import cli", "cnnfast may not import cli"),
        ("_ext/conv.pyx", "from cnnfast.functional.x cimport y", "_ext may not import functional"),
        ("_ext/conv.pyx", "cimport cnnfast.functional", "_ext may not import functional"),
        ("_ext/conv.pxd", "from cnnfast.nn import x", "_ext may not import nn"),
        ("shed/tool.py", "from cnnfast.nn import x", "shed has no level"),
        ("nn/conv.py", "from cnnfast.shed import x", "shed has no level"),
    ],
)
def test_a_wrong_arrow_is_seen(tmp_path, file, line, reason):
    package = tmp_path / "cnnfast"
    for room in ("functional", "nn", "models", "cli", "reference", "_ext"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    for kernels in ("conv.pyx", "threads.pyx"):
        (package / "_ext" / kernels).write_text('"""\nfrom cnnfast.nn import docs\n"""\n')
    right = package / "nn" / "right.py"
    right.write_text("from cnnfast.functional import relu\nimport cnnfast._ext.threads\n")
    assert wrong_arrows(package) == []

    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text(line + "\n")
    (found,) = wrong_arrows(package)
    assert found.startswith(f"cnnfast/{file}:{1 + line.count(chr(10))}: ")
    assert reason in found


# ---------------------------------------------------------------------------- the sources


def sources(*suffixes: str) -> list[Path]:
    """What was written by hand: not the C that Cython makes."""
    files = [CHECKOUT / "setup.py", CHECKOUT / "pyproject.toml"]
    for folder in ("cnnfast", "benchmarks", "tools", "examples"):
        files += (CHECKOUT / folder).rglob("*")
    generated = {f.with_suffix(".c") for f in files if f.suffix == ".pyx"}
    return [f for f in files if f.suffix in suffixes and f not in generated]


def lines_with(pattern: str, files: list[Path]) -> list[str]:
    return [
        f"{file.relative_to(CHECKOUT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_compiled_code_lives_in_one_room():
    elsewhere = [
        f for f in sources(".pyx", ".pxd", ".c", ".h") if PACKAGE / "_ext" not in f.parents
    ]
    assert elsewhere == []


def test_one_door_to_threads():
    door = {PACKAGE / "_ext" / name for name in ("parallel.c", "parallel.h")}
    files = {f for f in sources(".py", ".pyx", ".pxd", ".c", ".h") if PACKAGE in f.parents}
    thread = r"\bprange\b|\bomp\.h|\bomp_[a-z]|pragma\s+omp|cython\.parallel|\bpthread_create"
    assert lines_with(thread, sorted(files - door)) == []
    assert lines_with(thread, sorted(door))


def test_no_flags_that_change_arithmetic_or_the_machine():
    files = sources(".py", ".pyx", ".pxd", ".c", ".h", ".toml")
    assert lines_with(r"-?ffast-math|Ofast|march=|mtune=|-mavx|-mfma|\bfast-math\b", files) == []


def test_no_paths_of_one_machine():
    files = sources(".py", ".pyx", ".pxd", ".c", ".h", ".toml", ".json")
    assert (
        lines_with(r"""["'\s(](/home|/root|/work|/Users|/tmp|/mnt|[A-Z]:\\)[/\\\w]""", files) == []
    )


def test_kernels_never_take_the_gil_back():
    """In Cython 3 a `nogil` function without `noexcept` does, in every call: scikit-learn#27521."""
    for file in sources(".pyx", ".pxd"):
        text = file.read_text()
        assert not re.search(r"\)(\s*except[^:\n]*)?\s+nogil\b", text), file


def test_instruction_sets_share_no_function():
    """One that the linker shares may be the one for a machine newer than the user's: botan#5260."""
    public = {"isa.h", "kernels.h", "target.h"}
    headers = [f for f in sources(".h") if f.parent.name == "simd" and f.name not in public]
    assert len(headers) >= 6
    assert (
        lines_with(r"^(?!static |CF_INLINE |typedef |#|/|\s)\w[\w *]*.*\(.*[^;\\]$", headers) == []
    )
