"""Training that is interrupted, and goes on."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnfast.cli import config, learning
from cnnfast.training import Callback, Checkpoints, History
from tests.cli.commands import EPOCH, error_line, evaluate, python, train

pytestmark = pytest.mark.usefixtures("elsewhere")


class PressesCtrlC(Callback):
    def __init__(self, step):
        self.when = step

    def on_step_end(self, trainer):
        if trainer.step == self.when:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def ctrl_c(monkeypatch):
    """Have ctrl-C pressed in the fifth step of a run of four steps an epoch."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patch:
        patch.setattr(learning, "EpochLines", lambda: PressesCtrlC(5))
        yield patch
    signal.signal(signal.SIGINT, before)


AUGMENTED = ["--epochs", 3, "--shift", 2, "--schedule", "one-cycle", "--optimizer", "adam"]


def test_ctrl_c_and_going_on(folder, ctrl_c, capsys):
    arguments = ["--data", folder, "--lr", 0.01, *AUGMENTED]
    assert train(*arguments, "--out", "a run") == 130
    path = Path("a run/checkpoints/epoch-0001-step-00000005")
    assert error_line(capsys) == (
        f"cnnfast: interrupted: after step 5, saved in {path}; to go on: "
        "cnnfast train --resume --out 'a run'\n"
    )
    ctrl_c.undo()
    assert evaluate("a run") == 0
    assert train("--resume", "--out", "a run") == 0
    assert train(*arguments, "--out", "whole") == 0
    assert Path("a run/lenet5.npz").read_bytes() == Path("whole/lenet5.npz").read_bytes()
    mine, theirs = History.load("a run/history.csv"), History.load("whole/history.csv")
    for column in set(mine) - {"seconds"}:
        assert mine[column].tolist() == theirs[column].tolist()


def test_ctrl_c_before_anything_is_saved(folder, monkeypatch, capsys):
    def interrupted(trainer, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(learning.Trainer, "fit", interrupted)
    assert train("--data", folder, "--out", "run") == 130
    assert error_line(capsys) == "cnnfast: interrupted: nothing was saved\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to another process")
@pytest.mark.usefixtures("checkout_on_path")
def test_sigint_during_training(folder):
    # The handler is set because a shell may have started pytest with SIGINT ignored.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from cnnfast.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["train", "--data", folder, "--epochs", 100_000, "--out", "run"]
    with python("-c", script, *arguments) as run:
        for _ in range(2):
            assert EPOCH.fullmatch(run.stdout.readline().strip())
        for _ in range(10):  # Python loses one that comes while it clears up an object
            run.send_signal(signal.SIGINT)
            try:
                _, err = run.communicate(timeout=6)
                break
            except subprocess.TimeoutExpired:
                continue
    assert run.returncode == 130
    assert re.fullmatch(
        r"cnnfast: interrupted: after step \d+, saved in run.checkpoints.epoch-\d+-step-\d+; "
        r"to go on: cnnfast train --resume --out run\n",
        err,
    )


def test_more_epochs(folder, capsys):
    assert train("--data", folder, "--epochs", 1, "--out", "run") == 0
    assert train("--resume", "--out", "run", "--epochs", 2) == 0
    assert [line[:9] for line in capsys.readouterr().out.splitlines() if EPOCH.match(line)] == [
        "epoch 1/1",
        "epoch 2/2",
    ]
    assert config.read(Path("run/config.toml"))["epochs"] == 2


def test_resume_where_there_is_nothing_yet(folder, capsys):
    assert train("--data", folder, "--epochs", 1, "--resume", "--out", "run") == 0
    assert train("--resume", "--out", "other") == 2
    assert "train needs --data" in error_line(capsys)


def test_a_folder_in_use(folder, capsys):
    assert train("--data", folder, "--epochs", 1, "--out", "run") == 0
    files = {path: path.is_file() and path.read_bytes() for path in Path("run").rglob("*")}
    assert train("--data", folder, "--out", "run") == 2
    assert error_line(capsys) == (
        f"cnnfast: error: {Path('run/checkpoints')} has checkpoints of an earlier run: go on with "
        "--resume, or take another folder with --out\n"
    )
    assert files == {path: path.is_file() and path.read_bytes() for path in Path("run").rglob("*")}


def test_a_torn_checkpoint_is_reported(folder, capsys):
    assert train("--data", folder, "--epochs", 2, "--out", "run") == 0
    expected = Path("run/lenet5.npz").read_bytes()
    newest = Checkpoints("run/checkpoints").paths()[-1]
    (newest / "weights.safetensors").write_bytes(b"torn")
    capsys.readouterr()
    assert train("--resume", "--out", "run") == 0
    assert error_line(capsys).startswith(f"cnnfast: warning: checkpoint {newest} is damaged: ")
    assert Path("run/lenet5.npz").read_bytes() == expected


def test_a_checkpoint_of_another_network(folder, capsys):
    assert train("--data", folder, "--epochs", 1, "--out", "run") == 0
    assert train("--resume", "--out", "run", "--model", "cifar_resnet20", "--epochs", 2) == 2
    err = capsys.readouterr().err
    assert err.startswith("cnnfast: error: Checkpoints.load: run")
    assert "is a checkpoint of another network: " in err
    assert "missing: bn1.weight" in err
    assert config.read(Path("run/config.toml"))["model"] == "lenet5"


def test_a_full_disk(folder, monkeypatch, capsys):
    assert train("--data", folder, "--epochs", 1, "--out", "run") == 0
    files = {path: path.is_file() and path.read_bytes() for path in Path("run").rglob("*")}
    capsys.readouterr()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    fsync, calls = os.fsync, iter(range(30))
    with monkeypatch.context() as patch:
        # Settings and history can still be written, the checkpoint cannot.
        patch.setattr(os, "fsync", lambda fd: fsync(fd) if next(calls, 9) < 8 else full(fd))
        assert train("--resume", "--out", "run", "--epochs", 2) == 2
    path = Path("run/checkpoints/epoch-0002-step-00000008")
    assert error_line(capsys) == (
        f"cnnfast: error: {path}: No space left on device (checkpoint not written; the last one "
        f"is {Path('run/checkpoints/epoch-0001-step-00000004')})\n"
    )
    for path, content in files.items():
        if path.name not in ("history.csv", "config.toml"):
            assert (path.is_file() and path.read_bytes()) == content
    assert train("--resume", "--out", "run") == 0


def test_a_learning_rate_that_diverges(folder, capsys):
    with np.errstate(all="ignore"):
        assert train("--data", folder, "--lr", "1e30", "--out", "run") == 3
    assert re.fullmatch(
        r"cnnfast: error: Trainer\.fit: epoch 1, step \d+: train_epoch: batch \d+: "
        r"the (loss is (nan|inf)|gradient of \S+ is not finite).*; the parameters are those of the "
        r"step before; with a smaller learning rate it may stay finite\n",
        error_line(capsys),
    )
