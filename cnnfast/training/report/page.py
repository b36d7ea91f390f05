"""HTML: one page that needs nothing else, neither scripts nor other files."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from matplotlib.figure import Figure

# Whatever is written into the page, a browser runs no script and fetches nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --faint: #66727f; --line: #dfe4ea; --blue: #2a6f97; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f7f9; color: var(--ink);
       font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header, nav, main { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 30px; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
header p { color: var(--faint); }
header p { margin: 6px 0 24px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
     margin: 0 0 20px; }
dl div { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
dt { color: var(--faint); font-size: 13px; }
dd { margin: 2px 0 0; font-size: 22px; font-weight: 600; }
nav a { color: var(--blue); margin-right: 18px; text-decoration: none; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; margin: 20px 0;
          padding: 20px 24px 24px; }
h2 { font-size: 20px; margin: 0 0 4px; }
section p { color: var(--faint); margin: 0 0 16px; max-width: 75ch; }
img { display: block; max-width: 100%; height: auto; margin: 12px auto 0; }
table { border-collapse: collapse; width: 100%; font-size: 15px; }
table + table { margin-top: 24px; }
caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
th, td { border-bottom: 1px solid var(--line); padding: 4px 12px 4px 0; text-align: left;
         vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: 500; width: 30%; }
summary { cursor: pointer; color: var(--blue); margin-top: 16px; }
pre { overflow-x: auto; font: 12.5px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono",
      monospace; }
@media print { nav { display: none; } section { break-inside: avoid; } body { background: #fff; } }
"""


class Section(NamedTuple):
    """A part of the page: title and text as they are, content in HTML."""

    title: str
    text: str
    content: Sequence[str]


def picture(figure: Figure, alt: str) -> str:
    """Write a figure into the page; `alt` says what is in it for those who cannot see it."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    data = base64.b64encode(file.getvalue()).decode()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    size = f'width="{width}" height="{height}"'
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" {size}>'


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Write a table of names and values."""
    lines = (
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return "\n".join(["<table>", f"<caption>{escape(title)}</caption>", *lines, "</table>"])


def folded(title: str, text: str) -> str:
    """Write text that is seen on demand, its columns kept."""
    summary = f"<summary>{escape(title)}</summary>"
    return f"<details>{summary}<pre>{escape(text)}</pre></details>"


def page(
    title: str, below: str, facts: Iterable[tuple[str, str]], sections: Sequence[Section]
) -> str:
    """Write the whole page: a title, some figures in large, a list of the sections, and these."""
    links = [
        f'<a href="#part{number}">{escape(section.title)}</a>'
        for number, section in enumerate(sections, 1)
    ]
    tiles = [f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            f"<header><h1>{escape(title)}</h1><p>{escape(below)}</p>",
            *("<dl>", *tiles, "</dl></header>"),
            *("<nav>", *links, "</nav>"),
            "<main>",
            *(_section(number, section) for number, section in enumerate(sections, 1)),
            "</main>",
            "</body>",
            "</html>\n",
        ]
    )


def _section(number: int, section: Section) -> str:
    lines = [
        f'<section id="part{number}">',
        f"<h2>{escape(section.title)}</h2>",
        f"<p>{escape(section.text)}</p>",
        *section.content,
        "</section>",
    ]
    return "\n".join(lines)
