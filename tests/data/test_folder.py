"""Folders of image files."""

import sys

import numpy as np
import pytest
from PIL import Image

from cnnfast import data, nn, training
from cnnfast.data import ImageFiles, image_folder


def draw(path, value, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 255 - value)).save(path)


@pytest.fixture
def root(tmp_path):
    """Give a folder with three classes, whose 2, 3 and 1 images are 0, 1, ... red."""
    for value, name in enumerate(
        ("b/2.png", "b/sub/1.JPG", "a/10.png", "a/2.bmp", "a/3.png", "c c/1.png")
    ):
        draw(tmp_path / name, value)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / "4.png").mkdir()
    (tmp_path / "labels.csv").write_text("no folder")
    draw(tmp_path / ".cache" / "1.png", 9)
    draw(tmp_path / "b" / ".cache" / "1.png", 9)
    (tmp_path / "b" / "._2.png").write_bytes(b"what a Mac leaves behind")
    return tmp_path


def test_finds_images(root):
    images, labels, classes = image_folder(str(root), size=8)
    assert classes == ("a", "b", "c c")
    assert labels.tolist() == [0, 0, 0, 1, 1, 2]
    assert labels.dtype == np.int64
    found = [path.relative_to(root).as_posix() for path in images.paths]
    assert found == ["a/10.png", "a/2.bmp", "a/3.png", "b/2.png", "b/sub/1.JPG", "c c/1.png"]
    assert (len(images), images.shape, images.dtype) == (6, (6, 3, 8, 8), np.float32)


def test_decodes_what_is_asked_for(root):
    images = image_folder(root, size=8).images
    every = images[:]
    assert (every.shape, every.dtype) == ((6, 3, 8, 8), np.float32)
    red = (every[:, 0, 4, 4] * 255).round().astype(int)
    assert red[[0, 1, 2, 3, 5]].tolist() == [2, 3, 4, 0, 5]  # all but the JPEG
    np.testing.assert_array_equal(images[3], every[3])
    np.testing.assert_array_equal(images[np.array([5, 0])], every[[5, 0]])
    np.testing.assert_array_equal(images[every[:, 0, 0, 0] > 3 / 255], every[[2, 5]])
    assert images[:0].shape == (0, 3, 8, 8)
    with pytest.raises(IndexError):
        images[6]


def test_scaled_and_cut_as_center_square_does(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    expected = data.center_square(pixels, 16, 16).transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(ImageFiles([tmp_path / "noise.png"], 16)[0], expected)
    assert ImageFiles([str(tmp_path / "noise.png")], 16, channels=1)[:].shape == (1, 1, 16, 16)


def test_batches_and_evaluation(root):
    images, labels, _ = image_folder(root, size=8)
    loader = data.DataLoader(images, labels, 4, shuffle=True, seed=0)
    batches = list(loader)
    order = np.random.default_rng(0).permutation(6)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), images[order])
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), labels[order])
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    assert 0 <= training.evaluate(model, images, labels, batch_size=4) <= 1


def test_classes_of_another_folder(root):
    train = image_folder(root, size=8)
    assert image_folder(root, 8, classes=train.classes).labels.tolist() == train.labels.tolist()
    swapped = image_folder(root, 8, classes=["c c", "a", "b"])
    assert swapped.labels.tolist() == [0, 1, 1, 1, 2, 2]
    for classes in (["a", "b"], ["a", "b", "c c", "d"]):
        with pytest.raises(ValueError, match="has folders a, b, c c, expected the classes a, b"):
            image_folder(root, 8, classes=classes)


def test_a_class_without_images(root):
    (root / "empty").mkdir()
    with pytest.raises(ValueError, match=r"image_folder: .*empty has no images"):
        image_folder(root, 8)


def test_no_classes(tmp_path):
    draw(tmp_path / "1.png", 0)
    with pytest.raises(ValueError, match="has no folders, expected one for each class"):
        image_folder(tmp_path, 8)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        image_folder(tmp_path / "nowhere", 8)


def test_a_corrupt_image_is_named(root):
    path = root / "a" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    images, labels, _ = image_folder(root, 8)
    with pytest.raises(ValueError, match=r"a.3\.png: ."):
        images[2]
    with pytest.raises(ValueError, match=r"a.3\.png: ."):
        list(data.DataLoader(images, labels, 4))


def test_an_image_too_long_to_scale_is_named(root):
    draw(root / "a" / "3.png", 0, size=(100_000, 1))
    with pytest.raises(
        ValueError, match=r"ImageFiles: .*a.3\.png: center_square: image \(1, 100000"
    ):
        image_folder(root, 64).images[2]


def test_a_file_that_went_away_is_named(root):
    images = image_folder(root, 8).images
    (root / "a" / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"3\.png"):
        images[2]


def test_bad_arguments():
    with pytest.raises(ValueError, match="ImageFiles: size must be at least 1, got 0"):
        ImageFiles([], 0)
    with pytest.raises(ValueError, match="ImageFiles: channels must be 3 or 1, got 4"):
        ImageFiles([], 8, channels=4)


def test_without_pillow(monkeypatch, root):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"image_folder needs .* install 'cnnfast\[image\]'"):
        image_folder(root, 8)
