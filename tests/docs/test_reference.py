"""The site's API reference has every public name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import cnnfast
from tests.helpers import CHECKOUT

PACKAGE, REFERENCE = CHECKOUT / "cnnfast", CHECKOUT / "docs" / "api"
DIRECTIVE = re.compile(r"\.\. (currentmodule|auto\w+):: (\S+)(\n   :members:$)?", re.M)


def public_names(file: Path) -> list[str]:
    """What a module says is in it; nothing is imported, so extras need not be installed."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def rooms() -> dict[str, list[str]]:
    """The public modules that people import from, and their names."""
    files = {}
    patterns = ("*.py", "*/__init__.py", "compat/*.py")
    for file in (file for pattern in patterns for file in PACKAGE.glob(pattern)):
        parts = [p for p in file.relative_to(PACKAGE).with_suffix("").parts if p != "__init__"]
        if parts and not parts[-1].startswith("_"):
            files[".".join(["cnnfast", *parts])] = public_names(file)
    return {room: names for room, names in files.items() if names}


def documented(pages: Path) -> set[str]:
    """Names that a page lists, or that their module lists for it."""
    found, known = set(), rooms()
    for page in pages.rglob("*.md"):
        module = ""
        for directive, target, members in DIRECTIVE.findall(page.read_text()):
            if directive == "currentmodule":
                module = target
            elif directive == "automodule":
                assert members, f"{page}: {target} without its members"
                found |= {f"{target}.{name}" for name in known.get(target, [])}
            else:
                found.add(f"{module}.{target}")
    return found


def test_every_public_name_has_an_entry():
    names = {f"{room}.{name}" for room, names in rooms().items() for name in names}
    assert {"cnnfast.functional.conv2d", "cnnfast.nn.Conv2d", "cnnfast.optim.SGD"} <= names
    modules = {"cnnfast.nn.init"}
    assert names - modules - documented(REFERENCE) == set()


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
