"""``cnnfast evaluate``: how well a network does that ``cnnfast train`` made."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

import cnnfast
from cnnfast.cli import CommandError, config, warnings_in_words
from cnnfast.cli.batches import test_loader
from cnnfast.cli.datasets import dataset
from cnnfast.cli.learning import fresh_network
from cnnfast.cli.run_folder import checkpoints_of, read_classes, weights_path
from cnnfast.cli.settings import Settings
from cnnfast.cli.text import percent
from cnnfast.io import load_weights
from cnnfast.nn import CrossEntropyLoss
from cnnfast.training import validate
from cnnfast.training.bar import bar
from cnnfast.training.checkpoints import weights_of

NOT_GOOD_ENOUGH = 1  # exit code


def run(options: argparse.Namespace) -> None:
    saved = options.run / config.NAME
    if not saved.exists():
        raise CommandError(f"{options.run} is no folder that cnnfast train wrote: no {config.NAME}")
    settings = Settings(**config.read(saved))
    if settings.threads is not None:
        cnnfast.set_num_threads(settings.threads)
    weights = _weights(options.run, settings, options.best)
    if options.data is not None:
        settings = replace(settings, data=options.data, kind=None)
    images = dataset(settings, read_classes(options.run))
    loader = test_loader(images, settings)
    model = fresh_network(images, settings, loader, np.random.default_rng(0))
    try:
        model.load_state_dict(weights)
        with bar(len(loader), "evaluating", " batches") as shown:
            update = None if shown is None else lambda progress: shown.update()
            measured = validate(model, loader, CrossEntropyLoss(), update)
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from error

    if options.json:
        names = ("loss", "accuracy", "images")
        print(json.dumps({name: getattr(measured, name) for name in names}))
    else:
        print(f"{measured.images:,} images   loss {measured.loss:.4f}")
        print(f"test accuracy {percent(measured.accuracy)}")
    if options.at_least is not None and not 100 * measured.accuracy >= options.at_least:
        raise CommandError(
            f"the accuracy is {percent(measured.accuracy)}, less than {options.at_least:g} %",
            NOT_GOOD_ENOUGH,
        )


def _weights(run: Path, settings: Settings, best: bool) -> dict[str, np.ndarray]:
    """Read the newest weights of a run, of its checkpoints if they are there, or the best ones."""
    checkpoints = checkpoints_of(run, settings)
    try:
        with warnings_in_words():
            found = checkpoints.best() if best else checkpoints.newest()
        if found is not None:
            return weights_of(found)
        if best:
            raise CommandError(f"{checkpoints.folder} has no checkpoint to take weights from")
        return load_weights(weights_path(run, settings))
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from error
