"""Data sets in .npy files."""

import numpy as np
import pytest

from cnnfast.data import DataLoader, arrays


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 7), ("test", 3)):
        images = rng.integers(0, 256, (count, 3, 8, 8), np.uint8)
        np.save(tmp_path / f"{part}_images.npy", images)
        np.save(tmp_path / f"{part}_labels.npy", np.arange(count))
    return tmp_path


def test_maps(root):
    dataset = arrays(str(root))
    for name, array in dataset._asdict().items():
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, np.load(root / f"{name}.npy"))


def test_batches_of_maps(root):
    dataset = arrays(root)
    loader = DataLoader(dataset.train_images, dataset.train_labels, 3, shuffle=True, seed=0)
    for images, labels in loader:
        assert type(images) is np.ndarray
        np.testing.assert_array_equal(images, np.load(root / "train_images.npy")[labels])
        images += 1
        labels += 1


def test_missing_files_are_all_named(root):
    (root / "train_labels.npy").unlink()
    (root / "test_images.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"no train_labels\.npy, test_images\.npy in "):
        arrays(root)


def test_labels_of_another_length(root):
    np.save(root / "test_labels.npy", np.arange(4))
    with pytest.raises(ValueError, match=r"test_labels\.npy: found 4 labels, .* each of the 3 "):
        arrays(root)


@pytest.mark.parametrize("wrong", [np.zeros((3, 3, 8, 9), np.uint8), np.zeros((3, 3, 8, 8))])
def test_images_unlike_each_other(root, wrong):
    np.save(root / "test_images.npy", wrong)
    with pytest.raises(ValueError, match=r"test_images\.npy: found images .*, expected \(3, 8, 8"):
        arrays(root)


def test_bad_files(root):
    path = root / "train_images.npy"
    whole = path.read_bytes()
    np.save(path, np.array([{}]), allow_pickle=True)
    pickled = path.read_bytes()
    np.save(path, np.float32(1))
    for content in (b"", b"text", whole[:50], whole[:-1], pickled, path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"arrays: .*train_images\.npy: ."):
            arrays(root)
