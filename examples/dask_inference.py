"""Batch inference over a Dask array: more images than fit in memory, block by block.

    python examples/dask_inference.py
    python examples/dask_inference.py --model resnet18 --weights resnet18.npz --images images.npy

The images lie in a file (N, C, H, W), float32. Without one, and without weights, LeNet-5 first
learns the bundled digits, and then tells those that it has not seen. Every block becomes scores on
a thread of Dask's, and cnnfast uses that thread alone: the processors are shared out once, by Dask.
(Where Dask's workers are processes, start them with CNNFAST_NUM_THREADS=1 instead.)

Needs Dask: python -m pip install "dask[array]"
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dask.array as da
import numpy as np

import cnnfast
from cnnfast import models
from cnnfast.data import DataLoader, digits
from cnnfast.nn import CrossEntropyLoss, Module
from cnnfast.optim import Adam
from cnnfast.training import train_epoch


def scores_of(model: Callable[[np.ndarray], np.ndarray], images: da.Array) -> da.Array:
    """Give a network's scores (N, classes) of images (N, C, H, W); nothing is computed yet."""
    images = images.rechunk((images.chunks[0], -1, -1, -1))  # whole images in every block
    (_, classes) = model(np.zeros((1, *images.shape[1:]), images.dtype)).shape
    return images.map_blocks(
        model,
        drop_axis=(2, 3),
        chunks=(images.chunks[0], (classes,)),
        meta=np.empty((0, 0), images.dtype),
    )


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let cnnfast compute on the threads that call it, and on no others."""
    before = cnnfast.get_num_threads()
    cnnfast.set_num_threads(1)
    try:
        yield
    finally:
        cnnfast.set_num_threads(before)


def learned(epochs: int) -> Module:
    """Make a LeNet-5 that knows the bundled digits."""
    images, labels, *_ = digits()
    model = models.lenet5(rng=np.random.default_rng(0))
    loader = DataLoader(images, labels, batch_size=64, shuffle=True, seed=0)
    optimizer = Adam(model.parameters(), lr=0.002)
    for _ in range(epochs):
        train_epoch(model, loader, CrossEntropyLoss(), optimizer)
    return model


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Infer block by block, with Dask.")
    parser.add_argument("--model", default="lenet5", help="of cnnfast.models; default: %(default)s")
    parser.add_argument("--weights", type=Path, help="its weights; else LeNet-5 learns digits")
    parser.add_argument("--images", type=Path, help="an .npy file; else the digits to test with")
    parser.add_argument(
        "--block", type=int, default=100, help="images in one; default: %(default)s"
    )
    parser.add_argument("--workers", type=int, help="Dask's threads; default: the processors")
    parser.add_argument("--epochs", type=int, default=3, help="to learn; default: %(default)s")
    options = parser.parse_args(argv)

    if options.weights:
        state = cnnfast.load_weights(options.weights)
        model = getattr(models, options.model)(num_classes=len(list(state.values())[-1]))
        model.load_state_dict(state)
    else:
        model = learned(options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        path = options.images
        if path is None:
            path = Path(folder) / "images.npy"
            np.save(path, digits().test_images)
        # Only the blocks that are being worked on are ever in memory.
        file = np.load(path, mmap_mode="r")
        images = da.from_array(file, chunks=(options.block, -1, -1, -1))
        classes = scores_of(model, images).argmax(axis=1)
        start = time.perf_counter()
        with one_thread_each():
            found = classes.compute(scheduler="threads", num_workers=options.workers)
        rate = len(found) / (time.perf_counter() - start)
    print(f"{len(found)} images in {images.numblocks[0]} blocks, {rate:,.0f} images/s")
    if options.images is None:
        print(f"right: {(found == digits().test_labels).mean():.1%}")
    else:
        print(f"images of each class: {np.bincount(found).tolist()}")


if __name__ == "__main__":
    main()
