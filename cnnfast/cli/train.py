"""``cnnfast train``: any network, on any data set, with checkpoints to go on from."""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

import cnnfast
from cnnfast.cli import CommandError, config, ranks
from cnnfast.cli.datasets import Data, dataset, mean_and_std
from cnnfast.cli.learning import Learning, checkpoints_of, percent, weights_name
from cnnfast.cli.settings import Settings
from cnnfast.io import save_weights
from cnnfast.io.atomic import replacing
from cnnfast.training import Callback, Trainer
from cnnfast.training.ranks import is_first

CLASSES = "classes.txt"


class _RunFiles(Callback):
    """Writes what is beside the checkpoints; nothing before it is known that training can begin."""

    def __init__(self, out: Path, settings: Settings, classes: Sequence[str]) -> None:
        self.out, self.settings, self.classes = out, settings, classes

    def on_fit_begin(self, trainer: Trainer) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        config.write(self.settings, self.out / config.NAME)
        with replacing(self.out / CLASSES) as file:
            file.write("".join(f"{name}\n" for name in self.classes).encode())

    def on_epoch_end(self, trainer: Trainer) -> None:
        trainer.history.save(self.out / "history.csv")


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
    callbacks = [_RunFiles(out, settings, images.classes)] if is_first(world) else []
    learning = Learning(images, settings, checkpoints, callbacks, world)
    _fit(learning, out, options.resume)
    if is_first(world):
        _conclude(learning, images, settings, out)


def _conclude(learning: Learning, images: Data, settings: Settings, out: Path) -> None:
    """Write and print what came of it."""
    path = out / weights_name(settings)
    save_weights(learning.model.state_dict(), path)
    print(f"weights saved in {path}")
    if settings.report:
        _write_report(learning, images, settings, out / "report.html")
    print(f"test accuracy {percent(learning.trainer.history['validation_accuracy'][-1])}")


def _fit(learning: Learning, out: Path, resume: bool) -> None:
    again = f"cnnfast train --resume --out {shlex.quote(str(out))}"
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show_warning
        try:
            learning.fit(resume)
        except KeyboardInterrupt as interrupt:
            if learning.trainer.checkpoints is None or not learning.trainer.checkpoints.paths():
                raise KeyboardInterrupt("nothing was saved") from None
            saved = ", ".join(map(str, interrupt.args)) or "since the last checkpoint"
            raise KeyboardInterrupt(f"{saved}; to go on: {again}") from None
    if learning.trainer.stopped:
        print(f"stopped: {learning.trainer.stopped}")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"cnnfast: warning: {message}", file=sys.stderr)


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
