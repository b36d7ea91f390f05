"""Training: `Trainer`, or its parts as plain functions.

``Trainer(model, optimizer, criterion).fit(train, validation, epochs)`` shows progress, writes
`Checkpoints` and gives a `History`; a `Callback` takes part in it. ``train_epoch`` and ``validate``
are an epoch of it; ``predict_scores`` and ``evaluate`` tell what a network makes of images.
`training.report` writes a page about it, `TensorBoard` files for that program.
"""

from cnnfast.training.bar import ProgressBar
from cnnfast.training.callbacks import Callback, EarlyStopping
from cnnfast.training.checkpoints import Checkpoints
from cnnfast.training.history import History
from cnnfast.training.loop import Progress, evaluate, predict_scores, train_epoch, validate
from cnnfast.training.tensorboard import TensorBoard
from cnnfast.training.trainer import Trainer

__all__ = [
    "Callback",
    "Checkpoints",
    "EarlyStopping",
    "History",
    "Progress",
    "ProgressBar",
    "TensorBoard",
    "Trainer",
    "evaluate",
    "predict_scores",
    "train_epoch",
    "validate",
]
