"""``cnnfast evaluate``: how well a network does that was trained."""

import json
import re
from pathlib import Path

import pytest

from cnnfast import data
from cnnfast.training import History
from tests.cli.commands import error_line, evaluate, train

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def trained(folder):
    assert train("--data", folder, "--epochs", 3, "--lr", 0.1, "--out", "run") == 0
    return History.load("run/history.csv")


def test_evaluate(trained, folder, capsys):
    assert evaluate("run") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"50 images   loss {trained['validation_loss'][-1]:.4f}",
        f"test accuracy {100 * trained['validation_accuracy'][-1]:.2f} %",
    ]
    assert evaluate("run", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "loss": pytest.approx(trained["validation_loss"][-1]),
        "accuracy": trained["validation_accuracy"][-1],
        "images": 50,
    }


def test_evaluate_the_best(trained, capsys):
    assert evaluate("run", "--best", "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["accuracy"] == trained["validation_accuracy"].max()


def test_evaluate_on_other_images(trained, folder, tmp_path, capsys):
    assert evaluate("run", "--data", Path(data.__file__).with_name("digits"), "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 1000


def test_not_good_enough(trained, capsys):
    assert evaluate("run", "--at-least", 0) == 0
    assert evaluate("run", "--at-least", 100.5) == 1
    assert re.fullmatch(
        r"cnnfast: error: the accuracy is \S+ %, less than 100\.5 %\n", error_line(capsys)
    )


def test_evaluate_what_is_no_run(trained, capsys):
    assert evaluate("nowhere") == 2
    assert error_line(capsys) == (
        "cnnfast: error: nowhere is no folder that cnnfast train wrote: no config.toml\n"
    )
    content = Path("run/lenet5.npz").read_bytes()
    Path("run/lenet5.npz").write_bytes(content[:1000])
    assert evaluate("run") == 2
    assert "lenet5.npz" in error_line(capsys)
