"""Transforms against loops over images, pixel by pixel, and their distributions."""

import numpy as np
import pytest

from cnnfast.data.transforms import (
    Compose,
    Cutout,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
)
from tests.helpers import LAYOUTS

EACH = [
    Normalize([0.1, 0.2, 0.3], [1.0, 2.0, 0.5]),
    RandomCrop(6, padding=2),
    RandomCrop(4),
    RandomHorizontalFlip(),
    Cutout(3),
    Compose([RandomCrop(6, padding=1), RandomHorizontalFlip(), Cutout(2)]),
]


def rng(seed=0):
    return np.random.default_rng(seed)


def batch(*shape, dtype=np.float32):
    """Give images without zeros and without two equal pixels."""
    values = rng(1).permutation(np.arange(1, np.prod(shape) + 1))
    return values.reshape(shape).astype(dtype)


# ---------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("transform", EACH, ids=repr)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_and_the_input_is_left_alone(transform, layout):
    images = batch(5, 3, 8, 9)
    laid = LAYOUTS[layout](images)
    np.testing.assert_array_equal(transform(laid, rng()), transform(images, rng()))
    np.testing.assert_array_equal(laid, images)


@pytest.mark.parametrize("transform", EACH, ids=repr)
def test_results_follow_from_the_generator(transform):
    images = batch(40, 3, 8, 9)
    first = transform(images, rng(3))
    assert not np.shares_memory(first, images)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, transform(images, rng(3)))
    if not isinstance(transform, Normalize):
        assert (first != transform(images, rng(4))).any()


@pytest.mark.parametrize("transform", EACH, ids=repr)
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_types_and_no_images(transform, dtype):
    result = transform(np.zeros((0, 3, 8, 9), dtype), rng())
    kept = np.float32 if isinstance(transform, Normalize) and dtype == np.uint8 else dtype
    assert (len(result), result.dtype) == (0, kept)


@pytest.mark.parametrize("transform", EACH, ids=repr)
def test_images_only(transform):
    with pytest.raises(ValueError, match=r": images must be \(N, C, H, W\), got \(3, 8, 8\)"):
        transform(np.zeros((3, 8, 8)), rng())
    with pytest.raises(TypeError, match=r": images must be a NumPy array, got list"):
        transform([[1]], rng())


# ---------------------------------------------------------------------------- one by one


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_normalize(dtype):
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    images = rng().integers(0, 256, (4, 3, 5, 6))
    expected = (images / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    given = images.astype(dtype) if dtype == np.uint8 else (images / 255).astype(dtype)
    result = Normalize(mean, std)(given)
    assert result.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(result, expected, atol=1e-15 if dtype == np.float64 else 1e-6)


def crops(images, size, padding):
    """Give every crop of each image, by its place."""
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = (length - size + 1 for length in padded.shape[2:])
    return {
        (top, left): padded[:, :, top : top + size, left : left + size]
        for top in range(height)
        for left in range(width)
    }


@pytest.mark.parametrize(("size", "padding"), [(5, 0), (6, 2), (8, 1), (1, 0), (9, 2)])
def test_crop(size, padding):
    images = batch(2000, 1, 6, 7) if size < 6 else batch(2000, 1, 8, 9)
    result = RandomCrop(size, padding)(images, rng())
    assert result.shape == (2000, 1, size, size)
    places = crops(images, size, padding)
    counts = [int((crop == result).all(axis=(1, 2, 3)).sum()) for crop in places.values()]
    assert sum(counts) == 2000  # every image is one of its own crops
    expected = 2000 / len(places)
    assert np.abs(np.array(counts) - expected).max() < 6 * np.sqrt(expected)


def test_crop_takes_all_channels_from_one_place():
    images = np.repeat(batch(50, 1, 8, 8), 3, axis=1)
    result = RandomCrop(8, padding=4)(images, rng())
    np.testing.assert_array_equal(result[:, :1], result[:, 1:2])
    np.testing.assert_array_equal(result[:, :1], result[:, 2:])


def test_flip():
    images = batch(2000, 2, 3, 4)
    result = RandomHorizontalFlip(0.25)(images, rng())
    kept = (result == images).all(axis=(1, 2, 3))
    flipped = (result == images[..., ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ flipped).all()
    assert abs(flipped.sum() - 500) < 6 * np.sqrt(2000 * 0.25 * 0.75)
    np.testing.assert_array_equal(RandomHorizontalFlip(0)(images, rng()), images)
    np.testing.assert_array_equal(RandomHorizontalFlip(1)(images, rng()), images[..., ::-1])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 20])
def test_cutout(size):
    images = batch(3000, 2, 5, 6)
    result = Cutout(size)(images, rng())
    kept = result == images
    assert (result[~kept] == 0).all()
    holes = {}
    for row in range(5):
        for column in range(6):
            hole = np.ones((5, 6), bool)
            top, left = row - size // 2, column - size // 2
            hole[max(top, 0) : top + size, max(left, 0) : left + size] = False
            holes.setdefault(hole.tobytes(), [hole, 0])[1] += 1
    seen = 0
    for hole, centres in holes.values():
        count = int((kept == hole).all(axis=(1, 2, 3)).sum())
        expected = 3000 * centres / 30
        assert abs(count - expected) <= 6 * np.sqrt(expected * (1 - centres / 30))
        seen += count
    assert seen == 3000


def test_cutout_of_what_is_not_finite():
    images = np.full((1, 1, 4, 4), np.nan)
    assert (Cutout(9)(images, rng()) == 0).all()


def test_compose_draws_in_turn():
    images, generator = batch(20, 3, 8, 8), rng(5)
    expected = RandomHorizontalFlip()(RandomCrop(8, 2)(images, generator), generator)
    both = Compose(iter([RandomCrop(8, 2), RandomHorizontalFlip()]))
    for _ in range(2):
        np.testing.assert_array_equal(both(images, rng(5)), expected)
    assert Compose([])(images, rng()) is images


# ---------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomCrop(0), "RandomCrop: size must be at least 1, got 0"),
        (lambda: RandomCrop(1, -1), "RandomCrop: padding must be at least 0, got -1"),
        (lambda: RandomHorizontalFlip(1.5), "p must be from 0 to 1, got 1.5"),
        (lambda: RandomHorizontalFlip(float("nan")), "p must be from 0 to 1, got nan"),
        (lambda: Cutout(0), "Cutout: size must be at least 1, got 0"),
        (lambda: Normalize([0, 0], [1]), "must be of one length, got 2 and 1 values"),
        (lambda: Normalize([0], [0]), "std must be greater than 0"),
    ],
)
def test_values(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_what_does_not_fit():
    images = np.zeros((2, 3, 8, 9), np.float32)
    with pytest.raises(ValueError, match=r"size 13 is more than the 12 x 13 of .* padding 2"):
        RandomCrop(13, padding=2)(images, rng())
    with pytest.raises(ValueError, match="have 3 channels, must have 1"):
        Normalize([0], [1])(images)
    with pytest.raises(TypeError, match="must be floats or uint8, got int64"):
        Normalize([0] * 3, [1] * 3)(images.astype(np.int64))
    with pytest.raises(TypeError, match=r"Compose: a transform must be callable, got 3"):
        Compose([3])
