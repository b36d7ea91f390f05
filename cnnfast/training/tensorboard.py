"""A training as event files that TensorBoard shows, with tensorboardX, which is imported on use."""

from __future__ import annotations

import math
import os
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
    "learning rate": "lr",
}


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
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoard needs the library tensorboardX: "
                "python -m pip install 'cnnfast[tensorboard]'"
            ) from error
        self.folder = os.fspath(folder)
        self.histograms = histograms
        self._open = SummaryWriter
        self._writer: Any = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        first = trainer.history.epochs + 1
        # A name has only the second in it: files of one second would overwrite each other.
        suffix = f".{os.getpid()}.{first}"
        self._writer = self._open(self.folder, purge_step=first, filename_suffix=suffix)

    def on_epoch_end(self, trainer: Trainer) -> None:
        for tag, column in _CURVES.items():
            value = float(trainer.history[column][-1])
            if not math.isnan(value):
                self._writer.add_scalar(tag, value, trainer.epoch)
        if self.histograms:
            for name, parameter in trainer.model.named_parameters():
                self._writer.add_histogram(name, parameter.data, trainer.epoch)
        self._writer.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
