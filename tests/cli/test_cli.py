"""The command line: what it prints, saves and returns, and how it fails."""

import errno
import gzip
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import cnnfast
from cnnfast import data
from cnnfast.cli import demo, main, race, train
from cnnfast.io import load_weights
from tests.data.test_idx import encode
from tests.data.test_mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from tests.helpers import CHECKOUT, using_threads

LAST_LINE = re.compile(r"test accuracy \d{1,3}\.\d\d %")
EPOCH = re.compile(
    r"epoch +\d+/\d+   loss \d+\.\d{4}   accuracy \d+\.\d\d %   "
    r"test \d+\.\d\d %   [\d,]+ images/s"
)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with an MNIST of 200 and 50 images."""
    folder = tmp_path_factory.mktemp("mnist")
    images, labels, test_images, test_labels = data.digits()
    for name, array in {
        TRAIN_IMAGES: (images[:200, 0] * 255).round().astype(np.uint8),
        TRAIN_LABELS: labels[:200].astype(np.uint8),
        TEST_IMAGES: (test_images[:50, 0] * 255).round().astype(np.uint8),
        TEST_LABELS: test_labels[:50].astype(np.uint8),
    }.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(encode(array)))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder: what a command leaves in the current one is seen there."""
    monkeypatch.chdir(tmp_path)


