"""Progress bars, where tqdm is installed and somebody watches."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from operator import length_hint
from typing import TYPE_CHECKING, Any

from cnnfast.training.callbacks import Callback
from cnnfast.training.loop import Batches, Progress

if TYPE_CHECKING:
    from cnnfast.training.trainer import Trainer

_FORMAT = "{desc} {percentage:3.0f} % |{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"


def bar(total: int | None, title: str, unit: str, **options: Any) -> AbstractContextManager[Any]:
    """Show a progress bar, or give None if tqdm is not installed or nobody watches."""
    try:
        from tqdm import tqdm
    except ImportError:
        return nullcontext()
    if not sys.stderr.isatty():
        return nullcontext()
    return tqdm(total=total, desc=title, unit=unit, leave=False, dynamic_ncols=True, **options)


class ProgressBar(Callback):
    """A bar for each epoch and its validation: steps, time left, loss, accuracy, images a second.

    It needs the package ``tqdm``, and shows nothing without it or where standard error is no
    terminal.
    """

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._subject = ""

    def on_step_end(self, trainer: Trainer) -> None:
        self._show(f"epoch {trainer.epoch}/{trainer.epochs}", trainer.train, trainer.progress)

    def on_validation_step(self, trainer: Trainer) -> None:
        assert trainer.validation is not None
        self._show("validation", trainer.validation, trainer.validated)

    def on_epoch_end(self, trainer: Trainer) -> None:
        self._close()

    def on_fit_end(self, trainer: Trainer) -> None:
        self._close()

    def _show(self, subject: str, batches: Batches, progress: Progress) -> None:
        if subject != self._subject:
            self._close()
            self._open(subject, length_hint(batches), progress)
        if self._bar is not None:
            start, images = self._start
            rate = (progress.images - images) / (time.perf_counter() - start + 1e-9)
            figures = f"loss {progress.loss:.4f}, accuracy {100 * progress.accuracy:.2f} %"
            self._bar.set_postfix_str(f"{figures}, {rate:,.0f} images/s", refresh=False)
            self._bar.update(progress.batches - self._bar.n)

    def _open(self, subject: str, steps: int, progress: Progress) -> None:
        done = progress.batches - 1
        options = {"initial": done, "bar_format": _FORMAT if steps else None}
        self._bar = self._closing.enter_context(bar(steps or None, subject, " steps", **options))
        self._subject = subject
        self._start = time.perf_counter(), progress.images

    def _close(self) -> None:
        self._closing.close()
        self._subject = ""
