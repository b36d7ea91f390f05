"""A training as event files that TensorBoard shows, with tensorboardX, which is imported on use."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any

from cnnfast.training.callbacks import Callback

if TYPE_CHECKING:
    from cnnfast.training.trainer import Trainer

# Tags, and columns of a history: curves whose tags begin alike are drawn side by side.
_CURVES = {
    "loss/train": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "learning_rate": "lr",
}
_BINS = 64


class TensorBoard(Callback):
    """Writes loss, accuracy and learning rate of each epoch for ``tensorboard --logdir FOLDER``.

    What is NaN, as the validation's measures without one, is left out. A training that is resumed
    goes on in the same folder; what there was of epochs that are now repeated is discarded.

    Parameters
    ----------
    folder : str or os.PathLike
        One for each run; TensorBoard shows all runs of the folder above side by side.
    histograms : bool
        Whether to write histograms of all parameters after each epoch too.

    Raises
    ------
    ImportError
        tensorboardX is missing (extra ``tensorboard``).
    OSError
        In training: the files cannot be written.

    Examples
    --------
    >>> callback = TensorBoard("runs/lenet5", histograms=True)  # for Trainer(callbacks=[callback])
    >>> callback.folder
    'runs/lenet5'
    """

    def __init__(self, folder: str | os.PathLike[str], histograms: bool = False) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "TensorBoard needs the library tensorboardX: "
                "python -m pip install 'cnnfast[tensorboard]'"
            ) from error
        self.folder = os.fspath(folder)
        self.histograms = histograms
        self._events: _Events | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        self._events = _Events(self.folder, trainer.history.epochs + 1)

    def on_epoch_end(self, trainer: Trainer) -> None:
        from tensorboardX import summary

        assert self._events is not None
        for tag, column in _CURVES.items():
            value = float(trainer.history[column][-1])
            if not math.isnan(value):
                self._events.write(trainer.epoch, summary=summary.scalar(tag, value))
        if self.histograms:
            for name, parameter in trainer.model.named_parameters():
                histogram = summary.histogram(name, parameter.data, bins=_BINS)
                self._events.write(trainer.epoch, summary=histogram)
        self._events.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._events is not None:
            self._events.close()
            self._events = None


class _Events:
    """An event file, written to at once.

    tensorboardX's SummaryWriter has a thread write: ``flush`` does not wait for it, and when the
    disk is full it dies without a word and the training hangs.
    """

    def __init__(self, folder: str, first: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.record_writer import directory_check

        directory_check(folder)
        # A name has only the second in it: files of one second would overwrite each other.
        self._file = EventsWriter(os.path.join(folder, "events"), f".{os.getpid()}.{first}")
        # TensorBoard forgets what it has read from this step on.
        self.write(first, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write_event(Event(wall_time=time.time(), step=step, **what))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
