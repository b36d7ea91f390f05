"""Training that is interrupted, and goes on."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnfast.cli import config, learning
from cnnfast.training import Checkpoints, History
from tests.cli.commands import EPOCH, error_line, evaluate, python, train

pytestmark = pytest.mark.usefixtures("elsewhere")


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


def test_a_run_goes_on_from_anywhere(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, "images")
    assert train("--data", "images", "--epochs", 1, "--out", "run") == 0
    Path("run/.history.csv.0123abcd.tmp").touch()  # of a process that was killed
    Path("run/.mine.tmp").touch()
    monkeypatch.chdir("run")
    assert train("--resume", "--out", ".", "--epochs", 2) == 0
    assert [path.name for path in Path().glob(".*")] == [".mine.tmp"]
    monkeypatch.chdir(folder)
    assert evaluate(tmp_path / "run") == 0


@pytest.mark.parametrize(
    "schedule",
    [
        ["--schedule", "linear"],
        ["--schedule", "cosine", "--warm-up", "1.5"],
        ["--schedule", "step"],
        ["--schedule", "one-cycle"],
        ["--schedule", "plateau"],
        ["--schedule", "constant"],
    ],
    ids=" ".join,
)
def test_another_rate_for_the_rest(folder, schedule):
    common = ["--data", folder, "--epochs", 3, *schedule, "--lr", 0.04]
    assert train(*common, "--out", "whole") == 0
    expected = History.load("whole/history.csv")["lr"] * [1, 0.25, 0.25]

    assert train(*common, "--out", "run") == 0
    for path in Checkpoints("run/checkpoints").paths()[1:]:  # as if it had been stopped
        shutil.rmtree(path)
    assert train("--resume", "--lr", 0.01, "--out", "run") == 0
    found = History.load("run/history.csv")["lr"]
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    # It is kept when the run goes on once more.
    shutil.rmtree(Checkpoints("run/checkpoints").paths()[-1])
    assert train("--resume", "--out", "run") == 0
    assert History.load("run/history.csv")["lr"].tolist() == found.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", 1], "seed is 1, but a run that goes on keeps what it had, 0; take another "),
        (["--batch-size", 9], "batch_size is 9, but a run that goes on keeps what it had, 64; "),
        (["--model", "vgg11"], "model is vgg11, but a run that goes on keeps what it had, lenet5"),
        (["--optimizer", "adam"], "optimizer is adam, but a run that goes on keeps what it had, "),
        (["--schedule", "step"], "schedule is step, but a run that goes on keeps what it had, "),
    ],
)
def test_what_a_run_keeps(folder, arguments, message, capsys):
    assert train("--data", folder, "--epochs", 1, "--out", "run") == 0
    settings = Path("run/config.toml").read_bytes()
    capsys.readouterr()
    assert train("--resume", "--out", "run", "--epochs", 2, *arguments) == 2
    assert error_line(capsys).startswith(f"cnnfast: error: {message}")
    assert Path("run/config.toml").read_bytes() == settings


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
    Path("run/config.toml").unlink()
    other = ["--data", folder, "--model", "cifar_resnet20", "--epochs", 2]
    assert train("--resume", "--out", "run", *other) == 2
    assert re.fullmatch(
        r"cnnfast: error: Checkpoints\.load: run\S+ is a checkpoint of another network: .*nothing "
        r"was loaded; missing: \S+; missing: \S+; missing: \S+; and \d+ more\n",
        error_line(capsys),
    )
    assert not Path("run/config.toml").exists()


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
