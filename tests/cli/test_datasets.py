"""What ``cnnfast train`` makes of folders: images, arrays, damaged files."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfast import data
from cnnfast.cli import config
from cnnfast.cli.batches import test_loader as image_batches
from cnnfast.cli.datasets import Data
from cnnfast.cli.settings import Settings
from cnnfast.io import load_weights
from cnnfast.training import History
from tests.cli.commands import error_line, evaluate, train
from tests.data.test_idx import encode
from tests.data.test_mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS

pytestmark = pytest.mark.usefixtures("elsewhere")


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


def test_a_corrupt_image_to_test_with(pictures, capsys):
    arguments = ["--data", pictures, "--model", TINY, "--image-size", 8, "--epochs", 2]
    assert train(*arguments, "--out", "whole") == 0
    path = pictures / "test" / "light" / "0.png"
    content = path.read_bytes()
    path.write_bytes(content[:60])
    capsys.readouterr()
    assert train(*arguments, "--out", "run") == 2
    assert error_line(capsys) == (
        f"cnnfast: error: load_image: {path}: image file is truncated; "
        "to go on: cnnfast train --resume --out run\n"
    )
    path.write_bytes(content)
    assert train("--resume", "--out", "run") == 0
    assert Path("run/pattern.npz").read_bytes() == Path("whole/pattern.npz").read_bytes()
    assert History.load("run/history.csv")["step"].tolist() == [1, 2]


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
    ((batch, _),) = image_batches(Data.of(data.arrays("arrays")), Settings(model="INPUT -> FC"))
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


def write_arrays(train_labels, test_labels=(0, 1, 2), dtype=np.uint8):
    Path("arrays").mkdir(exist_ok=True)
    for part, labels in (("train", train_labels), ("test", test_labels)):
        np.save(f"arrays/{part}_images.npy", np.zeros((len(labels), 1, 8, 8), dtype))
        np.save(f"arrays/{part}_labels.npy", np.array(labels))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (([1, 2, 3], [1]), "class 0 has no images to train with, but there are labels up to 3"),
        (([0, 3, 1], [1]), "class 2 has no images to train with, but there are labels up to 3"),
        (([0, 1, 1], [2]), "class 2 has no images to train with, but there are labels up to 2"),
        (([0, 2**62], [0]), "class 1 has no images to train with, but there are labels up to 4611"),
        (([0, 1, -1], [0]), "a label to train with is -1, must be at least 0"),
    ],
)
def test_numbers_of_classes_without_images(labels, message, capsys):
    write_arrays(*labels)
    assert train("--data", "arrays", "--model", TINY) == 2
    assert error_line(capsys).startswith(f"cnnfast: error: {message}")
    assert not Path("cnnfast-train").exists()


def test_images_to_test_with_need_not_be_of_all_classes(capsys):
    write_arrays([0, 1, 2], [1, 1])
    assert train("--data", "arrays", "--model", TINY, "--epochs", 1, "--out", "run") == 0
    assert load_weights("run/pattern.npz")["fc1.bias"].shape == (3,)
    write_arrays([7, 7], [2])
    assert evaluate("run", "--data", "arrays") == 0
    write_arrays([7, 7], [3])
    assert evaluate("run", "--data", "arrays") == 2
    assert "labels[0] is 3, but labels must lie in 0..2" in error_line(capsys)


@pytest.mark.parametrize("dtype", [np.int64, np.float16])
def test_images_of_another_type(dtype, capsys):
    write_arrays([0, 1, 2], dtype=dtype)
    assert train("--data", "arrays", "--model", TINY) == 2
    assert error_line(capsys) == (
        f"cnnfast: error: images to train with are {np.dtype(dtype)} (3, 1, 8, 8), must be "
        "(N, C, H, W) of uint8, float32 or float64\n"
    )


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
