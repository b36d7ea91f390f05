"""Image files to arrays, with Pillow (extra ``image``), which is imported on use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from types import ModuleType

import numpy as np

# Of the images of ImageNet, scaled to [0, 1]: red, green, blue.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_MODES = {1: "L", 3: "RGB"}
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


def load_image(path: str | os.PathLike[str], channels: int = 3) -> np.ndarray:
    """Read an image file: JPEG, PNG, WebP or whatever else Pillow reads.

    Parameters
    ----------
    path : str or os.PathLike
    channels : 3 or 1
        Red, green and blue, or grey. Transparency is dropped.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, channels), turned as the camera says.

    Raises
    ------
    ValueError
        The file is no image, is damaged, has more than 8 bits a channel, or has so many pixels
        that it must have been made to fill memory (`PIL.Image.MAX_IMAGE_PIXELS`).
    ImportError
        Pillow is missing.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (4, 2), (255, 0, 7)).save(f"{folder}/red.png")
    ...     image = load_image(f"{folder}/red.png")
    >>> image.shape, image[0, 0].tolist()
    ((2, 4, 3), [255, 0, 7])
    """
    image_module = image_library("load_image")
    from PIL import ImageOps

    if channels not in _MODES:
        raise ValueError(f"load_image: channels must be 3 or 1, got {channels!r}")
    with open(path, "rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", image_module.DecompressionBombWarning)
                image = image_module.open(file)
            if image.mode not in _EIGHT_BITS:
                raise ValueError(f"its pixels are of mode {image.mode}, must have 8 bits a channel")
            upright = ImageOps.exif_transpose(image).convert(_MODES[channels])
        except Exception as error:  # of hostile bytes: SyntaxError, struct.error, OSError, ...
            message = str(error).replace(f" {file!r}", "")
            raise ValueError(f"load_image: {path}: {message or type(error).__name__}") from error
    return np.array(upright).reshape(upright.height, upright.width, channels)


def center_square(image: np.ndarray, size: int, shorter: int) -> np.ndarray:
    """Scale an image so that its shorter side has a length, and cut a square from the middle.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3) or (H, W, 1).
    size : int
        Side of the square.
    shorter : int
        Length of the shorter side, at least `size`. Scaled bilinearly, over as many pixels as
        become one.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3) or (size, size, 1).

    Raises
    ------
    TypeError, ValueError
        `image` is no such array, `size` does not fit, or `image` is so long that scaled it would
        fill memory.
    ImportError
        Pillow is missing.

    Examples
    --------
    >>> center_square(np.zeros((600, 400, 3), np.uint8), 224, 256).shape
    (224, 224, 3)
    """
    image_module = image_library("center_square")
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"center_square: image must be an array of uint8, got {found}")
    if image.ndim != 3 or image.shape[2] not in _MODES or not image.size:
        raise ValueError(f"center_square: image must be (H, W, 3) or (H, W, 1), got {image.shape}")
    if not 1 <= size <= shorter:
        raise ValueError(f"center_square: size must be from 1 to shorter, {shorter}, got {size}")
    height, width, channels = image.shape
    least = min(height, width)
    height, width = shorter * height // least, shorter * width // least
    most = image_module.MAX_IMAGE_PIXELS
    if most is not None and height * width > most:
        raise ValueError(
            f"center_square: image {image.shape} would be {height} x {width} with a shorter side "
            f"of {shorter}, more than {most} pixels"
        )
    picture = image_module.fromarray(image if channels == 3 else image[..., 0])
    scaled = picture.resize((width, height), image_module.Resampling.BILINEAR)
    top, left = round((height - size) / 2), round((width - size) / 2)
    cut = np.array(scaled.crop((left, top, left + size, top + size)))
    return cut.reshape(size, size, channels)


def imagenet_preprocess(
    image: np.ndarray,
    size: int = 224,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> np.ndarray:
    """Make of an image what networks trained on ImageNet take, as torchvision does.

    The shorter side becomes 8/7 of `size` (256 for 224); the square in the middle is normalised.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), red, green and blue.
    size : int
    mean, std : sequence of float
        Of the colours in the images that the network learned from, scaled to [0, 1].

    Returns
    -------
    numpy.ndarray
        float32 (3, size, size).

    Raises
    ------
    TypeError, ValueError
        As `center_square`, and for an image that is grey.
    ImportError
        Pillow is missing.

    Examples
    --------
    >>> imagenet_preprocess(np.full((300, 400, 3), 255, np.uint8))[:, 0, 0].round(3)
    array([2.249, 2.429, 2.64 ], dtype=float32)
    """
    square = center_square(image, size, round(size * 256 / 224))
    if square.shape[2] != 3:
        raise ValueError(f"imagenet_preprocess: image must be (H, W, 3), got {image.shape}")
    scaled = np.divide(square.transpose(2, 0, 1), 255, dtype=np.float32, order="C")
    scaled -= np.array(mean, np.float32)[:, None, None]
    scaled /= np.array(std, np.float32)[:, None, None]
    return scaled


def image_library(function: str) -> ModuleType:
    """Import Pillow for a function of this name."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{function} needs the library Pillow: python -m pip install 'cnnfast[image]'"
        ) from error
    return Image
