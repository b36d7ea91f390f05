"""Progress bars, where tqdm is installed and somebody watches."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from operator import length_hint
from typing import TYPE_CHECKING, Any

from cnnfast.training.callbacks import Callback

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
    """A bar for each epoch: steps, time left, loss, accuracy and images a second.

    It needs the package ``tqdm``, and shows nothing without it or where standard error is no
    terminal.
    """

    def __init__(self) -> None:
        self._open: AbstractContextManager[Any] | None = None
        self._shown: Any = None

    def on_step_end(self, trainer: Trainer) -> None:
        progress = trainer.progress
        if self._open is None:
            steps = length_hint(trainer.train) or None
            title = f"epoch {trainer.epoch}/{trainer.epochs}"
            layout = _FORMAT if steps else None
            self._open = bar(
                steps, title, " steps", initial=progress.batches - 1, bar_format=layout
            )
            self._shown = self._open.__enter__()
            self._start = time.perf_counter(), progress.images
        if self._shown is not None:
            start, images = self._start
            rate = (progress.images - images) / (time.perf_counter() - start + 1e-9)
            figures = f"loss {progress.loss:.4f}, accuracy {100 * progress.accuracy:.2f} %"
            self._shown.set_postfix_str(f"{figures}, {rate:,.0f} images/s", refresh=False)
            self._shown.update(progress.batches - self._shown.n)

    def on_epoch_end(self, trainer: Trainer) -> None:
        self._close()

    def on_fit_end(self, trainer: Trainer) -> None:
        self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = self._shown = None
