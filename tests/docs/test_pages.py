"""Every block of code in the site's pages runs, in order, and prints what the page says.

Python is written as doctests, with one namespace for a page. A shell block is "console": lines that
begin with "$ cnnfast" or "$ mpiexec -n RANKS cnnfast" and, beneath each, what it prints. A comment
on the line before a block says `<!-- slow -->`, and then it runs under the `slow` mark only, or
`<!-- not run: why -->`.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cnnfast.cli import main
from tests.distributed import launch
from tests.helpers import CHECKOUT

DOCS = CHECKOUT / "docs"
WRITTEN_BY_PROGRAMS = {DOCS / "performance.md", DOCS / "scaling.md"}
PAGES = sorted(set(DOCS.rglob("*.md")) - WRITTEN_BY_PROGRAMS)

FENCE = re.compile(r"```(?P<language>\S*)")
MARK = re.compile(r"<!-- (?P<mark>slow|not run: .+) -->")
RUN = ("python", "console")
# Directives, and what is no code: formulas, patterns, listings of files.
SHOWN = re.compile(r"\{[\w-]+\}|text|toml")


def as_doctest(page: str, slow: bool) -> str:
    """Blank out what is not to run, so that line numbers stay, and turn commands into calls."""
    lines, language, runs, mark = [], None, False, ""
    for number, line in enumerate(page.splitlines(), 1):
        fence = FENCE.fullmatch(line.split(" ")[0])
        kept = ""
        if fence and language is None:
            language = fence["language"]
            assert language in RUN or SHOWN.fullmatch(language), f"line {number}: {line}"
            runs = language in RUN and (not mark or (slow and mark == "slow"))
        elif fence:
            language, runs = None, False
        elif runs:
            kept = line if language == "python" else as_call(line)
        lines.append(kept)
        marked = MARK.fullmatch(line)
        mark = marked["mark"] if marked else ""
    assert language is None, "a block has no end"
    return "\n".join(lines) + "\n"


def as_call(line: str) -> str:
    """Turn a line of a shell block into one of a doctest."""
    return f">>> shell({line[2:]!r})" if line.startswith("$ ") else line or "<BLANKLINE>"


def shell(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program in ("cnnfast", "mpiexec"), f"{command}: only cnnfast runs here"
    code = main(arguments) if program == "cnnfast" else on_ranks(arguments)
    assert code == 0, f"{command}: exit code {code}"


def on_ranks(arguments: list[str]) -> int:
    option, ranks, program, *rest = arguments
    assert (option, program) == ("-n", "cnnfast")
    words = launch.command(int(ranks), "-m", "cnnfast", *rest)
    settings = launch.environment() | {"PYTHONPATH": str(CHECKOUT)}
    job = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=300)
    print(job.stdout, end="")
    return job.returncode


def run(page: Path, slow: bool) -> None:
    parser, runner = doctest.DocTestParser(), doctest.DebugRunner(optionflags=doctest.ELLIPSIS)
    text = as_doctest(page.read_text(), slow)
    test = parser.get_doctest(text, {"shell": shell}, page.stem, str(page), 0)
    try:
        runner.run(test)
    except doctest.DocTestFailure as failure:
        where = f"{page.relative_to(CHECKOUT)}:{failure.example.lineno + 1}"
        report = runner._checker.output_difference(failure.example, failure.got, doctest.ELLIPSIS)
        pytest.fail(f"{where}: {failure.example.source}{report}", pytrace=False)
    except doctest.UnexpectedException as error:
        where = f"{page.relative_to(CHECKOUT)}:{error.example.lineno + 1}"
        raise AssertionError(f"{where}: {error.example.source}") from error.exc_info[1]


def name(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if "<!-- slow -->" in p.read_text()], ids=name)
def test_whole_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, slow=True)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_is_written_as_doctests(page):
    first_lines = re.findall(r"^```python\n(.*)", page.read_text(), flags=re.M)
    assert [line for line in first_lines if not line.startswith(">>> ")] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_block_is_merely_indented(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    assert re.findall(r"\n\n {4}.*", prose) == []


# ---------------------------------------------------------------------------- of these tests


PAGE = """\
```python
>>> x = 1
```
<!-- slow -->
```python
>>> x = 2
```

```console
$ cnnfast --version

more
```

<!-- not run: installs -->
```console
$ pip install cnnfast
```

```python
>>> print(x)
{}
```
"""


def test_blocks_keep_their_lines():
    quick, whole = (as_doctest(PAGE, slow).splitlines() for slow in (False, True))
    assert len(quick) == len(whole) == len(PAGE.splitlines())
    assert quick[9:12] == [">>> shell('cnnfast --version')", "<BLANKLINE>", "more"]
    assert {i: line for i, line in enumerate(whole) if line != quick[i]} == {5: ">>> x = 2"}
    assert "pip" not in "".join(whole)


def test_what_a_page_says_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.docs.test_pages.CHECKOUT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> print(1)\n1\n```\n")
    run(page, slow=False)
    page.write_text("```python\n>>> print(1)\n2\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:2"):
        run(page, slow=False)
    page.write_text("\n```console\n$ cnnfast summary nothing\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:3"):
        run(page, slow=False)
    page.write_text("```sh\ncnnfast info\n```\n")
    with pytest.raises(AssertionError, match="sh"):
        run(page, slow=False)
