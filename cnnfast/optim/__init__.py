"""Optimizers, learning-rate schedules, gradient clipping. Names and rules are those of torch."""

from cnnfast.optim.adam import Adam
from cnnfast.optim.clip import clip_grad_norm_, clip_grad_value_
from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.schedules import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from cnnfast.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "CosineAnnealingLR",
    "LRScheduler",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "Optimizer",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]
