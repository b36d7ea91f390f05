"""Data sets, the batch loader and images: files in, NumPy arrays out.

``digits()`` comes with the package, ``mnist(root)`` reads the full files, ``read_idx(path)`` any
IDX file, and ``DataLoader`` cuts arrays into batches. ``load_image(path)`` reads a picture, and
``imagenet_preprocess`` makes it what a network takes. Nothing here needs the compiled kernels.
"""

from cnnfast.data.idx import read_idx
from cnnfast.data.images import center_square, imagenet_preprocess, load_image
from cnnfast.data.loader import DataLoader
from cnnfast.data.mnist import Dataset, digits, mnist

__all__ = [
    "DataLoader",
    "Dataset",
    "center_square",
    "digits",
    "imagenet_preprocess",
    "load_image",
    "mnist",
    "read_idx",
]
