"""``cnnfast train``: a network of the zoo on MNIST, or on another set in the same files."""

from __future__ import annotations

import argparse

import cnnfast
from cnnfast.cli import CommandError
from cnnfast.cli.learning import Learning, Recipe, percent
from cnnfast.data import Dataset, mnist
from cnnfast.io import save_weights

WEIGHT_DECAY = 0.0005  # worth a tenth of a percent of test accuracy on MNIST


def run(options: argparse.Namespace) -> None:
    if options.threads is not None:
        cnnfast.set_num_threads(options.threads)
    recipe = Recipe(
        options.epochs, options.batch_size, options.lr, options.seed, weight_decay=WEIGHT_DECAY
    )
    learning = Learning(_read(options), recipe, options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.model}.npz"
    saved = f"no epoch is complete, nothing was written to {path}"
    try:
        for epoch in learning.epochs():
            save_weights(learning.model.state_dict(), path)
            saved = f"{path} has the weights of epoch {epoch.number}"
            accuracy = learning.test()
            learning.print_epoch(epoch, accuracy)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(saved) from None
    print(f"weights saved in {path}")
    print(f"test accuracy {percent(accuracy)}")


def _read(options: argparse.Namespace) -> Dataset:
    try:
        return mnist(options.data)
    except ValueError as error:
        raise CommandError(str(error)) from error
