"""``cnnfast train``: networks, as a program, reports."""

from pathlib import Path

import numpy as np
import pytest

import cnnfast
from cnnfast import data
from cnnfast.io import load_weights
from cnnfast.training import History
from tests.cli.commands import EPOCH, LAST_LINE, accuracy, error_line, evaluate, python, train
from tests.helpers import run_python, using_threads

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_train(folder, tmp_path, capsys):
    assert train("--data", folder, "--epochs", 2, "--out", "deep/run") == 0
    captured = capsys.readouterr()
    *epochs, saved, last = captured.out.splitlines()
    assert len(epochs) == 2
    assert all(EPOCH.fullmatch(line) for line in epochs)
    assert saved == f"weights saved in {Path('deep/run/lenet5.npz')}"
    assert LAST_LINE.fullmatch(last)
    assert captured.err == ""  # no bar where nobody watches

    names = ["checkpoints", "classes.txt", "config.toml", "history.csv", "lenet5.npz"]
    assert sorted(p.name for p in tmp_path.joinpath("deep", "run").iterdir()) == names
    model = cnnfast.models.lenet5()
    model.load_state_dict(load_weights("deep/run/lenet5.npz"))
    assert last == accuracy(model, *data.mnist(folder)[2:])
    assert History.load("deep/run/history.csv")["epoch"].tolist() == [1, 2]


def test_another_network_with_a_frame_around_its_images(folder, capsys):
    arguments = ["--model", "cifar_resnet20", "--epochs", "1", "--lr", "0.1", "--out", "run"]
    assert train("--data", folder, *arguments) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    model = cnnfast.models.cifar_resnet20(in_channels=1)
    model.load_state_dict(load_weights("run/cifar_resnet20.npz"))
    dataset = data.mnist(folder)
    images = np.zeros((len(dataset.test_images), 1, 32, 32), np.float32)
    images[:, :, 2:30, 2:30] = dataset.test_images
    assert last == accuracy(model, images, dataset.test_labels)
    # Batch normalisation learned: its means are no longer zeros.
    assert any(array.any() for name, array in model.state_dict().items() if "running_mean" in name)


def test_a_pattern(folder, capsys):
    pattern = "INPUT -> [CONV -> RELU -> POOL]*2 -> FC"
    assert train("--data", folder, "--model", pattern, "--epochs", 1, "--out", "run") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert load_weights("run/pattern.npz")["conv1.weight"].shape == (64, 1, 3, 3)
    assert evaluate("run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("alexnet", "error: alexnet is not for images of 32x32: "),
        ("lenet", "error: lenet is not one of alexnet, cifar_resnet20, "),
    ],
)
def test_a_network_that_cannot_be_trained(folder, capsys, model, message):
    assert train("--data", folder, "--model", model) == 2
    assert message in error_line(capsys)
    assert not Path("cnnfast-train").exists()


def test_a_pattern_that_is_none(folder, capsys):
    assert train("--data", folder, "--model", "INPUT -> CON -> FC") == 2
    assert "from_pattern: " in capsys.readouterr().err


# ---------------------------------------------------------------------------- determinism, programs


@pytest.mark.usefixtures("checkout_on_path")
def test_train_as_a_program(folder):
    run = python("-m", "cnnfast", "train", "--data", folder, "--epochs", 1, "--threads", 1)
    out, err = run.communicate(timeout=300)
    assert (run.returncode, err) == (0, "")
    assert LAST_LINE.fullmatch(out.splitlines()[-1])
    assert set(load_weights("cnnfast-train/lenet5.npz")) == set(
        cnnfast.models.lenet5().state_dict()
    )


def test_the_same_seed_gives_the_same_file_on_any_number_of_threads(folder):
    with using_threads(cnnfast.get_num_threads()):
        for out, seed, threads in (("a", 1, 1), ("b", 1, 1), ("c", 1, 2), ("d", 2, 1)):
            arguments = ["--data", folder, "--seed", seed, "--threads", threads, "--out", out]
            assert train("--epochs", 2, *arguments) == 0
            assert cnnfast.get_num_threads() == threads
    a, b, c, d = (Path(out, "lenet5.npz").read_bytes() for out in "abcd")
    assert a == b == c
    assert a != d


@pytest.mark.usefixtures("checkout_on_path")
def test_a_reader_that_goes_away(folder):
    with python("-m", "cnnfast", "train", "--data", folder, "--epochs", 50) as run:
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 1


# ---------------------------------------------------------------------------- report


def test_report(folder, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr("cnnfast.training.report.write_report", lambda *given: calls.append(given))
    assert train("--data", folder, "--epochs", 1, "--report", "--out", "run") == 0
    path = Path("run/report.html")
    assert capsys.readouterr().out.splitlines()[-2] == f"report in {path}"
    ((found, model, history, validation, configuration, names),) = calls
    assert found == path
    assert model.fc3.weight.data.tobytes() == load_weights("run/lenet5.npz")["fc3.weight"].tobytes()
    assert history["epoch"] == [1]
    assert [len(labels) for _, labels in validation] == [50]
    assert configuration["batch_size"] == 64
    assert "clip_norm" not in configuration  # which has no value
    assert names == tuple("0123456789")


def test_report_without_its_extra(folder):
    script = (
        "import sys; sys.modules['matplotlib'] = None; from cnnfast.cli import main\n"
        f"sys.exit(main(['train', '--data', {str(folder)!r}, '--report']))"
    )
    run = run_python(script)
    assert run.returncode == 2
    assert "cnnfast[plot]" in run.stderr
    assert "epoch" not in run.stdout
