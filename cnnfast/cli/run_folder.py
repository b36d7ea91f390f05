"""The folder that ``cnnfast train`` writes, and others read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnnfast.cli import config
from cnnfast.cli.networks import is_pattern
from cnnfast.cli.settings import Settings
from cnnfast.io.atomic import remove_remains, replacing
from cnnfast.training import Callback, Checkpoints, Trainer

CLASSES = "classes.txt"


def weights_path(run: Path, settings: Settings) -> Path:
    """Give the file with what the network has learned in the end."""
    name = "pattern" if is_pattern(settings.model) else settings.model
    return run / f"{name}.npz"


def checkpoints_of(run: Path, settings: Settings) -> Checkpoints:
    """Give the checkpoints of a run."""
    return Checkpoints(
        run / "checkpoints",
        keep=settings.keep,
        every_steps=settings.checkpoint_steps,
        monitor="validation_accuracy",
    )


def read_classes(run: Path) -> tuple[str, ...]:
    """Read the names of the classes that the network tells."""
    return tuple((run / CLASSES).read_text().splitlines())


class RunFiles(Callback):
    """Writes what is beside the checkpoints; nothing before it is known that training can begin."""

    def __init__(self, out: Path, settings: Settings, classes: Sequence[str]) -> None:
        self.out, self.settings, self.classes = out, settings, classes

    def on_fit_begin(self, trainer: Trainer) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        remove_remains(self.out)
        # So that the run goes on wherever the command is given.
        data = os.path.abspath(str(self.settings.data))
        config.write(replace(self.settings, data=data), self.out / config.NAME)
        with replacing(self.out / CLASSES) as file:
            file.write("".join(f"{name}\n" for name in self.classes).encode())

    def on_epoch_end(self, trainer: Trainer) -> None:
        trainer.history.save(self.out / "history.csv")
