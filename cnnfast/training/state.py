"""What is to be remembered of a training beside the weights and the optimizer's state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cnnfast.nn.moment import named_generators
from cnnfast.training.callbacks import Callback
from cnnfast.training.history import History
from cnnfast.training.loop import Progress

if TYPE_CHECKING:
    from cnnfast.training.trainer import Trainer


def state_of(trainer: Trainer) -> dict[str, Any]:
    """Give it as numbers, strings, lists and dicts (and of some generators small arrays)."""
    history = trainer.history
    return {
        "kinds": _kinds(trainer),
        "step": trainer.step,
        "lr": trainer.lr,
        "progress": list(trainer.progress),
        "learned": trainer.learned,
        "seconds": trainer.seconds,
        "stopped": trainer.stopped,
        "scores": {column: history[column][-1] for column in history} if history.epochs else {},
        "history": history.rows(),
        "schedule": trainer.schedule.state_dict() if trainer.schedule is not None else {},
        "generators": {name: g.bit_generator.state for name, g in named_generators(trainer.model)},
        "train": state_of_loader(trainer.train),
        "validation": trainer.validation_state,
        "callbacks": {
            name: state for name, c in _named(trainer.callbacks) if (state := c.state_dict())
        },
    }


def restore(trainer: Trainer, state: dict[str, Any]) -> None:
    """Bring a trainer to where `state_of` found it, or one that is set up alike.

    Raises
    ------
    ValueError
        It is set up with other kinds of things, or other data.
    """
    for name, kind in _kinds(trainer).items():
        if state["kinds"][name] != kind:
            raise ValueError(f"its {name} is {state['kinds'][name]}, now it is {kind}")
    generators = dict(named_generators(trainer.model))
    if set(generators) != set(state["generators"]):
        raise ValueError("other layers have random generators")
    if trainer.schedule is not None:
        trainer.schedule.load_state_dict(state["schedule"])
    for name, generator in generators.items():
        generator.bit_generator.state = state["generators"][name]
    trainer.history = History.from_rows(state["history"])
    trainer.step = int(state["step"])
    trainer.lr = float(state["lr"])
    trainer.progress = Progress(*state["progress"])
    trainer.learned = bool(state["learned"])
    trainer.seconds = float(state["seconds"])
    trainer.stopped = str(state["stopped"])
    if not _restore_loader(trainer.train, state["train"]) and not trainer.learned:
        trainer.passed_over = trainer.progress.batches
    trainer.validation_state = state["validation"]
    _restore_loader(trainer.validation, trainer.validation_state)
    for name, callback in _named(trainer.callbacks):
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])


def _kinds(trainer: Trainer) -> dict[str, str]:
    parts = {"optimizer": trainer.optimizer, "schedule": trainer.schedule}
    return {n: "none" if part is None else type(part).__name__ for n, part in parts.items()}


def _named(callbacks: list[Callback]) -> Iterator[tuple[str, Callback]]:
    """Name callbacks by their kind and their number among those of the kind."""
    seen: dict[str, int] = {}
    for callback in callbacks:
        kind = type(callback).__name__
        seen[kind] = seen.get(kind, 0) + 1
        yield f"{kind} {seen[kind]}", callback


def state_of_loader(loader: Any) -> Any:
    """Give what a loader is to be remembered by; None if it knows nothing of the kind."""
    return loader.state_dict() if hasattr(loader, "state_dict") else None


def _restore_loader(loader: Any, state: Any) -> bool:
    """Bring a loader to a state; False if it knows none."""
    if state is None or not hasattr(loader, "load_state_dict"):
        return False
    loader.load_state_dict(state)
    return True
