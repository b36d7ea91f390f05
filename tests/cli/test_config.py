"""Settings typed and in files, and the schedules that they name."""

import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cnnfast
from cnnfast.cli import CommandError, config
from cnnfast.cli.optimizers import optimizer_of, schedule_of
from cnnfast.cli.settings import Settings
from tests.cli.commands import EPOCH, error_line, train

pytestmark = pytest.mark.usefixtures("elsewhere")


def written(text):
    Path("run.toml").write_text(text)
    return Path("run.toml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--schedule", "cosine", "--warm-up", 0.5, "--label-smoothing", 0.1],
        ["--schedule", "one-cycle", "--optimizer", "adam", "--lr", 0.01],
        ["--schedule", "step", "--clip-norm", 1],
        ["--schedule", "plateau", "--momentum", 0],
        ["--schedule", "constant", "--warm-up", 1, "--weight-decay", 0, "--shift", 2, "--flip"],
    ],
)
def test_a_run_from_the_settings_of_another(folder, arguments):
    assert train("--data", folder, "--epochs", 2, *arguments, "--out", "a") == 0
    assert train("--config", "a/config.toml", "--out", "b") == 0
    assert Path("a/lenet5.npz").read_bytes() == Path("b/lenet5.npz").read_bytes()
    assert Path("a/config.toml").read_text() == Path("b/config.toml").read_text()
    assert train("--config", "a/config.toml", "--seed", 1, "--out", "c") == 0
    assert config.read(Path("c/config.toml"))["seed"] == 1
    assert Path("a/lenet5.npz").read_bytes() != Path("c/lenet5.npz").read_bytes()


def test_a_switch_turned_off(folder):
    assert train("--data", folder, "--config", written("flip = true"), "--epochs", 1) == 0
    assert config.read(Path("cnnfast-train/config.toml"))["flip"] is True
    assert train("--resume", "--no-flip", "--epochs", 2) == 0
    assert config.read(Path("cnnfast-train/config.toml"))["flip"] is False


def rates(schedule, **settings):
    """The rates of 4 epochs of 3 steps."""
    model = cnnfast.nn.Linear(1, 2)
    optimizer = optimizer_of(model, given := Settings(lr=1, schedule=schedule, **settings))
    made = schedule_of(optimizer, given, 3)
    found = []
    for _ in range(3 * given.epochs):
        found.append(round(optimizer.lr, 3))
        if made is not None:
            made.step()
    return found


def test_schedules():
    twelfths = [round(1 - n / 12, 3) for n in range(12)]
    assert rates("linear", epochs=4) == twelfths
    assert rates("constant", epochs=4) == [1] * 12
    assert rates("step", epochs=4) == [1] * 4 + [0.1] * 4 + [0.01] * 4
    cosine = [round((1 + np.cos(np.pi * n / 12)) / 2, 3) for n in range(12)]
    assert rates("cosine", epochs=4) == cosine
    warm = [0.25, 0.5, 0.75]
    assert rates("constant", epochs=4, warm_up=1) == warm + [1] * 9
    assert rates("linear", epochs=4, warm_up=1) == warm + [round(1 - n / 9, 3) for n in range(9)]
    assert max(rates("one-cycle", epochs=4)) > 0.9
    assert rates("one-cycle", epochs=4)[0] == 0.04


def test_a_file_of_settings_goes_both_ways():
    values = {f.name: f.default for f in fields(Settings)}
    odd = {"data": 'a "b"\\ü', "mean": (0.1, 1e-7), "clip_norm": 1e-30, "flip": True, "lr": 1 / 3}
    settings = Settings(**(values | odd))
    config.write(settings, Path("run.toml"))
    assert Settings(**config.read(Path("run.toml"))) == settings


def test_settings_with_a_python_that_reads_no_toml(monkeypatch):
    text = written("epochs = 3")
    library = SimpleNamespace(loads={"epochs = 3": {"epochs": 3}}.get)
    monkeypatch.setitem(sys.modules, "tomli", library)
    monkeypatch.setitem(sys.modules, "tomllib", None)
    assert config.read(text) == {"epochs": 3}
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(CommandError, match=r"settings in files need the library tomli.*\[toml\]"):
        config.read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "run.toml: there is no setting 'epoch', the nearest one is 'epochs'"),
        ("learning_rate = 3", "run.toml: there is no setting 'learning_rate', the nearest one is"),
        ("epochs = 0", "run.toml: epochs: must be at least 1, got 0"),
        ("epochs = 1.5", "run.toml: epochs: invalid literal"),
        ('lr = "fast"', "run.toml: lr: could not convert string to float: 'fast'"),
        ("epochs = true", "run.toml: epochs must be a number or text, got true"),
        ("flip = 1", "run.toml: flip must be true or false, got 1"),
        ('schedule = "cos"', "run.toml: schedule: must be one of linear, constant, step, cosine"),
        ("epochs = = 3", "run.toml: Invalid value (at line 1, column 10)"),
        ("[train]\nepochs = 3", "run.toml: there is no setting 'train', the nearest one is"),
    ],
)
def test_a_file_that_makes_no_sense(folder, text, message, capsys):
    assert train("--data", folder, "--config", written(text)) == 2
    assert error_line(capsys).startswith(f"cnnfast: error: {message}")
    assert not Path("cnnfast-train").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--schedule", "plateau", "--warm-up", 1], "--warm-up does not go with --schedule plat"),
        (["--warm-up", 10], "--warm-up 10 must be less than the 10 epochs"),
        (["--normalize", "--mean", "0.5,0.5", "--std", "1,1"], "Normalize: images"),
    ],
)
def test_settings_that_do_not_go_together(folder, arguments, message, capsys):
    assert train("--data", folder, *arguments) == 2
    assert message in error_line(capsys)
    assert not Path("cnnfast-train").exists()


def test_without_data(capsys):
    assert train() == 2
    assert error_line(capsys) == "cnnfast: error: train needs --data, the folder with the images\n"


def test_early_stopping(folder, capsys):
    arguments = ["--lr", "1e-30", "--early-stopping", 1, "--epochs", 9]
    assert train("--data", folder, *arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert sum(EPOCH.fullmatch(line) is not None for line in out) == 3
    assert out[3].startswith("stopped: validation_accuracy has not been better than ")
