"""Folders of image files, a folder for each class, decoded when they are needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfast.data.images import center_square, image_library, load_image


class ImageFiles:
    """Image files as one array of images, which decodes those that it is indexed for.

    `DataLoader` takes it in place of an array, and decodes on its threads. An index gives float32
    in [0, 1]: (channels, size, size) for an integer, (n, channels, size, size) for a slice or for
    an array of integers or booleans.

    Parameters
    ----------
    paths : sequence of str or os.PathLike
    size : int
        The shorter side of each image is scaled to it, and the square in the middle taken.
    channels : 3 or 1
        Red, green and blue, or grey.

    Attributes
    ----------
    paths : numpy.ndarray of pathlib.Path
    shape : tuple of int
        ``(N, channels, size, size)``.
    dtype : numpy.dtype

    Raises
    ------
    ValueError
        `size` or `channels` is out of range; on use, a file is no image, or a damaged one: the
        message names it.
    ImportError
        Pillow is missing.
    OSError
        On use: a file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (40, 30), (255, 0, 0)).save(f"{folder}/red.png")
    ...     files = ImageFiles([f"{folder}/red.png"] * 10, size=16)
    ...     files.shape, files[:4].shape, files[9][:, 0, 0].tolist()
    ((10, 3, 16, 16), (4, 3, 16, 16), [1.0, 0.0, 0.0])
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]], size: int, channels: int = 3
    ) -> None:
        image_library("ImageFiles")
        if channels not in (1, 3):
            raise ValueError(f"ImageFiles: channels must be 3 or 1, got {channels!r}")
        if size < 1:
            raise ValueError(f"ImageFiles: size must be at least 1, got {size}")
        self.paths = np.empty(len(paths), object)
        self.paths[:] = [Path(path) for path in paths]
        self.shape = (len(paths), channels, size, size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        chosen = self.paths[index]
        if isinstance(chosen, Path):
            return self._decode(chosen)
        images = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for image, path in zip(images, chosen, strict=True):
            image[...] = self._decode(path)
        return images

    def _decode(self, path: Path) -> np.ndarray:
        _, channels, size, _ = self.shape
        image = load_image(path, channels)
        try:
            square = center_square(image, size, size)
        except ValueError as error:  # a strip so long that scaled it would fill memory
            raise ValueError(f"ImageFiles: {path}: {error}") from error
        return np.divide(square.transpose(2, 0, 1), 255, dtype=self.dtype)


class ImageFolder(NamedTuple):
    """Images, a label (N,) of int64 for each, and the names of the classes by their labels."""

    images: ImageFiles
    labels: np.ndarray
    classes: tuple[str, ...]


def image_folder(
    root: str | os.PathLike[str],
    size: int,
    channels: int = 3,
    classes: Sequence[str] | None = None,
) -> ImageFolder:
    """Find the images of a folder that has a folder for each class, as torchvision's ImageFolder.

    Nothing is decoded yet. Files whose names do not end as those of images do, and whatever begins
    with a dot, are passed over.

    Parameters
    ----------
    root : str or os.PathLike
    size, channels : int
        As for `ImageFiles`.
    classes : sequence of str, optional
        The names of the folders, in the order of their labels; by default all that are there, in
        the order of the alphabet. For a folder to test with, those of the one to learn from.

    Returns
    -------
    ImageFolder
        ``(images, labels, classes)``, class by class, its images in the order of the alphabet.

    Raises
    ------
    ValueError
        There are no folders in `root`, a folder has no images, or there are others than `classes`.
    ImportError
        Pillow is missing.
    OSError
        A folder cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("cats", "dogs"):
    ...         Path(root, name).mkdir()
    ...         Image.new("RGB", (40, 30)).save(f"{root}/{name}/1.png")
    ...     images, labels, classes = image_folder(root, size=16)
    >>> images.shape, labels.tolist(), classes
    ((2, 3, 16, 16), [0, 1], ('cats', 'dogs'))
    """
    root = Path(root)
    found = sorted(path.name for path in root.iterdir() if path.is_dir() and _visible(path, root))
    if not found:
        raise ValueError(f"image_folder: {root} has no folders, expected one for each class")
    names = tuple(found if classes is None else classes)
    if set(names) != set(found):
        raise ValueError(
            f"image_folder: {root} has folders {', '.join(found)}, expected the classes "
            f"{', '.join(names)}"
        )
    endings = _endings()
    files = [_images_of(root / name, endings) for name in names]
    labels = np.repeat(np.arange(len(names)), [len(paths) for paths in files])
    images = ImageFiles([path for paths in files for path in paths], size, channels)
    return ImageFolder(images, labels, names)


def _images_of(folder: Path, endings: set[str]) -> list[Path]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and _visible(path, folder) and path.is_file()
    )
    if not paths:
        raise ValueError(f"image_folder: {folder} has no images")
    return paths


def _endings() -> set[str]:
    library = image_library("image_folder")
    readable = library.registered_extensions().items()
    return {ending for ending, kind in readable if kind in library.OPEN}


def _visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)
