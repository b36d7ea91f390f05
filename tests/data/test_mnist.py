"""MNIST folders, right and wrong; the bundled subset; the full set where there is one."""

import gzip
import os
import runpy
from pathlib import Path

import numpy as np
import pytest

from cnnfast import data
from cnnfast.data import Dataset, digits, mnist, read_idx

from .test_idx import encode

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

BUNDLED = Path(data.__file__).parent / "digits"
MAKE_DIGITS = Path(__file__).parents[2] / "tools" / "make_digits.py"


@pytest.fixture(scope="module")
def full_root():
    root = os.environ.get("CNNFAST_MNIST")
    if not root:
        pytest.skip("the full MNIST is not here: set CNNFAST_MNIST to the folder with its files")
    return Path(root)


@pytest.fixture
def root(tmp_path):
    """Give a folder with a tiny MNIST: 7 training digits and 3 test digits, some gzip'd."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (10, 28, 28), np.uint8)
    labels = np.arange(10, dtype=np.uint8)
    (tmp_path / TRAIN_IMAGES).write_bytes(encode(pixels[:7]))
    (tmp_path / f"{TRAIN_LABELS}.gz").write_bytes(gzip.compress(encode(labels[:7])))
    (tmp_path / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(encode(pixels[7:])))
    (tmp_path / TEST_LABELS).write_bytes(encode(labels[7:]))
    return tmp_path


def replace(root, name, array):
    (root / name).write_bytes(encode(array))


def test_reads_a_folder(root):
    dataset = mnist(root)
    assert isinstance(dataset, Dataset)
    pixels = read_idx(root / TRAIN_IMAGES)
    expected = pixels.astype(np.float32)[:, None] / np.float32(255)
    np.testing.assert_array_equal(dataset.train_images, expected)
    np.testing.assert_array_equal(dataset.train_labels, np.arange(7))
    np.testing.assert_array_equal(dataset.test_labels, np.arange(7, 10))
    assert dataset.train_images.shape == (7, 1, 28, 28)
    assert dataset.test_images.shape == (3, 1, 28, 28)
    assert [array.dtype for array in dataset] == [np.float32, np.int64] * 2
    assert all(array.flags.c_contiguous for array in dataset)
    assert all(array.flags.writeable for array in dataset)


def test_root_may_be_a_string(root):
    assert len(mnist(str(root)).train_images) == 7


def test_empty_set_is_legal(root):
    replace(root, TEST_IMAGES, np.zeros((0, 28, 28), np.uint8))
    replace(root, TEST_LABELS, np.zeros(0, np.uint8))
    dataset = mnist(root)
    assert dataset.test_images.shape == (0, 1, 28, 28)
    assert dataset.test_labels.shape == (0,)


def test_missing_files_are_all_named(root):
    (root / TRAIN_IMAGES).unlink()
    (root / TEST_LABELS).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root)
    message = str(caught.value)
    for words in (f"mnist: no {TRAIN_IMAGES}, {TEST_LABELS} in {root}", ".gz", "https://"):
        assert words in message
    assert TRAIN_LABELS not in message
    assert TEST_IMAGES not in message


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=TRAIN_IMAGES):
        mnist(tmp_path / "absent")


def test_folder_where_a_file_is_expected(root):
    (root / TRAIN_IMAGES).unlink()
    (root / TRAIN_IMAGES).mkdir()
    with pytest.raises(FileNotFoundError, match=TRAIN_IMAGES):
        mnist(root)


def test_labels_where_images_are_expected(root):
    replace(root, TRAIN_IMAGES, np.zeros(7, np.uint8))
    with pytest.raises(ValueError, match=rf"mnist: .*{TRAIN_IMAGES}: .* \(7,\), expected images"):
        mnist(root)


def test_images_where_labels_are_expected(root):
    replace(root, TEST_LABELS, np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(ValueError, match=rf"{TEST_LABELS}: .* \(3, 28, 28\), expected labels"):
        mnist(root)


@pytest.mark.parametrize("shape", [(7, 28, 27), (7, 32, 32), (7, 28), (7, 28, 28, 1), ()])
def test_image_size(root, shape):
    replace(root, TRAIN_IMAGES, np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"expected images, uint8 \(N, 28, 28\)"):
        mnist(root)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.float32])
def test_element_type(root, dtype):
    replace(root, TRAIN_IMAGES, np.zeros((7, 28, 28), dtype))
    with pytest.raises(ValueError, match=f"found {np.dtype(dtype).name} "):
        mnist(root)


def test_number_of_labels(root):
    replace(root, TEST_LABELS, np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="found 4 labels, expected one for each of the 3 images"):
        mnist(root)


def test_label_out_of_range(root):
    replace(root, TEST_LABELS, np.array([9, 3, 10], np.uint8))
    with pytest.raises(ValueError, match="found label 10 at index 2, expected 0 to 9"):
        mnist(root)


def test_truncated_file_is_an_error(root):
    path = root / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"read_idx: .*{TRAIN_IMAGES}: found 5487 bytes of data"):
        mnist(root)


def test_digits():
    train_images, train_labels, test_images, test_labels = digits()
    for images, labels, per_class in (
        (train_images, train_labels, 500),
        (test_images, test_labels, 100),
    ):
        assert images.shape == (10 * per_class, 1, 28, 28)
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (0, 1)
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(np.bincount(labels), np.full(10, per_class))
        # Shuffled enough that batches taken in order hold every class.
        assert all(set(batch) == set(range(10)) for batch in np.split(labels, 10))
    assert not {image.tobytes() for image in train_images} & {
        image.tobytes() for image in test_images
    }


def test_bundled_files_are_small_and_attributed():
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 1_200_000
    notice = (BUNDLED / "NOTICE").read_text(encoding="utf-8")
    for words in ("LeCun", "Cortes", "Burges", "Attribution-Share Alike 3.0", "subset"):
        assert words in notice


def test_full_set(full_root):
    train_images, train_labels, test_images, test_labels = mnist(full_root)
    assert train_images.shape == (60000, 1, 28, 28)
    assert test_images.shape == (10000, 1, 28, 28)
    assert train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert train_images.mean() == pytest.approx(0.1307, abs=1e-4)
    assert train_images.std() == pytest.approx(0.3081, abs=1e-4)


def test_bundled_files_are_what_the_script_makes(full_root, tmp_path):
    runpy.run_path(str(MAKE_DIGITS))["main"]([str(full_root), str(tmp_path)])
    made = sorted(tmp_path.iterdir())
    assert [path.name for path in made] == sorted(path.name for path in BUNDLED.glob("*.gz"))
    for path in made:  # arrays and not bytes, because each zlib packs them its own way
        np.testing.assert_array_equal(read_idx(path), read_idx(BUNDLED / path.name))
