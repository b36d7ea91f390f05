"""``cnnfast train`` and ``evaluate``: networks, data, settings in files, going on, exit codes."""

import errno
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnfast
from cnnfast import data
from cnnfast.cli import config, learning, main
from cnnfast.cli.settings import Settings
from cnnfast.io import load_weights
from cnnfast.training import Callback, Checkpoints, History
from tests.cli.commands import EPOCH, LAST_LINE, error_line, python
from tests.data.test_idx import encode
from tests.data.test_mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from tests.helpers import run_python, using_threads

pytestmark = pytest.mark.usefixtures("elsewhere")


def train(*arguments):
    return main(["train", *map(str, arguments)])


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def accuracy(model, images, labels):
    return f"test accuracy {100 * (model(images).argmax(axis=1) == labels).mean():.2f} %"


# ---------------------------------------------------------------------------- networks, data


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


@pytest.fixture
def pictures():
    """Make a folder of images: dark and light ones."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for name, level in (("dark", 40), ("light", 200)):
            place = Path("pictures", part, name)
            place.mkdir(parents=True)
            for number in range(count):
                pixels = (level + rng.integers(-30, 30, (20, 24, 3))).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return Path("pictures")


TINY = "INPUT -> CONV -> RELU -> POOL -> FC"


@pytest.mark.parametrize("colour", [[], ["--grey"]])
def test_folders_of_images(pictures, colour, capsys):
    arguments = ["--model", TINY, "--image-size", 8, "--epochs", 12, "--lr", 0.01, "--normalize"]
    augmented = ["--flip", "--shift", 1, "--cutout", 2, "--batch-size", 8, *colour]
    assert train("--data", pictures, *arguments, *augmented, "--out", "run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "test accuracy 100.00 %"
    assert Path("run/classes.txt").read_text() == "dark\nlight\n"
    weights = load_weights("run/pattern.npz")
    assert weights["conv1.weight"].shape == (64, 1 if colour else 3, 3, 3)
    settings = config.read(Path("run/config.toml"))
    assert len(settings["mean"]) == len(settings["std"]) == weights["conv1.weight"].shape[1]
    assert 0.4 < settings["mean"][0] < 0.55
    assert evaluate("run", "--at-least", 100) == 0


def test_a_corrupt_image(pictures, capsys):
    arguments = ["--model", TINY, "--image-size", 8, "--epochs", 1, "--out", "run"]
    assert train("--data", pictures, *arguments) == 0
    before = sorted(Path("run").rglob("*"))
    (pictures / "train" / "dark" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    capsys.readouterr()
    assert train("--resume", "--out", "run", "--epochs", 2) == 2
    assert re.match(r"cnnfast: error: .*dark/3\.png: ", error_line(capsys))
    assert sorted(Path("run").rglob("*")) == before


def test_a_class_without_images(pictures, capsys):
    for path in (pictures / "test" / "dark").iterdir():
        path.unlink()
    assert train("--data", pictures, "--model", TINY) == 2
    assert error_line(capsys) == (
        f"cnnfast: error: image_folder: {pictures / 'test' / 'dark'} has no images\n"
    )
    (pictures / "test" / "dark").rename(pictures / "test" / "black")
    assert train("--data", pictures, "--model", TINY) == 2
    assert "has folders black, light, expected the classes dark, light" in error_line(capsys)
    (pictures / "test").rename(pictures / "tests")
    assert train("--data", pictures) == 2
    assert "must have folders train and test or val or validation" in error_line(capsys)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_arrays(dtype, capsys):
    rng = np.random.default_rng(0)
    scale = 255 if dtype == np.uint8 else 1
    Path("arrays").mkdir()
    for part, count in (("train", 64), ("test", 16)):
        labels = rng.integers(0, 3, count)
        images = scale * rng.random((count, 2, 8, 12)) * (labels[:, None, None, None] + 1) / 3
        np.save(f"arrays/{part}_images.npy", images.astype(dtype))
        np.save(f"arrays/{part}_labels.npy", labels.astype(np.int32))
    pattern = ["--model", "INPUT -> CONV -> RELU -> FC", "--lr", 0.01, "--out", "run"]
    assert train("--data", "arrays", *pattern, "--epochs", 1) == 0
    kind = np.float64 if dtype == np.float64 else np.float32
    assert evaluate("run") == 0
    assert load_weights("run/pattern.npz")["conv1.weight"].shape[1] == 2
    images = np.load("arrays/test_images.npy")
    ((batch, _),) = learning.test_loader(
        learning.Data.of(data.arrays("arrays")), Settings(model="INPUT -> FC")
    )
    assert batch.dtype == kind
    assert batch.max() <= 1
    np.testing.assert_allclose(batch[:, :, 12:20, 10:22], images / kind(scale), rtol=1e-6)
    assert train("--data", "arrays", *pattern, "--shift", 1, "--out", "other") == 2
    assert "--shift needs square images, these are 8x12" in error_line(capsys)


def test_labels_that_are_none(capsys):
    Path("arrays").mkdir()
    for part in ("train", "test"):
        np.save(f"arrays/{part}_images.npy", np.zeros((4, 1, 8, 8), np.float32))
        np.save(f"arrays/{part}_labels.npy", np.zeros(4))
    assert train("--data", "arrays") == 2
    assert "labels to train with are float64 (4,), must be integers" in error_line(capsys)


# ---------------------------------------------------------------------------- determinism, programs


@pytest.mark.usefixtures("checkout_on_path")
def test_train_as_a_program(folder):
    run = python("-m", "cnnfast", "train", "--data", folder, "--epochs", 1, "--threads", 1)
    out, err = run.communicate(timeout=60)
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


# ---------------------------------------------------------------------------- settings


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


def rates(schedule, **settings):
    """The rates of 4 epochs of 3 steps."""
    model = cnnfast.nn.Linear(1, 2)
    optimizer = learning._optimizer(model, given := Settings(lr=1, schedule=schedule, **settings))
    made = learning._schedule(optimizer, given, 3)
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


# ---------------------------------------------------------------------------- going on


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


# ---------------------------------------------------------------------------- evaluate


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


# ---------------------------------------------------------------------------- bad files


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
def test_a_damaged_file(folder, tmp_path, capsys, name):
    for file in folder.iterdir():
        content = gzip.decompress(file.read_bytes())
        content = content[:-7] if file.stem == name else content
        tmp_path.joinpath(file.stem).write_bytes(content)
    assert train("--data", tmp_path) == 2
    message = error_line(capsys)
    assert message.startswith("cnnfast: error: read_idx: ")
    assert name in message


def test_labels_of_another_length(folder, tmp_path, capsys):
    for file in folder.iterdir():
        tmp_path.joinpath(file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    tmp_path.joinpath(TRAIN_LABELS).write_bytes(encode(np.zeros(7, np.uint8)))
    assert train("--data", tmp_path) == 2
    assert "found 7 labels, expected one for each of the 200 images" in error_line(capsys)


def test_a_folder_without_the_files(tmp_path, capsys):
    assert train("--data", tmp_path) == 2
    assert "is no data set of a known kind (mnist, cifar10, " in error_line(capsys)
    assert train("--data", tmp_path / "missing") == 2
    assert "missing: there is no such folder" in error_line(capsys)
    assert train("--data", tmp_path, "--kind", "mnist") == 2
    assert error_line(capsys).startswith(f"cnnfast: error: mnist: no {TRAIN_IMAGES}, ")
    assert list(tmp_path.iterdir()) == []


def test_files_without_images(tmp_path, capsys):
    for name in (TRAIN_IMAGES, TEST_IMAGES):
        tmp_path.joinpath(name).write_bytes(encode(np.zeros((0, 28, 28), np.uint8)))
    for name in (TRAIN_LABELS, TEST_LABELS):
        tmp_path.joinpath(name).write_bytes(encode(np.zeros(0, np.uint8)))
    assert train("--data", tmp_path) == 2
    assert error_line(capsys) == "cnnfast: error: there are no images to train with\n"


def test_an_output_folder_that_cannot_be(folder, tmp_path, capsys):
    tmp_path.joinpath("file").touch()
    assert train("--data", folder, "--out", "file") == 2
    assert error_line(capsys) == "cnnfast: error: file: File exists\n"
