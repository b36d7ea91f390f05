"""``cnnfast evaluate``: how well a network does that was trained."""

import json
import re
import shutil
from pathlib import Path

import pytest

import cnnfast
from cnnfast import data
from cnnfast.cli import config, learning
from cnnfast.io import load_weights
from cnnfast.training import Checkpoints, History
from tests.cli.commands import PressesCtrlC, accuracy, error_line, evaluate, train

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


def test_evaluate_a_run_that_goes_on(trained, ctrl_c, capsys):
    ctrl_c.setattr(learning, "EpochLines", lambda: PressesCtrlC(14))
    assert train("--resume", "--out", "run", "--epochs", 5) == 130
    newest = load_weights(Checkpoints("run/checkpoints").paths()[-1] / "weights.safetensors")
    assert newest["fc3.bias"].tolist() != load_weights("run/lenet5.npz")["fc3.bias"].tolist()
    model = cnnfast.models.lenet5()
    model.load_state_dict(newest)
    images, labels = data.mnist(config.read(Path("run/config.toml"))["data"])[2:]
    assert evaluate("run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == accuracy(model, images, labels)


def test_evaluate_what_is_torn(trained, capsys):
    newest = Checkpoints("run/checkpoints").paths()[-1]
    content = bytearray((newest / "weights.safetensors").read_bytes())
    content[-5] ^= 64
    (newest / "weights.safetensors").write_bytes(content)
    capsys.readouterr()
    assert evaluate("run", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"cnnfast: warning: checkpoint {newest} is damaged: weights.")
    assert json.loads(captured.out)["loss"] == pytest.approx(trained["validation_loss"][-2])
    assert newest.exists()
    for path in Checkpoints("run/checkpoints").paths():
        (path / "weights.safetensors").unlink()
    assert evaluate("run", "--best") == 2
    assert re.search(r"error: checkpoint \S+ is damaged: weights", error_line(capsys))


def test_evaluate_weights_alone(trained, capsys):
    shutil.rmtree("run/checkpoints")
    assert evaluate("run", "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["loss"] == pytest.approx(trained["validation_loss"][-1])
    content = Path("run/lenet5.npz").read_bytes()
    Path("run/lenet5.npz").write_bytes(content[:1000])
    assert evaluate("run") == 2
    assert "lenet5.npz" in error_line(capsys)


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
