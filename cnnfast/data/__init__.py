"""Data sets, the batch loader and images: files in, NumPy arrays out.

``digits()`` comes with the package, and ``fetch(name)`` downloads known sets. ``mnist(root)``,
``cifar10(root)`` and ``cifar100(root)`` read them, ``image_folder(root, size)`` a folder of images
for each class, and ``read_idx(path)`` any IDX file; ``arrays(root)`` maps ``.npy`` files.
``DataLoader`` cuts arrays into batches, which ``transforms`` change on their way.
``load_image(path)`` reads a picture, and ``imagenet_preprocess`` makes it what a network takes.
Nothing here needs the compiled kernels.
"""

from cnnfast.data import transforms
from cnnfast.data.arrays import arrays
from cnnfast.data.cifar import cifar10, cifar100
from cnnfast.data.dataset import Dataset
from cnnfast.data.download import fetch
from cnnfast.data.folder import ImageFiles, ImageFolder, image_folder
from cnnfast.data.idx import read_idx
from cnnfast.data.images import center_square, imagenet_preprocess, load_image
from cnnfast.data.loader import DataLoader
from cnnfast.data.mnist import digits, mnist

__all__ = [
    "DataLoader",
    "Dataset",
    "ImageFiles",
    "ImageFolder",
    "arrays",
    "center_square",
    "cifar10",
    "cifar100",
    "digits",
    "fetch",
    "image_folder",
    "imagenet_preprocess",
    "load_image",
    "mnist",
    "read_idx",
    "transforms",
]
