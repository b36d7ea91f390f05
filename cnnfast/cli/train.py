"""``cnnfast train``: any network, on any data set, with checkpoints to go on from."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict, replace
from pathlib import Path

import cnnfast
from cnnfast.cli import CommandError, config, ranks, warnings_in_words
from cnnfast.cli.datasets import Data, dataset, mean_and_std
from cnnfast.cli.learning import Learning
from cnnfast.cli.run_folder import RunFiles, checkpoints_of, weights_path
from cnnfast.cli.settings import Settings
from cnnfast.cli.text import percent
from cnnfast.io import save_weights
from cnnfast.training import Checkpoints
from cnnfast.training.ranks import is_first


def run(options: argparse.Namespace) -> None:
    settings = config.resolve(options)
    world = ranks.join()
    if settings.threads is not None:
        cnnfast.set_num_threads(settings.threads)
    if settings.report:
        _require_report()
    images = dataset(settings)
    if settings.normalize and (settings.mean is None or settings.std is None):
        mean, std = mean_and_std(images.train_images)
        settings = replace(settings, mean=settings.mean or mean, std=settings.std or std)

    out = options.out
    checkpoints = checkpoints_of(out, settings)
    if checkpoints.paths() and not options.resume:
        raise CommandError(
            f"{checkpoints.folder} has checkpoints of an earlier run: go on with --resume, or take "
            "another folder with --out"
        )
    callbacks = [RunFiles(out, settings, images.classes)] if is_first(world) else []
    learning = Learning(images, settings, checkpoints, callbacks, world)
    _fit(learning, checkpoints, out, options.resume)
    if is_first(world):
        _conclude(learning, images, settings, out)


def _conclude(learning: Learning, images: Data, settings: Settings, out: Path) -> None:
    """Write and print what came of it."""
    path = weights_path(out, settings)
    save_weights(learning.model.state_dict(), path)
    print(f"weights saved in {path}")
    if settings.report:
        _write_report(learning, images, settings, out / "report.html")
    print(f"test accuracy {percent(learning.trainer.history['validation_accuracy'][-1])}")


def _fit(learning: Learning, checkpoints: Checkpoints, out: Path, resume: bool) -> None:
    again = f"cnnfast train --resume --out {shlex.quote(str(out))}"
    with warnings_in_words():
        try:
            learning.fit(resume)
        except KeyboardInterrupt as interrupt:
            if not checkpoints.paths():
                raise KeyboardInterrupt("nothing was saved") from None
            saved = ", ".join(map(str, interrupt.args)) or "since the last checkpoint"
            raise KeyboardInterrupt(f"{saved}; to go on: {again}") from None
        except CommandError as error:
            if learning.trainer.epoch and checkpoints.paths():  # it came as far as to learn
                raise CommandError(f"{error}; to go on: {again}", error.code) from error
            raise
    if learning.trainer.stopped:
        print(f"stopped: {learning.trainer.stopped}")


def _require_report() -> None:
    """Raise before any work is done, rather than after it."""
    try:
        import cnnfast.training.report  # noqa: F401
    except ImportError as error:
        raise CommandError(str(error)) from error


def _write_report(learning: Learning, images: Data, settings: Settings, path: Path) -> None:
    from cnnfast.training.report import write_report

    history = learning.trainer.history.to_dict()
    write_report(
        path, learning.model, history, learning.test, config.known(asdict(settings)), images.classes
    )
    print(f"report in {path}")
