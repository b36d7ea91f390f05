"""docs/performance.md: one section for each of the benchmarks, written by its last run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
FINDINGS = Path(__file__).with_name("findings.md")
SECTIONS = ("networks", "learning", "layers", "kernels")
HEAD = """# Performance

Every section is written by the command it names, from measurements in which the competitors took
turns, with the same threads and with results that were checked equal first. Ratios say how many
times as fast cnnfast is; those between 0.7 and 1.5 may be noise of a shared machine. What is slower
than a peer, or below the project's aims, is named.
"""


def write_section(name: str, lines: list[str], path: Path = PAGE) -> None:
    """Put `lines` in the place of a section of the page, and leave the others as they are."""
    texts = read_sections(path)
    texts[name] = "\n".join(lines)
    parts = [HEAD]
    for section in SECTIONS:
        if section in texts:
            parts += [_mark(section), texts[section].strip(), _mark("end of " + section), ""]
    parts.append(FINDINGS.read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts))


def read_sections(path: Path = PAGE) -> dict[str, str]:
    """The sections that the page has."""
    text = path.read_text() if path.exists() else ""
    found = {}
    for name in SECTIONS:
        between = re.escape(_mark(name)) + "(.*?)" + re.escape(_mark("end of " + name))
        if match := re.search(between, text, re.DOTALL):
            found[name] = match[1]
    return found


def _mark(name: str) -> str:
    return f"<!-- {name} -->"
