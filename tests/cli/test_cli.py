"""The command line as a whole, and its demo: what it prints, saves and returns, how it fails."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import cnnfast
from cnnfast import data, functional
from cnnfast.cli import demo, main
from tests.cli.commands import EPOCH, LAST_LINE, error_line, python

PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train", "--data", ".", "--epochs", "0"], "--epochs: must be at least 1, got 0"),
        (["train", "--data", ".", "--epochs", "two"], "--epochs: invalid integer value: 'two'"),
        (["train", "--data", ".", "--batch-size", "-1"], "--batch-size: must be at least 1"),
        (["train", "--data", ".", "--lr", "0"], "--lr: must be greater than 0 and finite"),
        (["train", "--data", ".", "--lr", "nan"], "--lr: must be greater than 0 and finite"),
        (["train", "--data", ".", "--seed", "-1"], "--seed: must be at least 0, got -1"),
        (["train", "--data", ".", "--threads", "2000"], "--threads: must be from 1 to 1024"),
    ],
)
def test_arguments_that_make_no_sense(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


# ---------------------------------------------------------------------------- info, help


def test_info(capsys):
    assert main(["info"]) == 0
    captured = capsys.readouterr()
    cnnfast.show_config()
    assert captured.out == capsys.readouterr().out
    assert captured.err == ""


def test_version_and_help(capsys):
    for arguments, words in (
        (["--version"], f"cnnfast {cnnfast.__version__}\n"),
        (["--help"], "train a network on images"),
        (["train", "--help"], "(default: 64)"),
        (["demo", "--help"], "(default: cnnfast-demo)"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert words in capsys.readouterr().out


@pytest.mark.usefixtures("checkout_on_path")
def test_help_imports_no_subcommand():
    script = (
        "import sys; from cnnfast.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith(('matplotlib', 'tqdm', 'cnnfast.cli.'))])"
    )
    out, err = python("-c", script).communicate(timeout=300)
    assert err == ""
    assert (
        out.splitlines()[-1]
        == "['cnnfast.cli.values', 'cnnfast.cli.settings', 'cnnfast.cli.arguments']"
    )


# ---------------------------------------------------------------------------- demo


@pytest.fixture
def small(monkeypatch):
    """Make the demo small: few digits, short epochs, one layer's kernels."""
    part = data.Dataset(*(array[:300] for array in data.digits()))
    monkeypatch.setattr(demo, "digits", lambda: part)
    monkeypatch.setattr(demo, "SETTINGS", replace(demo.SETTINGS, epochs=2))
    monkeypatch.setattr(demo, "LAYERS", demo.LAYERS[2:3])
    monkeypatch.setattr(demo, "RACE_SECONDS", 0.01)


@pytest.mark.usefixtures("small")
def test_demo(capsys):
    assert main(["demo", "--out", "some/where"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert captured.err == ""
    epochs = [line for line in lines if EPOCH.fullmatch(line)]
    (accuracy,) = (line for line in lines if LAST_LINE.fullmatch(line))
    (table,) = (line for line in lines if line.startswith("max_pool2d_backward "))
    assert len(epochs) == 2
    assert lines.index(epochs[-1]) < lines.index(accuracy) < lines.index(table)

    names = ["training.png", "filters.png", "predictions.png", "mistakes.png"]
    paths = [Path("some/where", name) for name in names]
    assert [line.strip() for line in lines[-4:]] == list(map(str, paths))
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)
    for path in paths:
        assert path.read_bytes().startswith(PNG)
        assert min(matplotlib.image.imread(path).shape[:2]) > 200
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.usefixtures("small")
def test_the_demo_follows_its_seed(monkeypatch, capsys):
    monkeypatch.setattr(demo, "_draw", lambda *_: [])
    monkeypatch.setattr(demo, "_race", lambda: "")
    figures = []
    for seed in ("1", "1", "2"):
        assert main(["demo", "--seed", seed]) == 0
        figures.append(re.findall(r"loss \S+", capsys.readouterr().out))
    assert figures[0] == figures[1] != figures[2]


@pytest.mark.parametrize("package", ["tqdm", "matplotlib"])
def test_the_demo_without_its_extra(monkeypatch, tmp_path, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["demo"]) == 2
    assert error_line(capsys) == (
        f'cnnfast: error: the demo needs {package}: python -m pip install "cnnfast[demo]"\n'
    )
    assert list(tmp_path.iterdir()) == []


def test_train_needs_no_extra(folder, monkeypatch, capsys):
    for package in ("tqdm", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    assert main(["train", "--data", str(folder), "--epochs", "1"]) == 0


@pytest.mark.usefixtures("small")
def test_a_kernel_that_is_wrong_is_not_timed(monkeypatch, capsys):
    def wrong(*operands, **options):
        return np.zeros((64, 6, 14, 14), np.float32)

    monkeypatch.setattr(demo, "_draw", lambda *_: [])
    monkeypatch.setattr(functional, "max_pool2d", wrong)
    assert main(["demo"]) == 2
    captured = capsys.readouterr()
    assert "cnnfast: error: a compiled kernel gives a wrong result: max_pool2d" in captured.err
    assert " vs loops" not in captured.out


def test_progress_bars_where_somebody_watches(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["train", "--data", str(folder), "--epochs", "2"]) == 0
    captured = capsys.readouterr()
    assert all(words in captured.err for words in ("epoch 1/2", "epoch 2/2", "0/4"))
    assert captured.err.endswith("\r")  # the bars are wiped, the lines remain
    assert LAST_LINE.fullmatch(captured.out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.usefixtures("checkout_on_path")
def test_the_whole_demo():
    run = python("-m", "cnnfast", "demo", "--seed", 5)
    out, err = run.communicate(timeout=600)
    assert (run.returncode, err) == (0, "")
    (accuracy,) = re.findall(r"^test accuracy (\S+) %$", out, re.M)
    assert float(accuracy) >= 97
    assert len(list(Path("cnnfast-demo").iterdir())) == 4