def python(*arguments, **options):
    """Run a fresh interpreter with the checkout's cnnfast."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def checkout_on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))


def error_line(capsys):
    """Give what went to stderr, which must be one line."""
    captured = capsys.readouterr().err
    assert captured.startswith("cnnfast: ")
    assert captured.endswith("\n")
    assert captured.count("\n") == 1
    return captured


# ---------------------------------------------------------------------------- train


def test_train(folder, tmp_path, capsys):
    assert main(["train", "--data", str(folder), "--epochs", "2", "--out", "deep/run"]) == 0
    captured = capsys.readouterr()
    *epochs, saved, last = captured.out.splitlines()
    assert len(epochs) == 2
    assert all(EPOCH.fullmatch(line) for line in epochs)
    assert saved == f"weights saved in {Path('deep/run/lenet5.npz')}"
    assert LAST_LINE.fullmatch(last)
    assert captured.err == ""  # no bar where nobody watches

    assert [p.name for p in tmp_path.joinpath("deep", "run").iterdir()] == ["lenet5.npz"]
    model = cnnfast.models.lenet5()
    model.load_state_dict(load_weights("deep/run/lenet5.npz"))
    dataset = data.mnist(folder)
    accuracy = (model(dataset.test_images).argmax(axis=1) == dataset.test_labels).mean()
    assert last == f"test accuracy {100 * accuracy:.2f} %"


def test_train_another_network_with_a_frame_around_its_images(folder, capsys):
    arguments = ["--model", "cifar_resnet20", "--epochs", "1", "--lr", "0.1", "--out", "run"]
    assert main(["train", "--data", str(folder), *arguments]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    model = cnnfast.models.cifar_resnet20(in_channels=1)
    model.load_state_dict(load_weights("run/cifar_resnet20.npz"))
    dataset = data.mnist(folder)
    images = np.zeros((len(dataset.test_images), 1, 32, 32), np.float32)
    images[:, :, 2:30, 2:30] = dataset.test_images
    accuracy = (model(images).argmax(axis=1) == dataset.test_labels).mean()
    assert last == f"test accuracy {100 * accuracy:.2f} %"
    # Batch normalisation learned: its means are no longer zeros.
    assert any(array.any() for name, array in model.state_dict().items() if "running_mean" in name)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("alexnet", "error: alexnet is not for images of 32x32: "),
        ("lenet", "error: lenet is not one of alexnet, cifar_resnet20, "),
    ],
)
def test_a_network_that_cannot_be_trained(folder, capsys, model, message):
    assert main(["train", "--data", str(folder), "--model", model]) == 2
    assert message in error_line(capsys)


@pytest.mark.usefixtures("checkout_on_path")
def test_train_as_a_program(folder):
    run = python("-m", "cnnfast", "train", "--data", folder, "--epochs", 1, "--threads", 1)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (0, "")
    assert LAST_LINE.fullmatch(out.splitlines()[-1])
    assert set(load_weights("cnnfast-train/lenet5.npz")) == set(
        cnnfast.models.lenet5().state_dict()
    )


def test_the_same_seed_gives_the_same_file_on_any_number_of_threads(folder, capsys):
    with using_threads(cnnfast.get_num_threads()):
        for out, seed, threads in (("a", 1, 1), ("b", 1, 1), ("c", 1, 2), ("d", 2, 1)):
            arguments = ["--data", folder, "--seed", seed, "--threads", threads, "--out", out]
            assert main(["train", "--epochs", "2", *map(str, arguments)]) == 0
            assert cnnfast.get_num_threads() == threads
    a, b, c, d = (Path(out, "lenet5.npz").read_bytes() for out in "abcd")
    assert a == b == c
    assert a != d


def test_weights_are_saved_at_the_end_of_each_epoch(folder, monkeypatch, capsys):
    saved = []

    def spy(state, path):
        saved.append((path, {name: array.copy() for name, array in state.items()}))

    monkeypatch.setattr(train, "save_weights", spy)
    assert main(["train", "--data", str(folder), "--epochs", "3", "--out", "run"]) == 0
    assert [path for path, _ in saved] == [Path("run/lenet5.npz")] * 3
    first, second, third = (state["conv1.weight"] for _, state in saved)
    assert (first != second).any()
    assert (second != third).any()


def test_ctrl_c_leaves_the_last_good_file(folder, monkeypatch, capsys):
    original, calls = train.Learning.test, []

    def interrupted(learning):
        calls.append(learning)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(learning)

    monkeypatch.setattr(train.Learning, "test", interrupted)
    assert main(["train", "--data", str(folder), "--epochs", "9", "--out", "run"]) == 130
    path = Path("run/lenet5.npz")
    assert error_line(capsys) == f"cnnfast: interrupted: {path} has the weights of epoch 2\n"
    assert load_weights(path)["conv1.weight"].shape == (6, 1, 5, 5)


def test_ctrl_c_before_anything_is_saved(folder, monkeypatch, capsys):
    def interrupted(state, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "save_weights", interrupted)
    assert main(["train", "--data", str(folder), "--out", "run"]) == 130
    assert "no epoch is complete, nothing was written" in error_line(capsys)
    assert list(Path("run").iterdir()) == []


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
    assert re.fullmatch(r"cnnfast: interrupted: .*lenet5\.npz has the weights of epoch \d+\n", err)
    assert [path.name for path in Path("run").iterdir()] == ["lenet5.npz"]
    assert load_weights("run/lenet5.npz")["fc3.bias"].shape == (10,)


def test_a_learning_rate_that_diverges(folder, capsys):
    with np.errstate(all="ignore"):
        assert main(["train", "--data", str(folder), "--lr", "1e30"]) == 2
    message = error_line(capsys)
    assert message.startswith("cnnfast: error: epoch 1: ")
    assert "smaller learning rate" in message


# ---------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
def test_a_damaged_file(folder, tmp_path, capsys, name):
    for file in folder.iterdir():
        content = gzip.decompress(file.read_bytes())
        content = content[:-7] if file.stem == name else content
        tmp_path.joinpath(file.stem).write_bytes(content)
    assert main(["train", "--data", str(tmp_path)]) == 2
    message = error_line(capsys)
    assert message.startswith("cnnfast: error: read_idx: ")
    assert name in message


def test_a_folder_without_the_files(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "missing"):
        assert main(["train", "--data", str(folder)]) == 2
        message = error_line(capsys)
        assert message.startswith(f"cnnfast: error: mnist: no {TRAIN_IMAGES}, ")
        assert str(folder) in message
    assert list(tmp_path.iterdir()) == []


def test_files_without_images(tmp_path, capsys):
    for name in (TRAIN_IMAGES, TEST_IMAGES):
        tmp_path.joinpath(name).write_bytes(encode(np.zeros((0, 28, 28), np.uint8)))
    for name in (TRAIN_LABELS, TEST_LABELS):
        tmp_path.joinpath(name).write_bytes(encode(np.zeros(0, np.uint8)))
    assert main(["train", "--data", str(tmp_path)]) == 2
    assert error_line(capsys) == "cnnfast: error: there are no images to train with\n"


def test_an_output_folder_that_cannot_be(folder, tmp_path, capsys):
    tmp_path.joinpath("file").touch()
    assert main(["train", "--data", str(folder), "--out", "file"]) == 2
    assert error_line(capsys) == "cnnfast: error: file: File exists\n"


def test_a_full_disk(folder, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert main(["train", "--data", str(folder), "--epochs", "1", "--out", "run"]) == 0
    good = Path("run/lenet5.npz").read_bytes()
    capsys.readouterr()
    monkeypatch.setattr(os, "fsync", full)
    assert main(["train", "--data", str(folder), "--seed", "1", "--out", "run"]) == 2
    assert error_line(capsys) == "cnnfast: error: No space left on device\n"
    assert Path("run/lenet5.npz").read_bytes() == good
    assert len(list(Path("run").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "the following arguments are required: --data"),
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


@pytest.mark.usefixtures("checkout_on_path")
def test_a_reader_that_goes_away(folder):
    with python("-m", "cnnfast", "train", "--data", folder, "--epochs", 50) as run:
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 1


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
        (["--help"], "train a network on MNIST"),
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
    out, err = python("-c", script).communicate(timeout=60)
    assert err == ""
    assert out.splitlines()[-1] == "['cnnfast.cli.arguments']"


# ---------------------------------------------------------------------------- demo


@pytest.fixture
def small(monkeypatch):
    """Make the demo small: few digits, short epochs, one layer's kernels."""
    part = data.Dataset(*(array[:300] for array in data.digits()))
    monkeypatch.setattr(demo, "digits", lambda: part)
    monkeypatch.setattr(demo, "RECIPE", demo.RECIPE._replace(epochs=2))
    monkeypatch.setattr(race, "DEMO", race.DEMO[2:3])
    monkeypatch.setattr(race, "DEMO_SECONDS", 0.01)


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
    monkeypatch.setattr(race.functional, "max_pool2d", wrong)
    assert main(["demo"]) == 2
    captured = capsys.readouterr()
    assert "cnnfast: error: a compiled kernel gives a wrong result: max_pool2d" in captured.err
    assert " vs loops" not in captured.out


def test_progress_bars_where_somebody_watches(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["train", "--data", str(folder), "--epochs", "2"]) == 0
    captured = capsys.readouterr()
    assert all(words in captured.err for words in ("epoch 1/2", "epoch 2/2", "images/s", "0/200"))
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
