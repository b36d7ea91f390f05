"""``mpiexec -n 2 cnnfast train``."""

import sys

import numpy as np
import pytest

from cnnfast.cli import main
from cnnfast.distributed import init
from tests.cli.commands import EPOCH, LAST_LINE
from tests.distributed.launch import command, launch, needs_mpi

OPTIONS = ("--epochs", 2, "--batch-size", 40, "--model", "INPUT -> CONV -> RELU -> POOL -> FC")


def train(ranks, *arguments):
    return launch(command(ranks, "-m", "cnnfast", "train", *arguments))


@needs_mpi
def test_ranks_train_together(folder, tmp_path):
    two = train(2, "--data", folder, *OPTIONS, "--out", tmp_path / "two")
    assert two.returncode == 0, two.stderr
    lines = two.stdout.splitlines()
    assert len(lines) == 4  # rank 0 alone prints
    assert all(EPOCH.fullmatch(line) for line in lines[:2])
    assert LAST_LINE.fullmatch(lines[3])
    resumed = train(3, "--resume", "--out", tmp_path / "two", "--epochs", 3)
    assert resumed.returncode == 0, resumed.stderr

    one = train(1, "--data", folder, *OPTIONS, "--out", tmp_path / "one")
    assert one.returncode == 0, one.stderr
    two, one = (read(tmp_path / name / "history.csv") for name in ("two", "one"))
    assert two["epoch"].tolist() == [1, 2, 3]
    measured = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    for column in ("images", *measured):
        np.testing.assert_allclose(two[column][:2], one[column], rtol=0, atol=1e-5)


def read(path):
    return np.genfromtxt(path, delimiter=",", names=True)


@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--lr", "1e30"], "with a smaller learning rate it may stay finite"),
    ],
)
def test_errors_end_all_ranks_with_their_code(arguments, message, folder, tmp_path):
    job = train(2, "--data", folder, *OPTIONS, *arguments, "--out", tmp_path / "out")
    assert job.returncode == (2 if "nowhere" in message else 3)
    assert "cnnfast: error: " in job.stderr
    assert message in job.stderr
    assert "Traceback" not in job.stderr


@needs_mpi
def test_an_error_of_one_rank_is_enough(folder, tmp_path):
    (tmp_path / "out").write_text("a file where rank 0 wants to make a folder")
    job = train(2, "--data", folder, *OPTIONS, "--out", tmp_path / "out")
    assert job.returncode == 2
    assert "cnnfast: error: " in job.stderr
    assert "Traceback" not in job.stderr


def test_a_launcher_without_mpi4py(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    init.cache_clear()
    assert main(["train", "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "cnnfast[mpi]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
