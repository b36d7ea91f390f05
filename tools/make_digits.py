"""Make the subset of MNIST that comes with the package, from the full set.

    python tools/make_digits.py MNIST_FOLDER cnnfast/data/digits

Training digits come from the training files, test digits from the test files, the same number of
each class, in the order of the originals. The same source gives the same files.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

from cnnfast.data import mnist

SEED = 0
TRAIN_PER_CLASS = 500
TEST_PER_CLASS = 100


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with the four MNIST files")
    parser.add_argument("output", type=Path, help="folder to write to")
    options = parser.parse_args(arguments)

    rng = np.random.default_rng(SEED)
    dataset = mnist(options.source)
    options.output.mkdir(parents=True, exist_ok=True)
    for split, images, labels, per_class in (
        ("train", dataset.train_images, dataset.train_labels, TRAIN_PER_CLASS),
        ("t10k", dataset.test_images, dataset.test_labels, TEST_PER_CLASS),
    ):
        chosen = choose(labels, per_class, rng)
        pixels = np.rint(images[chosen, 0] * 255).astype(np.uint8)
        write_idx(options.output / f"{split}-images-idx3-ubyte.gz", pixels)
        write_idx(options.output / f"{split}-labels-idx1-ubyte.gz", labels[chosen].astype(np.uint8))


def choose(labels: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sorted indices of `per_class` random examples of every class."""
    classes = [np.flatnonzero(labels == digit) for digit in range(10)]
    chosen = [rng.choice(members, per_class, replace=False) for members in classes]
    return np.sort(np.concatenate(chosen))


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as gzip'd IDX, without a name or a time, so that bytes are repeatable."""
    header = bytes([0, 0, 0x08, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with (
        open(path, "wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as zipped,
    ):
        zipped.write(header + array.tobytes())


if __name__ == "__main__":
    main()
