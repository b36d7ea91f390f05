"""What ``cnnfast train`` can be told: each setting an option of the command and a key in a file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cnnfast.cli.values import integer, number, numbers, one_of, positive

KINDS = ("mnist", "cifar10", "cifar100", "arrays", "images")
SCHEDULES = ("linear", "constant", "step", "cosine", "one-cycle", "plateau")


def _setting(default: Any, parse: Callable[[str], Any], metavar: str, text: str) -> Any:
    if default is not None and default is not False:
        text += f" (default: {default})"
    metadata = {"parse": parse, "metavar": metavar, "help": text}
    return field(default=default, metadata=metadata)


def _switch(text: str) -> Any:
    return _setting(False, bool, "", text)


@dataclass(frozen=True)
class Settings:
    """A training run, but for where it writes to. Everything random follows from `seed`."""

    data: str | None = _setting(
        None,
        str,
        "DIR",
        "folder with MNIST's four IDX files, gzip'd or not; CIFAR's .bin files; train_images.npy, "
        "train_labels.npy, test_images.npy and test_labels.npy; or train and test, each with a "
        "folder of image files for each class",
    )
    kind: str | None = _setting(
        None, one_of(*KINDS), "KIND", f"what that is: {', '.join(KINDS)} (default: what it is like)"
    )
    image_size: int | None = _setting(
        None,
        integer(1, 65536),
        "N",
        "side of the squares that image files become (default: what the network is for)",
    )
    grey: bool = _switch("make image files grey")
    model: str = _setting(
        "lenet5",
        str,
        "NAME",
        "a network of cnnfast.models, or a pattern such as 'INPUT -> [CONV -> RELU -> POOL]*2 -> "
        "FC'; all but LeNet-5 see images of less than 32x32 in a frame that makes them so large",
    )
    epochs: int = _setting(10, integer(1), "N", "passes over the training images")
    batch_size: int = _setting(64, integer(1), "N", "images in a step")
    optimizer: str = _setting("sgd", one_of("sgd", "adam"), "NAME", "sgd or adam")
    lr: float = _setting(0.05, positive, "RATE", "learning rate, the highest one")
    momentum: float = _setting(0.9, number(0, 1), "SHARE", "of sgd")
    weight_decay: float = _setting(0.0005, number(0), "RATE", "what large weights cost")
    schedule: str = _setting(
        "linear",
        one_of(*SCHEDULES),
        "NAME",
        "how the rate goes on: linear and cosine fall to 0, step to a tenth after each third, "
        "one-cycle rises first, plateau falls to a tenth when the test loss does not improve for "
        "more than 3 epochs, constant stays",
    )
    warm_up: float = _setting(0.0, number(0), "EPOCHS", "how long the rate rises at first")
    label_smoothing: float = _setting(0.0, number(0, 1), "SHARE", "for the classes that are wrong")
    clip_norm: float | None = _setting(
        None, positive, "NORM", "scale gradients down to it (default: never)"
    )
    early_stopping: int | None = _setting(
        None,
        integer(0),
        "EPOCHS",
        "stop when the test accuracy has not improved for longer than that (default: never)",
    )
    normalize: bool = _switch("bring the channels to mean 0 and standard deviation 1")
    mean: tuple[float, ...] | None = _setting(
        None, numbers, "X,X,X", "of the channels, for --normalize (default: of training images)"
    )
    std: tuple[float, ...] | None = _setting(
        None, numbers, "X,X,X", "of the channels, for --normalize (default: of training images)"
    )
    shift: int = _setting(0, integer(0), "N", "move training images by up to N pixels")
    flip: bool = _switch("mirror half of the training images, others each time")
    cutout: int = _setting(0, integer(0), "N", "put a square of N pixels over training images")
    seed: int = _setting(
        0, integer(0), "N", "where first weights, order and augmentation come from"
    )
    threads: int | None = _setting(
        None,
        integer(1, 1024),
        "N",
        "for the compiled kernels (default: the processors this process may use, or its share of "
        "them under mpiexec)",
    )
    sync_batchnorm: bool = _switch(
        "under mpiexec: batch normalisation over the images of all ranks"
    )
    workers: int | None = _setting(
        None,
        integer(0, 1024),
        "N",
        "threads that prepare batches (default: 1 if there is something to prepare)",
    )
    keep: int = _setting(3, integer(1), "N", "checkpoints to keep, besides the best one")
    checkpoint_steps: int | None = _setting(
        None, integer(1), "N", "write one after so many steps too (default: after epochs only)"
    )
    report: bool = _switch("write report.html: curves, filters, mistakes, what layers cost")


PARSE = {f.name: f.metadata["parse"] for f in fields(Settings)}


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add an option for each setting; those that are not given leave nothing in the namespace."""
    for f in fields(Settings):
        flag = f"--{f.name.replace('_', '-')}"
        options: dict[str, Any] = {"help": f.metadata["help"], "default": argparse.SUPPRESS}
        if f.metadata["parse"] is bool:
            command.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
        else:
            command.add_argument(
                flag, type=f.metadata["parse"], metavar=f.metadata["metavar"], **options
            )


def add_train(command: argparse.ArgumentParser) -> None:
    """Add what ``cnnfast train`` takes."""
    command.add_argument(
        "--out",
        type=Path,
        default=Path("cnnfast-train"),
        metavar="DIR",
        help="folder for weights, checkpoints, history and settings (default: %(default)s)",
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out, under its settings unless others are given",
    )
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a .toml file of the settings below, with _ for -, such as: batch_size = 128",
    )
    add_settings(command)
