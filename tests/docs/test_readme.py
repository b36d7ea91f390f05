"""The README's Python runs, block after block, and its links lead somewhere."""

import re

import pytest

from tests.helpers import CHECKOUT

README = (CHECKOUT / "README.md").read_text()


def test_its_python_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```$", README, flags=re.M | re.S)
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert len(blocks) == 3
    assert names["accuracy"] > 0.7
    assert names["gx"].shape == names["x"].shape
    assert names["scores"].shape == (1000, 10)
    assert "Conv2d" in capsys.readouterr().out


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_its_links(target):
    assert (CHECKOUT / target).is_file()
