"""The training loop, as plain functions: an epoch, a network's scores, its accuracy."""

from cnnfast.training.loop import Progress, evaluate, predict_scores, train_epoch

__all__ = ["Progress", "evaluate", "predict_scores", "train_epoch"]
