"""The site's API reference has every public name."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import cnnfast
from tests.helpers import CHECKOUT

PACKAGE, REFERENCE = CHECKOUT / "cnnfast", CHECKOUT / "docs" / "api"
DIRECTIVE = re.compile(r"\.\. (currentmodule|auto\w+):: (\S+)(\n   :members:$)?", re.M)


class Room(NamedTuple):
    """What is public in a module: its own names, and modules in it."""

    names: list[str]
    modules: list[str]


def room_of(file: Path, module: str) -> Room:
    """Read from the source; nothing is imported, so extras need not be installed."""
    names, modules = [], []
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
        elif isinstance(node, ast.ImportFrom) and node.module == module:
            modules = [alias.name for alias in node.names]
    return Room([n for n in names if n not in modules], [m for m in modules if m in names])


def rooms() -> dict[str, Room]:
    """The public modules that people import from."""
    found = {}
    patterns = ("*.py", "*/__init__.py", "compat/*/__init__.py")
    for file in (file for pattern in patterns for file in PACKAGE.glob(pattern)):
        parts = [p for p in file.relative_to(PACKAGE).with_suffix("").parts if p != "__init__"]
        if parts and not parts[-1].startswith("_"):
            module = ".".join(["cnnfast", *parts])
            found[module] = room_of(file, module)
    return {module: room for module, room in found.items() if room.names}


def documented(pages: Path) -> set[str]:
    """Names that a page lists, or that their module lists for it; modules by themselves."""
    found, known = set(), rooms()
    for page in pages.rglob("*.md"):
        module = ""
        for directive, target, members in DIRECTIVE.findall(page.read_text()):
            if directive == "currentmodule":
                module = target
            elif directive == "automodule":
                assert members, f"{page}: {target} without its members"
                names = known[target].names if target in known else []
                found |= {target, *(f"{target}.{name}" for name in names)}
            else:
                found.add(f"{module}.{target}")
    return found


def test_every_public_name_has_an_entry():
    names = {f"{module}.{n}" for module, room in rooms().items() for n in room.names + room.modules}
    assert {"cnnfast.functional.conv2d", "cnnfast.nn.Conv2d", "cnnfast.nn.init"} <= names
    assert names - documented(REFERENCE) == set()


def test_every_name_of_the_package_itself_has_an_entry():
    """There, or in the room that it comes from."""
    homes = {f"{home}.{name}" for name, home in cnnfast._HOMES.items()}
    own = set(cnnfast.__all__) - set(cnnfast._SUBPACKAGES) - set(cnnfast._HOMES) - {"__version__"}
    wanted = {f"cnnfast.{name}" for name in [*homes, *own]}
    assert len(wanted) > 10
    assert wanted - documented(REFERENCE) == set()


def test_a_missing_name_is_seen(tmp_path):
    page = (REFERENCE / "functional" / "convolution.md").read_text()
    (tmp_path / "page.md").write_text(page.replace(".. autofunction:: conv2d\n", ""))
    found = documented(tmp_path)
    assert "cnnfast.functional.conv2d" not in found
    assert "cnnfast.functional.conv2d_backward" in found
