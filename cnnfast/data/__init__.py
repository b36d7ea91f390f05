"""Data sets and the batch loader: files in, NumPy arrays out.

``digits()`` comes with the package, ``mnist(root)`` reads the full files, ``read_idx(path)`` any
IDX file, and ``DataLoader`` cuts arrays into batches. Nothing here needs the compiled kernels.
"""

from cnnfast.data.idx import read_idx
from cnnfast.data.loader import DataLoader
from cnnfast.data.mnist import Dataset, digits, mnist

__all__ = ["DataLoader", "Dataset", "digits", "mnist", "read_idx"]
