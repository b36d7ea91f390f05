"""Where a trainer begins, and what it leaves to go on from: with one process, and with several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.training.ranks import is_first
from cnnfast.training.state import restore, state_of

if TYPE_CHECKING:
    from cnnfast.training.trainer import Trainer


def begin(trainer: Trainer, resume: bool) -> None:
    """Bring a trainer to its newest checkpoint if it is to resume; else see that there is none.

    Raises
    ------
    ValueError
        There is no folder to resume from, or one with checkpoints that are not to be resumed from.
    """
    checkpoints = trainer.checkpoints
    if resume and checkpoints is None:
        raise ValueError("Trainer.fit: resume needs checkpoints, which the Trainer was not given")
    if not resume and checkpoints is not None and checkpoints.paths():
        raise ValueError(
            f"Trainer.fit: {checkpoints.folder} has checkpoints of an earlier run: go on with "
            "resume=True, or use another folder"
        )
    if not resume or checkpoints is None:
        return
    if is_first(trainer.world):
        checkpoints.load(trainer)
    if trainer.world is not None:
        parts = (trainer.model.state_dict(), trainer.optimizer.state_dict(), state_of(trainer))
        weights, optimizer, state = trainer.world.broadcast(parts)
        trainer.model.load_state_dict(weights)
        trainer.optimizer.load_state_dict(optimizer)
        restore(trainer, state)


def save(trainer: Trainer) -> Path | None:
    """Write a checkpoint if there is a folder for them; the first rank does, others wait."""
    if trainer.checkpoints is None:
        return None
    if trainer.world is None:
        return trainer.checkpoints.save(trainer)
    path = trainer.checkpoints.save(trainer) if trainer.world.rank == 0 else None
    return trainer.world.broadcast(path)
