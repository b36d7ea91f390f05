"""CIFAR's binary files, right and wrong."""

import struct

import numpy as np
import pytest

from cnnfast.data import Dataset, cifar10, cifar100

TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]


def record(*labels, seed=0):
    """Give a record and its image (3, 32, 32) of bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, 3072, np.uint8)
    return bytes(labels) + pixels.tobytes(), pixels


@pytest.fixture
def root10(tmp_path):
    """Give a folder with a tiny CIFAR-10: file k has k images, of the classes k - 1, k, ..."""
    for number, name in enumerate([*TRAIN, "test_batch.bin"], 1):
        content = b"".join(record(number - 1 + i, seed=10 * number + i)[0] for i in range(number))
        (tmp_path / name).write_bytes(content[: 3073 * number])
    (tmp_path / "test_batch.bin").write_bytes(record(9, seed=99)[0])
    return tmp_path


@pytest.fixture
def root100(tmp_path):
    (tmp_path / "train.bin").write_bytes(record(19, 99, seed=1)[0] + record(0, 4, seed=2)[0])
    (tmp_path / "test.bin").write_bytes(record(3, 98, seed=3)[0])
    return tmp_path


def test_cifar10(root10):
    dataset = cifar10(root10)
    assert isinstance(dataset, Dataset)
    assert [array.dtype for array in dataset] == [np.float32, np.int64] * 2
    assert [array.shape for array in dataset] == [(15, 3, 32, 32), (15,), (1, 3, 32, 32), (1,)]
    assert all(array.flags.c_contiguous and array.flags.writeable for array in dataset)
    labels = [number - 1 + i for number in range(1, 6) for i in range(number)]
    assert dataset.train_labels.tolist() == labels
    assert dataset.test_labels.tolist() == [9]
    # Byte by byte, as the page of CIFAR describes it: red, green, blue, each row by row.
    pixels = struct.unpack("3072B", record(4, seed=52)[0][1:])
    for channel, row, column in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (2, 31, 31)):
        byte = pixels[1024 * channel + 32 * row + column]
        assert dataset.train_images[12, channel, row, column] == np.float32(byte / 255)


def test_the_folder_above(root10, tmp_path_factory):
    above = tmp_path_factory.mktemp("above")
    (above / "cifar-10-batches-bin").symlink_to(root10)
    np.testing.assert_array_equal(cifar10(str(above)).test_images, cifar10(root10).test_images)


def test_cifar100(root100):
    dataset = cifar100(root100)
    assert dataset.train_labels.tolist() == [99, 4]
    assert dataset.test_labels.tolist() == [98]
    assert cifar100(root100, "coarse").train_labels.tolist() == [19, 0]
    expected = record(0, seed=3)[1].reshape(3, 32, 32) / np.float32(255)
    np.testing.assert_array_equal(dataset.test_images[0], expected)


def test_missing_files_are_all_named(root10, root100):
    (root10 / TRAIN[2]).unlink()
    (root10 / "test_batch.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"no data_batch_3\.bin, test_batch\.bin in .*http"):
        cifar10(root10)
    with pytest.raises(FileNotFoundError, match=r"cifar100: no train\.bin, test\.bin in nowhere"):
        cifar100("nowhere")


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_files_end_with_a_whole_record(root10, size):
    (root10 / TRAIN[1]).write_bytes(bytes(size))
    with pytest.raises(ValueError, match=rf"cifar10: .*{TRAIN[1]}: found {size} bytes, .* of 3073"):
        cifar10(root10)


def test_labels_in_range(root10, root100):
    (root10 / "test_batch.bin").write_bytes(record(9)[0] + record(10)[0])
    with pytest.raises(ValueError, match=r"test_batch\.bin: found label 10 in record 1, .* 0 to 9"):
        cifar10(root10)
    (root100 / "test.bin").write_bytes(record(20, 100)[0])
    with pytest.raises(ValueError, match=r"test\.bin: found label 100 in record 0, .* 0 to 99"):
        cifar100(root100)
    with pytest.raises(ValueError, match=r"test\.bin: found label 20 in record 0, .* 0 to 19"):
        cifar100(root100, "coarse")


def test_label_mode(root100):
    with pytest.raises(ValueError, match=r"cifar100: label_mode must be .* got 'both'"):
        cifar100(root100, "both")
