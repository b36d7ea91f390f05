"""What is done to images on their way into a network, several at a time; torchvision's names.

A transform is any callable ``transform(images, rng) -> images``, from and to a batch (N, C, H, W).
It draws from the generator `rng` and from nothing else, so that what it did can be repeated, and
leaves what it was given alone. `DataLoader` calls it for up to 64 images of a batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Compose:
    """Transforms one after the other, which draw from one generator in turn.

    Parameters
    ----------
    transforms : iterable of callables
        Each ``transform(images, rng) -> images``.

    Raises
    ------
    TypeError
        One of them cannot be called.

    Examples
    --------
    >>> augment = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])
    >>> augment
    Compose(RandomCrop(size=32, padding=4), RandomHorizontalFlip(p=0.5))
    >>> augment(np.zeros((8, 3, 32, 32), np.float32), np.random.default_rng(0)).shape
    (8, 3, 32, 32)
    """

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self.transforms = tuple(transforms)
        for transform in self.transforms:
            if not callable(transform):
                raise TypeError(f"Compose: a transform must be callable, got {transform!r}")

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for transform in self.transforms:
            images = transform(images, rng)
        return images

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.transforms))})"


class Normalize:
    """Bring the channels to mean 0 and standard deviation 1: ``(images - mean) / std``.

    Images of uint8 count as scaled to [0, 1] first, and become float32.

    Parameters
    ----------
    mean, std : sequence of float
        One for each channel, of images in [0, 1].

    Raises
    ------
    ValueError
        `mean` and `std` differ in length, or a `std` is not positive; on use, the images have
        another number of channels.
    TypeError
        On use, the images are neither floats nor uint8.

    Examples
    --------
    >>> normalize = Normalize(mean=[0.5], std=[0.25])
    >>> normalize(np.array([[[[0.0, 1.0]]]], np.float32)).tolist()
    [[[[-2.0, 2.0]]]]
    >>> normalize(np.array([[[[0, 255]]]], np.uint8)).tolist()
    [[[[-2.0, 2.0]]]]
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = tuple(map(float, mean))
        self.std = tuple(map(float, std))
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"Normalize: mean and std must be of one length, got {len(self.mean)} and "
                f"{len(self.std)} values"
            )
        if not all(0 < value < np.inf for value in self.std):
            raise ValueError(f"Normalize: std must be greater than 0 and finite, got {self.std}")

    def __call__(self, images: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        _check_batch("Normalize", images)
        if images.shape[1] != len(self.mean):
            raise ValueError(
                f"Normalize: images {images.shape} have {images.shape[1]} channels, must have "
                f"{len(self.mean)} as mean and std do"
            )
        if images.dtype == np.uint8:
            scale, dtype = 255.0, np.dtype(np.float32)
        elif images.dtype in (np.float32, np.float64):
            scale, dtype = 1.0, images.dtype
        else:
            raise TypeError(f"Normalize: images must be floats or uint8, got {images.dtype}")
        mean, std = (
            np.array([scale * value for value in values], dtype)[:, None, None]
            for values in (self.mean, self.std)
        )
        normal = np.subtract(images, mean, dtype=dtype)
        normal /= std
        return normal

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


@dataclass(frozen=True)
class RandomCrop:
    """Cut a square out of each image, anywhere with the same chance.

    With padding and the size of the images, that shifts them by up to `padding` pixels.

    Parameters
    ----------
    size : int
        Side of the square.
    padding : int
        Zeros added on every side first.

    Raises
    ------
    ValueError
        `size` is not positive, `padding` negative; on use, the padded images are smaller.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> image = np.arange(1, 10).reshape(1, 1, 3, 3)
    >>> RandomCrop(3, padding=1)(image, rng)[0, 0]
    array([[4, 5, 6],
           [7, 8, 9],
           [0, 0, 0]])
    """

    size: int
    padding: int = 0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"RandomCrop: size must be at least 1, got {self.size}")
        if self.padding < 0:
            raise ValueError(f"RandomCrop: padding must be at least 0, got {self.padding}")

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        _check_batch("RandomCrop", images)
        padded = _padded(images, self.padding)
        count, _, height, width = padded.shape
        if min(height, width) < self.size:
            raise ValueError(
                f"RandomCrop: size {self.size} is more than the {height} x {width} of the images "
                f"{images.shape} with padding {self.padding}"
            )
        top = rng.integers(height - self.size + 1, size=(count,))
        left = rng.integers(width - self.size + 1, size=(count,))
        shape = (self.size, self.size)
        windows = np.lib.stride_tricks.sliding_window_view(padded, shape, axis=(2, 3))
        return windows[np.arange(count), :, top, left]


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Swap left and right in some images.

    Parameters
    ----------
    p : float
        The chance of each image.

    Raises
    ------
    ValueError
        `p` is not from 0 to 1.

    Examples
    --------
    >>> images = np.tile([1, 2], (3, 1, 1, 1))
    >>> RandomHorizontalFlip()(images, np.random.default_rng(0)).squeeze()
    array([[1, 2],
           [2, 1],
           [2, 1]])
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"RandomHorizontalFlip: p must be from 0 to 1, got {self.p}")

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        _check_batch("RandomHorizontalFlip", images)
        chosen = rng.random(len(images)) < self.p
        flipped = images.copy(order="K")
        flipped[chosen] = images[chosen, :, :, ::-1]
        return flipped


@dataclass(frozen=True)
class Cutout:
    """Put zeros into a square of each image, its centre on any pixel with the same chance.

    What of the square is outside the image is lost. Zero is the mean after `Normalize`.

    Parameters
    ----------
    size : int
        Side of the square.

    Raises
    ------
    ValueError
        `size` is not positive.

    References
    ----------
    T. DeVries, G. W. Taylor, "Improved regularization of convolutional neural networks with
    cutout", 2017, arXiv:1708.04552.

    Examples
    --------
    >>> Cutout(3)(np.ones((1, 1, 4, 5), int), np.random.default_rng(0)).squeeze()
    array([[1, 1, 1, 1, 1],
           [1, 1, 1, 1, 1],
           [1, 1, 0, 0, 0],
           [1, 1, 0, 0, 0]])
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"Cutout: size must be at least 1, got {self.size}")

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        _check_batch("Cutout", images)
        count, _, height, width = images.shape
        rows = self._covered(rng.integers(height, size=(count,)), height)
        columns = self._covered(rng.integers(width, size=(count,)), width)
        cut = images.copy(order="K")
        np.copyto(cut, 0, where=rows[:, None, :, None] & columns[:, None, None, :])
        return cut

    def _covered(self, centres: np.ndarray, length: int) -> np.ndarray:
        """Tell for each image (N, length) which of its rows or columns the square covers."""
        first = (centres - self.size // 2)[:, None]
        places = np.arange(length)
        return (first <= places) & (places < first + self.size)


def _check_batch(name: str, images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray):
        raise TypeError(f"{name}: images must be a NumPy array, got {type(images).__name__}")
    if images.ndim != 4:
        raise ValueError(f"{name}: images must be (N, C, H, W), got {images.shape}")


def _padded(images: np.ndarray, padding: int) -> np.ndarray:
    # Not np.pad, which takes three times as long.
    if not padding:
        return images
    count, channels, height, width = images.shape
    padded = np.zeros((count, channels, height + 2 * padding, width + 2 * padding), images.dtype)
    padded[:, :, padding:-padding, padding:-padding] = images
    return padded
